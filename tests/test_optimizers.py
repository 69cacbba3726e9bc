from typing import Any, Dict, Tuple

import numpy
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from thinc.api import Adam, Optimizer

from spacy_distill.optimizers import LAST_FASTER, build_lazy_adam_v1, log_decay

KEY = (1, "E")
SETTINGS: Dict[str, Any] = {"learn_rate": 0.01, "grad_clip": 1.0}
L2 = [{}, {"L2": 0.1, "L2_is_weight_decay": True}, {"L2": 0.1, "L2_is_weight_decay": False}]


def make_table() -> numpy.ndarray:
    return numpy.random.default_rng(0).normal(size=(20, 4)).astype("f")


def make_gradient(seed: int, *, n_touched: int = 20) -> numpy.ndarray:
    rng = numpy.random.default_rng(seed)
    gradient = numpy.zeros((20, 4), dtype="f")
    rows = rng.choice(20, size=n_touched, replace=False)
    gradient[rows] = rng.normal(size=(n_touched, 4))
    return gradient


def train(optimizer: Optimizer, *, n_touched: int, n_steps: int = 30) -> numpy.ndarray:
    weights = make_table()
    for seed in range(n_steps):
        gradient = make_gradient(seed, n_touched=n_touched)
        weights, gradient = optimizer(KEY, weights, gradient)
        assert not gradient.any()
    return weights


@pytest.mark.parametrize("settings", L2)
def test_lazy_adam_is_adam_where_all_rows_are_touched(settings: Dict[str, Any]) -> None:
    lazy = build_lazy_adam_v1(min_rows=5, **SETTINGS, **settings)
    dense = Adam(**SETTINGS, **settings)
    expected = train(dense, n_touched=20)
    assert_allclose(train(lazy, n_touched=20), expected, atol=1e-5)
    assert dense.averages is not None and lazy.averages is not None
    assert_allclose(lazy.averages[KEY], dense.averages[KEY], atol=1e-5)


def test_lazy_adam_is_adam_for_small_parameters() -> None:
    expected = train(Adam(**SETTINGS), n_touched=3)
    assert_array_equal(train(build_lazy_adam_v1(min_rows=21, **SETTINGS), n_touched=3), expected)
    assert not numpy.allclose(
        train(build_lazy_adam_v1(min_rows=20, **SETTINGS), n_touched=3), expected
    )


def test_lazy_adam_leaves_rows_without_gradient_alone() -> None:
    optimizer = build_lazy_adam_v1(min_rows=5, L2=0.1, **SETTINGS)
    before = train(optimizer, n_touched=20)
    moments = [of[KEY].reshape(20, 4).copy() for of in (optimizer.mom1, optimizer.mom2)]
    gradient = make_gradient(0, n_touched=3)
    touched = gradient.any(axis=1)
    after, _ = optimizer(KEY, before.copy(), gradient)
    moments_after = [of[KEY].reshape(20, 4) for of in (optimizer.mom1, optimizer.mom2)]
    for old, new in zip((before, *moments), (after, *moments_after), strict=True):
        changed = (old != new).any(axis=1)
        assert_array_equal(changed, touched)


@pytest.mark.parametrize("read_at", [(), (3, 40)])
def test_lazy_adam_averages_are_exact(read_at: Tuple[int, ...]) -> None:
    optimizer = build_lazy_adam_v1(min_rows=5, **SETTINGS)
    weights = make_table()
    expected = numpy.zeros_like(weights)
    assert optimizer.averages is not None
    for t in range(1, 101):
        # In some updates no row has a gradient.
        weights, _ = optimizer(KEY, weights, make_gradient(t, n_touched=t % 4))
        expected -= (1 - (1 + t) / (10 + t)) * (expected - weights)
        if t in read_at:
            assert_allclose(optimizer.averages[KEY], expected, atol=1e-6)
    assert_allclose(optimizer.averages[KEY], expected, atol=1e-6)


def test_lazy_adam_without_averages() -> None:
    optimizer = build_lazy_adam_v1(min_rows=5, use_averages=False, **SETTINGS)
    assert optimizer.averages is None
    expected = train(build_lazy_adam_v1(min_rows=5, **SETTINGS), n_touched=3)
    assert_array_equal(train(optimizer, n_touched=3), expected)


@pytest.mark.parametrize("settings", L2)
def test_lazy_adam_leaves_all_rows_to_thinc(settings: Dict[str, Any]) -> None:
    """To the bit, for thinc is faster."""
    settings = {**SETTINGS, **settings, "use_averages": False}
    expected = train(Adam(**settings), n_touched=20)
    assert_array_equal(train(build_lazy_adam_v1(min_rows=5, **settings), n_touched=20), expected)


@pytest.mark.parametrize("settings", L2)
def test_lazy_adam_goes_on_where_thinc_was(settings: Dict[str, Any]) -> None:
    """All rows, some, none: with averages, thinc is never asked."""
    settings = {**SETTINGS, **settings}
    found = []
    for use_averages in (True, False):
        optimizer = build_lazy_adam_v1(min_rows=5, use_averages=use_averages, **settings)
        weights = make_table()
        for step, n_touched in enumerate([3, 20, 20, 5, 0, 20, 7]):
            gradient = make_gradient(step, n_touched=n_touched)
            weights, gradient = optimizer(KEY, weights, gradient)
            assert not gradient.any()
            assert optimizer.nr_update[KEY] == step + 1
        found.append(weights)
    assert_allclose(*found, atol=1e-6)


def test_lazy_adam_refuses_a_table_of_no_rows() -> None:
    with pytest.raises(ValueError, match=r"\[D007\].*min_rows.*0"):
        build_lazy_adam_v1(min_rows=0)


def test_log_decay_is_that_of_thinc() -> None:
    updates = numpy.asarray([0, 1, 2, 50, LAST_FASTER, LAST_FASTER + 500], dtype="d")
    k = numpy.arange(1, updates[-1] + 1)
    decays = numpy.concatenate(([0.0], numpy.log(numpy.minimum((1 + k) / (10 + k), 0.9999))))
    assert_allclose(log_decay(updates), decays.cumsum()[updates.astype(int)], rtol=1e-9, atol=1e-9)
