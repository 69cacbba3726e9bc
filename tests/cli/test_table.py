import re
import sys

import pytest
import spacy
import torch
from numpy.testing import assert_allclose, assert_array_equal
from spacy.tokens import Doc, DocBin
from spacy.vocab import Vocab
from transformers import BertConfig, BertModel, BertTokenizerFast
from typer.testing import CliRunner

from spacy_distill.cli import app, main
from spacy_distill.cli.table import count_words, coverage
from spacy_distill.encoder import encoder_table
from spacy_distill.segmentation import Segmenter
from spacy_distill.table import Table

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "paris", "lon", "##don", "is", "in", "."]
DOCS = [
    ["Paris", "is", "in", "France", "."],
    ["London", "is", "not", "in", "paris", "."],
    ["\n", "Paris"],
]


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    """A folder with a small untrained BERT."""
    path = tmp_path_factory.mktemp("teacher")
    vocab = path / "words.txt"
    vocab.write_text("\n".join(PIECES))
    BertTokenizerFast(str(vocab)).save_pretrained(path)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(PIECES),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
    )
    BertModel(config).save_pretrained(path)
    return str(path)


@pytest.fixture
def corpus(tmp_path):
    """Two files of a corpus, the second in a folder of shards, one of which is empty."""
    docs = [Doc(Vocab(), words=words) for words in DOCS]
    docs[0].set_ents([docs[0].char_span(0, 5, label="GPE")])
    (tmp_path / "annotated").mkdir()
    labelled = tmp_path / "labelled.spacy"
    DocBin(docs=docs[:1]).to_disk(labelled)
    DocBin(docs=docs[1:]).to_disk(tmp_path / "annotated" / "00000.spacy")
    DocBin().to_disk(tmp_path / "annotated" / "00001.spacy")
    return [labelled, tmp_path / "annotated"]


@pytest.fixture
def make(tmp_path):
    """Call the command, and return its output and the table."""
    output = tmp_path / "table.npz"

    def call(*arguments):
        result = CliRunner().invoke(
            app, ["table", str(output), *map(str, arguments)], catch_exceptions=False
        )
        assert result.exit_code == 0
        return " ".join(result.output.split()), Table.from_disk(output)

    return call


def test_table_command_of_pieces(make, teacher, corpus):
    shown, table = make(
        "--teacher", teacher, "--width", 4, "--corpus", corpus[0], "--corpus", corpus[1]
    )
    assert table.segmenter.entries == tuple(PIECES)
    expected, explained = encoder_table(teacher, width=4)
    assert_array_equal(table.rows, expected.rows)
    assert_allclose(table.rows.std(), 0.4, rtol=1e-5)
    assert f"explain {explained:.1%} of the variance" in shown
    assert "12 words in the corpus, 8 different ones" in shown
    # All but "France" and "not".
    assert "covers 83.33% of the words in the corpus. Does the teacher know" in shown
    assert re.search(r"11 rows of 4 dimensions in .*table\.npz \(\d+\.\d s\)", shown)


def test_table_command_of_words(make, teacher, corpus):
    arguments = ["-t", teacher, "-k", "words", "--width", 4, "-c", corpus[0]]
    shown, table = make(*arguments, "-c", corpus[1])
    entries = ("", "paris", "is", "in", "france", ".", "london", "not")
    assert table.segmenter.entries == entries
    assert table.segmenter.kind == "words"
    assert "covers 100.00% of the words" in shown
    expected, _ = encoder_table(teacher, words=entries, width=4)
    assert_array_equal(table.rows, expected.rows)
    _, table = make(*arguments)
    assert table.segmenter.entries == entries[:6]


def test_table_command_min_count(make, corpus):
    arguments = ["--kind", "words", "--vectors", "random", "-c", corpus[0], "-c", corpus[1]]
    shown, table = make(*arguments, "--min-count", 2)
    assert table.segmenter.entries == ("", "paris", "is", "in", ".")
    assert "% of the words" in shown and "teacher" not in shown  # words are left out on purpose


def test_table_command_random(make, teacher, corpus):
    _, table = make("--vectors", "random", "--teacher", teacher)
    assert table.segmenter.entries == tuple(PIECES) and table.segmenter.continuing_mark == "##"
    assert table.rows.shape == (11, 100)
    _, again = make("--vectors", "random", "--teacher", teacher)
    _, other = make("--vectors", "random", "--teacher", teacher, "--seed", 1)
    assert_array_equal(again.rows, table.rows)
    assert (other.rows != table.rows).any()
    arguments = ["--vectors", "random", "--kind", "words", "--corpus", corpus[0]]
    _, words = make(*arguments)
    _, other = make(*arguments, "--seed", 1)
    assert (other.rows != words.rows).any()
    assert words.segmenter.entries == ("", "paris", "is", "in", "france", ".")
    assert [words.segmenter(word) for word in ("Paris", "new")] == [[1], [0]]


