import numpy

from spacy_distill.batches import split_rows


def test_batches_are_split_into_their_documents() -> None:
    rows = numpy.arange(10).reshape(5, 2)
    parts = split_rows(rows, ["abc", "", "de"])
    assert [part.tolist() for part in parts] == [rows[:3].tolist(), [], rows[3:].tolist()]
    assert split_rows(rows[:0], []) == []
