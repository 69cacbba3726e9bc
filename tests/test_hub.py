import os
import subprocess
import sys
from pathlib import Path

import pytest
import spacy

from spacy_distill.hub import split_id
from spacy_distill.sources import find_splits, read_docs


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
    found = {split: list(docs) for split, docs in find_splits(str(folder), nlp=nlp).items()}
    assert {split: words_of(docs) for split, docs in found.items()} == {
        "train": [["train", "Lee", "left"]],
        "dev": [["validation", "Lee", "left"]],
        "test": [["test", "Lee", "left"]],
    }
    assert all(ents_of(doc) == [(0, 2, "PER")] for docs in found.values() for doc in docs)
    assert len(list(read_docs(folder, nlp=nlp))) == 3


def test_dataset_of_text_is_unlabelled(nlp, tmp_path):
    datasets = pytest.importorskip("datasets")
    rows = datasets.Dataset.from_dict({"text": ["Ann left.", " "], "label": [0, 1]})
    rows.save_to_disk(str(tmp_path / "data"))
    (doc,) = read_docs(tmp_path / "data", nlp=nlp)
    assert len(doc) == 3 and not doc.has_annotation("ENT_IOB")


def test_dataset_with_other_columns(nlp, tmp_path):
    datasets = pytest.importorskip("datasets")
    datasets.Dataset.from_dict({"sentence": ["a"]}).save_to_disk(str(tmp_path / "data"))
    with pytest.raises(ValueError, match=r"D117.*\['sentence'\]"):
        list(read_docs(tmp_path / "data", nlp=nlp))


def test_dataset_id_has_config_and_revision(nlp, monkeypatch):
    datasets = pytest.importorskip("datasets")
    asked = []

    def load_dataset(name, config=None, *, revision=None):
        asked.append((name, config, revision))
        return datasets.DatasetDict({"train": make_dataset(datasets, ["a", "b", "c"])})

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    for source in ("some/name@v1.0", "name:en@refs/x", "name:en"):
        assert words_of(read_docs(source, nlp=nlp)) == [["a", "b", "c"]]
        assert set(find_splits(source, nlp=nlp)) == {"train"}
    assert asked[::2] == [
        ("some/name", None, "v1.0"),
        ("name", "en", "refs/x"),
        ("name", "en", None),
    ]
    assert split_id("name") == ("name", None, None)


def test_dataset_that_can_not_be_had_names_the_remedy():
    pytest.importorskip("datasets")
    code = "from spacy_distill.hub import load_splits; load_splits('nobody/nothing@1')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ValueError: [D116] 'nobody/nothing@1' is neither")
    assert "check that the network reaches the hub" in last


def test_dataset_library_missing(nlp, monkeypatch):
    monkeypatch.setattr("spacy_distill.hub.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"D118.*spacy-distill\[train\]"):
        list(read_docs("some/name@1", nlp=nlp))
