"""Measure how rounding weights for a package changes F1 on the test set, for runs of a sweep."""

from pathlib import Path
from typing import Annotated, get_args

import spacy
import typer

from spacy_distill.compression import Dtype, compress, restore
from spacy_distill.docbins import read_gold


def print_rounding(
    work: Annotated[Path, typer.Argument(help="The sweep's --work")],
    system: Annotated[str, typer.Argument(help="Name of the system")] = "student-crf",
) -> None:
    """Print F1 in percent of each run of a system, with weights rounded as in a package."""
    print("| labelled, seed | " + " | ".join(get_args(Dtype)) + " |")
    print("| --- |" + " ---: |" * len(get_args(Dtype)))
    for model in sorted(work.glob(f"*/*/training/{system}/model-best")):
        folder = model.parents[2]
        scores = [rounded_score(model, folder, dtype=name) for name in get_args(Dtype)]
        name = f"{folder.parent.name}, {folder.name}"
        print(f"| {name} | " + " | ".join(f"{100 * score:.2f}" for score in scores) + " |")


def rounded_score(model: Path, folder: Path, *, dtype: Dtype) -> float:
    nlp = spacy.load(model)
    rounded = nlp.get_pipe("ner").model
    compress(rounded, dtype=dtype)
    restore(rounded)
    return nlp.evaluate(read_gold(folder / "corpus" / "test.spacy", nlp))["ents_f"]


if __name__ == "__main__":
    typer.run(print_rounding)
