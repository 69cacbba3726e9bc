"""Command-line options that several commands share, how values are parsed, and warnings of them."""

from enum import Enum
from os.path import exists  # False for what is too long to be a path
from pathlib import Path
from typing import Annotated, Iterable, List, Optional, Sequence

import typer
from spacy.util import is_package
from wasabi import msg

from ..checks import require
from ..data.sources import count_passed_over, is_dataset_id
from ..errors import Errors
from ..hub_ids import is_model_id, split_dataset_id, split_revision


class EngineName(str, Enum):
    """The names of engines on the command line."""

    local = "local"
    ray = "ray"


Gpu = Annotated[int, typer.Option("--gpu", "-g", help="GPU to use, -1 for the CPU")]

# Options of teachers, for `annotate` and `distill`.
Also = Annotated[
    Optional[List[str]],
    typer.Option(
        "--also",
        "-a",
        help="A further teacher: the distributions of all are averaged. May be repeated",
    ),
]
Weights = Annotated[
    str,
    typer.Option("--weights", help="Weights of the teachers, such as 2,1,1. Default: equal"),
]
Map = Annotated[
    Optional[List[str]],
    typer.Option("--map", help="OLD=NEW: rename a label of the teachers. May be repeated"),
]
Drop = Annotated[
    Optional[List[str]],
    typer.Option("--drop", help="A label of the teachers to turn into O. May be repeated"),
]
Labels = Annotated[
    str,
    typer.Option(
        "--labels",
        help="The student's labels, such as LOC,ORG,PER; a teacher may lack some of them. "
        "Default: those of the gold entities in the first output file, or else of the first "
        "teacher",
    ),
]
Smoothing = Annotated[
    float,
    typer.Option(
        "--smoothing",
        help="For teachers that set entities without scores: share of the probability that is "
        "spread evenly over the other tags",
    ),
]
Iob1 = Annotated[
    bool,
    typer.Option(
        "--iob1",
        help="The checkpoints were trained on IOB1: an entity begins with I unless it follows "
        "one of the same label (detected if a label has I but no B)",
    ),
]

Code = Annotated[
    Optional[Path],
    typer.Option(
        "--code", "-c", help="Python file with the functions that configs and pipelines refer to"
    ),
]

# Options of annotation, for `annotate` and `distill`.
SplitSentences = Annotated[
    bool,
    typer.Option("--split-sentences", help="Split text without tokens and entities into sentences"),
]
NProcess = Annotated[
    int,
    typer.Option(
        "--n-process",
        "-n",
        help="Processes, each with its own teacher and one thread. 0: only this process; with "
        "Ray, one worker for each CPU or GPU",
    ),
]
EngineOption = Annotated[
    EngineName,
    typer.Option("--engine", help="Where the teachers run: on this machine, or on a Ray cluster"),
]
Address = Annotated[
    str,
    typer.Option(
        "--address",
        help="Ray cluster. Default: that of RAY_ADDRESS, or one started on this machine",
    ),
]


def split_list(text: str) -> List[str]:
    """Split a text at commas, without whitespace and empty parts."""
    return [part.strip() for part in text.split(",") if part.strip()]


def split_paths(values: Sequence[str]) -> List[str]:
    """Split the values of an option that may be repeated, and may hold several sources, or none.

    RAISES (FileNotFoundError): D110 for what is neither a path nor the id of a dataset.
    """
    # A path may contain spaces or commas.
    parts = [part for value in values for part in ([value] if exists(value) else value.split(","))]
    paths = [
        path
        for part in map(str.strip, parts)
        for path in ([part] if exists(part) else part.split())
        if path
    ]
    for path in paths:
        if not exists(path) and not is_dataset_id(path):
            raise FileNotFoundError(Errors.D110.format(source=path))
    return paths


def read_numbers(text: str, option: str, *, all_word: Optional[str] = None) -> List[int]:
    """Parse whole numbers from 0, separated by commas.

    text (str): The numbers, such as 150,300.
    option (str): The name of the option, for the error.
    all_word (Optional[str]): A word that stands for 0.
    RETURNS (List[int]): The numbers in their order, without duplicates.
    RAISES (ValueError): D605 if there are none, or one is not a whole number from 0.
    """
    parts = ["0" if part == all_word else part for part in split_list(text)]
    if not parts or not all(part.isdecimal() and part.isascii() for part in parts):
        raise ValueError(Errors.D605.format(option=option, value=text))
    return list(dict.fromkeys(map(int, parts)))


def read_labels(text: str) -> List[str]:
    """Parse labels separated by commas.

    RAISES (ValueError): D007 for an empty label, or one given twice.
    """
    labels = [label.strip() for label in text.split(",")] if text else []
    holds = all(labels) and len(labels) == len(set(labels))
    require(holds, "--labels", text, "different labels, separated by commas")
    return labels


def read_weights(text: str) -> Optional[List[float]]:
    """Parse numbers separated by commas; None if the text is empty.

    RAISES (ValueError): D007 for what is not a number.
    """
    if not text:
        return None
    try:
        found = [float(part) for part in text.split(",")]
    except ValueError:
        found = []
    require(bool(found), "--weights", text, "numbers, separated by commas")
    return found


def read_seeds(text: str) -> List[int]:
    """Parse seeds: how many to use, counted from 0 (`3`), or, with a comma, a list (`0,4` or `2,`).

    RAISES (ValueError): D605 if there are no such numbers, D007 if the number of seeds is 0.
    """
    numbers = read_numbers(text, "--seeds")
    if "," in text:
        return numbers
    require(numbers != [0], "--seeds", text, "1 or more (for seed 0 alone: 0,)")
    return list(range(numbers[0]))


def warn_unpinned(name: str, *, kind: str = "") -> None:
    """Warn of an id on the hub that has no revision.

    name (str): The id.
    kind (str): What the id is of, if that is not clear from the context.
    """
    what = f"{kind} {name}" if kind else name
    msg.warn(f"No revision of {what} given: it may change. Use {name}@REVISION")


def warn_unpinned_teachers(teachers: Sequence[str]) -> None:
    for given in teachers:
        if is_model_id(given) and not is_package(given) and not split_revision(given)[1]:
            warn_unpinned(given)


def warn_unpinned_datasets(sources: Iterable[str]) -> None:
    for source in sources:
        if is_dataset_id(source) and split_dataset_id(source)[2] is None:
            warn_unpinned(source, kind="dataset")


def warn_passed_over(sources: Iterable[str]) -> None:
    """Warn of files in folders of text that are not read."""
    for source in sources:
        counts = [f"{n:,} {suffix}" for suffix, n in count_passed_over(source).most_common()]
        if counts:
            msg.warn(f"Ignored in {source}: {', '.join(counts)}")
