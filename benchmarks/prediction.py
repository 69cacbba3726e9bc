"""Time the parts of a student's prediction, a single sentence, and prediction in two processes.

Run it in a project whose student is trained:

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/prediction.py
"""

from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Annotated, Any, Callable, Iterator, List, Tuple

import numpy
import spacy
import typer
from spacy.language import Language
from spacy.tokens import Doc
from spacy.util import minibatch

from spacy_distill.benchmark.roofline import find_student, plan_batches, time_recurrence
from spacy_distill.docbins import read_docbins
from spacy_distill.layers.recurrence import LayerWeights, project

SENTENCE = "Angela Merkel met the board of Siemens in Berlin on Monday , the company said ."
REPEATS = 5


def measure(
    student: Annotated[str, typer.Argument(help="The student")] = "training/student/model-best",
    data: Annotated[Path, typer.Argument(help="Texts to read")] = Path("corpus/test.spacy"),
    batch_size: Annotated[int, typer.Option(help="Batch size, in texts")] = 128,
) -> None:
    """Print median times and speeds."""
    nlp = spacy.load(student)
    texts = [doc.text for doc in read_docbins(data, nlp.vocab)]
    n_words = sum(len(nlp.make_doc(text)) for text in texts)
    for part, seconds in time_parts(nlp, texts, batch_size=batch_size):
        print(f"{part}: {1e6 * seconds / n_words:.2f} us a word")
    n_tokens = len(nlp(SENTENCE))
    print(f"one sentence of {n_tokens} words: {1000 * time(lambda: nlp(SENTENCE), 500):.2f} ms")
    many = texts * max(1, 300_000 // n_words)
    for n_process in (1, 2):

        def pipe(n: int = n_process) -> None:
            for _ in nlp.pipe(many, batch_size=batch_size, n_process=n):
                pass

        speed = n_words * (len(many) // len(texts)) / time(pipe, 3)
        print(f"n_process={n_process}: {speed:,.0f} words/s")


def time_parts(nlp: Language, texts: List[str], *, batch_size: int) -> Iterator[Tuple[str, float]]:
    """Time the parts of prediction, after a first pass over the texts.

    YIELDS (Tuple[str, float]): The name of a part, and its seconds.
    """
    pipe: Any = nlp.get_pipe("ner")

    def make_batches() -> List[List[Doc]]:
        return list(minibatch([nlp.make_doc(text) for text in texts], batch_size))

    batches = make_batches()
    scores = [pipe.predict(docs) for docs in batches]
    yield "tokenizer", time(lambda: [nlp.make_doc(text) for text in texts])
    yield "all of the model", time(lambda: [pipe.predict(docs) for docs in batches])
    model = find_student(nlp)
    if model is not None:
        bilstm = model.get_ref("bilstm")
        planned, words = plan_batches(nlp, texts, batch_size=batch_size)
        weights = LayerWeights.of(bilstm)
        rows = project(weights, model.layers[0].layers[0].predict(words))
        yield (
            "  of that, the recurrence",
            time(lambda: [time_recurrence(weights.Wh, rows, batch) for batch in planned]),
        )
    # Each time in new documents: entities that are already set would be kept.
    unset = iter([make_batches() for _ in range(REPEATS)])
    yield (
        "tags and entities",
        time(lambda: [pipe.set_annotations(*both) for both in zip(next(unset), scores)]),
    )


def time(function: Callable[[], Any], repeats: int = REPEATS) -> float:
    """Return the median time of a call in seconds."""
    seconds = numpy.empty(repeats)
    for i in range(repeats):
        start = perf_counter()
        function()
        seconds[i] = perf_counter() - start
    return median(seconds)


if __name__ == "__main__":
    typer.run(measure)
