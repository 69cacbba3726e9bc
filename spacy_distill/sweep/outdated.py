"""Rows that were made otherwise than a sweep would make them now: refused, or put aside."""

from pathlib import Path
from typing import Callable, Dict, List, Mapping, Sequence

from ..errors import Errors
from .inputs import Settings, find_differences, make_inputs
from .plan import BUILT_IN, Run, System
from .rows import Key, Row, append_row, read_rows, write_rows

# Of many runs, as many are named in a message.
NAMED = 3
# What inputs of runs are called on the command line.
OPTIONS = {
    "config": "their config",
    "source": "DATA, --unlabelled or --lang",
    "weights": "--teacher",
    "teacher": "their teacher's config",
}


def check_rows(
    runs: Sequence[Run], path: Path, settings: Settings, *, overwrite: bool
) -> Dict[Key, Row]:
    """The rows that stay: all but those of runs made otherwise, if these may be made anew.

    RAISES (ValueError): D603 if they may not, or would stay among new ones: nobody has asked for
        their runs.
    """
    rows = read_rows(path)
    systems = {
        **{row["system"]: read_system(row) for row in rows.values()},
        **BUILT_IN,
        **{run.system.name: run.system for run in runs},
    }
    outdated = find_outdated_rows(systems, rows, settings)
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
    """Rows of systems that were made otherwise than these are now, with the names of what differs.

    systems (Mapping[str, System]): By name, those of all rows.
    rows (Mapping[Key, Row]): The rows that there are, asked for or not.
    settings (Settings): Of this sweep.
    """
    found = {
        key: find_differences(row["inputs"], make_inputs(Run(systems[key[0]], *key[1:]), settings))
        for key, row in rows.items()
    }
    return {key: differences for key, differences in found.items() if differences}


def read_system(row: Row) -> System:
    """The system of a row as it was then, such as a variant that nobody asks for now."""
    config = Path(row["inputs"]["config"]["name"]).stem
    return System(row["system"], row["base"], config, row["inputs"]["overrides"])


def name_runs(keys: Sequence[Key]) -> str:
    """Runs as they are named in a message: the first of many."""
    names = [
        f"{system}, {size or 'all'} labelled, seed {seed}" + (f", {limit} unlabelled" * bool(limit))
        for system, size, seed, limit in keys[:NAMED]
    ]
    more = [f"{len(keys) - NAMED} more"] if len(keys) > NAMED else []
    return "; ".join([*names, *more])


def drop_outdated(path: Path, rows: Mapping[Key, Row], say: Callable[[str], None]) -> None:
    """Leave in a file of rows those that stay, and put the others into a file beside it."""
    outdated = [row for key, row in read_rows(path).items() if key not in rows]
    if outdated:
        old = path.with_suffix(".old.jsonl")
        for row in outdated:
            append_row(old, row)
        say(f"{len(outdated)} rows were made with other settings: making them again. Old: {old}")
        write_rows(path, [*rows.values()])
