"""What the documents of a batch have, one document after another."""

from typing import List, Sequence, Sized

import numpy


def split_rows(rows: numpy.ndarray, parts: Sequence[Sized]) -> List[numpy.ndarray]:
    """The rows of all tokens, (n_tokens of all, ...), as those of each document (n_tokens, ...).

    parts (Sequence[Sized]): The documents, or whatever else is as long as they are.
    """
    return numpy.split(rows, numpy.cumsum(list(map(len, parts)))[:-1]) if parts else []
