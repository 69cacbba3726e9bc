"""Word vectors from characters: a convolution, then the maximum over the word."""

import warnings
from collections import Counter
from typing import Any, Callable, Iterable, List, Optional, Tuple

import numpy
from thinc.api import Model, glorot_uniform_init, uniform_init, zero_init
from thinc.types import Floats2d

from ..checks import require
from ..errors import Warnings

InT = List[str]
OutT = Floats2d

PRINTABLE_ASCII = "".join(map(chr, range(0x20, 0x7F)))
# Fewer distinct words are not a sample of a language: `nlp.initialize()` without examples passes
# only "x y z".
LEAST_WORDS = 10
# The row of all characters that are not in the vocabulary.
UNKNOWN = 0
# Of a word longer than 2 * END, such as an encoded image, only this many characters at each end are
# read.
END = 100
# An empty word is read as this character. It is never in the vocabulary, so its row is UNKNOWN.
EMPTY = "\0"


def build_char_cnn_v1(*, width: int = 30, filters: int = 60, window: int = 1) -> Model[InT, OutT]:
    """Convolution over the characters of each word (Ma and Hovy 2016, section 2.1).

    `initialize` collects the vocabulary: all characters that occur in at least two distinct words.
    Characters that occur in one word only are treated as unknown, which trains the row of unknown
    characters. If most words have a single character, as in spaCy's tokenisation of Chinese, all
    characters are included. If there are fewer than ten distinct words, which can hardly be a
    sample of a language, printable ASCII is added.

    Of a word of more than 200 characters, only the first and the last 100 are read.

    width (int): Width of a character's embedding.
    filters (int): Width of the output.
    window (int): Number of characters seen on each side. Beyond the ends of a word they are zeros.
    RETURNS (Model[List[str], Floats2d]): One row per word: (n_words, filters).
    RAISES (ValueError): D007 for a setting out of its range.
    """
    for name, value, least in (("width", width, 1), ("filters", filters, 1), ("window", window, 0)):
        require(value >= least, name, value, f"{least} or more")
    return Model(
        "char_cnn",
        forward,
        init=init,
        dims={"nO": filters, "nC": width},
        params={"E": None, "W": None, "b": None},
        attrs={"chars": "", "window": window},
    )


def forward(model: Model[InT, OutT], words: InT, is_train: bool) -> Tuple[OutT, Callable]:
    ops = model.ops
    E: Any = model.get_param("E")  # (n_rows, width)
    W: Any = model.get_param("W")  # (filters, (2 * window + 1) * width)
    b: Any = model.get_param("b")
    window = model.attrs["window"]
    ids, lengths = map(ops.xp.asarray, char_ids(words, model.attrs["chars"]))
    # (n_chars, width) -> (n_chars, (2 * window + 1) * width): each character with its neighbours
    columns = ops.seq2col(E.take(ids, axis=0), window, lengths=lengths)
    # (n_chars, filters) -> (n_words, filters). The bias is the same for all characters, so it can
    # be added after the maximum.
    Y, which = ops.reduce_max(columns @ W.T, lengths)
    Y += b

    def backprop(dY: OutT) -> InT:
        d_conv = ops.backprop_reduce_max(dY, which, lengths)
        model.inc_grad("b", dY.sum(axis=0))
        model.inc_grad("W", d_conv.T @ columns)
        d_chars = ops.backprop_seq2col(d_conv @ W, window, lengths=lengths)
        dE = ops.xp.zeros_like(E)
        ops.scatter_add(dE, ids, d_chars)  # repeated characters are added up
        model.inc_grad("E", dE)
        return []

    return Y, backprop


def char_ids(words: InT, chars: str) -> Tuple[numpy.ndarray, numpy.ndarray]:
    """Return the row of each character, and the number of characters of each word.

    words (List[str]): Words in any script.
    chars (str): The vocabulary, sorted by code point. Its rows follow that of unknown characters.
    RETURNS (Tuple[numpy.ndarray, numpy.ndarray]): Rows (n_chars,) and lengths (n_words,), which are
        from 1 to 2 * END.
    """
    words = [word if len(word) <= 2 * END else word[:END] + word[-END:] for word in words]
    words = [word or EMPTY for word in words]
    lengths = numpy.fromiter(map(len, words), dtype="i", count=len(words))
    codes = code_points("".join(words))
    known = code_points(chars)
    if not known.size:
        return numpy.full(codes.shape, UNKNOWN, dtype="i"), lengths
    found = known.searchsorted(codes).clip(max=known.size - 1)
    return numpy.where(known[found] == codes, found + 1, UNKNOWN).astype("i"), lengths


def code_points(text: str) -> numpy.ndarray:
    return numpy.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


def make_vocabulary(words: Iterable[str]) -> str:
    """Return the characters of the vocabulary, sorted by code point: see `build_char_cnn_v1`."""
    words = set(words)
    counts = Counter(char for word in words for char in set(word))
    least = 1 if 2 * sum(len(word) == 1 for word in words) > len(words) else 2
    known = {char for char, n in counts.items() if n >= least}
    if len(words) < LEAST_WORDS:
        known.update(PRINTABLE_ASCII)
    return "".join(sorted(known - {EMPTY}))


def init(model: Model[InT, OutT], X: Optional[InT] = None, Y: Optional[OutT] = None) -> None:
    words = set(X or ())
    if len(words) < LEAST_WORDS:
        warnings.warn(Warnings.W001.format(n_words=len(words)), stacklevel=2)
    chars = make_vocabulary(words)
    width, filters = model.get_dim("nC"), model.get_dim("nO")
    k = (3 / width) ** 0.5  # Ma and Hovy, section 3.1
    columns = (2 * model.attrs["window"] + 1) * width
    model.attrs["chars"] = chars
    model.set_param("E", uniform_init(model.ops, (len(chars) + 1, width), lo=-k, hi=k))
    model.set_param("W", glorot_uniform_init(model.ops, (filters, columns)))
    model.set_param("b", zero_init(model.ops, (filters,)))
