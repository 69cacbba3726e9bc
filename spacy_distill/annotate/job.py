"""What is to be done: the teachers, the student's labels, and all that decides what is written."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

from spacy.language import Language

from ..checks import require
from ..data.raw_text import make_tokenizer
from ..files import digest
from ..loading import import_code, use_gpu
from ..teachers.choose import find_lang, identify, load_teacher
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
    renames (Sequence[str]): `OLD=NEW` each: what labels of the teachers are called.
    drop (Sequence[str]): Labels of the teachers that become O.
    labels (Sequence[str]): The student's, of which a teacher may lack some; none: those of the gold
        entities in the source's first shard, else the first teacher's.
    gold_labels (Sequence[str]): Labels of gold entities, where `labels` are not given. Found by
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
    renames: Sequence[str] = ()
    drop: Sequence[str] = ()
    labels: Sequence[str] = ()
    gold_labels: Sequence[str] = ()
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
        labels=job.labels or job.gold_labels or None,
        label_map=read_label_map(job.renames, drop=job.drop),
        may_lack=bool(job.labels),
    )
    holds = bool(list_labels(joined.tags, NO_MAP))
    require(holds, "--drop", list(job.drop), "some of the labels, not all")
    return Loaded(joined, [one.nlp for one in teachers if hasattr(one, "nlp")])


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
        "map": list(job.renames),
        "drop": list(job.drop),
        "tags": list(tags),
        "smoothing": job.smoothing,
        "iob1": job.iob1,
        "device": "cpu" if job.gpu < 0 else "gpu",
        "batch_size": job.batch_size,
        "shard_size": job.shard_size,
        "code": f"sha256:{digest(Path(job.code))}" if job.code else None,
    }
