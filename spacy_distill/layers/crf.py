"""The layer that holds the potentials of a model's CRF."""

from typing import Any, Callable, List, Optional, Tuple

from thinc.api import Model
from thinc.types import Floats2d
from thinc.util import get_width

from ..crf import Potentials

InT = List[Floats2d]
OutT = List[Floats2d]


def crf(nO: Optional[int] = None) -> Model[InT, OutT]:
    """Hold the potentials of a linear-chain CRF, initially zero, and return the scores unchanged.

    The component uses both the scores and the potentials to compute the loss, to decode, and to
    compute the probabilities of tags.

    nO (Optional[int]): Number of tags. Inferred from the data if None.
    RETURNS (Model[List[Floats2d], List[Floats2d]]): Tag scores, unchanged.
    """
    return Model(
        "crf",
        forward,
        init=init,
        dims={"nO": nO},
        params=dict.fromkeys(Potentials._fields),
    )


def forward(model: Model[InT, OutT], scores: InT, is_train: bool) -> Tuple[OutT, Callable]:
    return scores, lambda d_scores: d_scores


def init(model: Model[InT, OutT], X: Optional[InT] = None, Y: Optional[OutT] = None) -> None:
    if Y is not None:
        model.set_dim("nO", get_width(Y))
    n_tags = model.get_dim("nO")
    for name, shape in {"start": (n_tags,), "pairs": (n_tags, n_tags), "end": (n_tags,)}.items():
        model.set_param(name, model.ops.alloc_f(shape))


def find_crf(model: Model) -> Optional[Model[InT, OutT]]:
    """Return a model's CRF layer, or None if its tags are independent given their scores."""
    return next((node for node in model.walk() if node._func is forward), None)


def find_potentials(model: Model) -> Optional[Potentials]:
    """Return the potentials of a model's CRF, on the CPU.

    None if the model has no CRF, or is not initialised yet.
    """
    layer = find_crf(model)
    if layer is None or not layer.has_param("pairs"):
        return None
    values: Any = (layer.ops.to_numpy(layer.get_param(name)) for name in Potentials._fields)
    return Potentials(*values)


def inc_gradient(model: Model, gradient: Potentials) -> None:
    """Add to the gradient of the potentials of a model's CRF."""
    layer = find_crf(model)
    if layer is not None:
        for name, part in gradient._asdict().items():
            layer.inc_grad(name, layer.ops.xp.asarray(part, dtype="f"))
