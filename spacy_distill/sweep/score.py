"""Score a pipeline on a test set, and count its correct and wrong entities in each sentence.

Runs in its own process: `python -m spacy_distill.sweep.score`.
"""

from pathlib import Path
from typing import Annotated, Any, Dict, Iterable, List

import srsly
import typer
from spacy.scorer import PRFScore, Scorer
from spacy.training import Example

from ..docbins import read_gold
from ..loading import load_pipeline, use_gpu
from ..parameters import count_parameters, find_nodes


class KeepingScorer(Scorer):
    """A scorer that keeps the examples with their predictions, so that they can be counted."""

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
    """Score like `spacy evaluate --gold-preproc`, and also write counts and parameters."""
    use_gpu(gpu)
    nlp = load_pipeline(model)
    examples = read_gold(test, nlp)
    scorer = KeepingScorer(nlp)
    scores = nlp.evaluate(examples, scorer=scorer)
    counted = [count_sentence(eg) for eg in scorer.examples]
    metrics.parent.mkdir(parents=True, exist_ok=True)
    srsly.write_json(metrics, scores)
    columns = zip(("tp", "fp", "fn"), zip(*((prf.tp, prf.fp, prf.fn) for prf in counted)))
    parameters = count_parameters(find_nodes(nlp))
    # On one line, because there are thousands of them.
    line = srsly.json_dumps({"parameters": parameters, **{key: list(n) for key, n in columns}})
    counts.write_text(line + "\n", encoding="utf-8")


def count_sentence(eg: Example) -> PRFScore:
    """Count correct, wrong and missed entities, by span and label, as spaCy's `Scorer` does.

    eg (Example): The sentence, whose documents have the same tokens. A predicted entity is ignored
        if any of its tokens lacks gold annotation.
    RETURNS (PRFScore): The counts.
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


if __name__ == "__main__":
    typer.run(score_cli)
