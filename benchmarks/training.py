"""Measure words/s of training a student (forward, loss, backward, Adam) and reading its examples.

Run it in a project whose stages were run up to `annotate`:

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/training.py
"""

import random
from pathlib import Path
from time import perf_counter
from typing import Annotated

import typer
from spacy.schemas import ConfigSchemaTraining
from spacy.training.initialize import init_nlp
from spacy.util import load_config, registry, resolve_dot_names

BATCH_SIZE = 32


def measure(
    config: Annotated[Path, typer.Argument(help="The student's config")] = Path(
        "configs/student.cfg"
    ),
    steps: Annotated[int, typer.Option(help="Training steps")] = 200,
) -> None:
    """Train for some steps like `spacy train`, but without evaluation."""
    nlp = init_nlp(load_config(config, interpolate=True))
    settings = registry.resolve(nlp.config["training"], schema=ConfigSchemaTraining)
    (corpus,) = resolve_dot_names(nlp.config, [settings["train_corpus"]])
    start = perf_counter()
    examples = list(corpus(nlp))
    n_read, seconds = sum(len(eg.predicted) for eg in examples), perf_counter() - start
    print(f"reading: {n_read / seconds:,.0f} words/s")
    rng = random.Random(0)
    batches = [rng.sample(examples, BATCH_SIZE) for _ in range(steps)]
    nlp.update(batches[0], sgd=settings["optimizer"], drop=settings["dropout"])
    start = perf_counter()
    for batch in batches:
        nlp.update(batch, sgd=settings["optimizer"], drop=settings["dropout"])
    seconds = perf_counter() - start
    n_words = sum(len(eg.predicted) for batch in batches for eg in batch)
    print(f"training: {n_words / seconds:,.0f} words/s, {1000 * seconds / steps:.1f} ms a step")


if __name__ == "__main__":
    typer.run(measure)
