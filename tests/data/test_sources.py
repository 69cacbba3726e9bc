import gzip
import itertools
import subprocess
import sys
import tracemalloc
import warnings
from pathlib import Path

import pytest
import spacy
from spacy.tokens import Doc, DocBin

from spacy_distill.data.sources import find_splits, is_dataset_id, list_others, read_docs

REAL = Path(__file__).parents[3] / "shared" / "data"
# As they were counted when the corpora were collected, where a `-DOCSTART-` line counted as a
# sentence (sec_filings has 5 and 3), and one whose only token has no text (btc's dev set) did too.
REAL_SENTENCES = {
    "btc": {"train": 5338, "dev": 2001 - 1, "test": 2000},
    "wnut17": {"train": 3394, "dev": 1009, "test": 1287},
    "wikiann_en": {"train": 20000, "dev": 10000, "test": 10000},
    "wikigold": {"train": 1142, "dev": 280, "test": 274},
    "sec_filings": {"train": 1169 - 5, "test": 306 - 3},
}
TYPES = {"PER", "LOC", "ORG"}
REAL_TYPES = {
    "btc": TYPES,
    "wnut17": {"person", "location", "corporation", "group", "product", "creative-work"},
    "wikiann_en": TYPES,
    "wikigold": TYPES | {"MISC"},
    "sec_filings": TYPES | {"MISC"},
}


@pytest.fixture(scope="module")
def nlp():
    return spacy.blank("en")


@pytest.fixture
def read(nlp, tmp_path):
    """Write a file and read it."""

    def write_and_read(text, name):
        data = text if isinstance(text, bytes) else text.encode("utf-8")
        (tmp_path / name).write_bytes(data)
        return list(read_docs(tmp_path / name, nlp=nlp))

    return write_and_read


def words_of(docs):
    return [[token.text for token in doc] for doc in docs]


def ents_of(doc):
    return [(ent.start, ent.end, ent.label_) for ent in doc.ents]


def test_text_has_one_text_per_line(read):
    docs = read("\ufeffAnn left. She won.\r\n\n  \nBye \n", "pool.txt")
    assert [doc.text for doc in docs] == ["Ann left. She won.", "Bye"]
    assert not any(doc.has_annotation("ENT_IOB") for doc in docs)


@pytest.mark.parametrize(
    "name",
    [
        *("train.txt", "valid.txt", "dev.txt", "test.txt", "testa.txt"),
        *("trainset.txt", "devel.txt", "testdata.txt", "validate.txt"),
    ],
)
def test_text_named_after_a_split_is_a_column_file(read, name):
    (doc,) = read("Ann B-PER\nleft O\n", name)
    assert ents_of(doc) == [(0, 1, "PER")]


@pytest.mark.parametrize(
    "name, is_columns",
    [
        ("en_x-ud-train.txt", True),
        ("Valid.txt", True),
        ("training.txt", True),
        ("developer_docs.txt", False),
        ("training-texts.txt", False),
        ("latest.txt", False),
        ("validators.txt", False),
        ("datasets.txt", False),
        ("development_notes.txt", False),
    ],
)
def test_text_is_a_column_file_if_a_word_of_its_name_is_a_split(read, name, is_columns):
    found = read("Ann B-PER\nleft O\n", name)
    assert words_of(found) == (
        [["Ann", "left"]] if is_columns else [["Ann", "B", "-", "PER"], ["left", "O"]]
    )


def test_text_mistaken_for_columns_has_a_remedy(read):
    with pytest.raises(
        ValueError, match=r"\[D102\].*'there' is not a tag.*rename it if it is text"
    ):
        read("hello you there\n", "test_x.txt")


@pytest.mark.parametrize("name", ["A.TXT", "A.Jsonl", "A.TXT.GZ", "A.CONLL", "A.SPACY"])
def test_suffix_may_be_uppercase(read, nlp, tmp_path, name):
    rows = {"t": "Ann\n", "j": '{"text": "Ann"}\n', "c": "Ann O\n"}
    data = rows.get(name.lower()[2], "").encode()
    if name.endswith("GZ"):
        data = gzip.compress(data)
    elif name.endswith("SPACY"):
        data = DocBin(docs=[nlp.make_doc("Ann")]).to_bytes()
    assert words_of(read(data, name)) == [["Ann"]]
    assert words_of(read_docs(tmp_path, nlp=nlp)) == [["Ann"]]


