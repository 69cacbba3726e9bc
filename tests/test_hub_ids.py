import pytest

from spacy_distill.hub_ids import (
    is_model_id,
    is_path,
    public_name,
    split_dataset_id,
    split_revision,
)


@pytest.mark.parametrize("source", ["./a", "../a/b", "/gone", "~/models/a", "\\\\server\\a"])
def test_hub_ids_take_for_a_path_what_is_written_like_one(source):
    assert is_path(source)
    assert not is_model_id(source)


def test_hub_ids_of_models_are_not_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a@b", "training"):
        (tmp_path / name).mkdir()
    assert is_model_id("owner/name") and is_model_id("name@0123abc")
    assert is_model_id("training/y@0123abc")
    others = ["en_core_web_trf", "a@b", "training/y", "./owner/name", "owner/name/more"]
    assert not any(map(is_model_id, others))


def test_hub_ids_are_split_into_name_and_revision(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a@b").mkdir()
    (tmp_path / "c@d").touch()
    assert split_revision("owner/name@v1") == ("owner/name", "v1")
    assert split_revision("owner/name") == ("owner/name", "")
    assert split_revision("owner/name@a@b") == ("owner/name", "a@b")
    for path in ("a@b", "c@d"):
        assert split_revision(path) == (path, "")
    assert split_dataset_id("owner/name:en@v1") == ("owner/name", "en", "v1")
    assert split_dataset_id("name@v1") == ("name", None, "v1")
    assert split_dataset_id("name") == ("name", None, None)
    assert split_dataset_id("name:en:2@a@b") == ("name", "en:2", "a@b")
    for malformed in ("name:", "name@", ":en"):
        assert split_dataset_id(malformed) == (malformed, None, None)


def test_hub_ids_public_name_contains_no_path(tmp_path, monkeypatch):
    """Only the last part of a path is public, even if it does not exist. An id is kept."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path)
    sources = [
        "here",
        "here/",
        str(tmp_path / "here"),
        "/home/ann/gone",
        "../gone",
        "owner/name",
        "demo",
    ]
    found = [public_name(source) for source in sources]
    assert found == ["here", "here", "here", "gone", "gone", "owner/name", "demo"]
