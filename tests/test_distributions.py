import math

import numpy
from numpy.testing import assert_allclose

from spacy_distill.distributions import add_columns, find_unseen, log_softmax


def test_distributions_log_softmax_by_hand():
    scores = numpy.asarray([[0.0, math.log(3)], [1000.0, 1000.0]], dtype="f")
    expected = [[math.log(1 / 4), math.log(3 / 4)], [math.log(1 / 2)] * 2]
    assert_allclose(log_softmax(scores), expected, rtol=1e-6)
    assert log_softmax(scores).dtype == numpy.float32
    scores = numpy.random.default_rng(0).normal(scale=3, size=(9, 5))
    assert_allclose(numpy.exp(log_softmax(scores)).sum(axis=1), 1, rtol=1e-6)


def test_distributions_columns_are_added():
    """New tags are the sums of one, two, three or no old tags; NaN stays NaN."""
    probs = numpy.asarray([[0.1, 0.2, 0.3, 0.4], [0.5, 0.25, 0.25, 0.0]], dtype="f")
    with numpy.errstate(divide="ignore"):
        log_probs = numpy.log(probs)
    log_probs = numpy.append(log_probs, numpy.full((1, 4), numpy.nan, dtype="f"), axis=0)
    found = add_columns(log_probs, [[2], [0, 1], [3, 1, 0], []])
    assert found.dtype == numpy.float32
    expected = [[0.3, 0.3, 0.7, 0.0], [0.25, 0.75, 0.75, 0.0]]
    assert_allclose(numpy.exp(found[:2]), expected, rtol=1e-6)
    assert numpy.isnan(found[2, :3]).all()


def test_distributions_tokens_are_unseen_if_all_scores_are_the_fixed_ones():
    rows = [[0.0, -10.0, -10.0], [1.0, -10.0, -10.0], [0.0, -10.0, 2.0], [0.0, 0.0, 0.0]]
    assert find_unseen(numpy.asarray(rows, dtype="f")).tolist() == [True, False, False, False]