def test_table_command_of_glove(make, tmp_path, corpus):
    glove = tmp_path / "glove.txt"
    glove.write_text("paris 1 2 3\nis 4 5 6\nberlin 7 8 9\n")
    arguments = ["--kind", "words", "--vectors", glove, "--width", 3]
    shown, table = make(*arguments, "--corpus", corpus[0])
    assert table.segmenter.entries == ("", "paris", "is", "in", "france", ".")
    assert "40.0% of the table's words are in" in shown
    _, other = make(*arguments, "--corpus", corpus[0], "--seed", 1)
    assert (other.rows[4] != table.rows[4]).any()  # a random one
    shown, table = make(*arguments)
    assert table.segmenter.entries == ("", "paris", "is", "berlin")
    assert_allclose(table.rows[3] / table.rows[1, 0], [7, 8, 9], rtol=1e-5)


def test_table_count_words(corpus):
    counts = count_words(corpus)
    assert counts["Paris"] == 2 and counts["paris"] == 1 and "\n" not in counts
    assert sum(counts.values()) == 12
    assert list(count_words(corpus[:1])) == DOCS[0]


def test_table_of_a_corpus_in_which_one_file_is_empty(corpus, tmp_path):
    """The pool is empty if all sentences keep their labels and there is no other text."""
    empty = tmp_path / "unlabelled.spacy"
    DocBin().to_disk(empty)
    assert count_words([empty, *corpus]) == count_words(corpus)
    with pytest.raises(ValueError, match=r"\[D009\] '.*unlabelled\.spacy'"):
        count_words([empty])


def test_table_coverage():
    segmenter = Segmenter(("", "a", "b"), "words", 0, lowercase=False, strip_accents=False)
    assert coverage(segmenter, {"a": 3, "b": 4, "A": 1}) == 7 / 8


@pytest.mark.parametrize(
    "arguments,message",
    [
        ([], r"D314.*--teacher"),
        (["--vectors", "random"], r"D314.*--teacher"),
        (["--kind", "letters"], r"D007.*--kind is 'letters'"),
        (["--kind", "words", "--teacher", "TEACHER"], r"D313.*--corpus"),
        (["--vectors", "glove.txt", "--teacher", "TEACHER"], r"D007.*--vectors is 'glove\.txt'"),
        (["--kind", "words", "--vectors", "glove.txt"], r"D110.*glove\.txt"),
        (
            ["--kind", "words", "--vectors", "two.txt", "--corpus", "ONE", "--min-count", "9"],
            r"D313.*--min-count",
        ),
        (["--teacher", "TEACHER", "--width", "17"], r"D308.*from 1 to 16"),
        (["--teacher", "TEACHER", "--corpus", "none.spacy"], r"D008.*none\.spacy"),
        (["--teacher", "TEACHER", "--corpus", "EMPTY"], r"D009.*annotated"),
        (["--teacher", "no/such/folder"], r"D309.*no/such/folder.*Give a folder"),
    ],
)
def test_table_command_refuses(tmp_path, teacher, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "annotated").mkdir()
    DocBin().to_disk(tmp_path / "annotated" / "00000.spacy")
    DocBin(docs=[spacy.blank("en")("a word")]).to_disk(tmp_path / "one.spacy")
    (tmp_path / "two.txt").write_text("a 1 2\nword 2 1\n")
    paths = {"TEACHER": teacher, "EMPTY": "annotated", "ONE": "one.spacy"}
    arguments = [paths.get(argument, argument) for argument in arguments]
    monkeypatch.setattr(sys, "argv", ["spacy-distill", "table", "new/table.npz", *arguments])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 1
    shown = capsys.readouterr()
    assert re.search(message, shown.out + shown.err, flags=re.DOTALL)
    assert "Traceback" not in shown.out + shown.err
    assert not (tmp_path / "new" / "table.npz").exists()
    assert (tmp_path / "new").exists() != message.startswith(("D007", "D110"))


def test_table_command_makes_the_folder_of_its_output(tmp_path, teacher):
    path = tmp_path / "new" / "table.npz"
    result = CliRunner().invoke(app, ["table", str(path), "-t", teacher, "--width", "4"])
    assert result.exit_code == 0, result.output
    assert Table.from_disk(path).rows.shape[1] == 4


def test_table_command_refuses_a_folder_as_its_output(tmp_path, teacher):
    with pytest.raises(IsADirectoryError, match=r"D901.*it is a folder"):
        CliRunner().invoke(app, ["table", str(tmp_path), "-t", teacher], catch_exceptions=False)


def test_table_command_names_the_missing_extra(teacher, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "spacy_distill.checks.find_spec", lambda name: None if name == "torch" else name
    )
    with pytest.raises(ValueError, match=r"D024.*needs torch, .*spacy-distill\[train\]"):
        CliRunner().invoke(
            app, ["table", str(tmp_path / "table.npz"), "-t", teacher], catch_exceptions=False
        )


def test_table_command_help():
    shown = CliRunner().invoke(app, ["table", "--help"], env={"COLUMNS": "200"}).output
    for option in ("teacher", "kind", "vectors", "corpus", "min-count", "width", "seed", "gpu"):
        assert f"--{option}" in shown
    assert all(word in shown for word in ("hub", "pieces", "words", "random", "encoder"))
