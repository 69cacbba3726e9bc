"""The student's lookup table: one row per word piece of the teacher, or one per word.

A table is stored in one file, and `spacy-distill.LoadTable.v1` loads it into a student before
training. `encoder.py` computes rows with a pre-trained transformer; this module draws them at
random or reads them from a file of vectors. Nothing in a table is added to `nlp.vocab`.
"""

import io
import json
import zipfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Dict, Iterable, List, Optional, Tuple, cast

import numpy
from thinc.types import Floats2d

from .checks import require
from .errors import Errors
from .files import write_whole
from .layers.lookup import set_table
from .segmentation import Segmenter, word_segmenter
from .types import InitModel, TaggerModel

FORMAT = "spacy-distill table"
VERSION = 1
# Standard deviation of all values of a table. That of GloVe's 100-dimensional vectors is similar.
SCALE = 0.4


@dataclass(frozen=True, eq=False)
class Table:
    """A lookup table, before it is a layer's parameter.

    segmenter (Segmenter): Finds the rows of a word.
    rows (numpy.ndarray): One vector per entry: float32 (n_entries, width).
    """

    segmenter: Segmenter
    rows: numpy.ndarray

    def __post_init__(self) -> None:
        n_entries = len(self.segmenter.entries)
        if self.rows.ndim != 2 or len(self.rows) != n_entries:
            raise ValueError(Errors.D302.format(shape=self.rows.shape, entries=n_entries))

    def to_disk(self, path: Path) -> None:
        """Write the table to one file, atomically: a NumPy archive without pickles."""
        header = {"format": FORMAT, "version": VERSION, "segmenter": self.segmenter.to_attr()}
        archive = io.BytesIO()
        numpy.savez(
            archive,
            header=numpy.frombuffer(json.dumps(header).encode("ascii"), dtype="uint8"),
            rows=numpy.asarray(self.rows, dtype="<f4"),
        )
        write_whole(path, archive.getvalue())

    @classmethod
    def from_disk(cls, path: Path) -> "Table":
        """Read a table.

        path (Path): A file that `to_disk` wrote.
        RAISES (FileNotFoundError): D008 if it does not exist. (ValueError): D303 for a damaged or
            other file, D304 for another version of the format.
        """
        if not path.is_file():
            raise FileNotFoundError(Errors.D008.format(path=path))
        try:
            with zipfile.ZipFile(path) as archive:
                header = json.loads(read_array(archive, "header").tobytes())
                rows = read_array(archive, "rows")
            found = (header["format"], header["version"])
        except (zipfile.BadZipFile, ValueError, KeyError, TypeError) as error:
            raise ValueError(Errors.D303.format(path=path, reason=error)) from error
        if found != (FORMAT, VERSION):
            raise ValueError(Errors.D304.format(path=path, found=found, expected=(FORMAT, VERSION)))
        try:
            return cls(Segmenter.from_attr(header["segmenter"]), rows.astype("float32"))
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(Errors.D303.format(path=path, reason=error)) from error


def read_array(archive: zipfile.ZipFile, name: str) -> numpy.ndarray:
    """Read an array of a NumPy archive. The archive detects whether it is damaged."""
    with archive.open(f"{name}.npy") as file:
        return numpy.lib.format.read_array(file, allow_pickle=False)


def build_load_table_v1(path: Path) -> InitModel:
    """Create the callback `spacy-distill.LoadTable.v1`, which loads a table into a new student.

    path (Path): A file that `spacy-distill table` wrote. It is read when the model is initialised.
    RETURNS (Callable[[Model], Model]): Called by `initialize` with the model, before its shapes are
        inferred.
    """
    require(bool(path), "path", path, "that of a table")
    return partial(load_table, path=Path(path))  # a config passes a string


def load_table(model: TaggerModel, *, path: Path) -> TaggerModel:
    """Load a table into the layer that the model refers to as `lookup`.

    RAISES (ValueError): D305 if there is no such layer, D306 if its width differs.
    """
    lookup = model.maybe_get_ref("lookup")
    if lookup is None:
        raise ValueError(Errors.D305.format(path=path, model=model.name))
    table = Table.from_disk(path)
    width = table.rows.shape[1]
    if lookup.has_dim("nO") and lookup.get_dim("nO") != width:
        raise ValueError(Errors.D306.format(path=path, width=width, expected=lookup.get_dim("nO")))
    set_table(lookup, segmenter=table.segmenter, rows=cast(Floats2d, table.rows))
    return model


def random_table(segmenter: Segmenter, *, width: int, seed: int = 0) -> Table:
    """Create a table of random rows.

    segmenter (Segmenter): Its entries determine the rows.
    width (int): Dimensions of a row.
    seed (int): Seed of the random generator.
    RETURNS (Table): Its values are normally distributed, with a standard deviation of 0.4.
    """
    shape = (len(segmenter.entries), width)
    rows = numpy.random.default_rng(seed).normal(scale=SCALE, size=shape)
    return Table(segmenter, rows.astype("float32"))


