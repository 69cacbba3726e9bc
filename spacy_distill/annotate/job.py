"""What is to be done: the teachers, the student's labels, and all that decides what is written."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

from spacy.language import Language
from spacy.util import get_package_path, import_file, is_package

from ..checks import require
from ..data.raw_text import make_tokenizer
from ..errors import Errors
from ..files import digest, digest_folder, read_json
from ..loading import use_gpu
from ..teachers.choose import is_pipeline, load_teacher, split_revision
from ..teachers.doc_ents import DEFAULT_SMOOTHING
from ..teachers.ensemble import join_teachers
from ..teachers.label_map import NO_MAP, list_labels, read_label_map
from ..types import Teacher

# What text is tokenised by where no teacher is a pipeline.
DEFAULT_LANG = "en"


@dataclass(frozen=True)
class Job:
    """What to annotate with. It is of plain values, so that any process or machine can be sent it.

    teachers (Sequence[str]): As `load_teacher` takes them. Of several, the mean teaches.
    weights (Optional[Sequence[float]]): Of each of them; None: all the same.
    names (Sequence[str]): `OLD=NEW` each: what labels of the teachers are called.
    drop (Sequence[str]): Labels of the teachers that become O.
    labels (Sequence[str]): The student's, of which a teacher may lack some; none: those of the gold
        entities in the source's first shard, else the first teacher's.
    gold (Sequence[str]): Labels of gold entities, where `labels` are not given. Found by
        `annotate_source`.
    smoothing, iob1, gpu: See `load_teacher`.
    batch_size (int): Documents that the teacher gets at a time.
    shard_size (int): Documents in one file.
    lang (str): Language that text is tokenised by; none: the first pipeline's, else English.
    code (str): Python file that registers what pipelines are made of, as of `spacy train`.
    RAISES (ValueError): D007 for a size below 1.
    """

    teachers: Sequence[str]
    weights: Optional[Sequence[float]] = None
    names: Sequence[str] = ()
    drop: Sequence[str] = ()
    labels: Sequence[str] = ()
    gold: Sequence[str] = ()
    smoothing: float = DEFAULT_SMOOTHING
    iob1: bool = False
    gpu: int = -1
    batch_size: int = 1024
    shard_size: int = 10_000
    lang: str = ""
    code: str = ""

    def __post_init__(self) -> None:
        for setting in ("batch_size", "shard_size"):
            value = getattr(self, setting)
            require(value >= 1, setting, value, "1 or more")


class Loaded(NamedTuple):
    """Teachers that are ready."""

    teacher: Teacher  # one of all of them
    pipelines: List[Language]  # those of them that are pipelines


def load_job(job: Job) -> Loaded:
    """Load the teachers.

    RAISES (ValueError): D020 without that GPU, and what `load_teacher` and `join_teachers` raise.
    """
    use_gpu(job.gpu)
    import_code(job.code)
    teachers = [
        load_teacher(given, smoothing=job.smoothing, iob1=job.iob1, gpu=job.gpu)
        for given in job.teachers
    ]
    joined = join_teachers(
        teachers,
        weights=job.weights,
        labels=job.labels or job.gold or None,
        label_map=read_label_map(job.names, drop=job.drop),
        may_lack=bool(job.labels),
    )
    holds = bool(list_labels(joined.tags, NO_MAP))
    require(holds, "--drop", list(job.drop), "labels that leave others")
    return Loaded(joined, [one.nlp for one in teachers if hasattr(one, "nlp")])


def find_code(path: Optional[Path]) -> str:
    """A file of code, wherever it is imported. RAISES (FileNotFoundError): D016."""
    if path is None:
        return ""
    if not path.is_file() or path.suffix != ".py":
        raise FileNotFoundError(Errors.D016.format(path=path))
    return str(path.resolve())


@cache
def import_code(path: str) -> None:
    """Import a job's code, if there is any: once a process, for most can't be registered twice.

    RAISES (ValueError): D018 if it fails.
    """
    if path:
        try:
            import_file("python_code", path)
        except Exception as error:  # whatever somebody's code does
            reason = f"{type(error).__name__}: {error}"
            raise ValueError(Errors.D018.format(path=path, reason=reason)) from error


def make_job_tokenizer(job: Job) -> Language:
    """What tokenises text, in the student's language: see `make_tokenizer`."""
    return make_tokenizer(
        job.lang or next(filter(None, map(find_lang, job.teachers)), DEFAULT_LANG)
    )


def list_settings(job: Job, tags: Sequence[str]) -> Dict[str, Any]:
    """All that decides which bytes are written, beside the texts: as JSON has it.

    tags (Sequence[str]): Those of the joined teachers, which say of labels all that matters.
    """
    return {
        "teachers": [identify(given) for given in job.teachers],
        "weights": None if job.weights is None else list(job.weights),
        "map": list(job.names),
        "drop": list(job.drop),
        "tags": list(tags),
        "smoothing": job.smoothing,
        "iob1": job.iob1,
        "device": "cpu" if job.gpu < 0 else "gpu",
        "batch_size": job.batch_size,
        "shard_size": job.shard_size,
        "code": f"sha256:{digest(Path(job.code))}" if job.code else None,
    }


def identify(source: str) -> str:
    """What identifies a pipeline or a checkpoint: the digest of its folder or package, or the hub's
    commit."""
    folder = find_folder(source)
    if folder is not None:
        return f"sha256:{digest_folder(folder)}"
    from ..teachers.hf_token_classifier import find_commit

    name, revision = split_revision(source)
    return f"{name}@{find_commit(name, revision=revision)}"


def find_lang(teacher: str) -> str:
    """The language of a pipeline; empty for what is none."""
    folder = find_folder(teacher)
    meta = folder / "meta.json" if folder else Path()
    return read_json(meta).get("lang", "") if meta.is_file() else ""


def find_folder(teacher: str) -> Optional[Path]:
    """Where a teacher's files are: its folder, or its package's; None for an id on the hub.

    RAISES (ValueError): D019 for a package that can't be imported by that name.
    """
    path = Path(teacher)
    if path.exists() and (is_pipeline(path) or not is_package(teacher)):
        return path
    try:
        return get_package_path(teacher) if is_package(teacher) else None
    except ImportError as error:  # en-core-web-sm is installed, and imported as en_core_web_sm
        raise ValueError(Errors.D019.format(source=teacher, reason=error)) from error
