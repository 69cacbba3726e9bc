from typing import List

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from thinc.api import Ragged

from spacy_distill.layers.bilstm import GATES, build_bilstm_v1

TORCH_GATES = ("input", "forget", "candidate", "output")


def make_ragged(lengths: List[int], *, width: int) -> Ragged:
    data = numpy.random.normal(size=(sum(lengths), width)).astype("f")
    return Ragged(data, numpy.asarray(lengths, dtype="i"))


def in_torch_order(gates: numpy.ndarray) -> numpy.ndarray:
    """Reorder gates (..., 4 * width) from our order to that of torch."""
    parts = dict(zip(GATES, numpy.split(gates, 4, axis=-1)))
    return numpy.concatenate([parts[gate] for gate in TORCH_GATES], axis=-1)


def test_bilstm_agrees_with_torch() -> None:
    torch = pytest.importorskip("torch", reason="compares with torch's packed LSTM")
    numpy.random.seed(0)
    model = build_bilstm_v1(5, width=4).initialize()
    model.set_param("b", numpy.random.normal(size=(2, 1, 16)).astype("f"))
    lengths = [3, 7, 1, 7, 4]
    X = make_ragged(lengths, width=5)
    dY = make_ragged(lengths, width=8)

    lstm = torch.nn.LSTM(5, 4, bidirectional=True, batch_first=True)
    tensors = dict(lstm.named_parameters())
    names = {"Wx": "weight_ih_l0", "Wh": "weight_hh_l0", "b": "bias_ih_l0"}
    with torch.no_grad():
        for direction, suffix in enumerate(("", "_reverse")):
            tensors["bias_hh_l0" + suffix].zero_()
            for ours, theirs in names.items():
                value = in_torch_order(model.get_param(ours)[direction]).T.squeeze()
                tensors[theirs + suffix].copy_(torch.from_numpy(value.copy()))
    docs = torch.from_numpy(X.data).requires_grad_()
    packed = torch.nn.utils.rnn.pack_sequence(docs.split(lengths), enforce_sorted=False)
    padded, _ = torch.nn.utils.rnn.pad_packed_sequence(lstm(packed)[0], batch_first=True)
    expected = torch.cat([padded[i, :length] for i, length in enumerate(lengths)])
    expected.backward(torch.from_numpy(dY.data))

    Y, backprop = model.begin_update(X)
    dX = backprop(dY)
    assert_allclose(Y.data, expected.detach().numpy(), atol=1e-6)
    assert_allclose(dX.data, docs.grad.numpy(), atol=1e-5)
    for direction, suffix in enumerate(("", "_reverse")):
        for ours, theirs in names.items():
            gradient = in_torch_order(model.get_grad(ours)[direction]).T.squeeze()
            assert_allclose(gradient, tensors[theirs + suffix].grad.numpy(), atol=1e-5)


@settings(max_examples=50)
@given(lengths=st.lists(st.integers(0, 12), max_size=8))
def test_bilstm_documents_do_not_depend_on_each_other(lengths: List[int]) -> None:
    numpy.random.seed(0)
    model = build_bilstm_v1(3, width=2).initialize()
    X, dY = make_ragged(lengths, width=3), make_ragged(lengths, width=4)
    Y, backprop = model.begin_update(X)
    dX = backprop(dY)
    assert_array_equal(Y.lengths, X.lengths)
    ends = numpy.cumsum(lengths, dtype="i")
    for end, length in zip(ends, lengths):
        part = slice(end - length, end)
        alone = numpy.asarray([length], dtype="i")
        Y_alone, backprop_alone = model.begin_update(Ragged(X.data[part], alone))
        dX_alone = backprop_alone(Ragged(dY.data[part], alone))
        assert_allclose(Y_alone.dataXd, Y.dataXd[part], atol=1e-5)
        assert_allclose(dX_alone.dataXd, dX.dataXd[part], atol=1e-5)


def test_bilstm_forget_bias_is_initialised_to_one() -> None:
    b = build_bilstm_v1(5, width=4).initialize().get_param("b")
    parts = dict(zip(GATES, numpy.split(b, 4, axis=-1)))
    assert {name: set(part.flat) for name, part in parts.items()} == {
        "output": {0.0},
        "input": {0.0},
        "forget": {1.0},
        "candidate": {0.0},
    }


def test_bilstm_reads_in_both_directions() -> None:
    numpy.random.seed(0)
    model = build_bilstm_v1(3, width=2).initialize()
    X = make_ragged([4], width=3)
    before = model.predict(X).data
    X.data[2] += 1
    changed = numpy.abs(model.predict(X).data - before) > 1e-4
    assert_array_equal(changed[:, :2].any(axis=1), [False, False, True, True])
    assert_array_equal(changed[:, 2:].any(axis=1), [True, True, True, False])


def test_bilstm_layers_have_separate_weights() -> None:
    model = build_bilstm_v1(width=3, depth=3, dropout=0.5)
    model.initialize(X=make_ragged([2], width=5))
    layers = [node for node in model.walk() if node.name == "bilstm"]
    assert [layer.get_dim("nI") for layer in layers] == [5, 6, 6]
    assert not numpy.allclose(layers[1].get_param("Wx"), layers[2].get_param("Wx"))
    X = make_ragged([40], width=5)
    assert_array_equal(model.predict(X).data, model.predict(X).data)
    assert not numpy.allclose(model.begin_update(X)[0].data, model.predict(X).data)


@pytest.mark.parametrize("settings", [{"width": 0}, {"depth": 0}])
def test_bilstm_refuses_bad_settings(settings: dict) -> None:
    with pytest.raises(ValueError, match="D007"):
        build_bilstm_v1(**settings)
