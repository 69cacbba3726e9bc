"""Compare the BiLSTM with plain matrix products of the same shapes, in the same run.

On a shared machine a time alone says little. The ratio to the matrix products, which are
unavoidable, shows whether a change made the code faster. Run it before and after the change:

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/recurrence.py
"""

from statistics import median
from typing import Callable, Dict, Iterator, List

import numpy
from thinc.api import Ragged

from spacy_distill.benchmark.roofline import Batch, time_call, time_products, time_recurrence
from spacy_distill.layers.bilstm import build_bilstm_v1
from spacy_distill.layers.recurrence import LayerWeights, project
from spacy_distill.steps import plan_steps

BATCH_SIZES = (1, 32, 128)
REPEATS = 30
N_WORDS = 8000
WIDTH, NI = 100, 160


def measure(batch_size: int) -> Iterator[List[object]]:
    """Make the rows of the table: batch size, operation, words/s, and the products' share of time.

    The share is the time of the matrix products divided by that of the operation.
    """
    rng = numpy.random.default_rng(0)
    # Lengths like those of tweets and news sentences, about 18 words on average.
    lengths = numpy.clip(rng.gamma(4, 4.5, size=batch_size).astype("i") + 1, 1, 60)
    layer = build_bilstm_v1(nI=NI, width=WIDTH).initialize()
    words = rng.normal(size=(N_WORDS, NI)).astype("f")
    which = numpy.minimum(rng.zipf(1.3, size=lengths.sum()), N_WORDS) - 1
    batch = Batch(which, plan_steps(lengths))
    weights = LayerWeights.of(layer)
    projected = project(weights, words)
    X = Ragged(words[which], lengths)
    Y, backprop = layer.begin_update(X)
    timed: Dict[str, Callable[[], float]] = {
        "products": lambda: time_products(batch.steps, width=WIDTH, nO=1)[0],
        "recurrence": lambda: time_recurrence(weights.Wh, projected, batch),
        "forward, in training": lambda: time_call(layer.begin_update, X),
        "backward": lambda: time_call(backprop, Y),
    }
    seconds: Dict[str, List[float]] = {name: [] for name in timed}
    for _ in range(REPEATS):  # interleaved, so that other load affects all of them
        for name, run in timed.items():
            seconds[name].append(run())
    for name, found in seconds.items():
        share = median(p / s for p, s in zip(seconds["products"], found))
        yield [batch_size, name, f"{len(which) / median(found):,.0f}", f"{share:.2f}"]


if __name__ == "__main__":
    print("| batch size | | words/s | products' share |\n| --- | --- | --- | --- |")
    for size in BATCH_SIZES:
        for row in measure(size):
            print("|", " | ".join(map(str, row)), "|")
