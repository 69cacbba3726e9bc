"""The stages of a run: the same commands that a project runs."""

from pathlib import Path
from typing import Any, Dict, Iterable, List, NamedTuple, Optional

from .inputs import Inputs, Settings, make_overrides, source_inputs, training_inputs, weights_digest
from .layout import Files
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
        stages += annotate_stages(teacher, settings)
    own = [make(run, settings) for make in (train_stage, tune_stage, score_stage)]
    return [*stages, *own]


def to_words(command: Iterable[object]) -> List[str]:
    """Turn the paths and numbers of a command into text."""
    return [*map(str, command)]


def corpus_stage(run: Run, settings: Settings) -> Stage:
    files = run.files(settings.work)
    output = files.folder / "corpus"
    command = ["spacy_distill", "corpus", settings.data, output, "--labelled", run.size]
    command += ["--seed", run.seed, "--lang", settings.lang]
    command += [word for source in settings.unlabelled for word in ("--unlabelled", source)]
    return Stage(
        name="corpus",
        folder=files.folder,
        command=to_words(command),
        products=[*files.corpus.values()],
        removes=[output],
        seconds=SECONDS["corpus"],
        inputs=source_inputs(settings),
    )


def table_stage(settings: Settings) -> Stage:
    """The stage that makes the lookup table of the teacher's pieces, the same for all samples."""
    table = settings.work / "table.npz"
    command = ["spacy_distill", "table", table, "--teacher", settings.teacher]
    command += ["--kind", "pieces", "--vectors", "encoder", "--gpu", settings.gpu]
    return Stage(
        name="table",
        folder=settings.work,
        command=to_words(command),
        products=[table],
        removes=[table],
        seconds=SECONDS["table"],
        inputs={"weights": weights_digest(settings.teacher)},
    )


def annotate_stages(teacher: Run, settings: Settings) -> List[Stage]:
    files = teacher.files(settings.work)
    stages = []
    for part in ("labelled", "unlabelled"):
        source, output = files.corpus[part], files.annotated / part
        command = ["spacy_distill", "annotate", files.model, source, output]
        stages.append(
            Stage(
                name=f"annotate-{part}",
                folder=files.folder,
                command=to_words([*command, "--gpu", settings.gpu]),
                products=[output / "00000.spacy"],
                removes=[output],
                seconds=SECONDS_TO_LOAD + source.stat().st_size / BYTES_A_SECOND,
            )
        )
    return stages


def train_stage(run: Run, settings: Settings) -> Stage:
    files, config = run.files(settings.work), run.system.config
    given = {**paths_of(config, settings, files), **make_overrides(run, settings)}
    command = ["spacy", "train", settings.configs / f"{config}.cfg", "--output", files.training]
    command += ["--gpu-id", settings.gpu]
    command += [word for key, value in given.items() for word in (f"--{key}", value)]
    removes = [files.training, files.tuned, files.metrics, files.counts]
    if run.name == TEACHER.name:
        removes.append(files.annotated)
    return Stage(
        name=f"train-{run.name}",
        folder=files.folder,
        command=to_words(command),
        products=[files.model / "meta.json"],
        removes=removes,
        seconds=SECONDS[config],
        inputs=training_inputs(run, settings),
        leftover=files.training / "model-last",  # half of the disk space of a training
    )


def paths_of(config: str, settings: Settings, files: Files) -> Dict[str, Any]:
    """Return the overrides for the block [paths] of a config."""
    labelled, dev = files.corpus["labelled"], files.corpus["dev"]
    annotated, table = files.annotated, settings.work / "table.npz"
    paths: Dict[str, Dict[str, Any]] = {
        "teacher": {"teacher": settings.teacher, "labelled": labelled, "dev": dev},
        "baseline": {"labelled": labelled, "dev": dev, "table": table},
        "student": {
            "labelled": annotated / "labelled",
            "unlabelled": annotated / "unlabelled",
            "dev": dev,
            "table": table,
        },
    }
    return {f"paths.{key}": path for key, path in paths[config].items()}


def tune_stage(run: Run, settings: Settings) -> Stage:
    """The stage that tunes on the development set how readily the pipeline predicts entities."""
    files = run.files(settings.work)
    command = ["spacy_distill", "tune", files.model, files.corpus["dev"], "--output", files.tuned]
    return Stage(
        name=f"tune-{run.name}",
        folder=files.folder,
        command=to_words([*command, "--gpu", settings.gpu]),
        products=[files.tuned],
        removes=[files.tuned],
        seconds=SECONDS["tune"],
    )


def score_stage(run: Run, settings: Settings) -> Stage:
    files = run.files(settings.work)
    products = [files.metrics, files.counts]
    command = ["spacy_distill.sweep.score", files.model, files.corpus["test"], *products]
    return Stage(
        name=f"score-{run.name}",
        folder=files.folder,
        command=to_words([*command, "--gpu", settings.gpu]),
        products=products,
        removes=products,
        seconds=SECONDS["score"],
    )
