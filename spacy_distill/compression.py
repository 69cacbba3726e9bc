"""Weights in fewer bytes: rounded when a pipeline is packaged, float32 again when it is loaded.

A pipeline in memory has float32 weights, wherever it came from: nothing but this module knows of
the others, and a pipeline that was loaded from a package is saved with float32 again.
"""

from typing import Any, List, Literal, Tuple

import numpy
from thinc.api import Model

from .checks import require_one_of
from .errors import Errors

# How weights are stored. "int8": the lookup tables so, all others as float16.
Dtype = Literal["float16", "float32", "int8"]

FLOAT16_MAX = 65504.0
INT8_MAX = 127
# The layer and the parameter that are a lookup table, and the attribute for its rows' scales. An
# attribute, because a parameter that was ever set can't be taken from a layer again.
TABLE = ("lookup", "E")
SCALES = "scales"


def compress(model: Model, *, dtype: Dtype) -> None:
    """Round the weights of a model, in place. It can then be saved; `restore` makes it usable.

    model (Model): The model.
    dtype (Literal["float16", "float32", "int8"]): "float16": of half the size, with 11
        significant bits. "int8": of a quarter for the lookup tables, by `quantise`, and float16 for
        all others. "float32": as they are.
    RAISES (ValueError): D007 for another type, D202 if a value is not finite, D203 if one is too
        large for float16, D204 if there is no table to be stored as int8. The model is unchanged.
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
    """Turn the weights of a model that was loaded into float32, in place, however it was saved."""
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

    `scale = max|row| / 127`, `value = round(row / scale)`; back by `row = value * scale`, which is
    off by half a scale at most. A row of zeros has scale 0.

    rows (ndarray): The table, float32 (n_entries, width).
    RETURNS (Tuple[ndarray, ndarray]): Values, int8 (n_entries, width), and scales, float32
        (n_entries, 1).
    """
    scales = numpy.abs(rows).max(axis=1, keepdims=True) / numpy.float32(INT8_MAX)
    values = numpy.rint(rows / numpy.where(scales > 0, scales, 1))
    # Next to the smallest float32 a scale has so few digits that values may end up beyond.
    return numpy.clip(values, -INT8_MAX, INT8_MAX).astype("int8"), scales


def check_values(values: Any, *, layer: str, name: str, limit: float) -> None:
    """RAISES: D202 if a value is not finite, D203 if one is larger than `limit`."""
    largest = float(abs(values).max()) if values.size else 0.0  # NaN if any is
    if not numpy.isfinite(largest):
        raise ValueError(Errors.D202.format(layer=layer, name=name, value=largest))
    if largest > limit:
        raise ValueError(Errors.D203.format(layer=layer, name=name, value=largest, limit=limit))
