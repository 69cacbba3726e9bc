"""Word vectors from a table: the row of a word, or the mean of the rows of its word pieces."""

from functools import partial
from itertools import chain
from typing import Any, Callable, List, Optional, Tuple

import numpy
import srsly
from thinc.api import Model, deserialize_attr, serialize_attr, uniform_init
from thinc.types import Floats2d

from ..checks import require
from ..errors import Errors
from ..segmentation import Segmenter, word_segmenter

InT = List[str]
OutT = Floats2d

# Dimensions of a row, unless others are given.
DEFAULT_WIDTH = 100
# The segmenter of a table without words: its only row is the unknown one.
NO_WORDS = word_segmenter((), lowercase=False)


def build_lookup_v1(
    *,
    width: int = DEFAULT_WIDTH,
    unknown_rate: float = 0.05,
    piece_dropout: float = 0.2,
    piece_dropout_limit: int = 50_000,
) -> Model[InT, OutT]:
    """Look words up in a table, which is filled by `set_table` or else by `initialize`.

    A table of words has one row per word. During training, some words are replaced by the unknown
    word at random, so that the row of unknown words is trained. A table of word pieces gives a word
    the mean of its pieces' rows. With `piece_dropout`, some words are split into shorter pieces at
    random during training, so that words of the table are split as new words are (MaxMatch-Dropout,
    Hiraoka 2022). The more words the training data have, the fewer words are new, and the more
    there is to learn about each one, so that it no longer helps. All rows are trained.

    width (int): Width of a row.
    unknown_rate (float): How often a word is replaced by the unknown word during training, with a
        table of words.
    piece_dropout (float): How often a matching piece is skipped during training, with a table of
        pieces.
    piece_dropout_limit (int): With more distinct words than this in the data that the layer was
        initialised with, no piece is skipped; 0: no limit.
    RETURNS (Model[List[str], Floats2d]): One row per word: (n_words, width).
    RAISES (ValueError): D007 for a setting out of its range.
    """
    require(width >= 1, "width", width, "1 or more")
    require(0 <= unknown_rate < 1, "unknown_rate", unknown_rate, "at least 0 and below 1")
    require(0 <= piece_dropout < 1, "piece_dropout", piece_dropout, "at least 0 and below 1")
    require(piece_dropout_limit >= 0, "piece_dropout_limit", piece_dropout_limit, "0 or more")
    return Model(
        "lookup",
        # Not attributes: these would be loaded with a trained model and override the config.
        partial(
            forward,
            unknown_rate=unknown_rate,
            piece_dropout=piece_dropout,
            piece_dropout_limit=piece_dropout_limit,
        ),
        init=init,
        dims={"nO": width},
        params={"E": None},
        attrs={"segmenter": NO_WORDS, "preset": False, "n_words": 0},
    )


def set_table(model: Model[InT, OutT], *, segmenter: Segmenter, rows: Floats2d) -> None:
    """Set the table of a lookup layer. A later `initialize` does not change it.

    model (Model[List[str], Floats2d]): The lookup layer.
    segmenter (Segmenter): Finds the rows of a word.
    rows (Floats2d): The table (n_entries, width). It is copied.
    RAISES (ValueError): D201 if the table does not fit the segmenter's entries or the layer's
        width.
    """
    expected = (len(segmenter.entries), model.get_dim("nO"))
    if rows.shape != expected:
        raise ValueError(
            Errors.D201.format(found=rows.shape, entries=expected[0], width=expected[1])
        )
    model.attrs["segmenter"] = segmenter
    model.attrs["preset"] = True
    model.set_param("E", model.ops.xp.array(model.ops.asarray(rows), dtype="float32", order="C"))


def forward(
    model: Model[InT, OutT],
    words: InT,
    is_train: bool,
    *,
    unknown_rate: float,
    piece_dropout: float,
    piece_dropout_limit: int,
) -> Tuple[OutT, Callable]:
    ops = model.ops
    E: Any = model.get_param("E")  # (n_entries, width)
    segmenter: Segmenter = model.attrs["segmenter"]
    are_many = 0 < piece_dropout_limit < model.attrs["n_words"]
    if piece_dropout and not are_many and is_train and segmenter.kind == "pieces":
        found = [segmenter(word, dropout=piece_dropout) for word in words]
    else:
        found = segmenter.look_up(words)
    lengths = ops.xp.asarray(numpy.fromiter(map(len, found), dtype="i", count=len(found)))
    ids = numpy.fromiter(chain.from_iterable(found), dtype="i")
    if is_train and segmenter.kind == "words":
        ids = take_for_unknown(ids, segmenter.unknown, rate=unknown_rate)
    rows = ops.xp.asarray(ids)
    # (n_pieces, width) -> (n_words, width): mean over pieces
    Y = ops.reduce_mean(E.take(rows, axis=0), lengths)

    def backprop(dY: OutT) -> InT:
        # The table is large and a batch touches few of its rows, so add to the gradient in place.
        if not model.has_grad("E"):
            model.set_grad("E", ops.xp.zeros_like(E))
        ops.scatter_add(model.get_grad("E"), rows, ops.backprop_reduce_mean(dY, lengths))
        return []

    return Y, backprop


def take_for_unknown(rows: numpy.ndarray, unknown: int, *, rate: float) -> numpy.ndarray:
    return numpy.where(numpy.random.uniform(size=rows.shape) < rate, unknown, rows).astype("i")


def init(model: Model[InT, OutT], X: Optional[InT] = None, Y: Optional[OutT] = None) -> None:
    words = sorted({*(X or ())})
    model.attrs["n_words"] = len(words)
    if model.attrs["preset"]:
        return
    segmenter = word_segmenter(words, lowercase=False)
    model.attrs["segmenter"] = segmenter
    width = model.get_dim("nO")
    k = (3 / width) ** 0.5  # Ma and Hovy (2016), section 3.1
    model.set_param("E", uniform_init(model.ops, (len(segmenter.entries), width), lo=-k, hi=k))


@serialize_attr.register(Segmenter)
def serialize_segmenter(_: Any, value: Segmenter, name: str, model: Model) -> bytes:
    return srsly.msgpack_dumps(value.to_attr())


@deserialize_attr.register(Segmenter)
def deserialize_segmenter(_: Any, value: bytes, name: str, model: Model) -> Segmenter:
    return Segmenter.from_attr(srsly.msgpack_loads(value))
