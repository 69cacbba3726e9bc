"""Find rows that were made with other inputs than a sweep's, and refuse them or put them aside."""

from pathlib import Path
from typing import Callable, Dict, List, Mapping, Sequence

from ..errors import Errors
from .choices import is_chosen, stored_choices
from .inputs import Settings, find_differences, make_inputs
from .plan import BUILT_IN, Run, System
from .rows import Key, Row, append_row, read_rows, write_rows

# How many of the runs are named in a message.
NAMED = 3
# Names of the inputs for users: the options that set them, where there are any.
OPTIONS = {
    "config": "their config",
    "source": "DATA, --unlabelled or --lang",
    "weights": "--teacher",
    "teacher": "their teacher's config",
}


def check_rows(
    runs: Sequence[Run], path: Path, settings: Settings, *, overwrite: bool
) -> Dict[Key, Row]:
    """Read the rows of trainings and leave out outdated ones, whose runs will be made again.

    runs (Sequence[Run]): The runs of this sweep.
    path (Path): The file of rows.
    settings (Settings): The settings of this sweep.
    overwrite (bool): Whether outdated rows may be replaced.
    RETURNS (Dict[Key, Row]): The rows to keep.
    RAISES (ValueError): D603 if there are outdated rows that may not be replaced, or that would not
        be, because their runs are not part of this sweep. D604 for a variant whose name a stored
        choice has. D611 for a line that is not a row.
    """
    stored = read_rows(path)
    rows = {key: row for key, row in stored.items() if not is_chosen(row)}
    choices = stored_choices(stored.values())
    for name in {run.system.name for run in runs} & {*choices}:
        raise ValueError(Errors.D604.format(value=name, known=[*BUILT_IN, *choices]))
    outdated = find_outdated_rows(read_systems(rows, runs), rows, settings)
    others = [key for key in outdated if key not in {run.key for run in runs}]
    if others or (outdated and not overwrite):
        named = others or [*outdated]
        differences = dict.fromkeys(
            OPTIONS.get(name, name) for key in named for name in outdated[key]
        )
        asked_for = "ask for these runs, too, and make" if others else "make"
        raise ValueError(
            Errors.D603.format(
                path=path,
                differences=", ".join(differences),
                runs=name_runs(named),
                remedy=f"{asked_for} them again with --overwrite",
            )
        )
    return {key: row for key, row in rows.items() if key not in outdated}


def find_outdated_rows(
    systems: Mapping[str, System], rows: Mapping[Key, Row], settings: Settings
) -> Dict[Key, List[str]]:
    """Find rows whose inputs differ from those that their runs would have now.

    systems (Mapping[str, System]): The systems of all rows, by name.
    rows (Mapping[Key, Row]): All rows, including those of runs that are not part of this sweep.
    settings (Settings): The settings of this sweep.
    RETURNS (Dict[Key, List[str]]): For each outdated row the names of the inputs that differ.
    """
    found = {
        key: find_differences(row["inputs"], make_inputs(Run(systems[key[0]], *key[1:]), settings))
        for key, row in rows.items()
    }
    return {key: differences for key, differences in found.items() if differences}


def read_systems(rows: Mapping[Key, Row], runs: Sequence[Run]) -> Dict[str, System]:
    """Return the systems of rows and of runs, by name."""
    found = {
        row["system"]: BUILT_IN.get(row["system"]) or read_system(row) for row in rows.values()
    }
    return {**found, **{run.system.name: run.system for run in runs}}


def read_system(row: Row) -> System:
    """Recover the system of a row, for example of a variant that is not part of this sweep."""
    config = Path(row["inputs"]["config"]["name"]).stem
    return System(row["system"], row["base"], config, row["settings"])


def name_runs(keys: Sequence[Key]) -> str:
    """Name the first few runs for a message, and count the others."""
    names = [
        f"{system}, {size or 'all'} labelled, seed {seed}" + (f", {limit} unlabelled" * bool(limit))
        for system, size, seed, limit in keys[:NAMED]
    ]
    more = [f"{len(keys) - NAMED} more"] if len(keys) > NAMED else []
    return "; ".join([*names, *more])


def drop_outdated(path: Path, rows: Mapping[Key, Row], say: Callable[[str], None]) -> None:
    """Keep only the given rows of trainings in a file, and move the others to a file next to it."""
    others = [row for key, row in read_rows(path).items() if key not in rows]
    outdated = [row for row in others if not is_chosen(row)]
    if outdated:
        old = path.with_suffix(".old.jsonl")
        for row in outdated:
            append_row(old, row)
        say(f"{len(outdated)} rows were made with other settings: making them again. Old: {old}")
        write_rows(path, [*rows.values(), *filter(is_chosen, others)])  # to be chosen again
