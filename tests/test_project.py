"""The project workflow: its commands accept their arguments, and make what later ones need."""

import re
from pathlib import Path

import srsly
import typer
from weasel.util import split_command
from weasel.util.config import load_project_config

from spacy_distill.cli import app
from spacy_distill.sweep.configs import check_overrides
from spacy_distill.sweep.plan import System

ROOT = Path(__file__).parents[1]
CONFIGS = ("student", "baseline", "teacher")


def test_project_needs_no_shell():
    project = srsly.read_yaml(ROOT / "project.yml")
    lines = [line for command in project["commands"] for line in command["script"]]
    assert len(lines) >= len(project["commands"])
    for line in lines:
        assert not re.search(r"[|&;<>*?`~\\]|\$(?!\{vars\.)", line), line
        assert line.startswith("python -m "), line


def test_project_is_valid():
    """weasel requires that a name is that of a command or of a workflow, not both."""
    config = load_project_config(ROOT)
    for steps in config["workflows"].values():
        assert set(steps) <= {command["name"] for command in config["commands"]}


def test_project_runs_every_stage():
    """`run all` includes a command for the weights, because it does not run `project assets`."""
    project = srsly.read_yaml(ROOT / "project.yml")
    names = [command["name"] for command in project["commands"]]
    assert "assets" not in project
    assert set(names) == {name for steps in project["workflows"].values() for name in steps}
    for steps in project["workflows"].values():
        assert steps == [name for name in names if name in steps]  # each after what it needs


def test_project_passes_valid_arguments_to_its_commands():
    commands = typer.main.get_command(app).commands
    config = load_project_config(ROOT)  # with variables substituted
    lines = [line for command in config["commands"] for line in command["script"]]
    ours = [split_command(line)[3:] for line in lines if " spacy_distill " in line]
    assert len(ours) > 15
    for name, *args in ours:
        with commands[name].make_context(name, args):  # a wrong or missing option raises
            pass


def test_project_trains_with_settings_of_its_configs():
    config = load_project_config(ROOT)
    lines = [line for command in config["commands"] for line in command["script"]]
    trainings = [split_command(line)[4:] for line in lines if " spacy train " in line]
    assert len(trainings) == 8
    for path, *options in trainings:
        settings = dict(zip(options[::2], options[1::2]))
        overrides = {key[2:]: value for key, value in settings.items() if "." in key}
        check_overrides([System("own", "own", Path(path).stem, overrides)], ROOT / "configs")


def test_project_stages_make_what_later_ones_need():
    project = srsly.read_yaml(ROOT / "project.yml")
    made = {"metrics/student.json", "corpus/labelled.spacy", "corpus/unlabelled.spacy"}
    made |= {"assets/teacher", "corpus/dev.spacy", *(f"configs/{name}.cfg" for name in CONFIGS)}
    made |= {"setup.cfg", "CHANGELOG.md"}
    for command in project["commands"]:
        assert set(command.get("deps", [])) <= made
        made |= set(command.get("outputs", []))
