"""What the documents of a batch have, one document after another."""

from itertools import accumulate, pairwise
from typing import List, Sequence, Sized, TypeVar

import numpy
from thinc.types import Floats2d

RowsT = TypeVar("RowsT", numpy.ndarray, Floats2d)


def split_rows(rows: RowsT, parts: Sequence[Sized]) -> List[RowsT]:
    """The rows of all tokens, (n_tokens of all, ...), as those of each document (n_tokens, ...).

    parts (Sequence[Sized]): The documents, or whatever else is as long as they are.
    """
    return [rows[start:end] for start, end in pairwise(accumulate(map(len, parts), initial=0))]
