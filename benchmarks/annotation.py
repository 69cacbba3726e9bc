"""Measure words/s of a teacher's annotation, and of a bare forward pass of its transformer.

Both read the same batches, sorted by length. Run it in a project whose teacher is trained:

    OMP_NUM_THREADS=1 python benchmarks/annotation.py
"""

from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Annotated, Callable, Dict, List

import spacy
import torch
import typer

from spacy_distill.annotate.docs import annotate_batch
from spacy_distill.batches import batch_by_length
from spacy_distill.benchmark.export import find_transformer
from spacy_distill.docbins import read_docbins
from spacy_distill.docs import copy_words
from spacy_distill.models.linear_tagger import count_pieces
from spacy_distill.teachers.ner_tagger import NERTaggerTeacher, find_ner_tagger


def measure(
    teacher: Annotated[Path, typer.Argument(help="The trained teacher")] = Path(
        "training/teacher/model-best"
    ),
    data: Annotated[Path, typer.Argument(help="Texts to read")] = Path("corpus/unlabelled.spacy"),
    n_docs: Annotated[int, typer.Option(help="Number of documents")] = 1024,
    repeats: Annotated[int, typer.Option(help="Number of interleaved measurements")] = 3,
) -> None:
    """Compare `annotate` with a bare forward pass."""
    nlp = spacy.load(teacher)
    teacher_pipe = NERTaggerTeacher(nlp, find_ner_tagger(nlp))
    model = teacher_pipe.ner.model
    docs = [doc for doc in read_docbins(data, nlp.vocab) if len(doc)][:n_docs]
    found = find_transformer(nlp)
    assert found is not None, "the teacher has no transformer"
    batches = [
        found.tokenizer([docs[i].text for i in batch], padding=True, return_tensors="pt")
        for batch in batch_by_length(
            count_pieces(model, docs),
            batch_pieces=nlp.get_pipe_config(teacher_pipe.ner.name)["model"]["batch_pieces"],
        )
    ]
    found.transformer.eval()

    def forward() -> None:
        with torch.inference_mode():
            for batch in batches:
                found.transformer(**batch)

    timed: Dict[str, Callable[[], None]] = {
        "forward pass": forward,
        "annotation": lambda: annotate_batch(teacher_pipe, list(map(copy_words, docs))),
    }
    seconds: Dict[str, List[float]] = {name: [] for name in timed}
    for _ in range(repeats):
        for name, run in timed.items():
            start = perf_counter()
            run()
            seconds[name].append(perf_counter() - start)
    n_words = sum(map(len, docs))
    for name, times in seconds.items():
        print(f"{name}: {n_words / median(times):,.0f} words/s")
    shares = [bare / ours for bare, ours in zip(*seconds.values())]
    print(f"annotation / forward pass: {median(shares):.2f} ({min(shares):.2f}-{max(shares):.2f})")


if __name__ == "__main__":
    typer.run(measure)
