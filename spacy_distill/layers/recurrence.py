"""Prediction with a BiLSTM whose inputs are already multiplied by its input weights.

In the first layer, the product of an input with the weights of a direction depends on the word
alone. A cache can therefore keep it, and only the recurrent product remains to be computed for each
token. The output is the same as that of `bilstm.forward`, with fewer passes over memory and without
keeping anything for a backward pass.

Each gate has arrays of its own here, so that the operations on a gate run over contiguous memory:
with the gates side by side in each row, they take up to three times as long.
"""

from typing import Any, NamedTuple, Sequence

import numpy
from thinc.api import Model
from thinc.types import Floats2d

from ..steps import Steps
from ..types import Array
from .bilstm import GATES

SIGMOIDS = slice(GATES.index("candidate"))  # the other gates
# As arrays, because NumPy takes longer to convert Python's numbers than to add or multiply a row.
ONE, HALF = numpy.array(1, dtype="f"), numpy.array(0.5, dtype="f")


class LayerWeights(NamedTuple):
    """The weights of a BiLSTM's layer by gate, scaled so that its gates need no halving.

    sigmoid(x) = (tanh(x / 2) + 1) / 2. The inner factor is included in the weights of the sigmoid
    gates. All hidden states are stored at twice their value, so the recurrent weights are halved.
    """

    Wx: Array  # (n_gates, 2, nI, width)
    Wh: Array  # (n_gates, 2, width, width)
    b: Array  # (n_gates, 2, 1, width)

    @classmethod
    def of(cls, layer: Model) -> "LayerWeights":
        """Copy the weights of a layer."""
        weights = cls(*(copy_by_gate(layer.get_param(name)) for name in cls._fields))
        for part in weights:
            part[SIGMOIDS] *= 0.5
        weights.Wh[:] *= 0.5
        return weights


def copy_by_gate(weights: Any) -> Array:
    """Copy weights, gate by gate: (2, n_rows, n_gates * width) -> (n_gates, 2, n_rows, width)."""
    by_gate = weights.reshape(*weights.shape[:2], len(GATES), -1).transpose(2, 0, 1, 3)
    return numpy.array(by_gate, order="C")


def project(weights: LayerWeights, X: Floats2d) -> Array:
    """Multiply inputs by a BiLSTM's input weights and add its bias, for `run`.

    (n_words, nI) -> (n_gates * 2, n_words, width): both directions of the first gate first
    """
    words: Array = X
    gates: Array = numpy.matmul(words, weights.Wx)
    gates += weights.b
    return gates.reshape(-1, *gates.shape[2:])


def run_layers(
    weights: Sequence[LayerWeights], projected: Array, which: numpy.ndarray, steps: Steps
) -> Array:
    """Return twice the hidden states of the last of a BiLSTM's layers.

    weights (Sequence[LayerWeights]): The weights of each layer, one or more.
    projected (Floats3d): The result of `project` for the distinct words with the first layer:
        (n_gates * 2, n_words, width).
    which (ndarray): Index of each token's word (n_tokens,).
    steps (Steps): The layout of the tokens.
    RETURNS (Floats3d): (2, n_tokens, width), laid out as in `run`.
    """
    hidden = run(weights[0].Wh, projected, which, steps)
    each_token = numpy.arange(len(which))
    for layer in weights[1:]:
        hidden = run(layer.Wh, project(layer, join_directions(hidden, steps)), each_token, steps)
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

    Wh (Floats4d): The recurrent weights of `LayerWeights`.
    projected (Floats3d): The result of `project` for the distinct words: (n_gates * 2, n_words,
        width).
    which (ndarray): Index of each token's word (n_tokens,).
    steps (Steps): The layout of the tokens.
    RETURNS (Floats3d): (2, n_tokens, width), time-major: row k is the token steps.tokens[:, k].
    """
    n_gates, n_directions, width, _ = Wh.shape
    n_docs = steps.starts[1]
    rows = projected.reshape(-1, width)
    first_rows = numpy.arange(len(projected)).reshape(n_gates, n_directions, 1) * projected.shape[1]
    row_of = first_rows + which[steps.tokens]  # (n_gates, 2, n_tokens)
    hidden = numpy.empty((n_directions, len(which), width), dtype=Wh.dtype)
    product_space = numpy.empty(n_gates * n_directions * n_docs * width, dtype=Wh.dtype)
    state_space = numpy.empty((n_gates + 1) * n_directions * n_docs * width, dtype=Wh.dtype)
    cell: Array = numpy.zeros((n_directions, n_docs, width), dtype=Wh.dtype)
    n_before = before = 0
    for start, end in zip(steps.starts, steps.starts[1:]):
        n = end - start
        if n != n_before:  # some documents have ended: those of the last rows
            running = cell[:, :n].copy()
            size = running.size
            product = product_space[: n_gates * size].reshape(n_gates, *running.shape)
            state = state_space[: (n_gates + 1) * size].reshape(n_gates + 1, *running.shape)
            o, i, f, g, cell = state  # in the order of GATES
            gates, sigmoids, i_and_f, g_and_cell = state[:4], state[:3], state[1:3], state[3:]
            cell[:] = running
            n_before = n
        # With mode="clip", take writes to `out` directly. All indices are in range.
        rows.take(row_of[:, :, start:end], axis=0, out=gates, mode="clip")
        if start:
            numpy.matmul(hidden[:, before : before + n], Wh, out=product)
            gates += product
        numpy.tanh(gates, out=gates)
        sigmoids += ONE  # twice the sigmoid
        i_and_f *= g_and_cell  # what is added to the cell state, and what is kept of it
        numpy.add(i, f, out=cell)
        cell *= HALF
        numpy.tanh(cell, out=g)
        numpy.multiply(o, g, out=hidden[:, start:end])
        before = start
    return hidden