def glove_table(
    path: Path, *, words: Optional[Iterable[str]] = None, width: int, seed: int = 0
) -> Tuple[Table, float]:
    """Create a table from a text file of word vectors, in the format of GloVe and word2vec.

    A word that the file has only in lower case gets that row, and so does every other spelling of
    it. Words that are not in the file get random rows.

    path (Path): One line per word: the word and its values, separated by spaces.
    words (Optional[Iterable[str]]): Words of the table. None: all words in the file.
    width (int): Dimensions of a row. Vectors of more dimensions are reduced by PCA.
    seed (int): Seed of the random rows.
    RETURNS (Tuple[Table, float]): The table, scaled to a standard deviation of 0.4, and the share
        of its words that are in the file.
    RAISES (FileNotFoundError): D008 if the file does not exist. (ValueError): D307 for a malformed
        line, D308 if the vectors have fewer dimensions than `width`, D312 if the file has none of
        the words.
    """
    wanted = None if words is None else list(words)
    vectors = read_vectors(path, words=wanted)
    if not vectors:
        raise ValueError(Errors.D312.format(path=path))
    spellings = vectors if wanted is None else (w if w in vectors else w.lower() for w in wanted)
    table = random_table(word_segmenter(spellings), width=width, seed=seed)
    known = [row for row, word in enumerate(table.segmenter.entries) if word in vectors]
    found = numpy.asarray([vectors[table.segmenter.entries[row]] for row in known], dtype="f")
    if found.shape[1] == width:
        scale_rows(found)
    else:
        found, _ = reduce_rows(found, width=width, source=str(path))
    table.rows[known] = found  # (n_known, width) -> (n_entries, width)
    return table, len(known) / (len(table.rows) - 1)


def read_vectors(path: Path, *, words: Optional[Iterable[str]] = None) -> Dict[str, numpy.ndarray]:
    """Read word vectors from a text file.

    path (Path): See `glove_table`. A first line of two numbers, as word2vec writes it, is skipped.
    words (Optional[Iterable[str]]): Only read these words, unchanged and in lower case.
    RETURNS (Dict[str, numpy.ndarray]): The vector of each word, float32; the first one if there are
        several.
    RAISES (FileNotFoundError): D008 if the file does not exist. (ValueError): D307 for a malformed
        line.
    """
    if not path.is_file():
        raise FileNotFoundError(Errors.D008.format(path=path))
    wanted = None if words is None else {form for word in words for form in (word, word.lower())}
    vectors: Dict[str, numpy.ndarray] = {}
    width = 0
    # Only "\n" ends a line: in some vocabularies, other line separators are words.
    with path.open(encoding="utf8", errors="replace", newline="\n") as file:
        for number, line in enumerate(file, start=1):
            fields = line.rstrip("\r\n ").split(" ")
            if number == 1 and len(fields) == 2 and all(map(str.isdigit, fields)):
                continue
            width = width or len(fields) - 1
            # A word may itself contain a space, so the values are counted from the end.
            word, values = " ".join(fields[:-width]), fields[-width:]
            if not word or not width:
                reason = f"{len(fields)} fields, expected {max(width, 1) + 1}"
                raise ValueError(Errors.D307.format(path=path, line=number, reason=reason))
            if word not in vectors and (wanted is None or word in wanted):
                vectors[word] = parse_values(values, path=path, line=number)
    return vectors


def parse_values(values: List[str], *, path: Path, line: int) -> numpy.ndarray:
    try:
        vector = numpy.asarray(values, dtype="float32")
    except ValueError as error:
        raise ValueError(Errors.D307.format(path=path, line=line, reason=error)) from error
    if not numpy.isfinite(vector).all():
        reason = "a value is not finite"
        raise ValueError(Errors.D307.format(path=path, line=line, reason=reason))
    return vector


def reduce_rows(rows: numpy.ndarray, *, width: int, source: str) -> Tuple[numpy.ndarray, float]:
    """Reduce rows by principal component analysis, and scale them for a table.

    rows (numpy.ndarray): Vectors (n_rows, n_dims).
    width (int): Dimensions to keep, at most n_dims.
    source (str): Where the vectors come from, for the message.
    RETURNS (Tuple[numpy.ndarray, float]): The rows (n_rows, width), float32, with mean 0 and a
        standard deviation of 0.4 over all values; the share of the variance that they explain.
    RAISES (ValueError): D308 if there are fewer dimensions than `width`.
    """
    n_dims = rows.shape[1]
    if not 0 < width <= n_dims:
        raise ValueError(Errors.D308.format(source=source, n_dims=n_dims, width=width))
    centred = rows - rows.mean(axis=0, dtype="float64").astype(rows.dtype)
    covariance = (centred.T @ centred).astype("float64") / len(rows)  # (n_dims, n_dims)
    variances, directions = numpy.linalg.eigh(covariance)  # ascending; one direction per column
    chosen = directions[:, : -width - 1 : -1]  # (n_dims, width)
    # A direction's sign is arbitrary: make its largest value positive, so that it is the same
    # on every machine.
    largest = numpy.abs(chosen).argmax(axis=0)
    chosen = chosen * numpy.sign(chosen[largest, numpy.arange(width)])
    reduced = centred @ chosen.astype(rows.dtype)  # (n_rows, n_dims) -> (n_rows, width)
    scale_rows(reduced)
    total = float(variances.sum())
    explained = float(variances[-width:].sum()) / total if total > 0 else 1.0
    return reduced.astype("float32"), explained


def scale_rows(rows: numpy.ndarray) -> None:
    """Scale rows to a standard deviation of 0.4 over all values, in place, if the values differ."""
    spread = float(rows.std())
    if spread > 0:
        rows *= SCALE / spread
