"""Where a sweep keeps the files of each sample: folders with the layout of a project."""

from pathlib import Path
from typing import Dict

from ..docbins import PARTS


def sample_folder(work: Path, size: int, seed: int) -> Path:
    """Return the folder of a sample.

    work (Path): Folder of the sweep.
    size, seed (int): Of the sample, as a run has them.
    """
    return work / str(size) / str(seed)


def corpus_files(folder: Path) -> Dict[str, Path]:
    return {part: folder / "corpus" / f"{part}.spacy" for part in PARTS}


def annotated_folder(folder: Path) -> Path:
    """Return the folder of what the teacher annotated."""
    return folder / "corpus" / "annotated"


def training_folder(folder: Path, name: str) -> Path:
    """Return the output folder of a system's training."""
    return folder / "training" / name


def best_model(folder: Path, name: str) -> Path:
    """Return the folder of a system's best checkpoint."""
    return training_folder(folder, name) / "model-best"


def tuned_file(folder: Path, name: str) -> Path:
    """Return the file in which `tune` stores its result for a system."""
    return folder / "metrics" / f"{name}.tuned.json"


def metrics_file(folder: Path, name: str) -> Path:
    """Return the file of a system's scores on the test set."""
    return folder / "metrics" / f"{name}.json"


def counts_file(folder: Path, name: str) -> Path:
    """Return the file of correct, wrong and missed entities in each sentence of the test set."""
    return folder / "metrics" / f"{name}.counts.json"
