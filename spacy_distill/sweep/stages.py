"""The stages of a run: the same commands that a project runs."""

from pathlib import Path
from typing import Dict, List, NamedTuple, Optional

from ..files import read_json
from .inputs import Inputs, Settings, make_overrides, source_inputs, training_inputs, weights_digest
from .layout import (
    annotated_folder,
    best_model,
    corpus_files,
    counts_file,
    metrics_file,
    sample_folder,
    training_folder,
    tuned_file,
)
from .plan import TEACHER, Run

# Approximate seconds that a stage takes on one thread, to estimate the time left.
SECONDS = {
    "corpus": 6,
    "table": 110,
    "teacher": 600,
    "baseline": 60,
    "student": 180,
    "tune": 10,
    "score": 10,
}
# For annotation: the time to load the teacher, and its speed in bytes of a compressed .spacy file.
SECONDS_TO_LOAD, BYTES_A_SECOND = 10.0, 10_000


class Stage(NamedTuple):
    """A command, and what is needed to tell whether it was run.

    name (str): The name of its log and its receipt.
    folder (Path): Folder that has these in `logs`.
    command (List[str]): Arguments of `python -m`.
    products (List[Path]): Files that it makes.
    removes (List[Path]): What to remove before it runs: first its output, which has the products,
        then what was made from it.
    seconds (float): How long it takes, approximately.
    inputs (Optional[Dict[str, Any]]): What it depends on, besides earlier stages.
    leftover (Optional[Path]): A folder that it makes but that nothing reads, to remove at its end.
    """

    name: str
    folder: Path
    command: List[str]
    products: List[Path]
    removes: List[Path]
    seconds: float
    inputs: Optional[Inputs] = None
    leftover: Optional[Path] = None

    @property
    def log(self) -> Path:
        return self.folder / "logs" / f"{self.name}.log"

    @property
    def receipt(self) -> Path:
        """The file that records its command, its inputs and how long it took, once it has ended."""
        return self.folder / "logs" / f"{self.name}.json"


def is_done(stage: Stage) -> bool:
    """Whether a sweep has completed a stage, and its products exist.

    Products alone are no proof, because an interrupted training has also saved weights.
    """
    return stage.receipt.exists() and all(path.exists() for path in stage.products)


def make_stages(run: Run, settings: Settings) -> List[Stage]:
    """List all stages of a run, in order. Its corpus must exist already."""
    stages = [corpus_stage(run, settings)]
    if run.system.config != "teacher":
        stages.append(table_stage(settings))
    if run.system.config == "student":
        teacher = Run(TEACHER, run.size, run.seed)
        stages += [train_stage(teacher, settings), tune_stage(teacher, settings)]
        stages += annotate_stages(run, settings)
    own = [make(run, settings) for make in (train_stage, tune_stage, score_stage)]
    return [*stages, *own]


def corpus_stage(run: Run, settings: Settings) -> Stage:
    folder = sample_folder(settings.work, run.size, run.seed)
    products = [*corpus_files(folder).values()]
    more = [word for source in settings.unlabelled for word in ("--unlabelled", source)]
    options = ["--labelled", str(run.size), "--seed", str(run.seed), "--lang", settings.lang]
    command = ["spacy_distill", "corpus", settings.data, str(folder / "corpus"), *options, *more]
    return Stage(
        name="corpus",
        folder=folder,
        command=command,
        products=products,
        removes=[folder / "corpus"],
        seconds=SECONDS["corpus"],
        inputs=source_inputs(settings),
    )


def table_stage(settings: Settings) -> Stage:
    """The stage that makes the lookup table of the teacher's pieces, the same for all samples."""
    table = settings.work / "table.npz"
    command = ["spacy_distill", "table", str(table), "--teacher", settings.teacher]
    command += ["--kind", "pieces", "--vectors", "encoder", "--gpu", str(settings.gpu)]
    return Stage(
        name="table",
        folder=settings.work,
        command=command,
        products=[table],
        removes=[table],
        seconds=SECONDS["table"],
        inputs={"weights": weights_digest(settings.teacher)},
    )


