"""The scores of `distill`: accuracy if there is gold, otherwise agreement with the teacher."""

from pathlib import Path
from typing import Any, Dict, Optional

from spacy.scorer import get_ner_prf
from spacy.training import Example
from spacy.vocab import Vocab
from wasabi import msg

from ...docbins import read_docbins
from ...files import digest_source, read_json, write_json
from ..scoring import AGREEMENT, describe_scores, percentages, score_pipeline


def forget_agreement(best: Path) -> None:
    """Remove the scores on a development set that the teacher has labelled from the student's
    metadata, because they would be mistaken for accuracy, and record what that set is."""
    path = best / "meta.json"
    meta = read_json(path)
    known = meta.get("performance", {})
    meta[AGREEMENT] = True
    meta["performance"] = {key: known[key] for key in known if not key.startswith("ents_")}
    write_json(path, meta)


def report(best: Path, scored_on: Path, scored: Optional[Path]) -> None:
    """Score the student and, if there is gold, the teacher.

    best (Path): The student.
    scored_on (Path): Test or development set.
    scored (Optional[Path]): The same documents as annotated by the teacher; None if the labels of
        the set itself are the teacher's.
    """
    metrics = best.parent / "metrics"
    metrics.mkdir(exist_ok=True)
    made_from = describe_scores(best, digest_source(scored_on))
    scores = score_pipeline(best, scored_on, metrics / "student.json", made_from=made_from)
    rows = [("student", *percentages(scores))]
    if scored is not None:
        of_teacher = score_annotated(scored, scored_on)
        write_json(metrics / "teacher.json", of_teacher)
        rows.append(("teacher", *percentages(of_teacher)))
    else:
        # The scores of an earlier run would be mistaken for those of this teacher.
        (metrics / "teacher.json").unlink(missing_ok=True)
    msg.table(rows, header=("", "P", "R", "F"), divider=True, aligns=("l", "r", "r", "r"))
    if scored is None:
        msg.warn(
            "These scores measure agreement with the teacher on held-out text, not accuracy, "
            "because nothing is labelled. Give --dev or --test to measure accuracy"
        )


def score_annotated(annotated: Path, gold: Path) -> Dict[str, Any]:
    """Score a teacher in the same way as `spacy evaluate` scores a pipeline.

    annotated (Path): The documents of `gold`, labelled by the teacher.
    gold (Path): The same documents with gold entities.
    """
    vocab = Vocab()
    pairs = zip(read_docbins(annotated, vocab), read_docbins(gold, vocab))
    return get_ner_prf([Example(found, reference) for found, reference in pairs])
