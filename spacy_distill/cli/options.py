"""Options that several commands have, spelled and explained once."""

from enum import Enum
from pathlib import Path
from typing import Annotated, List, Optional

import typer


class EngineName(str, Enum):
    """What an engine is called on the command line."""

    local = "local"
    ray = "ray"


Gpu = Annotated[int, typer.Option("--gpu", "-g", help="GPU to use, -1 for the CPU")]

# A teacher, as `annotate` and `distill` take it.
Also = Annotated[
    Optional[List[str]],
    typer.Option(
        "--also",
        "-a",
        help="A further teacher: their distributions are averaged. May be repeated",
    ),
]
Weights = Annotated[
    str,
    typer.Option("--weights", help="Weights of the teachers, such as 2,1,1; all the same if none"),
]
Names = Annotated[
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
        help="The student's labels, such as LOC,ORG,PER, of which a teacher may lack some; else "
        "those of the gold entities in the first file written, else the first teacher's",
    ),
]
Smoothing = Annotated[
    float,
    typer.Option(
        "--smoothing",
        help="Of a teacher that sets entities without scores: share of the probability that is "
        "spread evenly over the other tags",
    ),
]
Iob1 = Annotated[
    bool,
    typer.Option(
        "--iob1",
        help="Checkpoints are trained on IOB1: an entity begins with I unless it follows one of "
        "its label",
    ),
]

Code = Annotated[
    Optional[Path],
    typer.Option("--code", "-c", help="Python file with functions that configs and pipelines name"),
]

# Where and how teachers label text.
SplitSentences = Annotated[
    bool,
    typer.Option("--split-sentences", help="Split text without tokens and entities into sentences"),
]
NProcess = Annotated[
    int,
    typer.Option(
        "--n-process",
        "-n",
        help="Processes, each with a teacher and one thread. 0: this process alone; with Ray, a "
        "worker for each CPU or GPU",
    ),
]
EngineOption = Annotated[
    EngineName,
    typer.Option("--engine", help="Where the teachers are: on this machine, or a Ray cluster"),
]
Address = Annotated[
    str,
    typer.Option(
        "--address", help="Ray cluster; if none that of RAY_ADDRESS, or one begun on this machine"
    ),
]


def split_list(text: str) -> List[str]:
    """What stands between commas."""
    return [part.strip() for part in text.split(",") if part.strip()]
