import os
import subprocess
import sys
from pathlib import Path

import pytest
import spacy
from spacy.tokens import Doc

from spacy_distill.data.hub import load_splits, read_dataset
from spacy_distill.data.sources import find_splits, read_docs


@pytest.fixture(scope="module")
def nlp():
    return spacy.blank("en")


def words_of(docs):
    return [[token.text for token in doc] for doc in docs]


def ents_of(doc):
    return [(ent.start, ent.end, ent.label_) for ent in doc.ents]


def make_dataset(datasets, words, *, as_labels=True):
    names = ["O", "B-PER", "I-PER"]
    tags = datasets.ClassLabel(names=names) if as_labels else datasets.Value("string")
    features = datasets.Features(
        {"tokens": datasets.List(datasets.Value("string")), "ner_tags": datasets.List(tags)}
    )
    ids = [1, 2, 0] if as_labels else ["B-PER", "I-PER", "O"]
    return datasets.Dataset.from_dict(
        {"tokens": [words, []], "ner_tags": [ids, []]}, features=features
    )


@pytest.fixture
def write_ids(tmp_path):
    """Write a Parquet file with one row of two tokens, and the given class labels."""

    def write(ids):
        datasets = pytest.importorskip("datasets")
        import pyarrow
        from pyarrow.parquet import write_table

        features = make_dataset(datasets, ["a", "b", "c"]).features
        row = {"tokens": ["Ann", "left"], "ner_tags": ids}
        path = tmp_path / "ids.parquet"
        write_table(pyarrow.Table.from_pylist([row], schema=features.arrow_schema), path)
        return path

    return write


@pytest.mark.parametrize("form", ["disk", "parquet"])
@pytest.mark.parametrize("as_labels", [True, False])
def test_dataset_folder(nlp, tmp_path, monkeypatch, form, as_labels):
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    splits = {
        name: make_dataset(datasets, [name, "Lee", "left"], as_labels=as_labels)
        for name in ("train", "validation", "test")
    }
    folder = tmp_path / "data"
    if form == "disk":
        datasets.DatasetDict(splits).save_to_disk(str(folder))
    else:
        folder.mkdir()
        for name, rows in splits.items():
            rows.to_parquet(str(folder / f"{name}.parquet"))
    found = {split: list(part.docs) for split, part in find_splits(str(folder), nlp=nlp).items()}
    assert {split: words_of(docs) for split, docs in found.items()} == {
        "train": [["train", "Lee", "left"]],
        "dev": [["validation", "Lee", "left"]],
        "test": [["test", "Lee", "left"]],
    }
    assert all(ents_of(doc) == [(0, 2, "PER")] for docs in found.values() for doc in docs)
    assert len(list(read_docs(folder, nlp=nlp))) == 3


@pytest.mark.parametrize("as_labels", [True, False])
def test_parquet_files_are_read_like_other_files(nlp, tmp_path, as_labels):
    datasets = pytest.importorskip("datasets")
    rows = make_dataset(datasets, ["Ann", "Lee", "left"], as_labels=as_labels)
    rows.to_parquet(str(tmp_path / "train.parquet"))
    (doc,) = read_docs(tmp_path / "train.parquet", nlp=nlp)
    assert ents_of(doc) == [(0, 2, "PER")]
    (tmp_path / "more").mkdir()
    more = {"text": ["One. Two."], "id": [1]}
    datasets.Dataset.from_dict(more).to_parquet(str(tmp_path / "more" / "a.parquet"))
    (tmp_path / "z.txt").write_text("Three\n")
    assert [len(doc) for doc in read_docs(tmp_path, nlp=nlp)] == [4, 3, 1]
    found = read_docs(tmp_path / "more", nlp=nlp, split_sentences=True)
    assert words_of(found) == [["One", "."], ["Two", "."]]


def test_parquet_file_is_read_in_parts(nlp, tmp_path):
    datasets = pytest.importorskip("datasets")
    from pyarrow.parquet import ParquetFile

    path = tmp_path / "a.parquet"
    texts = [f"text {i}" for i in range(2500)]
    datasets.Dataset.from_dict({"text": [None, *texts, ""]}).to_parquet(str(path), batch_size=700)
    with ParquetFile(path) as file:
        assert file.num_row_groups > 1
    assert [doc.text for doc in read_docs(path, nlp=nlp)] == texts


def test_parquet_file_is_not_held_in_memory_as_a_whole(tmp_path):
    """Only a few of twenty parts are held in memory."""
    pytest.importorskip("datasets")
    import pyarrow
    from pyarrow.parquet import write_table

    path = tmp_path / "a.parquet"
    texts = [os.urandom(250).hex() for _ in range(20_000)]
    write_table(pyarrow.table({"text": texts}), path, row_group_size=1000, compression="none")
    nlp = spacy.blank("en")
    nlp.tokenizer = lambda text: Doc(nlp.vocab, words=["a"])
    before = pyarrow.total_allocated_bytes()
    held = [
        pyarrow.total_allocated_bytes() - before
        for i, _ in enumerate(read_docs(path, nlp=nlp))
        if i % 100 == 0
    ]
    assert len(held) == 200
    assert max(held) < path.stat().st_size / 4


def test_parquet_file_may_have_columns_of_any_type(nlp, tmp_path):
    """Columns that are not read, or do not contain labels, may have any type."""
    pytest.importorskip("datasets")
    import pyarrow
    from pyarrow.parquet import write_table

    tags = pyarrow.array([[("a", 1)]], type=pyarrow.map_(pyarrow.string(), pyarrow.int32()))
    table = pyarrow.table({"text": ["Ann left"], "more": tags, "tags": tags})
    write_table(table, tmp_path / "a.parquet")
    (doc,) = read_docs(tmp_path / "a.parquet", nlp=nlp)
    assert doc.text == "Ann left" and not doc.has_annotation("ENT_IOB")


def test_parquet_file_of_an_unknown_type(nlp, tmp_path):
    """A file of a later version of `datasets` is read unless class labels are needed."""
    datasets = pytest.importorskip("datasets")
    import pyarrow
    from pyarrow.parquet import write_table

    path = tmp_path / "a.parquet"
    for tags in ([1, 2, 0], ["B-PER", "I-PER", "O"]):
        rows = make_dataset(datasets, ["Ann", "Lee", "left"], as_labels=tags[0] == 1)
        schema = rows.features.arrow_schema
        metadata = schema.metadata[b"huggingface"].replace(b'"List"', b'"LaterList"')
        schema = schema.with_metadata({"huggingface": metadata})
        row = {"tokens": ["Ann", "Lee", "left"], "ner_tags": tags}
        write_table(pyarrow.Table.from_pylist([row], schema=schema), path)
        if tags[0] == 1:
            with pytest.raises(ValueError, match=r"\[D132\] '.*a\.parquet'.*update 'datasets'"):
                list(read_docs(path, nlp=nlp))
    assert [ents_of(doc) for doc in read_docs(path, nlp=nlp)] == [[(0, 2, "PER")]]


@pytest.mark.parametrize("ids", [[-1, -1], [-100, -100], [None, None], None])
def test_dataset_row_without_class_labels_is_unlabelled(nlp, write_ids, ids):
    (doc,) = read_docs(write_ids(ids), nlp=nlp)
    assert len(doc) == 2 and not doc.has_annotation("ENT_IOB")


@pytest.mark.parametrize("ids", [[1, -1], [1, -100], [1, None], [1, 3], [9, 9], []])
def test_dataset_row_of_bad_class_labels(nlp, write_ids, ids):
    with pytest.raises(ValueError, match=r"\[D108\] '.*ids\.parquet', line 1:"):
        list(read_docs(write_ids(ids), nlp=nlp))


def test_parquet_file_damaged(nlp, tmp_path):
    datasets = pytest.importorskip("datasets")
    path = tmp_path / "a.parquet"
    texts = [f"text {i * i}" for i in range(5000)]
    datasets.Dataset.from_dict({"text": texts}).to_parquet(str(path))
    whole = path.read_bytes()
    for damaged in (b"", whole[:-100], whole[:20_000] + bytes(1000) + whole[21_000:]):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"\[D126\].*a\.parquet"):
            list(read_docs(path, nlp=nlp))
    datasets.Dataset.from_dict({"sentence": ["a"]}).to_parquet(str(path))
    with pytest.raises(ValueError, match=r"D117.*a\.parquet.*\['sentence'\]"):
        list(read_docs(path, nlp=nlp))


def test_dataset_streamed(nlp, tmp_path):
    """A streamed dataset may have unknown columns, as some on the hub have."""
    datasets = pytest.importorskip("datasets")
    rows = make_dataset(datasets, ["Ann", "Lee", "left"])
    rows.to_parquet(str(tmp_path / "a.parquet"))
    known = load_splits(str(tmp_path), streaming=True)["train"]
    assert isinstance(known, datasets.IterableDataset) and known.column_names is not None

    def make_rows():
        yield {"tokens": ["Ann", "Lee", "left"], "ner_tags": ["B-PER", "I-PER", "O"], "id": 1}

    unknown = datasets.IterableDataset.from_generator(make_rows)
    assert unknown.column_names is None
    for streamed in (known, unknown):
        (doc,) = read_dataset(streamed, nlp=nlp, source="x")
        assert ents_of(doc) == [(0, 2, "PER")]


def test_dataset_stream_fails(nlp):
    """The error names the number of rows that were read, for example if the network failed."""
    datasets = pytest.importorskip("datasets")

    def make_rows():
        yield from ({"text": f"text {i}"} for i in range(3))
        raise ConnectionError("gone")

    rows = datasets.IterableDataset.from_generator(make_rows)
    read = read_dataset(rows, nlp=nlp, source="some/name")
    with pytest.raises(ValueError, match=r"D126\] Reading 'some/name' failed after 3 rows .*gone"):
        list(read)


def test_dataset_of_text_is_unlabelled(nlp, tmp_path):
    datasets = pytest.importorskip("datasets")
    rows = datasets.Dataset.from_dict({"text": ["Ann left.", " "], "label": [0, 1]})
    rows.save_to_disk(str(tmp_path / "data"))
    (doc,) = read_docs(tmp_path / "data", nlp=nlp)
    assert len(doc) == 3 and not doc.has_annotation("ENT_IOB")


def test_dataset_without_splits_is_a_training_set(tmp_path):
    datasets = pytest.importorskip("datasets")
    datasets.Dataset.from_dict({"text": ["Ann left."]}).save_to_disk(str(tmp_path / "data"))
    assert load_splits(str(tmp_path / "data")).keys() == {"train"}


def test_dataset_with_other_columns(nlp, tmp_path):
    datasets = pytest.importorskip("datasets")
    datasets.Dataset.from_dict({"sentence": ["a"]}).save_to_disk(str(tmp_path / "data"))
    with pytest.raises(ValueError, match=r"D117.*\['sentence'\]"):
        list(read_docs(tmp_path / "data", nlp=nlp))


def test_dataset_id_has_config_and_revision(nlp, monkeypatch):
    datasets = pytest.importorskip("datasets")
    asked = []

    def load_dataset(name, config=None, *, revision=None, streaming):
        asked.append((name, config, revision, streaming))
        rows = make_dataset(datasets, ["a", "b", "c"])
        return {"train": rows.to_iterable_dataset() if streaming else rows}

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    for source in ("some/name@v1.0", "name:en@refs/x", "name:en"):
        assert words_of(read_docs(source, nlp=nlp)) == [["a", "b", "c"]]
        assert set(find_splits(source, nlp=nlp)) == {"train"}
    assert asked[::2] == [
        ("some/name", None, "v1.0", True),
        ("name", "en", "refs/x", True),
        ("name", "en", None, True),
    ]
    assert not any(streaming for _, _, _, streaming in asked[1::2])


def test_dataset_with_several_splits_of_a_kind(nlp, monkeypatch):
    datasets = pytest.importorskip("datasets")
    names = ["train_2021", "train", "test_2021", "test_2022"]
    splits = {name: make_dataset(datasets, [name, "b", "c"]) for name in names[:2]}
    monkeypatch.setattr(datasets, "load_dataset", lambda *args, **options: splits)
    (train,) = find_splits("some/name@1", nlp=nlp).values()
    assert train.source == "some/name@1 (train)"
    assert words_of(train.docs) == [["train", "b", "c"]]
    splits.update({name: make_dataset(datasets, [name, "b", "c"]) for name in names[2:]})
    with pytest.raises(ValueError, match=r"D112.*\['test_2021', 'test_2022'\].*save_to_disk"):
        find_splits("some/name@1", nlp=nlp)


def test_dataset_download_fails(monkeypatch):
    datasets = pytest.importorskip("datasets")

    def load_dataset(*args, **options):
        raise datasets.exceptions.DatasetGenerationError("no more")

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    with pytest.raises(ValueError, match=r"\[D116\].*no more"):
        load_splits("some/name@1")


def test_dataset_unavailable_names_the_remedy():
    pytest.importorskip("datasets")
    code = "from spacy_distill.data import hub; hub.load_splits('nobody/nothing@1', streaming=True)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ValueError: [D116] 'nobody/nothing@1' is neither")
    assert "check that the network reaches the hub" in last


def test_dataset_library_missing(nlp, monkeypatch):
    monkeypatch.setattr("spacy_distill.checks.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"D024.*spacy-distill\[train\]"):
        list(read_docs("some/name@1", nlp=nlp))
