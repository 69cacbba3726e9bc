import json
import pickle
import zipfile

import numpy
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from thinc.api import Model

from spacy_distill.layers.lookup import build_lookup_v1
from spacy_distill.segmentation import Segmenter, word_segmenter
from spacy_distill.table import (
    FORMAT,
    VERSION,
    Table,
    build_load_table_v1,
    glove_table,
    random_table,
    read_vectors,
    reduce_rows,
)

PIECES = Segmenter(("[UNK]", "ab", "##c", "e", "日"), "pieces", 0, True, True, continuing_mark="##")


def make_model(*, width):
    """A substitute for a student, with a layer called `lookup`."""
    lookup = build_lookup_v1(width=width)
    return Model("student", lambda model, X, is_train: X, layers=[lookup], refs={"lookup": lookup})


def make_table(*, width=3):
    return Table(PIECES, numpy.arange(5 * width, dtype="f").reshape((5, width)))


def test_table_round_trip(tmp_path):
    table = make_table()
    table.to_disk(tmp_path / "table.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["table.npz"]
    loaded = Table.from_disk(tmp_path / "table.npz")
    assert loaded.segmenter == PIECES
    assert loaded.segmenter("abc") == [1, 2]
    assert loaded.rows.dtype == numpy.float32
    assert_array_equal(loaded.rows, table.rows)


def test_table_file_is_the_same_each_time(tmp_path):
    for name in ("a", "b"):
        make_table().to_disk(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_table_refuses_rows_that_do_not_fit():
    for shape in ((4, 3), (6, 3), (5,)):
        with pytest.raises(ValueError, match=r"D302.*5 entries"):
            Table(PIECES, numpy.zeros(shape, dtype="f"))


def test_table_refuses_other_files(tmp_path):
    path = tmp_path / "table.npz"
    with pytest.raises(FileNotFoundError, match=r"D008.*table\.npz"):
        Table.from_disk(path)
    make_table(width=100).to_disk(path)
    good = path.read_bytes()
    flipped = bytearray(good)
    flipped[len(good) - 1000] ^= 1  # among the rows
    for damaged in (b"", b"no table", good[:-200], good[: len(good) // 2], bytes(flipped)):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"D303.*table\.npz.*spacy-distill table"):
            Table.from_disk(path)
    header = {"format": FORMAT, "version": VERSION, "segmenter": {"kind": "words"}}
    header = numpy.frombuffer(json.dumps(header).encode("ascii"), dtype="uint8")
    numpy.savez(path, header=header, rows=numpy.zeros((2, 2), dtype="<f4"))
    with pytest.raises(ValueError, match=r"D303.*entries"):
        Table.from_disk(path)
    header = {"format": FORMAT, "version": VERSION, "segmenter": PIECES.to_attr()}
    header = numpy.frombuffer(json.dumps(header).encode("ascii"), dtype="uint8")
    numpy.savez(path, header=header, rows=numpy.zeros((2, 2), dtype="<f4"))
    with pytest.raises(ValueError, match=r"D303.*table\.npz.*D302.*5 entries"):
        Table.from_disk(path)
    numpy.savez(path, rows=numpy.zeros((2, 2)))
    with pytest.raises(ValueError, match="D303"):
        Table.from_disk(path)
    numpy.savez(path, header=numpy.asarray([{}], dtype=object), rows=numpy.zeros((2, 2)))
    with pytest.raises(ValueError, match=r"D303.*allow_pickle"):
        Table.from_disk(path)


def test_table_refuses_other_versions(tmp_path):
    path = tmp_path / "table.npz"
    header = {"format": "spacy-distill table", "version": 2}
    data = numpy.frombuffer(json.dumps(header).encode(), dtype="uint8")
    numpy.savez(path, header=data, rows=numpy.zeros((1, 1)))
    with pytest.raises(ValueError, match=r"D304.*2.*reads.*1"):
        Table.from_disk(path)


def test_table_load_table(tmp_path):
    table = make_table()
    table.to_disk(tmp_path / "table.npz")
    init_model = pickle.loads(pickle.dumps(build_load_table_v1(tmp_path / "table.npz")))
    model = make_model(width=3)
    assert init_model(model) is model
    lookup = model.get_ref("lookup")
    lookup.initialize(["other", "words"])  # does not change the table
    vectors = lookup.predict(["ab", "ABC", "É", "x"])
    rows = table.rows
    assert_allclose(vectors, [rows[1], (rows[1] + rows[2]) / 2, rows[3], rows[0]], rtol=1e-6)


def test_table_load_table_accepts_a_string_as_in_a_config(tmp_path):
    make_table().to_disk(tmp_path / "table.npz")
    init_model = build_load_table_v1(str(tmp_path / "table.npz"))
    assert init_model(make_model(width=3)).get_ref("lookup").get_param("E").shape == (5, 3)


def test_table_load_table_refuses_models_that_do_not_match(tmp_path):
    path = tmp_path / "table.npz"
    make_table().to_disk(path)
    without = Model("bare", lambda model, X, is_train: X)
    with pytest.raises(ValueError, match=r"D305.*table\.npz.*'bare'"):
        build_load_table_v1(path)(without)
    with pytest.raises(ValueError, match=r"D306.*3 dimensions.*100.*--width 100"):
        build_load_table_v1(path)(make_model(width=100))
    with pytest.raises(FileNotFoundError, match="D008"):
        build_load_table_v1(tmp_path / "missing.npz")(make_model(width=3))


def test_table_random():
    segmenter = word_segmenter(str(i) for i in range(1999))
    table = random_table(segmenter, width=50, seed=1)
    assert table.rows.shape == (2000, 50) and table.rows.dtype == numpy.float32
    assert_allclose(table.rows.std(), 0.4, rtol=0.02)
    assert_allclose(table.rows.mean(), 0, atol=0.01)
    assert_array_equal(table.rows, random_table(segmenter, width=50, seed=1).rows)
    assert (table.rows != random_table(segmenter, width=50, seed=2).rows).mean() > 0.99
    assert len(random_table(PIECES, width=4).rows) == 5


def distances(rows):
    return numpy.linalg.norm(rows[:, None] - rows[None, :], axis=2)


def make_vectors(*, n_rows=40, n_dims=8):
    rng = numpy.random.default_rng(0)
    mixed = rng.normal(size=(n_rows, n_dims)) @ rng.normal(size=(n_dims, n_dims))
    return (5 + mixed).astype("f")


def test_table_reduce_rows_keeps_distances():
    vectors = make_vectors()
    rows, explained = reduce_rows(vectors, width=8, source="here")
    assert_allclose(explained, 1.0, rtol=1e-6)
    assert_allclose(rows.std(), 0.4, rtol=1e-5)
    factor = distances(rows).max() / distances(vectors).max()
    assert_allclose(distances(rows), factor * distances(vectors), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("width", [1, 3, 8])
def test_table_reduce_rows_agrees_with_svd(width):
    vectors = make_vectors()
    rows, explained = reduce_rows(vectors, width=width, source="here")
    centred = (vectors - vectors.mean(axis=0)).astype("d")
    u, s, _ = numpy.linalg.svd(centred, full_matrices=False)
    expected = u[:, :width] * s[:width]
    expected *= 0.4 / expected.std()
    assert rows.shape == (40, width) and rows.dtype == numpy.float32
    assert_allclose(numpy.abs(rows), numpy.abs(expected), atol=1e-4)
    assert_allclose(explained, (s[:width] ** 2).sum() / (s**2).sum(), rtol=1e-4)
    assert_allclose(rows.mean(axis=0), 0, atol=1e-5)


@pytest.mark.parametrize("direction", [(3, 1), (-3, 1), (1, 3), (1, -3), (-1, -3), (-3, -1)])
def test_table_reduce_rows_makes_the_largest_value_of_a_direction_positive(direction):
    along = numpy.linspace(-1, 1, 5)
    vectors = numpy.outer(along, direction).astype("f")
    rows, _ = reduce_rows(vectors, width=1, source="here")
    expected = along * numpy.sign(max(direction, key=abs))
    assert_allclose(rows[:, 0], 0.4 * expected / expected.std(), rtol=1e-4, atol=1e-6)


def test_table_reduce_rows_of_equal_vectors():
    rows, explained = reduce_rows(numpy.ones((3, 4), dtype="f"), width=2, source="here")
    assert_array_equal(rows, numpy.zeros((3, 2)))
    assert explained == 1.0


def test_table_reduce_rows_refuses_a_width():
    for width in (0, 9):
        with pytest.raises(ValueError, match=r"D308.*'here'.*from 1 to 8"):
            reduce_rows(make_vectors(), width=width, source="here")


GLOVE = "the 1 0 -1\nParis 2 2.5 0\nus 1e-1 1 1\nU.S. 3 0 0\n. . . 0 0 9\nx\x85y 1 1 2\nthe 7 7 7\n"


def test_table_glove(tmp_path):
    path = tmp_path / "glove.txt"
    path.write_text(GLOVE, encoding="utf8", newline="\n")
    table, share = glove_table(path, width=3)
    entries = ("", "the", "Paris", "us", "U.S.", ". . .", "x\x85y")
    assert table.segmenter.entries == entries and share == 1.0
    values = [[1, 0, -1], [2, 2.5, 0], [0.1, 1, 1], [3, 0, 0], [0, 0, 9], [1, 1, 2]]
    factor = 0.4 / numpy.std(values)
    assert_allclose(table.rows[1:], factor * numpy.asarray(values), rtol=1e-5)
    assert_allclose(table.rows[1:].std(), 0.4, rtol=1e-5)
    assert_array_equal(table.rows[0], random_table(table.segmenter, width=3).rows[0])


def test_table_glove_reads_bytes_and_carriage_returns_in_words(tmp_path):
    path = tmp_path / "glove.txt"
    path.write_bytes(b"\xff 1 2\nb\rc 3 4\n")
    assert list(read_vectors(path)) == ["\ufffd", "b\rc"]


def test_table_glove_of_equal_vectors(tmp_path):
    path = tmp_path / "g.txt"
    path.write_text("foo 1 1 1\nbar 1 1 1\n")
    for width in (3, 2):
        table, _ = glove_table(path, width=width)
        assert numpy.isfinite(table.rows).all()


def test_table_glove_of_words(tmp_path):
    path = tmp_path / "glove.txt"
    path.write_text("7 3\n" + GLOVE, encoding="utf8", newline="\n")  # the format of word2vec
    words = ["The", "THE", "U.S.", "US", "Rome", "Paris"]
    table, share = glove_table(path, words=words, width=3, seed=4)
    assert table.segmenter.entries == ("", "the", "U.S.", "us", "rome", "Paris")
    assert share == 4 / 5
    rows = [table.segmenter(word)[0] for word in (*words, "ROME", "paris", "berlin")]
    assert rows == [1, 1, 2, 3, 4, 5, 4, 0, 0]  # "paris" has another case in the file
    assert_allclose(table.rows[2] / table.rows[1, 0], [3, 0, 0], rtol=1e-5)
    random_rows = random_table(table.segmenter, width=3, seed=4).rows
    assert_array_equal(table.rows[[0, 4]], random_rows[[0, 4]])
    again, _ = glove_table(path, words=words, width=3, seed=5)
    assert_array_equal(again.rows[[1, 2, 3, 5]], table.rows[[1, 2, 3, 5]])
    assert (again.rows[4] != table.rows[4]).all()


def test_table_glove_reduces_wider_vectors(tmp_path):
    path = tmp_path / "glove.txt"
    vectors = make_vectors()
    lines = (f"w{i} {' '.join(map(str, vector))}\n" for i, vector in enumerate(vectors))
    path.write_text("".join(lines))
    table, _ = glove_table(path, width=5)
    assert_allclose(table.rows[1:], reduce_rows(vectors, width=5, source="")[0], atol=1e-5)
    with pytest.raises(ValueError, match=r"D308.*glove\.txt.*from 1 to 8"):
        glove_table(path, width=9)


@pytest.mark.parametrize(
    "line,reason",
    [
        ("short 1 2", "3 fields, expected 4"),
        ("letters 1 b 2", "'b'"),
        ("infinite 1 inf 2", "not finite"),
        ("", "1 fields"),
    ],
)
def test_table_glove_names_the_malformed_line(tmp_path, line, reason):
    path = tmp_path / "glove.txt"
    path.write_text(f"the 1 0 -1\nParis 2 2.5 0\n{line}\nus 1 1 1\n")
    with pytest.raises(ValueError, match=rf"D307.*Line 3 of .*glove\.txt.*{reason}"):
        read_vectors(path)


def test_table_glove_refuses_files(tmp_path):
    path = tmp_path / "glove.txt"
    with pytest.raises(FileNotFoundError, match="D008"):
        glove_table(path, width=3)
    path.write_text("word\n")
    with pytest.raises(ValueError, match=r"D307.*Line 1"):
        glove_table(path, width=3)
    path.write_text(GLOVE, encoding="utf8")
    with pytest.raises(ValueError, match="D312"):
        glove_table(path, words=["nothing", "here"], width=3)


def test_table_file_is_a_numpy_archive(tmp_path):
    path = tmp_path / "table.npz"
    make_table().to_disk(path)
    assert zipfile.is_zipfile(path)
    with numpy.load(path, allow_pickle=False) as archive:
        assert_array_equal(archive["rows"], make_table().rows)
