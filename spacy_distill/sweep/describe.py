"""Describe a finished run as a row: its scores, and everything needed to repeat it."""

import os
import platform
import shlex
from datetime import datetime, timezone
from pathlib import Path
from typing import List, Mapping, Optional, Sequence

from ..docbins import count_docs
from ..files import read_json
from ..machine import PACKAGES, find_versions
from .inputs import Settings, fingerprint, make_inputs
from .plan import Run
from .rows import Row
from .stages import make_stages

SCORES = ("ents_p", "ents_r", "ents_f", "ents_per_type")


def make_row(run: Run, settings: Settings) -> Row:
    """Describe a run all of whose stages are done.

    run (Run): The run.
    settings (Settings): The settings of the sweep.
    RETURNS (Dict[str, Any]): Values that JSON can hold. Scores are from 0 to 1, times are in
        seconds, and paths are relative to the project or to a folder named in capitals.
    """
    files, stages = run.files(settings.work), make_stages(run, settings)
    metrics = read_json(files.metrics)
    dev = read_json(files.model / "meta.json")["performance"]
    inputs = make_inputs(run, settings)
    return {
        "corpus": settings.name,
        "system": run.system.name,
        "base": run.system.base,
        "settings": {**run.system.overrides},
        "size": run.size,
        "seed": run.seed,
        "limit": run.limit,
        "labelled": count_docs(files.corpus["labelled"]),
        "pool": count_pool(run, files.corpus["unlabelled"]),
        "test": {key: metrics[key] for key in SCORES},
        "dev": {key: dev.get(key) for key in SCORES},
        "tuned": read_json(files.tuned),
        "words_per_second": metrics["speed"],
        "parameters": read_json(files.counts)["parameters"],
        "seconds": {stage.name: read_json(stage.receipt).get("seconds") for stage in stages},
        "fingerprint": fingerprint(inputs),
        "inputs": inputs,
        "sweep": describe_command(settings),
        "commands": [shorten_paths(stage.command, settings) for stage in stages],
        "versions": {"python": platform.python_version(), **find_versions(PACKAGES)},
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }


def describe_command(settings: Settings) -> str:
    """Return the command of a sweep, without paths outside the project."""
    return shlex.join(shorten_paths(["spacy_distill", "sweep", *settings.command], settings))


def count_pool(run: Run, unlabelled: Path) -> Optional[int]:
    """Count the unlabelled sentences that a student was given; None for other systems."""
    if run.system.config != "student":
        return None
    n_docs = count_docs(unlabelled)
    return min(n_docs, run.limit or n_docs)


def shorten_paths(words: Sequence[str], settings: Settings) -> List[str]:
    """Return a command in which names such as WORK or DATA replace paths outside the project."""
    names = {
        str(settings.work): shorten(str(settings.work), "WORK"),
        settings.data: shorten(settings.data, f"DATA/{settings.name}"),
        settings.teacher: shorten(settings.teacher, "TEACHER"),
        str(settings.configs): shorten(str(settings.configs), "CONFIGS"),
    }
    return ["python", "-m", *(replace_start(word, names) for word in words)]


def shorten(path: str, name: str) -> str:
    return name if Path(path).is_absolute() or path.startswith("..") else path


def replace_start(word: str, names: Mapping[str, str]) -> str:
    """Replace the first folders of a path by their name, or keep only its last part.

    Words that are not a path outside the project stay as they are.
    """
    for path, name in names.items():
        folder = path.rstrip(f"/{os.sep}")
        if word == path or word.startswith((f"{folder}/", f"{folder}{os.sep}")):
            return name + word[len(folder) :].replace(os.sep, "/").rstrip("/")
    return " ".join(shorten(part, Path(part).name) for part in word.split(" "))
