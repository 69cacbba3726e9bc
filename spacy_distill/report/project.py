"""Read a finished project: its pipelines, its corpus, and the measurements of other commands."""

import base64
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Set

from spacy.attrs import ENT_IOB, ENT_TYPE

from ..docbins import find_docbins, load_docbin
from ..entities import find_entities
from ..errors import Errors
from ..files import read_json
from ..hub_ids import public_name
from ..manifest import read_state
from ..sweep.curves import order_rows, size_curves
from ..sweep.rows import read_rows
from ..sweep.tables import curve_table, make_notes, name_corpus
from ..teachers.choose import identify
from ..text_tables import TextTable

STUDENT, TEACHER = "student", "teacher"
# The parts of a corpus and what each was used for.
PURPOSES = {
    "labelled": "fine-tuning of the teacher, and gold labels for the student",
    "unlabelled": "labelled by the teacher, for the student",
    "dev": "choice of the best checkpoint, and tuning",
    "test": "all results on this page",
}


class Part(NamedTuple):
    """A part of a corpus, and its counts."""

    name: str
    purpose: str
    n_texts: int
    n_words: int
    n_ents: int


class Figure(NamedTuple):
    """A picture, as a `data:` URL."""

    address: str
    text: str  # the alternative text


class Measurement(NamedTuple):
    """The results of a benchmark, as read from JSON, and its figure if it was drawn."""

    results: Dict[str, Any]
    figure: Optional[Figure]
    others: List[str]  # those of student and teacher that are not the project's current pipelines


class Sweep(NamedTuple):
    """The learning curves of a sweep."""

    corpus: str  # its name
    tests: Set[str]  # digests of its test set
    table: TextTable
    notes: List[str]
    figure: Optional[Figure]


def find_systems(folder: Path) -> Dict[str, Path]:
    """Find the trained pipelines of a project by name: the teacher first, the student last.

    RAISES (ValueError): D701 if there is no student.
    """
    paths = {
        path.parents[1].name: path.parent
        for path in sorted((folder / "training").glob("*/model-best/meta.json"))
    }
    if STUDENT not in paths:
        raise ValueError(Errors.D701.format(path=folder))
    order = [TEACHER, *(name for name in paths if name not in (TEACHER, STUDENT)), STUDENT]
    return {name: paths[name] for name in order if name in paths}


def find_test(folder: Path) -> Path:
    """Find the test set of a project. RAISES (FileNotFoundError): D702 if there is none."""
    path = folder / "corpus" / "test.spacy"
    if not path.exists():
        raise FileNotFoundError(Errors.D702.format(path=path))
    return path


def count_parts(folder: Path) -> List[Part]:
    """Count texts, words and entities of those parts of a project's corpus that exist."""
    paths = {name: folder / "corpus" / f"{name}.spacy" for name in PURPOSES}
    return [count_part(name, path) for name, path in paths.items() if path.exists()]


def count_part(name: str, path: Path) -> Part:
    """Count texts, words and entities without making documents, because there may be many."""
    n_texts = n_words = n_ents = 0
    for file in find_docbins(path):
        docbin = load_docbin(file)
        n_texts += len(docbin)
        n_words += sum(len(tokens) for tokens in docbin.tokens)
        if {ENT_IOB, ENT_TYPE} <= {*docbin.attrs}:
            columns = [docbin.attrs.index(attr) for attr in (ENT_IOB, ENT_TYPE)]
            n_ents += sum(len(find_entities(*rows[:, columns].T).starts) for rows in docbin.tokens)
    return Part(name, PURPOSES[name], n_texts, n_words, n_ents)


def count_teachers(folder: Path) -> int:
    """Count the teachers that annotated a project's text; 0 if it was not annotated."""
    settings = read_state(folder / "corpus" / "annotated" / "unlabelled").settings or {}
    return len(settings.get("teachers", []))


def describe_weights(folder: Path) -> Optional[str]:
    """Describe the pre-trained weights of the teacher, as far as the project's files tell."""
    weights = folder / "assets" / "teacher"
    note = read_object(weights / "teacher.json")
    config = read_object(weights / "config.json")
    name = note.get("teacher", "")
    parts = [public_name(name) if name else ""]
    if {"model_type", "num_hidden_layers", "hidden_size"} <= set(config):
        parts.append(
            f"{config['model_type']}, {config['num_hidden_layers']} layers of width "
            f"{config['hidden_size']}"
        )
    return ": ".join(part for part in parts if part) or None


def read_object(path: Path) -> Dict[str, Any]:
    """Read a JSON object. Return an empty one if there is no such file."""
    return read_json(path) if path.exists() else {}


def read_measurement(folder: Path) -> Optional[Measurement]:
    """Read the results of the command `benchmark`; None if there are none.

    RAISES (ValueError): D916 if the file is damaged, D704 if it does not hold such results.
    """
    path = folder / "metrics" / "benchmark.json"
    if not path.exists():
        return None
    results = read_json(path)
    if not {"systems", "settings", "machine"} <= set(results):
        raise ValueError(Errors.D704.format(path=path))
    measured = results.get("digests", {})
    others = [
        name
        for name, own in find_systems(folder).items()
        if name in (STUDENT, TEACHER)
        and name in results["systems"]
        and measured.get(name) != identify(str(own))
    ]
    figure = read_figure(path.with_suffix(".svg"), text="Words per second against texts in a batch")
    return Measurement(results, figure, others)


def read_figure(path: Path, *, text: str) -> Optional[Figure]:
    """Read an SVG file as a figure; None if there is no such file.

    From a `data:` URL it can't run scripts, load anything or style the page, and two drawings may
    use the same ids.
    """
    if not path.exists():
        return None
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    return Figure(f"data:image/svg+xml;base64,{data}", text)


def read_sweep(folder: Path) -> Optional[Sweep]:
    """Read the learning curves that the command `sweep` measured.

    folder (Path): Folder with sweep.jsonl and, optionally, sweep.svg.
    RETURNS (Optional[Sweep]): The curves. None if there are none.
    RAISES (ValueError): D611 for a line that is not a row.
    """
    path = folder / "sweep.jsonl"
    rows = order_rows(read_rows(path).values())
    if not rows:
        return None
    return Sweep(
        name_corpus(rows),
        tests={row["inputs"]["corpus"]["test"] for row in rows},
        table=curve_table("F1 by labelled sentences", size_curves(rows), "labelled"),
        notes=make_notes(rows, []),
        figure=read_figure(path.with_suffix(".svg"), text="F1 against labelled sentences"),
    )
