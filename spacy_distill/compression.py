"""Compressed weights: rounded when a pipeline is packaged, float32 again when it is loaded.

In memory, weights are always float32. No other module handles the other types, and a pipeline that
was loaded from a package is saved with float32 again.
"""

from typing import Any, List, Literal, Tuple

import numpy
from thinc.api import Model

from .checks import require_one_of
from .errors import Errors

# How weights are stored. "int8": lookup tables as int8, all other weights as float16.
Dtype = Literal["float16", "float32", "int8"]

FLOAT16_MAX = 65504.0
INT8_MAX = 127
# The layer and the parameter that are a lookup table, and the attribute for the scales of its rows.
# This is an attribute because a parameter can't be removed from a layer once it has been set.
TABLE = ("lookup", "E")
SCALES = "scales"


def compress(model: Model, *, dtype: Dtype) -> None:
    """Round the weights of a model, in place. It can then be saved; `restore` makes it usable.

    model (Model): The model.
    dtype (Literal["float16", "float32", "int8"]): "float16": half the size, with 11 significant
        bits. "int8": a quarter of the size for lookup tables, by `quantise`, and float16 for all
        other weights. "float32": unchanged.
    RAISES (ValueError): D007 for another type, D202 if a value is not finite, D203 if one is too
        large for float16, D204 if there is no table to be stored as int8. In these cases the model
        is unchanged.
    """
    require_one_of(Dtype, "dtype", dtype)
    tables: List[Tuple[Model, str]] = []
    others: List[Tuple[Model, str]] = []
    for node in model.walk():
        for name in node.param_names:
            if node.has_param(name):
                is_table = dtype == "int8" and (node.name, name) == TABLE
                (tables if is_table else others).append((node, name))
                limit = numpy.inf if is_table or dtype == "float32" else FLOAT16_MAX
                check_values(node.get_param(name), layer=node.name, name=name, limit=limit)
    if dtype == "int8" and not tables:
        raise ValueError(Errors.D204.format(model=model.name, layer=TABLE[0]))
    stored: Any
    for node, name in tables:
        stored, scales = quantise(node.ops.to_numpy(node.get_param(name)))
        node.set_param(name, node.ops.xp.asarray(stored))
        node.attrs[SCALES] = scales
    for node, name in others:
        stored = node.get_param(name)
        node.set_param(name, stored if dtype == "float32" else stored.astype("float16"))


def restore(model: Model) -> None:
    """Convert the weights of a loaded model to float32, in place, however they were stored."""
    for node in model.walk():
        for name in node.param_names:
            if not node.has_param(name):
                continue
            values: Any = node.get_param(name)
            if values.dtype == "float16":
                node.set_param(name, values.astype("float32"))
            elif values.dtype == "int8" and SCALES in node.attrs:
                scales = node.ops.xp.asarray(node.attrs.pop(SCALES))
                node.set_param(name, values * scales)


def quantise(rows: numpy.ndarray) -> Tuple[numpy.ndarray, numpy.ndarray]:
    """Round each row of a table to 8 bits, symmetrically around zero.

    `scale = max|row| / 127`, `value = round(row / scale)`. The row is restored by `value * scale`,
    with an error of at most half the scale. A row of zeros has scale 0.

    rows (ndarray): The table, float32 (n_entries, width).
    RETURNS (Tuple[ndarray, ndarray]): Values, int8 (n_entries, width), and scales, float32
        (n_entries, 1).
    """
    scales = numpy.abs(rows).max(axis=1, keepdims=True) / numpy.float32(INT8_MAX)
    values = numpy.rint(rows / numpy.where(scales > 0, scales, 1))
    # Near the smallest float32, a scale has so few digits that values may exceed 127.
    return numpy.clip(values, -INT8_MAX, INT8_MAX).astype("int8"), scales


def check_values(values: Any, *, layer: str, name: str, limit: float) -> None:
    """Check values. RAISES (ValueError): D202 if one is not finite, D203 if one exceeds `limit`."""
    largest = float(abs(values).max()) if values.size else 0.0  # NaN if any value is
    if not numpy.isfinite(largest):
        raise ValueError(Errors.D202.format(layer=layer, name=name, value=largest))
    if largest > limit:
        raise ValueError(Errors.D203.format(layer=layer, name=name, value=largest, limit=limit))
