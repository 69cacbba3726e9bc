"""What a run depends on, so that rows of unlike runs are never mixed."""

import hashlib
import json
from pathlib import Path
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Tuple

from spacy.util import load_config

from ..files import digest
from .plan import TEACHER, Run

# The files of a corpus.
PARTS = ("labelled", "unlabelled", "dev", "test")
# As JSON has it.
Inputs = Dict[str, Any]


class Settings(NamedTuple):
    """What all runs of a sweep have in common.

    data (str): The corpus: a folder, or an id on the hub.
    work (Path): Folder for what is made on the way, SIZE/SEED/ for each sample.
    configs (Path): Folder of teacher.cfg, baseline.cfg and student.cfg.
    teacher (str): The teacher's weights: a folder, or an id on the hub.
    lang (str): Language.
    unlabelled (Tuple[str, ...]): More text for the pool.
    gpu (int): Which to use, -1 for the CPU.
    teacher_steps (int): Of every teacher; 0 for as many as its labelled sentences ask for.
    """

    data: str
    work: Path
    configs: Path
    teacher: str
    lang: str = "en"
    unlabelled: Tuple[str, ...] = ()
    gpu: int = -1
    teacher_steps: int = 0

    @property
    def name(self) -> str:
        """The name of the corpus."""
        return Path(self.data.rstrip("/")).name


def cell_folder(settings: Settings, run: Run) -> Path:
    """The folder of a sample, laid out as a project is."""
    return settings.work / str(run.size) / str(run.seed)


def corpus_files(folder: Path) -> Dict[str, Path]:
    return {part: folder / "corpus" / f"{part}.spacy" for part in PARTS}


def make_overrides(run: Run, settings: Settings) -> Dict[str, str]:
    """The settings that a run changes in its config, but for paths, and but for a teacher's steps
    where they follow from the size."""
    overrides = {"nlp.lang": settings.lang, "system.seed": str(run.seed)}
    if run.system.config == "teacher" and settings.teacher_steps:
        overrides["training.max_steps"] = str(settings.teacher_steps)
    if run.limit:
        overrides["corpora.train.limit"] = str(run.limit)
    return {**overrides, **run.system.overrides}


def make_inputs(run: Run, settings: Settings) -> Inputs:
    """What a run depends on, as JSON.

    RETURNS (Dict[str, Any]): The config and its digest, overrides, and digests of the corpus and
        of the teacher's weights, each None where there are no files to look at; a student's have
        those of its teacher, too.
    """
    config = settings.configs / f"{run.system.config}.cfg"
    folder = cell_folder(settings, run)
    files = corpus_files(folder)
    is_there = all(path.exists() for path in files.values())
    inputs: Inputs = {
        "config": {"name": config.name, "sha256": config_digest(config)},
        "overrides": make_overrides(run, settings),
        "corpus": {part: digest(path) for part, path in files.items()} if is_there else None,
        "weights": weights_digest(settings.teacher),
    }
    if run.system.config == "student":
        of_teacher = make_inputs(Run(TEACHER, run.size, run.seed), settings)
        inputs["teacher"] = {key: of_teacher[key] for key in ("config", "overrides")}
    return inputs


def find_differences(found: Mapping[str, Any], expected: Mapping[str, Any]) -> List[str]:
    """In what two runs' inputs differ, by name. What is not known of one differs from nothing."""
    return [
        name
        for name in {**found, **expected}
        if found.get(name) != expected.get(name)
        and found.get(name) is not None
        and expected.get(name) is not None
    ]


def fingerprint(inputs: Inputs) -> str:
    """A short name of inputs: the same for the same."""
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:16]


def config_digest(path: Path) -> str:
    """The SHA-256 of what a config says: its comments may change, and how it is laid out."""
    said = json.dumps(load_config(path, interpolate=False), sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()


def weights_digest(teacher: str) -> Optional[str]:
    """The digest of a teacher's weights; None if they are in no folder here."""
    folder = Path(teacher)
    files = sorted([*folder.glob("*.safetensors"), *folder.glob("*.bin")])
    return " ".join(digest(file) for file in files) or None
