"""Where a sweep keeps the files of each run: folders with the layout of a project."""

from pathlib import Path
from typing import Dict, NamedTuple

from ..docbins import PARTS


class Files(NamedTuple):
    """The files of a run, in a folder that it shares with other runs on the same sample.

    work (Path): Folder of the sweep.
    size, seed (int): Size and seed of the sample.
    name (str): The name of the run.
    """

    work: Path
    size: int
    seed: int
    name: str

    @property
    def folder(self) -> Path:
        return self.work / str(self.size) / str(self.seed)

    @property
    def corpus(self) -> Dict[str, Path]:
        return {part: self.folder / "corpus" / f"{part}.spacy" for part in PARTS}

    @property
    def annotated(self) -> Path:
        """The folder of what the teacher annotated."""
        return self.folder / "corpus" / "annotated"

    @property
    def training(self) -> Path:
        """The output folder of the training."""
        return self.folder / "training" / self.name

    @property
    def model(self) -> Path:
        """The folder of the best checkpoint."""
        return self.training / "model-best"

    @property
    def tuned(self) -> Path:
        """The file in which `tune` stores its result."""
        return self.folder / "metrics" / f"{self.name}.tuned.json"

    @property
    def metrics(self) -> Path:
        """The file of the scores on the test set."""
        return self.folder / "metrics" / f"{self.name}.json"

    @property
    def counts(self) -> Path:
        """The file of correct, wrong and missed entities in each sentence of the test set."""
        return self.folder / "metrics" / f"{self.name}.counts.json"
