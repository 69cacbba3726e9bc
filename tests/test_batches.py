from itertools import pairwise
from typing import List

import numpy
from hypothesis import given
from hypothesis import strategies as st

from spacy_distill.batches import batch_by_length, count_rows, split_rows


def test_batches_are_split_into_their_documents() -> None:
    rows = numpy.arange(10).reshape(5, 2)
    parts = split_rows(rows, ["abc", "", "de"])
    assert [part.tolist() for part in parts] == [rows[:3].tolist(), [], rows[3:].tolist()]
    assert split_rows(rows[:0], []) == []


def test_batches_rows_are_counted_by_document() -> None:
    chosen = numpy.asarray([True, False, False, True, True])
    assert count_rows(chosen, [0, 2, 1, 0, 2]).tolist() == [1, 2]
    assert count_rows(~chosen, [5]).tolist() == [2]
    assert count_rows(chosen[:0], [0, 0]).tolist() == []


@given(lengths=st.lists(st.integers(1, 40), max_size=30), batch_pieces=st.integers(1, 100))
def test_batches_by_length_are_limited_including_padding(
    lengths: List[int], batch_pieces: int
) -> None:
    batches = list(batch_by_length(lengths, batch_pieces=batch_pieces))
    order = [i for batch in batches for i in batch]
    assert sorted(order) == list(range(len(lengths)))
    assert [lengths[i] for i in order] == sorted(lengths)
    sizes = [len(batch) * max(lengths[i] for i in batch) for batch in batches]
    for batch, size in zip(batches, sizes):
        assert size <= batch_pieces or len(batch) == 1
    # No batch is smaller than necessary: with the next document, it would be too large.
    for batch, following in pairwise(batches):
        assert (len(batch) + 1) * lengths[following[0]] > batch_pieces
