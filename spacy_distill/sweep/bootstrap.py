"""Is one system better than another, or does it only look so on this test set?

The paired bootstrap: the test set is drawn again and again from itself, and each time both systems
are scored on the same sentences, as in Berg-Kirkpatrick, Burkett and Klein, An Empirical
Investigation of Statistical Significance in NLP (2012). Bounds and p are percentiles of the
differences: Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.
"""

from typing import NamedTuple, Sequence

import numpy
from numpy import ndarray

RESAMPLES = 10_000
# Numbers of the resamples that are worked on at a time.
CHUNK = 2_000_000


class Comparison(NamedTuple):
    """How much better one system is than another.

    difference (float): Of F1 on the test set, mean over seeds.
    low, high (float): Bounds of the central 95 % of the differences on resampled test sets.
    p (float): The share of them that is not above 0.
    """

    difference: float
    low: float
    high: float
    p: float


def micro_f1(counts: ndarray) -> ndarray:
    """F1 over all entities; 0 where there are none.

    counts (ndarray): Right, wrong and missed entities. (n_sentences, n_runs, 3)
    RETURNS (ndarray): Of each run. (n_runs,)
    """
    return f1_of_sums(counts.sum(axis=0)[None])[0]


def f1_of_sums(sums: ndarray) -> ndarray:
    """(..., 3) -> (...): 2 tp / (2 tp + fp + fn)"""
    right = 2.0 * sums[..., 0]
    return right / numpy.maximum(right + sums[..., 1] + sums[..., 2], 1)


def resample_f1(counts: ndarray, *, n_resamples: int = RESAMPLES, seed: int = 0) -> ndarray:
    """F1 of runs on test sets drawn with replacement from the test set, the same for all runs.

    counts (ndarray): Right, wrong and missed entities. (n_sentences, n_runs, 3)
    n_resamples (int): How many test sets to draw.
    seed (int): Of the draws.
    RETURNS (ndarray): (n_resamples, n_runs)
    """
    n_sentences, n_runs, _ = counts.shape
    # A float of 32 bits holds every whole number up to 16 million.
    flat = counts.reshape(n_sentences, -1).astype("float32")
    rng = numpy.random.default_rng(seed)
    found = numpy.empty((n_resamples, n_runs))
    step = max(1, CHUNK // n_sentences)
    for start in range(0, n_resamples, step):
        n = min(step, n_resamples - start)
        drawn = rng.integers(n_sentences, size=(n, n_sentences))
        drawn += n_sentences * numpy.arange(n)[:, None]
        # How often each sentence was drawn, which gives all sums as one product.
        times = numpy.bincount(drawn.ravel(), minlength=n * n_sentences)
        sums = times.reshape(n, n_sentences).astype("float32") @ flat
        found[start : start + n] = f1_of_sums(sums.reshape(n, n_runs, 3))
    return found


def compare(
    f1: ndarray, resampled: ndarray, *, ours: Sequence[int], theirs: Sequence[int]
) -> Comparison:
    """Compare two systems by the mean of their runs.

    f1 (ndarray): Of each run on the test set. (n_runs,)
    resampled (ndarray): Of each run on resampled test sets. (n_resamples, n_runs)
    ours, theirs (Sequence[int]): Which runs are of the one and of the other.
    RETURNS (Comparison): Positive if ours is better.
    """
    difference = f1[[*ours]].mean() - f1[[*theirs]].mean()
    differences = resampled[:, [*ours]].mean(axis=1) - resampled[:, [*theirs]].mean(axis=1)
    low, high = numpy.percentile(differences, [2.5, 97.5])
    return Comparison(float(difference), float(low), float(high), float((differences <= 0).mean()))
