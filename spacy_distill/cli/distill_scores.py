"""The scores of `distill`: accuracy where there is gold, else agreement with the teacher."""

from pathlib import Path
from typing import Any, Dict, Optional

import srsly
from spacy.cli.evaluate import evaluate
from spacy.scorer import get_ner_prf
from spacy.training import Example
from spacy.vocab import Vocab
from wasabi import msg

from ..docbins import read_docbins
from ..files import digest_source, read_json, write_json
from .evaluate import AGREEMENT, MADE_FROM, describe_scores, percentages


def forget_agreement(best: Path) -> None:
    """Leave out of a student's metadata the scores on its development set, which its teacher has
    labelled: they would be read as accuracy."""
    path = best / "meta.json"
    meta = read_json(path)
    known = meta.get("performance", {})
    meta["performance"] = {key: known[key] for key in known if not key.startswith("ents_")}
    write_json(path, meta)


def report(best: Path, scored_on: Path, scored: Optional[Path]) -> None:
    """Score the student, and its teacher where there is gold.

    best (Path): The student.
    scored_on (Path): Test or development set.
    scored (Optional[Path]): What the teacher says of it; None if the teacher has made it.
    """
    metrics = best.parent / "metrics"
    metrics.mkdir(exist_ok=True)
    output = metrics / "student.json"
    evaluate(str(best), scored_on, output=output, gold_preproc=True, silent=True)
    scores = {**read_json(output), MADE_FROM: describe_scores(best, digest_source(scored_on))}
    srsly.write_json(output, {**scores, AGREEMENT: scored is None})
    rows = [("student", *percentages(scores))]
    if scored is not None:
        of_teacher = score_annotated(scored, scored_on)
        srsly.write_json(metrics / "teacher.json", of_teacher)
        rows.append(("teacher", *percentages(of_teacher)))
    else:
        # One of an earlier run would be taken for that of this teacher.
        (metrics / "teacher.json").unlink(missing_ok=True)
    msg.table(rows, header=("", "P", "R", "F"), divider=True, aligns=("l", "r", "r", "r"))
    if scored is None:
        msg.warn(
            "These scores measure agreement with the teacher on held-out text, not accuracy, "
            "because nothing is labelled. Give --dev or --test to measure accuracy"
        )


def score_annotated(annotated: Path, gold: Path) -> Dict[str, Any]:
    """Score a teacher, as `spacy evaluate` does a pipeline.

    annotated (Path): The documents of the other file, labelled by the teacher.
    gold (Path): The same documents with gold entities.
    """
    vocab = Vocab()
    pairs = zip(read_docbins(annotated, vocab), read_docbins(gold, vocab))
    return get_ner_prf([Example(found, reference) for found, reference in pairs])