def test_docbin_keeps_entities_and_sentences(nlp, tmp_path):
    doc = Doc(nlp.vocab, words=["Ann", "left"], ents=["B-PER", "O"], sent_starts=[True, False])
    DocBin(docs=[doc, Doc(nlp.vocab)]).to_disk(tmp_path / "a.spacy")
    (found,) = read_docs(tmp_path / "a.spacy", nlp=nlp)
    assert ents_of(found) == [(0, 1, "PER")]
    assert found[1].is_sent_start is False


@pytest.mark.parametrize("start, end", [(1, None), (0, 20), (0, 0)])
def test_sources_refuse_a_damaged_docbin(read, nlp, start, end):
    data = DocBin(docs=[nlp.make_doc("Ann left")]).to_bytes()
    assert words_of(read(data, "a.spacy")) == [["Ann", "left"]]
    with pytest.raises(ValueError, match=r"D114.*a\.spacy"):
        read(data[start:end], "a.spacy")


def test_folder_is_read_recursively_in_order(nlp, tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "x.txt").write_text("second\n")
    (tmp_path / "a.jsonl").write_text('{"text": "first"}\n')
    (tmp_path / "c.conll").write_text("third O\n")
    (tmp_path / "README.md").write_text("not this")
    (tmp_path / ".d.txt").write_text("nor this")
    (tmp_path / ".old" / "b").mkdir(parents=True)
    (tmp_path / ".old" / "b" / "e.txt").write_text("nor what is below\n")
    assert [doc[0].text for doc in read_docs(tmp_path, nlp=nlp)] == ["first", "second", "third"]


def test_folder_may_link_to_others(nlp, tmp_path):
    """Folders that are linked twice, or that link back, are read only once."""
    folder, other = tmp_path / "texts", tmp_path / "other"
    for path, text in ((folder, "first"), (other, "second")):
        path.mkdir()
        (path / "m.txt").write_text(f"{text}\n")
    (other / "back").symlink_to(folder)
    for name in ("x", "y"):
        (folder / name).symlink_to(other)
    assert words_of(read_docs(folder, nlp=nlp)) == [["first"], ["second"]]


def test_folder_with_hidden_tables_is_not_a_dataset(nlp, tmp_path):
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache" / "train.parquet").write_bytes(b"")
    (tmp_path / "train.txt").write_text("Ann O\n")
    assert words_of(find_splits(str(tmp_path), nlp=nlp)["train"].docs) == [["Ann"]]


@pytest.mark.parametrize(
    "name, text",
    [
        ("a.txt.gz", "Ann left\n"),
        ("a.jsonl.gz", '{"text": "Ann left"}\n'),
        ("train.conll.gz", "Ann B-PER\nleft O\n"),
    ],
)
def test_sources_read_gzip(read, nlp, tmp_path, name, text):
    (doc,) = read(gzip.compress(text.encode()), name)
    assert doc.text.split() == ["Ann", "left"]
    if name.startswith("train"):
        assert list(find_splits(str(tmp_path), nlp=nlp)) == ["train"]


def test_sources_refuse_a_truncated_gzip(read):
    text = "".join(f"This is text {i * i}\n" for i in range(20_000)).encode()
    with pytest.raises(ValueError, match=r"D126.*a\.txt\.gz' failed after [1-9]\d* rows or lines"):
        read(gzip.compress(text)[:-1000], "a.txt.gz")
    with pytest.raises(ValueError, match=r"D126.* after 0 rows .*Not a gzipped file"):
        read(text, "a.txt.gz")
    assert read(b"", "a.txt.gz") == []


