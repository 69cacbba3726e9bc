"""Scores a pipeline on a test set, and counts what is right and wrong in each sentence.

A process of its own runs it: `python -m spacy_distill.sweep.score`.
"""

from pathlib import Path
from typing import Annotated, Any, Dict, Iterable, List, Sequence

import srsly
import typer
from spacy.scorer import PRFScore, Scorer
from spacy.training import Example

from ..docbins import read_gold
from ..errors import Errors
from ..loading import load_pipeline, use_gpu
from ..parameters import count_parameters, find_nodes


class KeepingScorer(Scorer):
    """Keeps the examples, with what was predicted, for more than their scores."""

    examples: List[Example]

    def score(self, examples: Iterable[Example], **kwargs: Any) -> Dict[str, Any]:
        self.examples = list(examples)
        return super().score(self.examples, **kwargs)


def score_cli(
    model: Annotated[Path, typer.Argument(help="Trained pipeline")],
    test: Annotated[Path, typer.Argument(help="Test set (.spacy)")],
    metrics: Annotated[Path, typer.Argument(help="File for the output of `spacy evaluate`")],
    counts: Annotated[Path, typer.Argument(help="File for the entity counts of each sentence")],
    gpu: Annotated[int, typer.Option(help="GPU to use, -1 for the CPU")] = -1,
) -> None:
    """Score as `spacy evaluate --gold-preproc` does; write counts and parameters, too."""
    use_gpu(gpu)
    nlp = load_pipeline(model)
    examples = read_gold(test, nlp)
    scorer = KeepingScorer(nlp)
    scores = nlp.evaluate(examples, scorer=scorer)
    counted = [count_sentence(eg) for eg in scorer.examples]
    check_counts(counted, f1=scores["ents_f"] or 0.0, model=model)
    metrics.parent.mkdir(parents=True, exist_ok=True)
    srsly.write_json(metrics, scores)
    columns = zip(("tp", "fp", "fn"), zip(*((prf.tp, prf.fp, prf.fn) for prf in counted)))
    parameters = count_parameters(find_nodes(nlp))
    # On one line, for there are thousands of them.
    line = srsly.json_dumps({"parameters": parameters, **{key: list(n) for key, n in columns}})
    counts.write_text(line + "\n", encoding="utf-8")


def count_sentence(eg: Example) -> PRFScore:
    """Right, wrong and missed entities, of the same words and label, as spaCy's `Scorer` has them.

    eg (Example): Tokens of both documents are the same. An entity where the gold annotation is
        missing is neither right nor wrong.
    """
    gold = {(ent.start, ent.end, ent.label_) for ent in eg.reference.ents}
    found = {
        (ent.start, ent.end, ent.label_)
        for ent in eg.predicted.ents
        if all(token.ent_iob != 0 for token in eg.reference[ent.start : ent.end])
    }
    score = PRFScore()
    score.score_set(found, gold)
    return score


def check_counts(counted: Sequence[PRFScore], *, f1: float, model: Path) -> None:
    """Refuse counts that do not give the F1. RAISES (ValueError): D610."""
    total = sum(counted, PRFScore())
    if abs(total.fscore - f1) > 1e-9:
        raise ValueError(Errors.D610.format(path=model, found=total.fscore, expected=f1))


if __name__ == "__main__":
    typer.run(score_cli)
