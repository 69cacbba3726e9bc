"""Test with the paired bootstrap whether one system is better than another.

The test set is resampled many times, and both systems are scored on the same resampled sentences,
as in Berg-Kirkpatrick, Burkett and Klein, An Empirical Investigation of Statistical Significance in
NLP (2012). Bounds and p are percentiles of the differences: Efron and Tibshirani, An Introduction
to the Bootstrap (1993), chapter 13.
"""

from typing import NamedTuple, Sequence

import numpy
from numpy import ndarray

RESAMPLES = 10_000
# How many drawn sentence numbers are held in memory at a time.
CHUNK = 2_000_000


class Comparison(NamedTuple):
    """How much better one system is than another.

    difference (float): Difference in F1 on the test set, of the means over seeds.
    low, high (float): Bounds of the central 95 % of the differences on resampled test sets.
    p (float): The share of these differences that is not above 0.
    """

    difference: float
    low: float
    high: float
    p: float


def micro_f1(counts: ndarray) -> ndarray:
    """Compute the F1 of runs over all entities; 0 if there are none.

    counts (ndarray): Correct, wrong and missed entities. (n_sentences, n_runs, 3)
    RETURNS (ndarray): The F1 of each run. (n_runs,)
    """
    return f1_of_sums(counts.sum(axis=0)[None])[0]


def f1_of_sums(sums: ndarray) -> ndarray:
    """Compute 2 tp / (2 tp + fp + fn) over the last axis: (..., 3) -> (...)"""
    right = 2.0 * sums[..., 0]
    return right / numpy.maximum(right + sums[..., 1] + sums[..., 2], 1)


def resample_f1(counts: ndarray, *, n_resamples: int = RESAMPLES, seed: int = 0) -> ndarray:
    """Compute the F1 of runs on resampled test sets, the same for all runs.

    The sentences of the test set are drawn with replacement.

    counts (ndarray): Correct, wrong and missed entities. (n_sentences, n_runs, 3)
    n_resamples (int): How many test sets to draw.
    seed (int): Seed of the random draws.
    RETURNS (ndarray): The F1 of each run. (n_resamples, n_runs)
    """
    n_sentences, n_runs, _ = counts.shape
    # float32 is exact for whole numbers up to 2 ** 24, about 16 million.
    flat = counts.reshape(n_sentences, -1).astype("float32")
    rng = numpy.random.default_rng(seed)
    found = numpy.empty((n_resamples, n_runs))
    step = max(1, CHUNK // n_sentences)
    for start in range(0, n_resamples, step):
        n = min(step, n_resamples - start)
        drawn = rng.integers(n_sentences, size=(n, n_sentences))
        drawn += n_sentences * numpy.arange(n)[:, None]
        # With how often each sentence was drawn, all sums are one matrix product.
        times = numpy.bincount(drawn.ravel(), minlength=n * n_sentences)
        sums = times.reshape(n, n_sentences).astype("float32") @ flat
        found[start : start + n] = f1_of_sums(sums.reshape(n, n_runs, 3))
    return found


def compare(
    f1: ndarray, resampled: ndarray, *, ours: Sequence[int], theirs: Sequence[int]
) -> Comparison:
    """Compare two systems by the mean of their runs.

    f1 (ndarray): F1 of each run on the test set. (n_runs,)
    resampled (ndarray): F1 of each run on resampled test sets. (n_resamples, n_runs)
    ours, theirs (Sequence[int]): Indices of the runs of the first and of the second system.
    RETURNS (Comparison): The difference is positive if the first system is better.
    """
    difference = f1[[*ours]].mean() - f1[[*theirs]].mean()
    differences = resampled[:, [*ours]].mean(axis=1) - resampled[:, [*theirs]].mean(axis=1)
    low, high = numpy.percentile(differences, [2.5, 97.5])
    return Comparison(float(difference), float(low), float(high), float((differences <= 0).mean()))
