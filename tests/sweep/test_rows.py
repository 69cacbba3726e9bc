import pytest

from spacy_distill.sweep.rows import append_row, read_rows, row_key, write_rows


@pytest.fixture
def path(tmp_path):
    return tmp_path / "output" / "sweep.jsonl"


def test_rows_round_trip(path, make_row):
    rows = [make_row("teacher", 300, 0.6), make_row("student-crf", 300, 0.7, limit=500)]
    assert read_rows(path) == {}
    for row in rows:
        append_row(path, row)
    assert read_rows(path) == {row_key(row): row for row in rows}
    assert len(path.read_text(encoding="utf-8").splitlines()) == 2


@pytest.mark.parametrize("n_bytes", [1, 40, -1])
def test_rows_incomplete_line_is_ignored_and_replaced(path, make_row, n_bytes):
    """If its writer was killed, a line lacks at least its last character."""
    first, torn = make_row("teacher", 300, 0.6), make_row("teacher", 750, 0.7)
    append_row(path, torn)
    line = path.read_bytes()
    path.unlink()
    append_row(path, first)
    with path.open("ab") as file:
        file.write(line[:n_bytes])
    assert [*read_rows(path)] == [row_key(first)]
    append_row(path, torn)
    assert [*read_rows(path).values()] == [first, torn]


def test_rows_name_the_malformed_line(path, make_row):
    append_row(path, make_row("teacher", 300, 0.6))
    for line in (b'{"system": "te\n', b'{"system": "teacher"}\n', b"[]\n"):
        path.write_bytes(path.read_bytes().splitlines(keepends=True)[0] + line)
        with pytest.raises(ValueError, match=r"\[D611\].*sweep.jsonl', line 2"):
            read_rows(path)


def test_rows_are_replaced(path, make_row):
    for seed in range(3):
        append_row(path, make_row("teacher", 300, 0.6, seed=seed))
    kept = [row for row in read_rows(path).values() if row["seed"] != 1]
    write_rows(path, kept)
    assert [row["seed"] for row in read_rows(path).values()] == [0, 2]
    write_rows(path, [])
    assert read_rows(path) == {}
    assert [file.name for file in path.parent.iterdir()] == ["sweep.jsonl"]
