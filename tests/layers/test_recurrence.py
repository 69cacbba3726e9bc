from typing import Any, List

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from thinc.api import Model, Ragged

from spacy_distill.layers.bilstm import build_bilstm_v1, find_layers
from spacy_distill.layers.recurrence import LayerWeights, project, run, run_layers
from spacy_distill.steps import plan_steps

NI, WIDTH, N_WORDS = 3, 4, 7


def make_rows(*shape: int) -> Any:
    return numpy.random.normal(size=shape).astype("f")


def make_layer(scale: float = 1.0) -> Model:
    layer = build_bilstm_v1(NI, width=WIDTH).initialize()
    for name in layer.param_names:
        layer.set_param(name, numpy.float32(scale) * make_rows(*layer.get_param(name).shape))
    return layer


def check(layer: Model, lengths: List[int]) -> None:
    """Check that `run` agrees with the layer, with one input projection per distinct word."""
    vectors = make_rows(N_WORDS, NI)
    which = numpy.random.randint(N_WORDS, size=sum(lengths))
    n_tokens: Any = numpy.asarray(lengths, dtype="i")
    expected = layer.predict(Ragged(vectors[which], n_tokens)).data
    steps = plan_steps(numpy.asarray(lengths))
    weights = LayerWeights.of(layer)
    projected = project(weights, vectors)
    assert projected.shape == (8, N_WORDS, WIDTH)
    hidden = run(weights.Wh, projected, which, steps)
    assert hidden.shape == (2, sum(lengths), WIDTH)
    assert hidden.dtype == numpy.float32
    from_left, from_right = hidden / 2
    assert_allclose(from_left, expected[steps.tokens[0], :WIDTH], atol=1e-5)
    assert_allclose(from_right, expected[steps.tokens[1], WIDTH:], atol=1e-5)


@given(
    lengths=st.lists(st.integers(0, 12), min_size=1, max_size=10).filter(any),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=100)
def test_recurrence_agrees_with_the_layer(lengths: List[int], seed: int) -> None:
    numpy.random.seed(seed)
    check(make_layer(), lengths)


@given(
    lengths=st.lists(st.integers(0, 12), min_size=1, max_size=10).filter(any),
    depth=st.integers(1, 4),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=50)
def test_recurrence_agrees_with_several_layers(lengths: List[int], depth: int, seed: int) -> None:
    numpy.random.seed(seed)
    bilstm = build_bilstm_v1(NI, width=WIDTH, depth=depth, dropout=0.5).initialize()
    vectors = make_rows(N_WORDS, NI)
    which = numpy.random.randint(N_WORDS, size=sum(lengths))
    n_tokens: Any = numpy.asarray(lengths, dtype="i")
    expected = bilstm.predict(Ragged(vectors[which], n_tokens)).data
    layers = find_layers(bilstm)
    assert len(layers) == depth
    weights = [LayerWeights.of(layer) for layer in layers]
    steps = plan_steps(numpy.asarray(lengths))
    from_left, from_right = run_layers(weights, project(weights[0], vectors), which, steps) / 2
    assert_allclose(from_left, expected[steps.tokens[0], :WIDTH], atol=1e-5)
    assert_allclose(from_right, expected[steps.tokens[1], WIDTH:], atol=1e-5)


@pytest.mark.parametrize("lengths", [[1], [1] * 30, [6] * 20, [9, 9, 2, 2, 2, 1], [200], [0, 3]])
def test_recurrence_with_equal_and_extreme_lengths(lengths: List[int]) -> None:
    check(make_layer(), lengths)


@pytest.mark.parametrize("scale", [0.0, 0.01, 30.0])
def test_recurrence_with_small_and_large_weights(scale: float) -> None:
    check(make_layer(scale), [4, 2, 7, 1])


def test_recurrence_uses_only_rows_of_its_tokens() -> None:
    """A cache returns rows in any order, together with rows of words that are not in the batch."""
    layer = make_layer()
    vectors = make_rows(5, NI)
    steps = plan_steps(numpy.asarray([2, 3]))
    weights = LayerWeights.of(layer)
    which = numpy.asarray([0, 1, 1, 3, 0])
    expected = run(weights.Wh, project(weights, vectors), which, steps)
    others = numpy.full((8, 8, WIDTH), numpy.nan, dtype="f")
    places = numpy.asarray([6, 2, 0, 3])
    others[:, places] = project(weights, vectors[:4])
    assert_array_equal(run(weights.Wh, others, places[which], steps), expected)


def test_recurrence_does_not_modify_weights_and_rows() -> None:
    layer = make_layer()
    vectors = make_rows(5, NI)
    arrays: List[Any] = [vectors, *(layer.get_param(name) for name in layer.param_names)]
    before = [array.copy() for array in arrays]
    weights = LayerWeights.of(layer)
    projected = project(weights, vectors)
    arrays += [*weights, projected]
    before += [array.copy() for array in (*weights, projected)]
    project(weights, vectors)
    run(weights.Wh, projected, numpy.asarray([0, 1, 2, 3, 4]), plan_steps(numpy.asarray([2, 3])))
    for array, copied in zip(arrays, before):
        assert_array_equal(array, copied)
