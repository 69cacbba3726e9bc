from pathlib import Path

import pytest

from spacy_distill.sweep.describe import describe_steps, shorten_paths
from spacy_distill.sweep.inputs import Settings
from spacy_distill.sweep.stages import Stage

LOG = """
=== Pipeline: ['ner']
E    #       Loss      Task      KL  ENTS_F  ENTS_P  ENTS_R   Score
---  ------  -----  ------
  0       0   2.1234    2.1234    0.0000    0.00    0.00    0.00  0.0000
  1      60   0.5000    0.5000    0.0000   51.00   50.00   52.00  0.5100
  2      90   0.5000    0.5000    0.0000   51.00   50.00   52.00  0.5100
  3     120   0.4000    0.4000    0.0000   50.00   50.00   50.00  0.5000
Saved pipeline to output directory
"""


@pytest.fixture
def settings(tmp_path):
    data, teacher = str(tmp_path / "data" / "btc"), str(tmp_path / "mini")
    return Settings(data, tmp_path / "work" / "btc", Path("configs"), teacher)


def test_describe_names_no_folder_of_the_machine(settings, tmp_path):
    command = ["spacy_distill", "corpus", settings.data, f"{settings.work}/300/0/corpus"]
    command += ["--unlabelled", f"{tmp_path}/more.txt ../tweets", "--teacher", settings.teacher]
    assert shorten_paths(command, settings) == [
        *("python", "-m", "spacy_distill", "corpus", "DATA/btc", "WORK/300/0/corpus"),
        *("--unlabelled", "more.txt tweets", "--teacher", "TEACHER"),
    ]
    command = ["spacy", "train", "configs/teacher.cfg", "--gpu-id", "-1", "--a.b", "x y"]
    assert shorten_paths(command, settings) == ["python", "-m", *command]


def test_describe_keeps_paths_of_the_project():
    settings = Settings("assets/demo", Path("training/sweep/demo"), Path("configs"), "assets/t")
    command = ["spacy_distill", "corpus", "assets/demo", "training/sweep/demo/300/0/corpus"]
    assert shorten_paths(command, settings) == ["python", "-m", *command]


def test_describe_steps(tmp_path):
    (tmp_path / "config.cfg").write_text("[training]\nmax_steps = 300\n")
    stage = Stage("train-teacher", tmp_path, [], [], [], 1.0)
    assert describe_steps(stage, tmp_path) == {"max": 300}
    stage.log.parent.mkdir()
    stage.log.write_text(LOG, encoding="utf-8")
    # The last of equal ones is the best.
    assert describe_steps(stage, tmp_path) == {"max": 300, "last": 120, "best": 90, "epochs": 3}
