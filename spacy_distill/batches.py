"""Batches of documents by length; arrays of a whole batch and of its documents."""

from itertools import accumulate, pairwise
from typing import Iterator, List, Sequence, Sized, TypeVar

import numpy
from thinc.types import Floats2d

RowsT = TypeVar("RowsT", numpy.ndarray, Floats2d)


def split_rows(rows: RowsT, parts: Sequence[Sized]) -> List[RowsT]:
    """Split the rows of all tokens, (n_tokens of all, ...), into those of each document.

    parts (Sequence[Sized]): The documents, or other objects of the same lengths.
    RETURNS (List[ndarray]): The rows of each document, (n_tokens, ...).
    """
    return [rows[start:end] for start, end in pairwise(accumulate(map(len, parts), initial=0))]


def count_rows(chosen: numpy.ndarray, lengths: Sequence[int]) -> numpy.ndarray:
    """Count the chosen tokens of each document or line, and leave out those without any.

    chosen (ndarray): bool (n_tokens,), documents concatenated.
    lengths (Sequence[int]): Number of tokens of each document or line.
    RETURNS (ndarray): At least one each (n_sequences,).
    """
    counts = numpy.diff(numpy.append(0, numpy.cumsum(chosen))[numpy.cumsum([0, *lengths])])
    return counts[counts > 0]


def batch_by_length(lengths: Sequence[int], *, batch_pieces: int) -> Iterator[List[int]]:
    """Yield indices of documents, shortest first, in batches of limited size.

    A batch has at most `batch_pieces` pieces, including padding. A longer document is a batch of
    its own.
    """
    batch: List[int] = []
    for i in sorted(range(len(lengths)), key=lambda i: lengths[i]):
        if batch and (len(batch) + 1) * lengths[i] > batch_pieces:
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch
