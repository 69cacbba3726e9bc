import json

import pytest
import spacy

from spacy_distill.data.sources import read_docs


@pytest.fixture(scope="module")
def nlp():
    return spacy.blank("en")


def ents_of(doc):
    return [(ent.start, ent.end, ent.label_) for ent in doc.ents]


@pytest.fixture
def write_rows(tmp_path):
    """Write rows with a given feature of one column, as Parquet or with `save_to_disk`."""

    def write(form, key, values, feature):
        datasets = pytest.importorskip("datasets")
        features = datasets.Features({"text": datasets.Value("string"), key: feature})
        columns = {"text": ["Ann met Bob"] * len(values), key: values}
        rows = datasets.Dataset.from_dict(columns, features=features)
        path = tmp_path / ("rows.parquet" if form == "parquet" else "rows")
        rows.to_parquet(str(path)) if form == "parquet" else rows.save_to_disk(str(path))
        return path

    return write


@pytest.mark.parametrize("key", ["entities", "label"])
def test_features_of_entities_as_lists(nlp, tmp_path, monkeypatch, key):
    """`datasets` writes the lists of a JSONL file as JSON, because their items differ in type."""
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    entities = [[[8, 11, "PER"], [0, 3, "PER"]], [], None]
    lines = [json.dumps({"text": "Ann met Bob", key: found}) + "\n" for found in entities]
    (tmp_path / "train.jsonl").write_text("".join(lines))
    rows = datasets.load_dataset("json", data_files=str(tmp_path / "train.jsonl"), split="train")
    rows.to_parquet(str(tmp_path / "train.parquet"))
    for path in (tmp_path / "train.jsonl", tmp_path / "train.parquet"):
        docs = list(read_docs(path, nlp=nlp))
        assert list(map(ents_of, docs)) == [[(0, 1, "PER"), (2, 3, "PER")], [], []]
        assert [doc.has_annotation("ENT_IOB") for doc in docs] == [True, True, False]


@pytest.mark.parametrize("form", ["disk", "parquet"])
@pytest.mark.parametrize("as_labels", [True, False])
@pytest.mark.parametrize("as_lists", [True, False])
def test_features_of_entities_as_objects(nlp, write_rows, form, as_labels, as_lists):
    """Their labels may be class labels. A `Sequence` of objects is stored as an object of lists."""
    datasets = pytest.importorskip("datasets")
    label = datasets.ClassLabel(names=["LOC", "PER"]) if as_labels else datasets.Value("string")
    number = datasets.Value("int64")
    kind = datasets.Sequence if as_lists else datasets.List
    entities = [{"start": 8, "end": 11, "label": 1 if as_labels else "PER"}]
    values = [entities, []]
    if as_lists:
        values = [
            {key: [one[key] for one in found] for key in ("start", "end", "label")}
            for found in values
        ]
    feature = kind({"start": number, "end": number, "label": label})
    docs = list(read_docs(write_rows(form, "entities", values, feature), nlp=nlp))
    assert list(map(ents_of, docs)) == [[(2, 3, "PER")], []]
    assert all(doc.has_annotation("ENT_IOB") for doc in docs)


@pytest.mark.parametrize("form", ["disk", "parquet"])
def test_features_of_entities_with_bad_class_labels(nlp, write_rows, form):
    datasets = pytest.importorskip("datasets")
    number, label = datasets.Value("int64"), datasets.ClassLabel(names=["LOC", "PER"])
    feature = datasets.List({"start": number, "end": number, "label": label})
    values = [[{"start": 0, "end": 3, "label": None}]]
    with pytest.raises(ValueError, match=r"\[D115\] '.*rows.*', line 1: .*'label': None"):
        list(read_docs(write_rows(form, "entities", values, feature), nlp=nlp))


@pytest.mark.parametrize("value", [{"PER": [0]}, {"start": [0], "end": [3], "label": []}])
def test_features_of_entities_as_other_objects(nlp, tmp_path, value):
    pytest.importorskip("datasets")
    import pyarrow
    from pyarrow.parquet import write_table

    write_table(pyarrow.table({"text": ["Ann"], "label": [value]}), tmp_path / "a.parquet")
    with pytest.raises(ValueError, match=r"\[D108\].*line 1: 'label' is a dict, not a list"):
        list(read_docs(tmp_path / "a.parquet", nlp=nlp))


@pytest.mark.parametrize("form", ["disk", "parquet"])
def test_features_of_class_labels_in_lists_of_one_length(nlp, tmp_path, form):
    datasets = pytest.importorskip("datasets")
    label = datasets.ClassLabel(names=["O", "B-PER", "I-PER"])
    features = datasets.Features(
        {
            "tokens": datasets.List(datasets.Value("string"), length=3),
            "ner_tags": datasets.List(label, length=3),
        }
    )
    columns = {"tokens": [["Ann", "Lee", "left"]], "ner_tags": [[1, 2, 0]]}
    rows = datasets.Dataset.from_dict(columns, features=features)
    path = tmp_path / "a.parquet"
    rows.to_parquet(str(path)) if form == "parquet" else rows.save_to_disk(str(path))
    assert [ents_of(doc) for doc in read_docs(path, nlp=nlp)] == [[(0, 2, "PER")]]


@pytest.mark.parametrize("form", ["disk", "parquet"])
@pytest.mark.parametrize("key", ["label", "labels"])
def test_features_of_text_with_several_labels_is_unlabelled(nlp, tmp_path, form, key):
    """A text without any of the labels is not one without entities."""
    datasets = pytest.importorskip("datasets")
    kinds = [datasets.ClassLabel(names=["joy", "anger"]), datasets.Value("string")]
    for i, (kind, labels) in enumerate(zip(kinds, ([1, 0], ["joy"]), strict=True)):
        features = datasets.Features({"text": datasets.Value("string"), key: datasets.List(kind)})
        columns = {"text": ["Ann left", "Bob ran", "Eve"], key: [labels, [], None]}
        rows = datasets.Dataset.from_dict(columns, features=features)
        path = tmp_path / f"{i}.parquet"
        rows.save_to_disk(str(path)) if form == "disk" else rows.to_parquet(str(path))
        found = list(read_docs(path, nlp=nlp))
        assert [doc.has_annotation("ENT_IOB") for doc in found] == [False] * 3


@pytest.mark.parametrize("key", ["label", "labels"])
def test_features_of_empty_lists_of_entities_is_labelled(nlp, tmp_path, key):
    pytest.importorskip("datasets")
    import pyarrow
    from pyarrow.parquet import write_table

    span = pyarrow.struct({"start": "int64", "end": "int64", "label": "string"})
    for kind in (span, pyarrow.null()):
        lists = pyarrow.array([[]], type=pyarrow.list_(kind))
        write_table(pyarrow.table({"text": ["left"], key: lists}), tmp_path / "a.parquet")
        (doc,) = read_docs(tmp_path / "a.parquet", nlp=nlp)
        assert doc.has_annotation("ENT_IOB")
