from pathlib import Path

import pytest

from spacy_distill.sweep.describe import shorten_paths
from spacy_distill.sweep.inputs import Settings


@pytest.fixture
def settings(tmp_path):
    data, teacher = str(tmp_path / "data" / "btc"), str(tmp_path / "mini")
    return Settings(data, tmp_path / "work" / "btc", Path("configs"), teacher)


def test_describe_removes_private_paths(settings, tmp_path):
    command = ["spacy_distill", "corpus", settings.data, f"{settings.work}/300/0/corpus"]
    command += ["--unlabelled", f"{tmp_path}/more.txt ../tweets", "--teacher", settings.teacher]
    assert shorten_paths(command, settings) == [
        *("python", "-m", "spacy_distill", "corpus", "DATA/btc", "WORK/300/0/corpus"),
        *("--unlabelled", "more.txt tweets", "--teacher", "TEACHER"),
    ]
    command = ["spacy", "train", "configs/teacher.cfg", "--gpu-id", "-1", "--a.b", "x y"]
    assert shorten_paths(command, settings) == ["python", "-m", *command]


def test_describe_reads_paths_of_windows(settings, monkeypatch):
    monkeypatch.setattr("os.sep", "\\")
    command = [f"{settings.work}\\150\\0\\corpus", "--a.b", "x y"]
    assert shorten_paths(command, settings)[2:] == ["WORK/150/0/corpus", "--a.b", "x y"]


def test_describe_keeps_paths_of_the_project():
    settings = Settings("assets/demo", Path("training/sweep/demo"), Path("configs"), "assets/t")
    command = ["spacy_distill", "corpus", "assets/demo", "training/sweep/demo/300/0/corpus"]
    assert shorten_paths(command, settings) == ["python", "-m", *command]