def test_split_sentences_of_raw_text_only(nlp, tmp_path):
    """Text with tokens, entities or sentences is not split."""
    (tmp_path / "a.txt").write_text("Ann left. Bob came.\n")
    (tmp_path / "b.jsonl").write_text(
        '{"text": "Ann left. Bob came."}\n'
        '{"text": "Ann left. Bob came.", "entities": []}\n'
        '{"tokens": ["A", "b", ".", "C", "d", "."]}\n'
        '{"text": "Ann left. Bob came.", "tokens": ["A.", "B."], "tags": ["O", "O"]}\n'
    )
    (tmp_path / "c.conll").write_text("A O\n. O\nC O\n")
    DocBin(docs=[nlp.make_doc("Ann left. Bob came.")]).to_disk(tmp_path / "d.spacy")
    found = read_docs(tmp_path, nlp=nlp, split_sentences=True)
    assert [len(doc) for doc in found] == [3, 3, 3, 3, 6, 6, 2, 3, 6]
    assert [len(doc) for doc in read_docs(tmp_path / "a.txt", nlp=nlp)] == [6]
    splits = tmp_path / "splits"
    splits.mkdir()
    (splits / "train.jsonl").write_text('{"text": "Ann left. Bob came."}\n')
    found = find_splits(str(splits), nlp=nlp, split_sentences=True)
    assert [len(doc) for doc in found["train"].docs] == [3, 3]


def test_readers_continue_in_another_memory_zone(nlp, tmp_path):
    """Readers provide words and labels although the strings of the previous zone are removed."""
    folder = tmp_path / "sources"
    folder.mkdir()
    words = [f"word{i}x" for i in range(8)]
    docs = [Doc(nlp.vocab, words=[word, "y"], ents=["B-" + word, "O"]) for word in words]
    DocBin(docs=docs[:4]).to_disk(folder / "a.spacy")
    DocBin(docs=docs[4:]).to_disk(folder / "b.spacy")
    (folder / "c.conll").write_text("\n".join(f"{word} B-{word}\ny O\n" for word in words))
    (folder / "d.jsonl").write_text("".join(f'{{"text": "{word} y"}}\n' for word in words))
    (folder / "e.txt").write_text("".join(f"{word} y\n" for word in words))
    for size in (1, 3, 5):
        nlp = spacy.blank("en")
        found, reader = [], read_docs(folder, nlp=nlp)
        while len(found) < 32:
            with nlp.memory_zone():
                part = [
                    (doc.text.split()[0], [ent.label_ for ent in doc.ents])
                    for doc in itertools.islice(reader, size)
                ]
            found += part
        assert found == [(word, [word]) for word in words * 2] + [(word, []) for word in words * 2]
        assert not any(word in nlp.vocab.strings for word in words)


def test_reading_takes_no_more_memory_for_larger_files(nlp, tmp_path, monkeypatch):
    """With a file fifteen times as large, at most twice as much is in memory."""
    rows = {
        "a.txt": "Ann went to the town of {}\n",
        "a.jsonl": '{{"text": "Ann went to the town of {}"}}\n',
        "a.conll": "Ann B-PER\nleft O\ntown{} O\n\n",
    }
    for name, row in rows.items():
        peaks = []
        for n_rows in (200, 3_000):
            (tmp_path / name).write_text("".join(row.format(i % 100) for i in range(n_rows)))
            nlp = spacy.blank("en")
            assert sum(1 for _ in read_docs(tmp_path / name, nlp=nlp)) == n_rows  # fill vocab
            tracemalloc.start()
            assert sum(1 for _ in read_docs(tmp_path / name, nlp=nlp)) == n_rows
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        assert peaks[1] < 2 * peaks[0], name


def test_sources_refuse_missing_and_unknown_files(nlp, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"D110.*none\.txt"):
        list(read_docs(tmp_path / "none.txt", nlp=nlp))
    with pytest.raises(ValueError, match=r"D113"):
        list(read_docs(tmp_path, nlp=nlp))
    (tmp_path / "a.pdf").write_text("x")
    with pytest.raises(ValueError, match=r"D113.*a\.pdf"):
        list(read_docs(tmp_path / "a.pdf", nlp=nlp))


