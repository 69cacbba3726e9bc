"""A bidirectional LSTM over packed sequences.

There is no padding, so a document's output does not depend on the rest of its batch.
"""

from typing import Any, Callable, List, Optional, Tuple

from thinc.api import Dropout, Model, chain, uniform_init
from thinc.layers.chain import forward as run_chain
from thinc.layers.dropout import forward as run_dropout
from thinc.types import Ragged
from thinc.util import get_width

from ..checks import require
from ..steps import Steps, plan_steps
from ..threads import ONE_THREAD
from ..types import Array

InT = Ragged
OutT = Ragged

# The gates are concatenated in this order, each `width` columns wide. The first three use the
# sigmoid; the gradient of the cell state flows into the last three. PyTorch's order is i, f, g, o.
GATES = ("output", "input", "forget", "candidate")


def build_bilstm_v1(
    nI: Optional[int] = None, *, width: int = 100, depth: int = 1, dropout: float = 0.0
) -> Model[InT, OutT]:
    """Bidirectional LSTM (Hochreiter and Schmidhuber 1997; Graves and Schmidhuber 2005).

    nI (Optional[int]): Width of the input. Inferred from the data if None.
    width (int): Width of each direction: the output is 2 * width wide, forwards first.
    depth (int): Number of layers.
    dropout (float): Dropout between layers. Training sets it to `training.dropout` in each update.
    RETURNS (Model[Ragged, Ragged]): (n_tokens, nI) -> (n_tokens, 2 * width).
    RAISES (ValueError): D007 if `width` or `depth` is below 1.
    """
    for name, value in (("width", width), ("depth", depth)):
        require(value >= 1, name, value, "1 or more")
    layers: List[Model] = [_build_layer(nI, width=width)]
    for _ in range(depth - 1):
        layers += [Dropout(dropout), _build_layer(2 * width, width=width)]
    return layers[0] if depth == 1 else chain(*layers)


def _build_layer(nI: Optional[int], *, width: int) -> Model[InT, OutT]:
    return Model(
        "bilstm",
        forward,
        init=init,
        dims={"nI": nI, "nO": 2 * width},
        params={"Wx": None, "Wh": None, "b": None},
    )


@ONE_THREAD
def forward(model: Model[InT, OutT], X: InT, is_train: bool) -> Tuple[OutT, Callable]:
    xp = model.ops.xp
    tokens: Any = X.data
    Wx: Array = model.get_param("Wx")  # (2, nI, 4 * width)
    Wh: Array = model.get_param("Wh")  # (2, width, 4 * width)
    b: Array = model.get_param("b")  # (2, 1, 4 * width)
    width = Wh.shape[1]
    if not tokens.size:
        return _empty(model, X, 2 * width), lambda dY: _empty(model, X, Wx.shape[1])

    steps = plan_steps(model.ops.to_numpy(X.lengths))
    rows = xp.asarray(steps.tokens)
    n_tokens = tokens.shape[0]
    n_docs = steps.starts[1]
    # (n_tokens, nI) -> (2, n_tokens, nI): time-major, once per direction
    inputs = tokens.take(rows, axis=0)
    gates = xp.matmul(inputs, Wx)  # (2, n_tokens, 4 * width)
    gates += b
    o, i, f, g = split_gates(gates, width)
    cells, tanh_cells, hidden = xp.empty((3, 2, n_tokens, width), dtype=gates.dtype)
    recurrent = xp.empty((2, n_docs, 4 * width), dtype=gates.dtype)
    update = xp.empty((2, n_docs, width), dtype=gates.dtype)
    for t, (start, end) in enumerate(zip(steps.starts, steps.starts[1:])):
        n = end - start  # number of documents longer than t
        gate, cell = gates[:, start:end], cells[:, start:end]
        if t:
            before = slice(steps.starts[t - 1], steps.starts[t - 1] + n)
            xp.matmul(hidden[:, before], Wh, out=recurrent[:, :n])
            gate += recurrent[:, :n]
        # sigmoid(x) = tanh(x / 2) / 2 + 1 / 2, so one tanh serves all gates
        sigmoids = gate[..., : 3 * width]
        sigmoids *= 0.5
        xp.tanh(gate, out=gate)
        sigmoids *= 0.5
        sigmoids += 0.5
        xp.multiply(i[:, start:end], g[:, start:end], out=cell)
        if t:
            xp.multiply(f[:, start:end], cells[:, before], out=update[:, :n])
            cell += update[:, :n]
        xp.tanh(cell, out=tanh_cells[:, start:end])
        xp.multiply(o[:, start:end], tanh_cells[:, start:end], out=hidden[:, start:end])
    Y = xp.empty((n_tokens, 2 * width), dtype=gates.dtype)
    Y[rows[0], :width] = hidden[0]
    Y[rows[1], width:] = hidden[1]

    @ONE_THREAD
    def backprop(dY: OutT) -> InT:
        d_hidden = xp.stack([dY.data[rows[0], :width], dY.data[rows[1], width:]])
        d_gates = backprop_steps(model, d_hidden, gates, cells, tanh_cells, steps)
        # All steps share the weights, so a single product covers all of them.
        previous = hidden.take(xp.asarray(steps.previous), axis=1)
        model.inc_grad("Wh", xp.matmul(previous.transpose(0, 2, 1), d_gates[:, n_docs:]))
        model.inc_grad("Wx", xp.matmul(inputs.transpose(0, 2, 1), d_gates))
        model.inc_grad("b", d_gates.sum(axis=1, keepdims=True))
        d_inputs = xp.matmul(d_gates, Wx.transpose(0, 2, 1))
        dX = xp.empty_like(tokens)
        dX[rows[0]] = d_inputs[0]
        dX[rows[1]] += d_inputs[1]
        return Ragged(dX, X.lengths)

    return Ragged(Y, X.lengths), backprop


