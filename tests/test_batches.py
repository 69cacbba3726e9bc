import numpy

from spacy_distill.batches import count_rows, split_rows


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
