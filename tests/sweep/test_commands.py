import random
import shlex
from pathlib import Path

import pytest

from spacy_distill.sweep.commands import find_commands
from spacy_distill.sweep.inputs import CONFIGS, WEIGHTS, Settings
from spacy_distill.sweep.plan import (
    BUILT_IN,
    Run,
    choose_systems,
    make_runs,
    read_numbers,
    read_seeds,
)

OUTPUT = Path("results/btc")
VARIANTS = (
    "hot=student-crf --components.ner.loss.temperature 4",
    "hotter=hot --training.dropout 0.1",
    "words=baseline-softmax --a.b 'two words'",
)
SYSTEMS = choose_systems([*BUILT_IN], VARIANTS)
START = "python -m spacy_distill sweep data/btc results/btc "


@pytest.fixture
def settings():
    return Settings("data/btc", Path("work"), CONFIGS, WEIGHTS)


@pytest.fixture
def make_rows(make_row):
    """Make the rows of runs, as far as they say how they were made."""

    def make(runs, **more):
        rows = []
        for system, size, seed, limit in runs:
            row = make_row(system.name, size, 0.5, seed=seed, limit=limit, base=system.base, **more)
            row["inputs"]["overrides"] |= system.overrides
            if limit:
                row["inputs"]["overrides"]["corpora.train.limit"] = str(limit)
            if system.config == "student":
                row["inputs"]["teacher"] = {"overrides": {}}
            rows.append(row)
        return rows

    return make


def read_command(command):
    """The keys of the runs that a command asks for."""
    words = shlex.split(command)[6:]
    options = {"--systems": ",".join(BUILT_IN), "--pool-sizes": "all", "--variant": []}
    for option, value in zip(words[::2], words[1::2]):
        options[option] = [*options[option], value] if option == "--variant" else value
    names = [name for name in options["--systems"].split(",") if name]
    runs = make_runs(
        [*choose_systems(names, options["--variant"]).values()],
        sizes=read_numbers(options["--sizes"], "--sizes"),
        seeds=read_seeds(options["--seeds"]),
        limits=read_numbers(options["--pool-sizes"], "--pool-sizes", all_word="all"),
    )
    return [run.key for run in runs]


def test_commands_by_hand(make_rows, settings):
    """Three seeds of one size, one of others; then a variant, and parts of the pool."""
    built_in, crf = [*BUILT_IN.values()], BUILT_IN["student-crf"]
    rows = make_rows(
        [
            *make_runs([SYSTEMS["hot"]], sizes=[300], seeds=[1]),
            *make_runs(built_in, sizes=[300], seeds=[0, 1, 2]),
            *make_runs(built_in, sizes=[0, 150], seeds=[0]),
            *make_runs([crf], sizes=[750], seeds=[1, 2], limits=[1000, 500, 0]),
        ]
    )
    assert find_commands(rows, OUTPUT, settings) == [
        START + "--sizes 150,0 --seeds 1",
        START + "--sizes 300 --seeds 3",
        START + "--sizes 750 --seeds 1,2 --systems student-crf --pool-sizes 500,1000,all",
        START + f"--sizes 300 --seeds 1, --systems '' --variant '{VARIANTS[0]}'",
    ]


def test_commands_say_on_what_else_rows_depend(make_rows, settings):
    run = Run(BUILT_IN["student-crf"], 300, 1)
    (row,) = make_rows([run], commands=[["python", "--unlabelled", "wikigold", "--lang", "de"]])
    row["inputs"]["overrides"]["nlp.lang"] = "de"
    row["inputs"]["teacher"]["overrides"]["training.max_steps"] = "600"
    other = settings._replace(data="/my/btc/", teacher="/my/bert", configs=Path("/my/configs"))
    assert find_commands([row], Path("/my/out"), other) == [
        "python -m spacy_distill sweep DATA/btc out --sizes 300 --seeds 1, --systems student-crf "
        "--unlabelled wikigold --lang de --teacher-steps 600 --teacher TEACHER --configs CONFIGS"
    ]
    # What no row says was as it is now.
    (row,) = make_rows([run])
    (command,) = find_commands([row], OUTPUT, settings._replace(unlabelled=("/my/more.txt",)))
    assert command.endswith("--systems student-crf --unlabelled more.txt")


@pytest.mark.parametrize("seed", range(30))
def test_commands_give_these_rows_and_no_others(make_rows, settings, seed):
    systems = [*SYSTEMS.values()]
    limits = [500, 0]
    possible = make_runs(systems, sizes=[150, 300, 0], seeds=[0, 1, 2], limits=limits)
    runs = random.Random(seed).sample(possible, 1 + 3 * seed)
    # A variant is never run without the one that it varies.
    bases = [run._replace(system=SYSTEMS["hot"]) for run in runs if run.system.name == "hotter"]
    runs = [*{run.key: run for run in (*runs, *bases)}.values()]
    commands = find_commands(make_rows(runs), OUTPUT, settings)
    found = {key for command in commands for key in read_command(command)}
    assert found == {run.key for run in runs}


def test_commands_of_a_variant_of_a_variant_have_its_own_settings(make_rows, settings):
    variants = ["hot=student-crf --training.dropout 0.1", "slow=hot --training.max_steps 10"]
    systems = choose_systems(["student-crf"], variants)
    rows = make_rows(make_runs([*systems.values()], sizes=[300], seeds=[0]))
    (command,) = find_commands(rows, OUTPUT, settings)
    assert shlex.split(command)[-4:] == ["--variant", variants[0], "--variant", variants[1]]