def annotate_stages(run: Run, settings: Settings) -> List[Stage]:
    folder = sample_folder(settings.work, run.size, run.seed)
    model = best_model(folder, TEACHER.name)
    stages = []
    for part in ("labelled", "unlabelled"):
        source, output = corpus_files(folder)[part], annotated_folder(folder) / part
        command = ["spacy_distill", "annotate", str(model), str(source), str(output)]
        command += ["--gpu", str(settings.gpu)]
        stages.append(
            Stage(
                name=f"annotate-{part}",
                folder=folder,
                command=command,
                products=[output / "00000.spacy"],
                removes=[output],
                seconds=SECONDS_TO_LOAD + source.stat().st_size / BYTES_A_SECOND,
            )
        )
    return stages


def train_stage(run: Run, settings: Settings) -> Stage:
    folder, config = sample_folder(settings.work, run.size, run.seed), run.system.config
    output = training_folder(folder, run.name)
    given = {**paths_of(config, settings, folder), **make_overrides(run, settings)}
    command = ["spacy", "train", str(settings.configs / f"{config}.cfg"), "--output", str(output)]
    command += ["--gpu-id", str(settings.gpu)]
    command += [word for key, value in given.items() for word in (f"--{key}", value)]
    files = (tuned_file, metrics_file, counts_file)
    removes = [output, *(file(folder, run.name) for file in files)]
    if run.name == TEACHER.name:
        removes.append(annotated_folder(folder))
    return Stage(
        name=f"train-{run.name}",
        folder=folder,
        command=command,
        products=[best_model(folder, run.name) / "meta.json"],
        removes=removes,
        seconds=SECONDS[config],
        inputs=training_inputs(run, settings),
        leftover=output / "model-last",  # half of the disk space of a training
    )


def paths_of(config: str, settings: Settings, folder: Path) -> Dict[str, str]:
    """Return the overrides for the block [paths] of a config."""
    files = corpus_files(folder)
    if config == "teacher":
        return {
            "paths.teacher": settings.teacher,
            "paths.labelled": str(files["labelled"]),
            "paths.dev": str(files["dev"]),
        }
    paths = {"paths.dev": str(files["dev"]), "paths.table": str(settings.work / "table.npz")}
    if config == "baseline":
        return {"paths.labelled": str(files["labelled"]), **paths}
    annotated = annotated_folder(folder)
    return {
        "paths.labelled": str(annotated / "labelled"),
        "paths.unlabelled": str(annotated / "unlabelled"),
        **paths,
    }


def tune_stage(run: Run, settings: Settings) -> Stage:
    """The stage that tunes on the development set how readily the pipeline predicts entities."""
    folder = sample_folder(settings.work, run.size, run.seed)
    model, dev = best_model(folder, run.name), corpus_files(folder)["dev"]
    products = [tuned_file(folder, run.name)]
    command = ["spacy_distill", "tune", str(model), str(dev), "--output", str(products[0])]
    command += ["--gpu", str(settings.gpu)]
    return Stage(
        name=f"tune-{run.name}",
        folder=folder,
        command=command,
        products=products,
        removes=products,
        seconds=SECONDS["tune"],
    )


def score_stage(run: Run, settings: Settings) -> Stage:
    folder = sample_folder(settings.work, run.size, run.seed)
    model, test = best_model(folder, run.name), corpus_files(folder)["test"]
    products = [metrics_file(folder, run.name), counts_file(folder, run.name)]
    command = ["spacy_distill.sweep.score", str(model), str(test), *map(str, products)]
    command += ["--gpu", str(settings.gpu)]
    return Stage(
        name=f"score-{run.name}",
        folder=folder,
        command=command,
        products=products,
        removes=products,
        seconds=SECONDS["score"],
    )


def read_receipt(stage: Stage) -> Dict:
    """Read the receipt of a stage that is done."""
    return read_json(stage.receipt)
