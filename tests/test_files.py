import errno
import os
import shutil
import stat
from pathlib import Path

import pytest

from spacy_distill.files import (
    digest_folder,
    digest_source,
    last_name,
    make_parent,
    read_json,
    replacing,
    write_whole,
)


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_files_digest_of_a_folder(tmp_path):
    data, far = tmp_path / "data", tmp_path / "far"
    write(data / "dev.conll", "dev")
    write(far / "a.conll", "train")
    (data / "train").symlink_to(far)
    before = digest_source(data)
    assert before == digest_folder(data)
    for passed_over in (".cache/a", "__pycache__/b.pyc", ".hidden"):
        write(data / passed_over, "text")
    assert digest_source(data) == before
    # The file is read through a link.
    write(far / "a.conll", "other")
    assert digest_source(data) != before
    assert digest_source(far / "a.conll") != digest_source(data / "dev.conll")


def test_files_replace_a_folder_only_by_a_complete_one(tmp_path):
    folder = tmp_path / "new" / "folder"
    for text in ("first", "second"):
        with replacing(folder) as new:
            write(new / text, text)
    with pytest.raises(KeyboardInterrupt), replacing(folder) as new:
        write(new / "third", "half")
        raise KeyboardInterrupt
    assert [path.name for path in folder.iterdir()] == ["second"]


def test_files_report_a_full_disk_in_one_line(tmp_path):
    """shutil's error lists all files that could not be copied."""
    folder = tmp_path / "folder"
    write(folder / "first", "first")
    errors = [(f"from/{i}", f"to/{i}", "[Errno 28] No space left on device") for i in range(9)]
    message = r"\[D901\].*folder': \[Errno 28\] No space left on device\."
    with pytest.raises(OSError, match=message), replacing(folder):
        raise shutil.Error(errors)
    assert [path.name for path in folder.iterdir()] == ["first"]


@pytest.mark.skipif(os.name != "posix", reason="links need permissions on Windows")
def test_files_are_written_where_a_link_leads(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk" / "file")
    for data in (b"old", b"new"):
        write_whole(tmp_path / "link", data)
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "disk" / "file").read_bytes() == data


def test_files_are_written_if_folders_cannot_be_synced(tmp_path, monkeypatch):
    """On some network file systems, folders can't be synced."""

    def fsync(handle, of_file=os.fsync):
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        of_file(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    write_whole(tmp_path / "file", b"text")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["text"]


def test_files_that_cannot_be_written_are_named(tmp_path):
    """The error is D901, even if the temporary file can't exist."""
    (tmp_path / "file").write_text("text")
    for path in (tmp_path / "file" / "scores.json", tmp_path / ("a" * 250)):
        with pytest.raises(OSError, match=r"\[D901\]"):
            write_whole(path, b"text")


def test_files_keep_a_folder_that_cannot_be_replaced(tmp_path, monkeypatch):
    """On Windows, replacing a folder fails if another process reads the new one."""
    rename = Path.rename

    def refuse(path, target):
        if path.name == "new":
            raise PermissionError(13, "in use")
        return rename(path, target)

    folder = tmp_path / "folder"
    write(folder / "first", "first")
    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(PermissionError), replacing(folder) as new:
        write(new / "second", "second")
    assert [path.name for path in folder.iterdir()] == ["first"]
    assert [*folder.parent.iterdir()] == [folder]


@pytest.mark.parametrize("text", ["", '{"a": ', "[1]", "null", "\xff"])
def test_files_name_the_file_that_is_not_json(tmp_path, text):
    path = tmp_path / "scores.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=r"\[D916\] '.*scores.json' .* an object of JSON"):
        read_json(path)
    path.write_text("[1]")
    assert read_json(path, kind=list) == [1]


def test_files_check_an_output_path_in_advance(tmp_path):
    make_parent(tmp_path / "new" / "page.html")
    assert (tmp_path / "new").is_dir()
    with pytest.raises(OSError, match=r"\[D901\] .*new': it is a folder"):
        make_parent(tmp_path / "new")
    write(tmp_path / "file", "text")
    with pytest.raises(OSError, match=r"\[D901\]"):
        make_parent(tmp_path / "file" / "page.html")


def test_files_last_name_of_a_path(tmp_path, monkeypatch):
    (tmp_path / "data" / "more").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "data" / "more")
    paths = {".": "more", "./": "more", "..": "data", "a/b/": "b", "owner/name@1": "name@1"}
    assert {path: last_name(path) for path in paths} == paths