@pytest.mark.parametrize(
    "names",
    [
        ("train.conll", "dev.conll", "test.conll"),
        ("training.jsonl", "valid.jsonl", "test.jsonl"),
        ("train.tsv", "validation.tsv", "test.tsv"),
        ("train.txt", "testa.txt", "testb.txt"),
        ("train_data.jsonl", "validate.jsonl", "test2017.jsonl"),
        ("eng.train", "eng.testa", "eng.testb"),
        ("en_x-ud-train.iob2", "en_x-ud-dev.iob2", "en_x-ud-test.iob2"),
        ("Train.bio", "Val.bio", "Test.bio"),
    ],
)
def test_find_splits_by_name(nlp, tmp_path, names):
    for name, word in zip(names, ("one", "two", "three"), strict=True):
        is_json = name.endswith("jsonl")
        row = f'{{"tokens": ["{word}"], "tags": ["O"]}}\n' if is_json else f"{word} O\n"
        (tmp_path / name).write_text(row)
    (tmp_path / "labels.json").write_text("[]")
    (tmp_path / "extra.txt").write_text("text\n")
    found = {
        split: words_of(part.docs) for split, part in find_splits(str(tmp_path), nlp=nlp).items()
    }
    assert found == {"train": [["one"]], "dev": [["two"]], "test": [["three"]]}


def test_find_splits_ignores_words_that_begin_like_a_split(nlp, tmp_path):
    for name in ("trainers.jsonl", "devices.jsonl", "validators.jsonl", "testimony.jsonl"):
        (tmp_path / name).write_text('{"text": "a"}\n')
    assert find_splits(str(tmp_path), nlp=nlp) == {}
    for name in ("trainset.jsonl", "dev2.jsonl", "test_b.jsonl"):
        (tmp_path / name).write_text('{"text": "a"}\n')
    splits = find_splits(str(tmp_path), nlp=nlp)
    assert {split: Path(part.source).name for split, part in splits.items()} == {
        "train": "trainset.jsonl",
        "dev": "dev2.jsonl",
        "test": "test_b.jsonl",
    }


@pytest.mark.parametrize("name", ["unlabelled.txt", "Unlabeled.jsonl", "train-unlabelled.txt"])
def test_find_splits_knows_unlabelled_text(nlp, tmp_path, name):
    (tmp_path / "train.conll").write_text("a O\n")
    (tmp_path / name).write_text('{"text": "b c"}\n' if name.endswith("jsonl") else "b c\n")
    found = {
        split: words_of(part.docs) for split, part in find_splits(str(tmp_path), nlp=nlp).items()
    }
    assert found == {"train": [["a"]], "unlabelled": [["b", "c"]]}


def test_find_splits_may_be_folders(nlp, tmp_path):
    (tmp_path / "train").mkdir()
    for name in "ab":
        (tmp_path / "train" / f"{name}.conll").write_text(f"{name} O\n")
    splits = find_splits(str(tmp_path), nlp=nlp)
    assert words_of(splits["train"].docs) == [["a"], ["b"]]


def test_find_splits_ignores_hidden_files(nlp, tmp_path):
    """Such as those that some systems keep beside each file."""
    for name in ("train.conll", ".train.conll", "._train.conll"):
        (tmp_path / name).write_text("a O\n")
    assert find_splits(str(tmp_path), nlp=nlp)["train"].source == str(tmp_path / "train.conll")


def test_find_splits_refuses_two_files_for_one_split(nlp, tmp_path):
    for name in ("train.conll", "valid.conll", "dev.jsonl"):
        (tmp_path / name).write_text("")
    with pytest.raises(ValueError, match=r"D112.* dev set: \['dev\.jsonl', 'valid\.conll'\]"):
        find_splits(str(tmp_path), nlp=nlp)


def test_find_splits_of_a_file(nlp, tmp_path):
    (tmp_path / "train.conll").write_text("a O\n")
    with pytest.raises(ValueError, match="D111"):
        find_splits(str(tmp_path / "train.conll"), nlp=nlp)


def test_sources_import_datasets_only_when_needed():
    code = "import sys, spacy_distill.data.sources; print('datasets' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "False"


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(REAL_SENTENCES))
def test_real_corpora(nlp, name):
    if not (REAL / name).is_dir():
        pytest.skip(f"no real data: {REAL / name} is absent")
    found = {
        split: list(part.docs) for split, part in find_splits(str(REAL / name), nlp=nlp).items()
    }
    assert {split: len(docs) for split, docs in found.items()} == REAL_SENTENCES[name]
    docs = [doc for split in found.values() for doc in split]
    assert {ent.label_ for doc in docs for ent in doc.ents} == REAL_TYPES[name]
    assert all(doc.has_annotation("ENT_IOB") for doc in docs)
    # A prefix or a separator left in a token would show here.
    tokens = [token.text for doc in docs for token in doc]
    assert not any("\t" in text or text.startswith("en:") or not text.strip() for text in tokens)
    if name == "wikigold":
        assert tokens.count("#") == 39


