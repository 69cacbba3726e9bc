from typing import Any, Dict, Tuple

import numpy
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from thinc.api import Adam, Optimizer

from spacy_distill.optimizers import LAST_FASTER, build_lazy_adam_v1, log_decay

KEY = (1, "E")
SETTINGS: Dict[str, Any] = {"learn_rate": 0.01}


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


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"L2": 0.1, "L2_is_weight_decay": True},
        {"L2": 0.1, "L2_is_weight_decay": False},
        {"beta1": 0.8},
        {"beta2": 0.9},
        {"eps": 0.01},
        {"grad_clip": 0.3},
    ],
)
def test_lazy_adam_agrees_with_adam_if_all_rows_are_touched(settings: Dict[str, Any]) -> None:
    lazy = build_lazy_adam_v1(min_rows=5, **SETTINGS, **settings)
    dense = Adam(**SETTINGS, **settings)
    expected = train(dense, n_touched=20)
    assert_allclose(train(lazy, n_touched=20), expected, atol=1e-5)
    assert dense.averages is not None and lazy.averages is not None
    assert_allclose(lazy.averages[KEY], dense.averages[KEY], atol=1e-5)


def test_lazy_adam_scales_the_learning_rate() -> None:
    lazy, dense = build_lazy_adam_v1(min_rows=5, **SETTINGS), Adam(**SETTINGS)
    found, _ = lazy(KEY, make_table(), make_gradient(0), lr_scale=0.5)
    expected, _ = dense(KEY, make_table(), make_gradient(0), lr_scale=0.5)
    assert_allclose(found, expected, atol=1e-6)


def test_lazy_adam_averages_the_weights_of_the_last_call() -> None:
    """The weights are another array in each call, as when a model is copied or loaded."""
    lazy, dense = build_lazy_adam_v1(min_rows=5, **SETTINGS), Adam(**SETTINGS)
    for optimizer in (lazy, dense):
        weights = make_table()
        for seed in range(5):
            weights, _ = optimizer(KEY, weights.copy(), make_gradient(seed))
    assert dense.averages is not None and lazy.averages is not None
    assert_allclose(lazy.averages[KEY], dense.averages[KEY], atol=1e-5)


def test_lazy_adam_agrees_with_adam_for_small_parameters() -> None:
    expected = train(Adam(**SETTINGS), n_touched=3)
    assert_array_equal(train(build_lazy_adam_v1(min_rows=21, **SETTINGS), n_touched=3), expected)
    assert not numpy.allclose(
        train(build_lazy_adam_v1(min_rows=20, **SETTINGS), n_touched=3), expected
    )


def test_lazy_adam_does_not_change_rows_without_gradient() -> None:
    optimizer = build_lazy_adam_v1(min_rows=5, L2=0.1, **SETTINGS)
    before = train(optimizer, n_touched=20)
    moments = optimizer.mom1[KEY].copy(), optimizer.mom2[KEY].copy()
    gradient = make_gradient(0, n_touched=3)
    touched = gradient.any(axis=1)
    after, _ = optimizer(KEY, before.copy(), gradient)
    for old, new in zip(
        (before, *moments), (after, optimizer.mom1[KEY], optimizer.mom2[KEY]), strict=True
    ):
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


def test_lazy_adam_refuses_bad_settings() -> None:
    with pytest.raises(ValueError, match=r"\[D007\].*min_rows.*0"):
        build_lazy_adam_v1(min_rows=0)


def test_log_decay_agrees_with_thinc() -> None:
    updates = numpy.asarray([0, 1, 2, 50, LAST_FASTER, LAST_FASTER + 500], dtype="d")
    k = numpy.arange(1, updates[-1] + 1)
    decays = numpy.concatenate(([0.0], numpy.log(numpy.minimum((1 + k) / (10 + k), 0.9999))))
    assert_allclose(log_decay(updates), decays.cumsum()[updates.astype(int)], rtol=1e-9, atol=1e-9)
