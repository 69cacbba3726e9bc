"""The inputs of a run, which are compared so that rows of different runs are never mixed."""

from functools import cache
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Tuple

from ..data.sources import is_dataset_id
from ..docbins import digest_docs
from ..files import digest, digest_json, digest_source, last_name
from .configs import config_digest, read_environment
from .plan import TEACHER, Run

# The folders of a project with its configs and with its teacher's weights.
CONFIGS, WEIGHTS = Path("configs"), "assets/teacher"
# Inputs as they are stored in JSON.
Inputs = Dict[str, Any]


class Settings(NamedTuple):
    """The settings that all runs of a sweep share.

    data (str): The corpus: a folder, or an id on the hub.
    work (Path): Folder for corpora and trainings, with SIZE/SEED/ for each sample.
    configs (Path): Folder of teacher.cfg, baseline.cfg and student.cfg.
    teacher (str): Folder of the teacher's weights.
    lang (str): Language.
    unlabelled (Tuple[str, ...]): Sources of more text for the pool.
    gpu (int): GPU to use, -1 for the CPU.
    sources (Tuple[Dict[str, Any], ...]): Descriptions of `data` and of each of `unlabelled`, by
        `describe_source`; empty if they are unknown.
    command (Tuple[str, ...]): The arguments and options of the sweep's command.
    """

    data: str
    work: Path
    configs: Path
    teacher: str
    lang: str = "en"
    unlabelled: Tuple[str, ...] = ()
    gpu: int = -1
    sources: Tuple[Inputs, ...] = ()
    command: Tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name of the corpus."""
        return last_name(self.data)


def make_overrides(run: Run, settings: Settings) -> Dict[str, str]:
    """Return the settings that a run overrides in its config, except for paths.

    They include those of the environment, which take precedence in spaCy.
    """
    overrides = {"nlp.lang": settings.lang, "system.seed": str(run.seed)}
    if run.limit:
        overrides["corpora.train.limit"] = str(run.limit)
    return {**overrides, **run.system.overrides, **read_environment()}


def make_inputs(run: Run, settings: Settings) -> Inputs:
    """Collect everything that a run depends on.

    run (Run): The run.
    settings (Settings): The settings of the sweep.
    RETURNS (Dict[str, Any]): The config's name and digest, the overrides, digests of the corpus and
        of the teacher's weights (each None if the files do not exist), and the sources of the
        corpus. For a student also the config and overrides of its teacher.
    """
    config = settings.configs / f"{run.system.config}.cfg"
    overrides = make_overrides(run, settings)
    files = run.files(settings.work).corpus
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
    """Return those inputs of a run that its training depends on.

    The training of a student depends on all of them. That of a teacher or baseline does not depend
    on the pool, so that it is kept if more text is added to the pool.
    """
    inputs = make_inputs(run, settings)
    if run.system.config == "student":
        return inputs
    corpus = inputs["corpus"] and {**inputs["corpus"], "unlabelled": None}
    return {**inputs, "corpus": corpus, "source": None}


def source_inputs(settings: Settings) -> Inputs:
    """Return what a corpus is made from, besides the size and the seed of its sample."""
    return {
        "data": settings.name,
        "lang": settings.lang,
        "unlabelled": [last_name(source) for source in settings.unlabelled],
        "sources": [*settings.sources] or None,
    }


def describe_source(source: str) -> Inputs:
    """Describe a source, to distinguish it from others of the same name.

    RETURNS (Dict[str, Any]): `sha256`, the digest of its files, or `id`, its id on the hub. Both
        are None for a path that does not exist, or not any more.
    """
    path = Path(source)
    if path.exists():
        return {"sha256": digest_source(path), "id": None}
    return {"sha256": None, "id": source if is_dataset_id(source) else None}


def find_differences(found: Mapping[str, Any], expected: Mapping[str, Any]) -> List[str]:
    """List the names of the inputs in which two runs differ.

    An input that is unknown for one of them does not count as a difference. Overrides count only
    through the digest of the resulting config, so that overriding a setting with the value that it
    has in the config makes no difference.
    """
    return [
        name
        for name in {**found, **expected}
        if name != "overrides" and is_unlike(found.get(name), expected.get(name))
    ]


def is_unlike(found: Any, expected: Any) -> bool:
    """Whether two values differ. Parts that are None in either of them are ignored."""
    if found is None or expected is None:
        return False
    if isinstance(found, dict) and isinstance(expected, dict):
        return bool(find_differences(found, expected))
    if isinstance(found, list) and isinstance(expected, list) and len(found) == len(expected):
        return any(map(is_unlike, found, expected))
    return found != expected


def fingerprint(inputs: Inputs) -> str:
    """Return a short digest that identifies inputs."""
    return digest_json(inputs)[:16]


def digest_once(make_digest: Callable[[Path], str], path: Path) -> str:
    """Return the digest of a file, and compute it only if the file has changed."""
    state = path.stat()
    return known_digest(make_digest, path, state.st_mtime_ns, state.st_size)


@cache
def known_digest(make_digest: Callable[[Path], str], path: Path, changed: int, size: int) -> str:
    return make_digest(path)


def weights_digest(teacher: str) -> Optional[str]:
    """Return the digests of a teacher's weights; None if there are no local files of weights."""
    folder = Path(teacher)
    files = sorted([*folder.glob("*.safetensors"), *folder.glob("*.bin")])
    return " ".join(digest_once(digest, file) for file in files) or None
