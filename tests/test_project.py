"""The project workflow: its commands accept their arguments, and make what later ones need."""

import re
from itertools import pairwise
from pathlib import Path

import srsly
import typer
from spacy.util import load_config
from weasel.util import split_command
from weasel.util.config import load_project_config

from spacy_distill.cli import app
from spacy_distill.sweep.configs import check_overrides
from spacy_distill.sweep.plan import System

ROOT = Path(__file__).parents[1]
PROJECT = srsly.read_yaml(ROOT / "project.yml")
# The words of each line after `python -m`.
LINES = [split_command(line)[2:] for command in PROJECT["commands"] for line in command["script"]]
CONFIGS = {f"configs/{name}.cfg" for name in ("student", "baseline", "teacher")}
# What is made by commands that decide themselves what to do, and so have no outputs.
MADE = {
    "corpus": {f"corpus/{part}.spacy" for part in ("labelled", "unlabelled", "dev")},
    "weights": {"assets/teacher"},
    "evaluate": {"metrics/student.json"},
}
# Of this package: they stand for the package itself.
OWN = {"setup.cfg", "CHANGELOG.md"}
# Options that have another meaning than the variable of the same name, or need no value.
OTHER = {
    *(("table", "teacher"), ("benchmark", "teacher"), ("benchmark", "data"), ("sweep", "teacher")),
    *(("annotate", "lang"), ("distill", "labelled"), ("distill", "unlabelled")),
    *(("distill", "table"), ("distill", "gpu"), ("tune", "gpu")),
}


def outputs_of(command):
    return {*command.get("outputs", []), *MADE.get(command["name"], [])}


def test_project_needs_no_shell():
    lines = [line for command in PROJECT["commands"] for line in command["script"]]
    assert len(lines) >= len(PROJECT["commands"])
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
    names = [command["name"] for command in PROJECT["commands"]]
    assert "assets" not in PROJECT
    assert set(names) == {name for steps in PROJECT["workflows"].values() for name in steps}
    for steps in PROJECT["workflows"].values():
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
    commands = {command["name"]: command for command in PROJECT["commands"]}
    workflows = {**PROJECT["workflows"]}
    workflows["measure"] = workflows["all"] + workflows["measure"]  # of what `all` has made
    for name, steps in workflows.items():
        made = CONFIGS | OWN
        for command in map(commands.get, steps):
            assert set(command.get("deps", [])) <= made, name
            made |= outputs_of(command)


def test_project_stages_depend_on_what_they_read():
    """Otherwise a stage would be skipped although what it reads has changed."""
    made = CONFIGS.union(*map(outputs_of, PROJECT["commands"]))
    for command in PROJECT["commands"]:
        if not command.get("no_skip"):
            words = {word for line in command["script"] for word in split_command(line)}
            for config in words & CONFIGS:
                words |= {*load_config(ROOT / config)["paths"].values()}
            read = {path for path in made if words & {path, *map(str, Path(path).parents[:-1])}}
            assert read - outputs_of(command) == {*command["deps"]} - OWN, command["name"]


def test_project_always_runs_commands_that_decide_themselves():
    """Those with inputs outside the project, and a measurement, which depends on the machine."""
    always = {command["name"] for command in PROJECT["commands"] if command.get("no_skip")}
    without = {command["name"] for command in PROJECT["commands"] if "deps" not in command}
    assert always == without | {"sweep", "benchmark"}


def test_project_uses_its_variables():
    text = " ".join(word for words in LINES for word in words)
    assert {*re.findall(r"\$\{vars\.(\w+)\}", text)} == set(PROJECT["vars"])
    commands = typer.main.get_command(app).commands
    for name, *words in [words[1:] for words in LINES if words[0] == "spacy_distill"]:
        given = dict(pairwise(words))
        for option in {option[2:] for param in commands[name].params for option in param.opts}:
            if option in PROJECT["vars"] and (name, option) not in OTHER:
                assert given.get(f"--{option}") == f"${{vars.{option}}}", (name, option)


def test_project_trains_with_its_variables():
    lines = [" ".join(words) for words in LINES if words[1] in ("train", "distill")]
    for line in lines:
        assert "--nlp.lang ${vars.lang}" in line
        assert ("--gpu-id ${vars.gpu}" in line) == ("teacher" in line), line
        assert ("model.classifier ${vars.classifier}" in line) == ("teacher.cfg" not in line), line
    seeds = [re.findall(r"system\.seed (\S+)", line) for line in lines if "teacher.cfg" in line]
    assert seeds == [["${vars.seed}"], ["1${vars.seed}"], ["2${vars.seed}"]]


def test_project_tunes_what_it_has_trained_on_dev():
    for (name, *words), after in pairwise(LINES):
        if name == "spacy":
            best = words[words.index("--output") + 1] + "/model-best"
            assert after[:4] == ["spacy_distill", "tune", best, "corpus/dev.spacy"]


def test_project_annotates_both_sets_by_the_same_teachers():
    """Again if a teacher has changed: `annotate` would refuse its own folder."""
    for name in ("annotate", "annotate-by-all"):
        one, other = next(c["script"] for c in PROJECT["commands"] if c["name"] == name)
        assert one.replace("/labelled", "/unlabelled") == other
        assert "--overwrite" in one


def test_project_chooses_among_students_that_differ_with_any_amount_of_text():
    """Of the three of `run best`, only one is trained for longer, with the settings of the config
    for much text.
    """
    changes = load_config(ROOT / "configs/student.cfg")["initialize"]["before_init"]["changes"]
    longer = {f"training.{name}": str(new) for name, (_, new) in changes.items()}
    found = {}
    for words in LINES:
        if "training/students/" in " ".join(words) and words[1] == "train":
            given = {key[2:]: value for key, value in pairwise(words)}
            found[given["output"].rpartition("/")[2]] = given
    assert {*found} == {"plain", "pieces", "long"}
    assert longer.items() <= found["long"].items()
    for name in ("plain", "pieces"):
        assert found[name]["initialize.before_init.large"] == "0"
        assert not any(key.startswith("training.") for key in found[name])