def test_mistyped_path_is_not_a_dataset_id(nlp, tmp_path, monkeypatch):
    """An error is raised before the hub is asked for a dataset of that name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "texts").mkdir()
    assert not is_dataset_id("texts/none")
    assert is_dataset_id("texts/none@v1") and is_dataset_id("owner/none")
    for read in (find_splits, lambda source, nlp: list(read_docs(source, nlp=nlp))):
        with pytest.raises(FileNotFoundError, match=r"\[D110\] 'texts/none'"):
            read("texts/none", nlp=nlp)


def test_find_splits_reads_other_files_next_to_parquet(nlp, tmp_path):
    """A Parquet file does not prevent the other files of a folder from being read."""
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    for name in ("train", "dev"):
        (tmp_path / f"{name}.conll").write_text("Ann\tB-PER\nleft\tO\n", encoding="utf-8")
    rows = pyarrow.table({"tokens": [["Bob", "ran"]], "ner_tags": [["B-PER", "O"]]})
    parquet.write_table(rows, tmp_path / "test.parquet")
    (tmp_path / "more").mkdir()
    parquet.write_table(pyarrow.table({"text": ["Eve left"]}), tmp_path / "more" / "a.parquet")
    found = {name: list(part.docs) for name, part in find_splits(str(tmp_path), nlp=nlp).items()}
    assert {name: words_of(docs) for name, docs in found.items()} == {
        "train": [["Ann", "left"]],
        "dev": [["Ann", "left"]],
        "test": [["Bob", "ran"]],
    }
    assert ents_of(found["test"][0]) == [(0, 1, "PER")]
    parquet.write_table(rows, tmp_path / "train.parquet")
    with pytest.raises(ValueError, match=r"\[D112\]"):
        find_splits(str(tmp_path), nlp=nlp)


@pytest.mark.parametrize("layout", ["files", "folders", "parts"])
def test_find_splits_of_parquet_files_and_text(nlp, tmp_path, layout):
    """`datasets` would ignore the text, and requires the same columns in all files."""
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    tokens = pyarrow.table({"tokens": [["Bob", "ran"]], "ner_tags": [["B-PER", "O"]]})
    entities = [{"start": 0, "end": 3, "label": "PER"}]
    text = pyarrow.table({"id": [7], "text": ["Eve left"], "entities": [entities]})
    train = {"files": "train", "folders": "train/a", "parts": "train-00000-of-00002"}[layout]
    test = {"files": "test", "folders": "test/a", "parts": "test-00000-of-00001"}[layout]
    for name, rows in ((train, tokens), (test, text)):
        path = tmp_path / f"{name}.parquet"
        path.parent.mkdir(exist_ok=True)
        parquet.write_table(rows, path)
    if layout == "parts":
        parquet.write_table(tokens, tmp_path / "train-00001-of-00002.parquet")
    (tmp_path / "unlabelled").mkdir()
    (tmp_path / "unlabelled" / "a.txt").write_text("Tom sat\n")
    found = {name: list(part.docs) for name, part in find_splits(str(tmp_path), nlp=nlp).items()}
    assert {name: words_of(docs) for name, docs in found.items()} == {
        "unlabelled": [["Tom", "sat"]],
        "train": [["Bob", "ran"]] * (2 if layout == "parts" else 1),
        "test": [["Eve", "left"]],
    }
    assert ents_of(found["test"][0]) == [(0, 1, "PER")]
    found = find_splits(str(tmp_path), nlp=nlp)
    (tmp_path / "notes.csv").write_text("")
    assert list_others(str(tmp_path), found) == ["notes.csv"]


def test_reading_warns_once_of_documents_that_are_wrapped_into_lines(tmp_path):
    lines = ["nobody knew who had signed for the new harbour in spring" for _ in range(12)]
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("\n".join(lines), encoding="utf-8")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        assert sum(1 for _ in read_docs(tmp_path, nlp=spacy.blank("en"))) == 24
    assert [str(one.message)[:6] for one in caught] == ["[W005]"]
