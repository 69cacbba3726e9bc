import subprocess
import sys
from pathlib import Path

import pytest
import spacy
from spacy.tokens import Doc, DocBin

from spacy_distill.sources import find_splits, read_docs

REAL = Path(__file__).parents[2] / "shared" / "data"
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


def test_text_has_a_text_a_line(read):
    docs = read("\ufeffAnn left. She won.\r\n\n  \nBye \n", "pool.txt")
    assert [doc.text for doc in docs] == ["Ann left. She won.", "Bye"]
    assert not any(doc.has_annotation("ENT_IOB") for doc in docs)


@pytest.mark.parametrize("name", ["train.txt", "valid.txt", "dev.txt", "test.txt", "testa.txt"])
def test_text_named_after_a_split_is_a_column_file(read, name):
    (doc,) = read("Ann B-PER\nleft O\n", name)
    assert ents_of(doc) == [(0, 1, "PER")]


def test_docbin_keeps_entities_and_sentences(nlp, tmp_path):
    doc = Doc(nlp.vocab, words=["Ann", "left"], ents=["B-PER", "O"], sent_starts=[True, False])
    DocBin(docs=[doc, Doc(nlp.vocab)]).to_disk(tmp_path / "a.spacy")
    (found,) = read_docs(tmp_path / "a.spacy", nlp=nlp)
    assert ents_of(found) == [(0, 1, "PER")]
    assert found[1].is_sent_start is False


def test_docbin_damaged(read):
    with pytest.raises(ValueError, match=r"D114.*a\.spacy"):
        read(b"nonsense", "a.spacy")


def test_folder_is_read_recursively_in_order(nlp, tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "x.txt").write_text("second\n")
    (tmp_path / "a.jsonl").write_text('{"text": "first"}\n')
    (tmp_path / "c.conll").write_text("third O\n")
    (tmp_path / "README.md").write_text("not this")
    (tmp_path / ".d.txt").write_text("nor this")
    assert [doc[0].text for doc in read_docs(tmp_path, nlp=nlp)] == ["first", "second", "third"]


def test_sources_that_can_not_be_read(nlp, tmp_path):
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
    found = {split: words_of(docs) for split, docs in find_splits(str(tmp_path), nlp=nlp).items()}
    assert found == {"train": [["one"]], "dev": [["two"]], "test": [["three"]]}


def test_find_splits_may_be_folders(nlp, tmp_path):
    (tmp_path / "train").mkdir()
    for name in "ab":
        (tmp_path / "train" / f"{name}.conll").write_text(f"{name} O\n")
    splits = find_splits(str(tmp_path), nlp=nlp)
    assert words_of(splits["train"]) == [["a"], ["b"]]


def test_find_splits_ambiguous(nlp, tmp_path):
    for name in ("train.conll", "valid.conll", "dev.jsonl"):
        (tmp_path / name).write_text("")
    with pytest.raises(ValueError, match=r"D112.* dev set: \['dev\.jsonl', 'valid\.conll'\]"):
        find_splits(str(tmp_path), nlp=nlp)


def test_find_splits_of_a_file(nlp, tmp_path):
    (tmp_path / "train.conll").write_text("a O\n")
    with pytest.raises(ValueError, match="D111"):
        find_splits(str(tmp_path / "train.conll"), nlp=nlp)


def test_sources_import_datasets_only_when_needed():
    code = "import sys, spacy_distill.sources; print('datasets' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[1],
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
    found = {split: list(docs) for split, docs in find_splits(str(REAL / name), nlp=nlp).items()}
    assert {split: len(docs) for split, docs in found.items()} == REAL_SENTENCES[name]
    docs = [doc for split in found.values() for doc in split]
    assert {ent.label_ for doc in docs for ent in doc.ents} == REAL_TYPES[name]
    assert all(doc.has_annotation("ENT_IOB") for doc in docs)
    # A prefix or a separator left in a token would show here.
    tokens = [token.text for doc in docs for token in doc]
    assert not any("\t" in text or text.startswith("en:") or not text.strip() for text in tokens)
    if name == "wikigold":
        assert tokens.count("#") == 39
