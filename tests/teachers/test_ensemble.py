import math

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from spacy_distill.distributions import log_softmax
from spacy_distill.teachers.ensemble import average, find_shares

NAN = numpy.nan


@given(seed=st.integers(0, 1000), n_teachers=st.integers(1, 3), n_tokens=st.integers(0, 4))
@settings(max_examples=40)
def test_ensemble_averages_teachers_that_have_predictions(seed, n_teachers, n_tokens):
    rng = numpy.random.default_rng(seed)
    log_probs = log_softmax(rng.normal(scale=3, size=(n_teachers, n_tokens, 5)))
    missing = rng.random((n_teachers, n_tokens)) < 0.3
    log_probs[missing] = NAN
    shares = rng.dirichlet(numpy.ones(n_teachers))
    mean, disagreement = average(log_probs, shares)
    assert mean.shape == (n_tokens, 5)
    for token in range(n_tokens):
        known = [i for i in range(n_teachers) if not missing[i, token]]
        if not known:
            assert numpy.isnan(mean[token]).all()
            assert disagreement[token] == 0
            continue
        probs, weights = numpy.exp(log_probs[known, token]), shares[known] / shares[known].sum()
        expected = weights @ probs
        assert_allclose(numpy.exp(mean[token]), expected, rtol=1e-5)
        entropies = -(probs * numpy.log(probs)).sum(axis=1)
        divergence = -(expected * numpy.log(expected)).sum() - weights @ entropies
        assert disagreement[token] == pytest.approx(divergence, abs=1e-6)


def test_ensemble_average_of_a_probability_of_zero():
    log_probs = numpy.asarray([[[0.0, -numpy.inf]], [[numpy.log(0.5), numpy.log(0.5)]]])
    mean, disagreement = average(log_probs, numpy.asarray([0.5, 0.5]))
    assert_allclose(numpy.exp(mean), [[0.75, 0.25]], rtol=1e-5)
    assert_allclose(disagreement, [0.5 * numpy.log(4 / 3) + 0.25 * numpy.log(4 / 3)], rtol=1e-5)


@pytest.mark.parametrize("weight", [math.inf, math.nan, 0.0, -1.0])
def test_ensemble_refuses_weights(weight):
    with pytest.raises(ValueError, match=r"\[D007\] weights"):
        find_shares([None, None], [1.0, weight])