def backprop_steps(
    model: Model[InT, OutT],
    d_hidden: Array,
    gates: Array,
    cells: Array,
    tanh_cells: Array,
    steps: Steps,
) -> Array:
    """Compute the gradient of the gates' inputs from that of the hidden states.

    Everything that does not depend on another step is computed before the loop.

    RETURNS (Floats3d): (2, n_tokens, 4 * width).
    """
    xp = model.ops.xp
    n_docs, width = steps.starts[1], tanh_cells.shape[2]
    Wh: Array = model.get_param("Wh")
    WhT = xp.ascontiguousarray(Wh.transpose(0, 2, 1))
    o, i, f, g = split_gates(gates, width)
    d_cell_d_hidden = o * (1 - tanh_cells * tanh_cells)
    d_gates = xp.empty_like(gates)
    sigmoids = gates[..., : 3 * width]
    xp.multiply(sigmoids, 1 - sigmoids, out=d_gates[..., : 3 * width])
    xp.multiply(i, 1 - g * g, out=d_gates[..., 3 * width :])
    d_o, d_i, d_f, _ = split_gates(d_gates, width)
    d_o *= tanh_cells
    d_i *= g
    d_f[:, :n_docs] = 0
    d_f[:, n_docs:] *= cells.take(xp.asarray(steps.previous), axis=1)
    # (2, n_tokens, 4 * width) -> (2, n_tokens, 3, width): the gates that the cell depends on
    d_cell_gates = d_gates.reshape(*d_gates.shape[:2], 4, width)[:, :, 1:]

    d_h, d_c, product = xp.zeros((3, 2, n_docs, width), dtype=gates.dtype)
    for t in reversed(range(len(steps.starts) - 1)):
        start, end = steps.starts[t : t + 2]
        n = end - start
        dh, dc = d_h[:, :n], d_c[:, :n]
        dh += d_hidden[:, start:end]
        xp.multiply(dh, d_cell_d_hidden[:, start:end], out=product[:, :n])
        dc += product[:, :n]
        d_o[:, start:end] *= dh
        d_cell_gates[:, start:end] *= dc[:, :, None]
        if t:
            dc *= f[:, start:end]
            xp.matmul(d_gates[:, start:end], WhT, out=dh)
    return d_gates


def init(model: Model[InT, OutT], X: Optional[InT] = None, Y: Optional[OutT] = None) -> None:
    if X is not None and X.data.size:
        model.set_dim("nI", get_width(X))
    width = model.get_dim("nO") // 2
    k = width**-0.5
    for name, rows in (("Wx", model.get_dim("nI")), ("Wh", width)):
        model.set_param(name, uniform_init(model.ops, (2, rows, 4 * width), lo=-k, hi=k))
    b: Array = model.ops.alloc3f(2, 1, 4 * width)
    forget = GATES.index("forget") * width
    b[:, :, forget : forget + width] = 1.0  # keep the cell state at first (Jozefowicz et al. 2015)
    model.set_param("b", b)


def find_layers(model: Model) -> List[Model]:
    """Return the layers of a BiLSTM that `build_bilstm_v1` built, or [] for any other model."""
    parts = model.layers if model._func is run_chain else [model]
    layers = [part for part in parts if part._func is not run_dropout]
    return layers if all(layer._func is forward for layer in layers) else []


def split_gates(gates: Array, width: int) -> List[Array]:
    return [gates[..., k * width : (k + 1) * width] for k in range(len(GATES))]


def _empty(model: Model, X: Ragged, width: int) -> Ragged:
    return Ragged(model.ops.alloc2f(0, width), X.lengths)
