"""The commands that give the rows of a sweep, whatever was typed to get there."""

import math
import shlex
from functools import reduce
from itertools import pairwise, permutations
from pathlib import Path
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from .curves import group_by, order_rows
from .describe import shorten, shorten_paths
from .inputs import CONFIGS, WEIGHTS, Settings
from .plan import BUILT_IN, TEACHER
from .rows import Row

# Overrides that every run has.
OF_ALL = ("nlp.lang", "system.seed", "corpora.train.limit")


class Call(NamedTuple):
    """A command: every system is run on every sample, with every pool.

    systems (Tuple[str, ...]): Names of built-in ones, and variants as they are given.
    sizes, seeds, limits (Tuple[int, ...]): Of the samples and pools; 0 is all sentences.
    options (Tuple[str, ...]): What its rows have in common.
    """

    systems: Tuple[str, ...]
    sizes: Tuple[int, ...]
    seeds: Tuple[int, ...]
    limits: Tuple[int, ...]
    options: Tuple[str, ...]


# What may differ between the runs of a command.
FIELDS = ("limits", "seeds", "sizes", "systems")


def find_commands(rows: Sequence[Row], output: Path, settings: Settings) -> List[str]:
    """The commands that give these rows and no others, few of them.

    rows (Sequence[Dict[str, Any]]): The rows.
    output (Path): Their folder.
    settings (Settings): Of the last command, for what no row says.
    RETURNS (List[str]): The commands, with paths as `shorten_paths` has them, without the options
        that change no row: --work, --workers, --gpu.
    """
    known = {row["system"]: row for row in rows}
    calls = [
        Call(
            name_systems(row, known),
            sizes=(row["size"],),
            seeds=(row["seed"],),
            limits=(row["limit"],),
            options=row_options(row, settings),
        )
        for row in sort_rows(rows)
    ]
    # Which are joined first makes a difference to how many are left.
    calls = min((reduce(join_calls, order, calls) for order in permutations(FIELDS)), key=len)
    begin = shorten_paths(["spacy_distill", "sweep", settings.data, str(output)], settings)
    end = []
    if settings.teacher != WEIGHTS:
        end += ["--teacher", shorten(settings.teacher, "TEACHER")]
    if settings.configs != CONFIGS:
        end += ["--configs", shorten(str(settings.configs), "CONFIGS")]
    return [shlex.join([*begin, *write_call(call), *end]) for call in calls]


def sort_rows(rows: Sequence[Row]) -> List[Row]:
    """Rows by system, size, seed and limit; all is more than any number."""
    systems = [*dict.fromkeys(row["system"] for row in order_rows(rows))]

    def place(row: Row) -> Tuple[float, ...]:
        size, seed, limit = row["size"] or math.inf, row["seed"], row["limit"] or math.inf
        return systems.index(row["system"]), size, seed, limit

    return sorted(rows, key=place)


def join_calls(calls: List[Call], field: str) -> List[Call]:
    """Make one command of those that differ in one field only."""
    nothing: Dict[str, Any] = {field: ()}
    joined = []
    for call, own in group_by(calls, lambda call: call._replace(**nothing)).items():
        values = dict.fromkeys(value for one in own for value in getattr(one, field))
        joined.append(call._replace(**{field: tuple(values)}))
    return joined


def name_systems(row: Row, known: Mapping[str, Row]) -> Tuple[str, ...]:
    """The system of a row as it is given to `sweep`, behind the variants that it is one of."""
    if row["base"] == row["system"]:
        return (row["system"],)
    base = known.get(row["base"])
    before = name_systems(base, known) if base and row["base"] not in BUILT_IN else ()
    settings = variant_settings(row, base)
    words = [word for key, value in settings.items() for word in (f"--{key}", value)]
    return *before, f"{row['system']}={shlex.join([row['base'], *words])}"


def variant_settings(row: Row, base: Optional[Row]) -> Dict[str, str]:
    """The settings in which a variant differs from what it varies.

    base (Optional[Dict[str, Any]]): A row of that, if there is one.
    """
    built_in: Mapping[str, str] = BUILT_IN[row["base"]].overrides if row["base"] in BUILT_IN else {}
    known = base["inputs"]["overrides"] if base else built_in
    return {
        key: value
        for key, value in row["inputs"]["overrides"].items()
        if key not in OF_ALL and known.get(key) != value
    }


def row_options(row: Row, settings: Settings) -> Tuple[str, ...]:
    """The options that a row depends on, but for those that tell it from others of its sweep."""
    inputs = row["inputs"]
    unlabelled = [shorten(source, Path(source).name) for source in settings.unlabelled]
    if row["commands"]:
        corpus = row["commands"][0]
        unlabelled = [word for option, word in pairwise(corpus) if option == "--unlabelled"]
    options = [word for source in unlabelled for word in ("--unlabelled", source)]
    lang = inputs["overrides"]["nlp.lang"]
    if lang != Settings._field_defaults["lang"]:
        options += ["--lang", lang]
    teacher = inputs if row["system"] == TEACHER.name else inputs.get("teacher")
    if teacher and "training.max_steps" in teacher["overrides"]:
        options += ["--teacher-steps", teacher["overrides"]["training.max_steps"]]
    return tuple(options)


def write_call(call: Call) -> List[str]:
    """The options of a command, without those that have their defaults."""
    names = [name for name in call.systems if name in BUILT_IN]
    seeds = ",".join(map(str, call.seeds))
    if call.seeds == tuple(range(len(call.seeds))):
        seeds = str(len(call.seeds))
    elif len(call.seeds) == 1:
        seeds += ","  # which, not how many
    words = ["--sizes", ",".join(map(str, call.sizes)), "--seeds", seeds]
    if names != [*BUILT_IN]:
        words += ["--systems", ",".join(names)]
    words += [word for name in call.systems if name not in BUILT_IN for word in ("--variant", name)]
    if call.limits != (0,):
        words += ["--pool-sizes", ",".join(str(limit or "all") for limit in call.limits)]
    return [*words, *call.options]
