"""Systems of a sweep that are not trained but chosen: in each sample, the best on dev of several.

Their rows are copies of those of the chosen systems. They are stored with the others, and made
again each time that a sweep shows its results.
"""

from typing import Dict, Iterable, List, Mapping, NamedTuple, Sequence, Tuple

from ..checks import is_name
from ..errors import Errors
from .curves import group_by
from .plan import BUILT_IN, System
from .rows import Row

# What the row of a chosen system has in addition to that of the system chosen.
AMONG, CHOSEN = "among", "chosen"


class Choice(NamedTuple):
    """A system that is chosen from others.

    name (str): Its name, which is unique.
    among (Tuple[str, ...]): Names of the systems to choose from. It is compared with the first.
    command (str): The command of the sweep that asked for it.
    """

    name: str
    among: Tuple[str, ...]
    command: str


def read_choices(
    texts: Iterable[str], systems: Mapping[str, System], *, command: str
) -> List[Choice]:
    """Parse choices given as `NAME=SYSTEM,SYSTEM,...`.

    texts (Iterable[str]): The choices.
    systems (Mapping[str, System]): The trained systems, by name.
    command (str): The command of the sweep.
    RETURNS (List[Choice]): The choices.
    RAISES (ValueError): D614 if one can't be parsed, its name is taken, or it does not name two or
        more of the systems, all of the same config.
    """
    found: Dict[str, Choice] = {}
    for text in texts:
        name, _, rest = text.partition("=")
        among = tuple(dict.fromkeys(part.strip() for part in rest.split(",")))
        configs = {systems[one].config if one in systems else None for one in among}
        is_own = is_name(name) and name not in {**BUILT_IN, **systems, **found}
        if not is_own or len(among) < 2 or len(configs) > 1 or None in configs:
            raise ValueError(Errors.D614.format(value=text, known=[*systems]))
        found[name] = Choice(name, among, command)
    return [*found.values()]


def is_chosen(row: Row) -> bool:
    """Whether a row is that of a choice, not that of a training."""
    return AMONG in row


def stored_choices(rows: Iterable[Row]) -> Dict[str, Choice]:
    """Return the choices whose rows are stored, by name."""
    return {
        row["system"]: Choice(row["system"], tuple(row[AMONG]), row["sweep"])
        for row in rows
        if is_chosen(row)
    }


def add_chosen(rows: Iterable[Row], choices: Sequence[Choice]) -> List[Row]:
    """Make the rows of choices.

    rows (Iterable[Dict[str, Any]]): Rows of trainings, and of earlier choices.
    choices (Sequence[Choice]): Choices in addition to those of the rows, or instead of those of the
        same name.
    RETURNS (List[Dict[str, Any]]): The rows of trainings, then those of choices, for each sample in
        which all their systems have rows. Of equally good ones, the first by name is chosen.
    """
    rows = [*rows]
    trained = [row for row in rows if not is_chosen(row)]
    samples = group_by(trained, lambda row: (row["size"], row["seed"], row["limit"]))
    named = {**stored_choices(rows), **{choice.name: choice for choice in choices}}
    found = []
    for choice in named.values():
        for own in samples.values():
            systems = {row["system"]: row for row in own}
            if systems.keys() >= {*choice.among}:
                best = max((systems[name] for name in sorted(choice.among)), key=dev_f1)
                found.append(choose_row(best, choice))
    return [*trained, *found]


def dev_f1(row: Row) -> float:
    """Return the F1 of a run on the development set, after tuning: from 0 to 1."""
    return row["tuned"]["after"]


def choose_row(row: Row, choice: Choice) -> Row:
    return {
        **row,
        "system": choice.name,
        "base": choice.among[0],
        "sweep": choice.command,
        AMONG: [*choice.among],
        CHOSEN: row["system"],
    }


def describe_choices(rows: Iterable[Row]) -> List[str]:
    """Describe the choices of a sweep in sentences, with how often each system was chosen."""
    sentences = []
    for name, own in group_by(filter(is_chosen, rows), lambda row: row["system"]).items():
        among: Sequence[str] = own[0][AMONG]
        chosen = [row[CHOSEN] for row in own]
        times = ", ".join(f"{one} in {chosen.count(one)}" for one in among)
        sentences.append(
            f"{name}: of each sample, the one of {', '.join(among)} with the best F1 on the "
            f"development set ({times} of {len(own)})."
        )
    return sentences
