"""Prediction with a BiLSTM whose inputs are already multiplied by its input weights.

In the first layer, the product of an input with the weights of a direction depends on the word
alone. A cache can therefore keep it, and only the recurrent product remains to be computed for each
token. The output is the same as that of `bilstm.forward`, with fewer passes over memory and without
keeping anything for a backward pass.
"""

from typing import Sequence

import numpy
from thinc.api import Model
from thinc.types import Floats2d

from ..steps import Steps
from ..types import Array
from .bilstm import GATES, split_gates


def recurrent_weights(layer: Model) -> Array:
    """Return a BiLSTM's recurrent weights, scaled so that its gates need no halving.

    sigmoid(x) = (tanh(x / 2) + 1) / 2. The inner factor is included in the weights of the sigmoid
    gates. All hidden states are stored at twice their value, so all weights are halved as well.

    RETURNS (Floats3d): (2, width, 4 * width).
    """
    Wh: Array = layer.get_param("Wh")
    return halve_sigmoids(Wh * numpy.float32(0.5))


def project(layer: Model, X: Floats2d) -> Array:
    """Multiply inputs by a BiLSTM's input weights, add its bias, and scale for `run`.

    (n_words, nI) -> (2, n_words, 4 * width)
    """
    gates = layer.ops.xp.matmul(X, layer.get_param("Wx"))
    gates += layer.get_param("b")
    return halve_sigmoids(gates)


def halve_sigmoids(gates: Array) -> Array:
    gates[..., : gates.shape[-1] // len(GATES) * 3] *= 0.5
    return gates


def run_layers(
    layers: Sequence[Model],
    weights: Sequence[Array],
    projected: Array,
    which: numpy.ndarray,
    steps: Steps,
) -> Array:
    """Return twice the hidden states of the last of a BiLSTM's layers.

    layers (Sequence[Model]): The layers, one or more.
    weights (Sequence[Floats3d]): The `recurrent_weights` of each layer.
    projected (Floats3d): The result of `project` for the distinct words with the first layer: (2,
        n_words, 4 * width).
    which (ndarray): Index of each token's word (n_tokens,).
    steps (Steps): The layout of the tokens.
    RETURNS (Floats3d): (2, n_tokens, width), laid out as in `run`.
    """
    hidden = run(weights[0], projected, which, steps)
    each_token = numpy.arange(len(which))
    for layer, Wh in zip(layers[1:], weights[1:]):
        hidden = run(Wh, project(layer, join_directions(hidden, steps)), each_token, steps)
    return hidden


def join_directions(hidden: Array, steps: Steps) -> Array:
    """Convert the result of `run` to the input of the next layer: (n_tokens, 2 * width)."""
    _, n_tokens, width = hidden.shape
    joined: Array = numpy.empty((n_tokens, 2 * width), dtype=hidden.dtype)
    for direction, tokens in enumerate(steps.tokens):
        joined[tokens, direction * width : (direction + 1) * width] = hidden[direction]
    joined *= 0.5
    return joined


def run(Wh: Array, projected: Array, which: numpy.ndarray, steps: Steps) -> Array:
    """Return twice the hidden states of both directions of a layer.

    Wh (Floats3d): The result of `recurrent_weights`.
    projected (Floats3d): The result of `project` for the distinct words: (2, n_words, 4 * width).
    which (ndarray): Index of each token's word (n_tokens,).
    steps (Steps): The layout of the tokens.
    RETURNS (Floats3d): (2, n_tokens, width), time-major: row k is the token steps.tokens[:, k].
    """
    width = Wh.shape[1]
    n_docs = steps.starts[1]
    forwards, backwards = which[steps.tokens]
    from_left, from_right = projected
    hidden = numpy.empty((2, len(which), width), dtype=Wh.dtype)
    gates, recurrent = numpy.empty((2, 2, n_docs, 4 * width), dtype=Wh.dtype)
    cells, products = numpy.empty((2, 2, n_docs, width), dtype=Wh.dtype)
    n_before = before = 0
    for start, end in zip(steps.starts, steps.starts[1:]):
        n = end - start
        if n != n_before:  # some documents have ended: those of the last rows
            gate, product, cell, tanh_cell = (
                gates[:, :n],
                recurrent[:, :n],
                cells[:, :n],
                products[:, :n],
            )
            left, right = gate
            sigmoids = gate[..., : 3 * width]
            o, i, f, g = split_gates(gate, width)
            n_before = n
        # With mode="clip", take writes to `out` directly. All indices are in range.
        from_left.take(forwards[start:end], axis=0, out=left, mode="clip")
        from_right.take(backwards[start:end], axis=0, out=right, mode="clip")
        if start:
            numpy.matmul(hidden[:, before : before + n], Wh, out=product)
            gate += product
        numpy.tanh(gate, out=gate)
        sigmoids += 1  # twice the sigmoid
        i *= g
        if start:
            f *= cell
            numpy.add(i, f, out=cell)
            cell *= 0.5
        else:
            numpy.multiply(i, 0.5, out=cell)
        numpy.tanh(cell, out=tanh_cell)
        numpy.multiply(o, tanh_cell, out=hidden[:, start:end])
        before = start
    return hidden
