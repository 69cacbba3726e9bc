"""The time of a student compared with that of its matrix products alone.

Plain products of the same shapes, with the same NumPy on the same threads, take the same number of
floating-point operations. Their time is a lower bound: it excludes additions, activation functions,
lookups and decoding.
"""

from statistics import median
from time import perf_counter
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy
from spacy.language import Language
from spacy.util import minibatch
from thinc.api import Model

from ..layers.bilstm import GATES
from ..layers.recurrence import LayerWeights, project
from ..layers.recurrence import run as run_recurrence
from ..layers.word_types import distinct_words
from ..parameters import find_nodes
from ..steps import Steps, plan_steps
from ..types import Array

DIRECTIONS = 2


class Batch(NamedTuple):
    """The tokens of a batch of documents."""

    which: numpy.ndarray  # index of each token's word among the distinct words (n_tokens,)
    steps: Steps


class Seconds(NamedTuple):
    """The seconds that a pass over all batches took."""

    recurrent_products: float
    output_products: float
    recurrence: float
    pipeline: float


def measure(
    nlp: Language,
    texts: List[str],
    *,
    batch_size: int,
    repeats: int,
    run: Callable[[List[str], int], int],
) -> Optional[Dict[str, float]]:
    """Time a student, its recurrence, and plain products of the same shapes.

    nlp (Language): The student.
    texts (List[str]): The texts to read.
    batch_size (int): Number of texts in a batch.
    repeats (int): Number of times that each is timed.
    run (Callable[[List[str], int], int]): Runs the whole pipeline.
    RETURNS (Optional[Dict[str, float]]): `recurrent`, the time of the recurrent products as a share
        of that of the recurrence; `end_to_end`, the time of all products as a share of that of the
        pipeline; the median seconds of each; `gflops`, the speed of the products in GFLOP/s. None
        if the model has no BiLSTM of a single layer.
    """
    model = find_student(nlp)
    if model is None:
        return None
    bilstm = model.get_ref("bilstm")
    width, n_tags = bilstm.get_dim("nO") // DIRECTIONS, model.get_dim("nO")
    batches, words = plan_batches(nlp, texts, batch_size=batch_size)
    weights = LayerWeights.of(bilstm)
    projected = project(weights, model.layers[0].layers[0].predict(words))
    found = []
    for _ in range(repeats):
        products = [time_products(batch.steps, width=width, nO=n_tags) for batch in batches]
        recurrent, output = (sum(parts) for parts in zip(*products))
        whole = sum(time_recurrence(weights.Wh, projected, batch) for batch in batches)
        found.append(Seconds(recurrent, output, whole, time_call(run, texts, batch_size)))
    n_operations = sum(count_operations(batch.steps, width=width, nO=n_tags) for batch in batches)
    return summarise(found, n_operations=n_operations)


def find_student(nlp: Language) -> Optional[Model]:
    """Return the model of the student's architecture; None if there is none with a BiLSTM of a
    single layer."""
    for node in find_nodes(nlp):
        if node.name == "char_cnn_bilstm" and node.get_ref("bilstm").name == "bilstm":
            return node
    return None


def plan_batches(
    nlp: Language, texts: List[str], *, batch_size: int
) -> Tuple[List[Batch], List[str]]:
    """Make the same batches as `nlp.pipe`.

    RETURNS (Tuple[List[Batch], List[str]]): The batches, and the distinct words of all texts.
    """
    docs = [doc for doc in map(nlp.make_doc, texts) if len(doc)]
    words, which = distinct_words(docs)
    batches, start = [], 0
    for batch in minibatch(docs, batch_size):
        lengths = numpy.asarray([len(doc) for doc in batch])
        end = start + int(lengths.sum())
        batches.append(Batch(which[start:end], plan_steps(lengths)))
        start = end
    return batches, words


def recurrent_rows(steps: Steps) -> List[slice]:
    """Return the rows of hidden states that are multiplied at each step after the first."""
    return [slice(before, before + end - start) for before, start, end in steps.after_first()]


def count_operations(steps: Steps, *, width: int, nO: int) -> int:
    """Count the floating-point operations of all products, multiplications and additions."""
    n_rows = sum(rows.stop - rows.start for rows in recurrent_rows(steps))
    recurrent = n_rows * width * len(GATES) * width
    output = steps.starts[-1] * width * nO
    return 2 * DIRECTIONS * (recurrent + output)


def time_products(steps: Steps, *, width: int, nO: int) -> Tuple[float, float]:
    """Return the seconds of a batch's recurrent products, and of the products of its output
    layer."""
    n_docs, n_tokens = steps.starts[1], steps.starts[-1]
    hidden = numpy.ones((DIRECTIONS, n_tokens, width), dtype="f")
    Wh = numpy.ones((len(GATES), DIRECTIONS, width, width), dtype="f")
    W = numpy.ones((DIRECTIONS, width, nO), dtype="f")
    products = numpy.empty((len(GATES), DIRECTIONS, n_docs, width), dtype="f")
    all_rows = recurrent_rows(steps)
    start = perf_counter()
    for rows in all_rows:
        numpy.matmul(hidden[:, rows], Wh, out=products[:, :, : rows.stop - rows.start])
    end = perf_counter()
    numpy.matmul(hidden, W)
    return end - start, perf_counter() - end


def time_recurrence(Wh: Array, projected: Array, batch: Batch) -> float:
    return time_call(run_recurrence, Wh, projected, batch.which, batch.steps)


def time_call(function: Callable, *args: Any) -> float:
    start = perf_counter()
    function(*args)
    return perf_counter() - start


def summarise(found: Sequence[Seconds], *, n_operations: int) -> Dict[str, float]:
    """Compute the medians of several passes, and the shares of the products.

    found (Sequence[Seconds]): The seconds of each pass.
    n_operations (int): Floating-point operations of one pass.
    RETURNS (Dict[str, float]): See `measure`.
    """
    seconds = Seconds(*(median(column) for column in zip(*found)))
    products = seconds.recurrent_products + seconds.output_products
    return {
        "recurrent": seconds.recurrent_products / seconds.recurrence,
        "end_to_end": products / seconds.pipeline,
        "gflops": n_operations / products / 1e9,
        **{f"{name}_seconds": value for name, value in seconds._asdict().items()},
    }
