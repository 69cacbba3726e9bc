"""Adam for models with a large table, of which a batch touches few rows."""

import math
from typing import Any, Dict

import numpy
from thinc.api import Optimizer, get_array_module
from thinc.backends import get_array_ops
from thinc.optimizers import ADAM_DEFAULTS, FloatOrSeq, KeyT

from .checks import require

# In update t, Thinc's averages decay by the factor (1 + t) / (10 + t), or by this one if it is
# smaller.
SLOWEST_DECAY = 0.9999
# The last update at which the former factor is not larger.
LAST_FASTER = 89_990
# log(10!): see `log_decay`.
LOG_START = math.lgamma(11)


def build_lazy_adam_v1(
    learn_rate: FloatOrSeq = ADAM_DEFAULTS["learn_rate"],
    *,
    beta1: FloatOrSeq = ADAM_DEFAULTS["beta1"],
    beta2: FloatOrSeq = ADAM_DEFAULTS["beta2"],
    eps: FloatOrSeq = ADAM_DEFAULTS["eps"],
    L2: FloatOrSeq = ADAM_DEFAULTS["L2"],
    L2_is_weight_decay: bool = True,
    grad_clip: FloatOrSeq = ADAM_DEFAULTS["grad_clip"],
    use_averages: bool = True,
    min_rows: int = 1000,
) -> Optimizer:
    """Create the optimizer `spacy-distill.LazyAdam.v1`: Adam that skips untouched rows of a table.

    In a table of at least `min_rows` rows, only rows with a gradient are updated. The weights, both
    moments and the L2 term of other rows are left unchanged, as in PyTorch's `SparseAdam`.
    Everything else is updated as by Thinc's `Adam.v1` (Kingma and Ba 2015), including the averages
    of all rows.

    learn_rate, beta1, beta2, eps, L2, L2_is_weight_decay, grad_clip, use_averages: As in `Adam.v1`.
    min_rows (int): Number of rows from which a parameter of two dimensions is a table.
    RETURNS (Optimizer): The optimizer.
    RAISES (ValueError): D007 if `min_rows` is not positive.
    """
    require(min_rows >= 1, "min_rows", min_rows, "1 or more")
    optimizer = LazyAdam(
        learn_rate,
        beta1=beta1,
        beta2=beta2,
        eps=eps,
        L2=L2,
        L2_is_weight_decay=L2_is_weight_decay,
        grad_clip=grad_clip,
        use_averages=use_averages,
    )
    optimizer.min_rows = min_rows
    return optimizer


class LazyAdam(Optimizer):
    """See `build_lazy_adam_v1`."""

    __slots__ = ["min_rows"]
    min_rows: int

    def __init__(self, *args: Any, use_averages: bool = True, **settings: Any) -> None:
        super().__init__(*args, use_averages=use_averages, **settings)
        if use_averages:
            self.averages = LazyAverages()

    def __call__(self, key: KeyT, weights: Any, gradient: Any, *, lr_scale: float = 1.0) -> Any:
        if weights.ndim != 2 or len(weights) < self.min_rows:
            return super().__call__(key, weights, gradient, lr_scale=lr_scale)
        xp = get_array_module(weights)
        self.nr_update[key] += 1
        # (n_rows, width) -> (n_rows,): NumPy's fastest pass over a table
        rows: Any = xp.flatnonzero(xp.einsum("ij,ij->i", gradient, gradient))
        if len(rows) == len(weights):  # all rows are touched: avoid copies of them
            rows = slice(None)
        averages = self.averages
        if isinstance(averages, LazyAverages):
            averages.add(key, weights)
            averages.catch_up(key, rows)
            averages.n_updates[key] = self.nr_update[key]
        weights[rows] = self._updated(key, rows, weights, gradient[rows], lr_scale=lr_scale)
        gradient[rows] = 0
        return weights, gradient

    def _updated(
        self, key: KeyT, rows: Any, weights: Any, gradient: Any, *, lr_scale: float
    ) -> Any:
        """Return new values of some rows, given their gradient, (n_touched, width) both.

        The gradient is overwritten.
        """
        xp = get_array_module(weights)
        old = weights[rows]
        if self.L2 != 0 and not self.L2_is_weight_decay:
            gradient += self.L2 * old
        if self.grad_clip:
            gradient = get_array_ops(gradient).clip_gradient(gradient, self.grad_clip)
        if key not in self.mom1:
            self.mom1[key], self.mom2[key] = xp.zeros_like(weights), xp.zeros_like(weights)
        # Kingma and Ba, algorithm 1, in the order of the end of section 2. In place, because
        # allocating arrays takes longer than computing them.
        mom1, mom2 = self.mom1[key][rows], self.mom2[key][rows]
        mom1 *= self.b1
        mom1 += (1 - self.b1) * gradient
        gradient *= gradient
        gradient *= 1 - self.b2
        mom2 *= self.b2
        mom2 += gradient
        self.mom1[key][rows], self.mom2[key][rows] = mom1, mom2
        t = self.nr_update[key]
        learn_rate = lr_scale * self.learn_rate
        step = learn_rate * (1 - self.b2**t) ** 0.5 / (1 - self.b1**t)
        root = xp.sqrt(mom2, out=gradient)
        root += self.eps
        new = step * mom1
        new /= root
        xp.subtract(old, new, out=new)
        if self.L2 != 0 and self.L2_is_weight_decay:
            new -= learn_rate * self.L2 * new
        return new


class LazyAverages(Dict[KeyT, Any]):
    """Moving averages of all parameters; those of tables are brought up to date when they are read.

    As long as a row of weights does not change, each update moves its average towards it by a known
    factor, and several updates by the product of their factors.
    """

    def __init__(self) -> None:
        super().__init__()
        self.weights: Dict[KeyT, Any] = {}  # tables (n_rows, width): the model's own arrays
        self.n_updates: Dict[KeyT, int] = {}
        # (n_rows,): the update up to which a row's average is current
        self.updated: Dict[KeyT, numpy.ndarray] = {}

    def __getitem__(self, key: KeyT) -> Any:
        if key in self.weights:
            self.catch_up(key, slice(None))
        return super().__getitem__(key)

    def add(self, key: KeyT, weights: Any) -> None:
        if key not in self:
            xp = get_array_module(weights)
            self[key] = xp.zeros_like(weights)
            self.updated[key] = xp.zeros(len(weights), dtype="d")
            self.n_updates[key] = 0
        self.weights[key] = weights

    def catch_up(self, key: KeyT, rows: Any) -> None:
        """Bring rows of a table's averages up to the current update, before the weights change."""
        weights, updated, now = self.weights[key][rows], self.updated[key], self.n_updates[key]
        averages = super().__getitem__(key)
        xp = get_array_module(weights)
        decay = xp.exp(log_decay(xp.asarray(float(now))) - log_decay(updated[rows]))
        averages[rows] = weights + decay.astype(weights.dtype)[:, None] * (averages[rows] - weights)
        updated[rows] = now


def log_decay(t: Any) -> Any:
    """Return the logarithm of the product of the first t decay factors, (1 + k) / (10 + k).

    The product is 10! / ((t + 2) (t + 3) ... (t + 10)), up to the update from which on the factor
    is constant.
    """
    xp = get_array_module(t)
    n = xp.minimum(t, LAST_FASTER)
    factors = n[..., None] + xp.arange(2, 11)
    return LOG_START - xp.log(factors).sum(axis=-1) + (t - n) * math.log(SLOWEST_DECAY)
