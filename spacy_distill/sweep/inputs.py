"""What a run depends on, so that rows of unlike runs are never mixed."""

from functools import cache
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Tuple

from spacy.util import load_config

from ..data.sources import is_dataset_id
from ..docbins import PARTS, digest_docs
from ..files import digest, digest_json, digest_source, last_name
from .configs import config_digest, read_environment
from .plan import TEACHER, Run

# Where a project has its configs, and its teacher's weights.
CONFIGS, WEIGHTS = Path("configs"), "assets/teacher"
# As JSON has it.
Inputs = Dict[str, Any]


class Settings(NamedTuple):
    """What all runs of a sweep have in common.

    data (str): The corpus: a folder, or an id on the hub.
    work (Path): Folder for what is made on the way, SIZE/SEED/ for each sample.
    configs (Path): Folder of teacher.cfg, baseline.cfg and student.cfg.
    teacher (str): Folder of the teacher's weights.
    lang (str): Language.
    unlabelled (Tuple[str, ...]): More text for the pool.
    gpu (int): Which to use, -1 for the CPU.
    teacher_steps (int): Of every teacher; 0 for as many as its config says.
    sources (Tuple[Dict[str, Any], ...]): What data and each of unlabelled are, by
        `describe_source`; none if that is not known.
    command (Tuple[str, ...]): The sweep as it was asked for: its arguments and options.
    """

    data: str
    work: Path
    configs: Path
    teacher: str
    lang: str = "en"
    unlabelled: Tuple[str, ...] = ()
    gpu: int = -1
    teacher_steps: int = 0
    sources: Tuple[Inputs, ...] = ()
    command: Tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name of the corpus."""
        return last_name(self.data)


def sample_folder(work: Path, size: int, seed: int) -> Path:
    """The folder of a sample, laid out as a project is.

    work (Path): Folder of the sweep.
    size, seed (int): Of the sample, as a run has them.
    """
    return work / str(size) / str(seed)


def corpus_files(folder: Path) -> Dict[str, Path]:
    return {part: folder / "corpus" / f"{part}.spacy" for part in PARTS}


def make_overrides(run: Run, settings: Settings) -> Dict[str, str]:
    """The settings that a run changes in its config, but for paths; those of the environment, which
    win with spaCy, are among them."""
    overrides = {"nlp.lang": settings.lang, "system.seed": str(run.seed)}
    if run.system.config == "teacher" and settings.teacher_steps:
        overrides.update(shorten_teacher(settings))
    if run.limit:
        overrides["corpora.train.limit"] = str(run.limit)
    return {**overrides, **run.system.overrides, **read_environment()}


def shorten_teacher(settings: Settings) -> Dict[str, str]:
    """What makes a teacher's training as long as the settings say, and scores what it learnt."""
    steps = settings.teacher_steps
    overrides = {"training.max_steps": str(steps)}
    config = load_config(settings.configs / "teacher.cfg", interpolate=True)
    if config["training"].get("eval_frequency", 0) > steps:
        overrides["training.eval_frequency"] = str(steps)
    if "before_init" in config.get("initialize", {}):  # it would lengthen the training
        overrides["initialize.before_init"] = "null"
    return overrides


def make_inputs(run: Run, settings: Settings) -> Inputs:
    """What a run depends on, as JSON.

    RETURNS (Dict[str, Any]): The config and its digest, overrides, digests of the corpus and of
        the teacher's weights, each None where there are no files to look at, and what the corpus is
        made from; a student's have those of its teacher, too.
    """
    config = settings.configs / f"{run.system.config}.cfg"
    overrides = make_overrides(run, settings)
    folder = sample_folder(settings.work, run.size, run.seed)
    files = corpus_files(folder)
    is_there = all(path.exists() for path in files.values())
    corpus = {part: digest_once(digest_docs, path) for part, path in files.items() if is_there}
    inputs: Inputs = {
        "config": {"name": config.name, "sha256": config_digest(config, overrides)},
        "overrides": overrides,
        "corpus": corpus or None,
        "weights": weights_digest(settings.teacher),
        "source": source_inputs(settings),
    }
    if run.system.config == "student":
        of_teacher = make_inputs(Run(TEACHER, run.size, run.seed), settings)
        inputs["teacher"] = {key: of_teacher[key] for key in ("config", "overrides")}
    return inputs


def training_inputs(run: Run, settings: Settings) -> Inputs:
    """What of `make_inputs` a run's training depends on: a student's on all of it, a teacher's and
    a baseline's not on the pool, so that they are kept where more text is joined to it."""
    inputs = make_inputs(run, settings)
    if run.system.config == "student":
        return inputs
    corpus = inputs["corpus"] and {**inputs["corpus"], "unlabelled": None}
    return {**inputs, "corpus": corpus, "source": None}


def source_inputs(settings: Settings) -> Inputs:
    """What a corpus is made from, beside the size and the seed of its sample."""
    return {
        "data": settings.name,
        "lang": settings.lang,
        "unlabelled": [last_name(source) for source in settings.unlabelled],
        "sources": [*settings.sources] or None,
    }


def describe_source(source: str) -> Inputs:
    """What tells a source from others of its name: what it holds, or its id on the hub.

    Both are None of a path where there is nothing, any more.
    """
    path = Path(source)
    if path.exists():
        return {"sha256": digest_source(path), "id": None}
    return {"sha256": None, "id": source if is_dataset_id(source) else None}


def find_differences(found: Mapping[str, Any], expected: Mapping[str, Any]) -> List[str]:
    """What differs between two runs' inputs, by name; what is not known of one differs from none.

    Overrides make a difference by the config that comes of them: to override a setting with its
    default makes none.
    """
    return [
        name
        for name in {**found, **expected}
        if name != "overrides" and is_unlike(found.get(name), expected.get(name))
    ]


def is_unlike(found: Any, expected: Any) -> bool:
    """Whether two values differ. What is None, in one or within it, does not."""
    if found is None or expected is None:
        return False
    if isinstance(found, dict) and isinstance(expected, dict):
        return bool(find_differences(found, expected))
    if isinstance(found, list) and isinstance(expected, list) and len(found) == len(expected):
        return any(map(is_unlike, found, expected))
    return found != expected


def fingerprint(inputs: Inputs) -> str:
    """A short name of inputs: the same for the same."""
    return digest_json(inputs)[:16]


def digest_once(make_digest: Callable[[Path], str], path: Path) -> str:
    """The digest of a file. Made again only if the file has changed."""
    state = path.stat()
    return known_digest(make_digest, path, state.st_mtime_ns, state.st_size)


@cache
def known_digest(make_digest: Callable[[Path], str], path: Path, changed: int, size: int) -> str:
    return make_digest(path)


def weights_digest(teacher: str) -> Optional[str]:
    """The digest of a teacher's weights; None if they are in no folder here."""
    folder = Path(teacher)
    files = sorted([*folder.glob("*.safetensors"), *folder.glob("*.bin")])
    return " ".join(digest_once(digest, file) for file in files) or None
