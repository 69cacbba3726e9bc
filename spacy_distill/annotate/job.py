"""An annotation job: the teachers, the student's labels, and all settings that affect output."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

from spacy.language import Language

from ..checks import require
from ..files import digest
from ..loading import import_code, load_blank, use_gpu
from ..teachers.choose import find_lang, identify, load_teacher
from ..teachers.doc_ents import DEFAULT_SMOOTHING
from ..teachers.ensemble import join_teachers
from ..teachers.label_map import NO_MAP, list_labels, read_label_map
from ..types import Teacher

# The language whose tokenizer splits text if no teacher is a pipeline.
DEFAULT_LANG = "en"


@dataclass(frozen=True)
class Job:
    """The settings of an annotation, as plain values that can be sent to any process or machine.

    teachers (Sequence[str]): Teachers as `load_teacher` takes them. The distributions of several
        are averaged.
    weights (Optional[Sequence[float]]): Weights of the teachers; None: equal.
    renames (Sequence[str]): New names for labels of the teachers, each as `OLD=NEW`.
    drop (Sequence[str]): Labels of the teachers that become O.
    labels (Sequence[str]): The student's labels; a teacher may lack some of them. If empty: those
        of the gold entities in the source's first shard, or else the first teacher's.
    gold_labels (Sequence[str]): Labels of the gold entities, set by `annotate_source` if `labels`
        is empty.
    smoothing, iob1, gpu: See `load_teacher`.
    batch_size (int): Number of documents that the teacher gets at a time.
    shard_size (int): Number of documents per file.
    lang (str): Language whose tokenizer splits text; if empty, that of the first pipeline, or else
        English.
    code (str): Python file with the functions that pipelines refer to, like `spacy train --code`.
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
    """The loaded teachers of a job."""

    teacher: Teacher  # all of them joined into one
    pipelines: List[Language]  # the pipelines among them


def load_job(job: Job) -> Loaded:
    """Load the teachers.

    RAISES (ValueError): D020 without the GPU, D018 if the code can't be imported, D007 if `drop`
        leaves no labels, and the errors of `load_teacher` and `join_teachers`.
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
    """Make the pipeline that tokenises text, in the student's language: see `load_blank`."""
    return load_blank(job.lang or next(filter(None, map(find_lang, job.teachers)), DEFAULT_LANG))


def list_settings(job: Job, tags: Sequence[str]) -> Dict[str, Any]:
    """List everything but the texts that affects which bytes are written, in a form for JSON.

    tags (Sequence[str]): The tags of the joined teachers, which stand for the labels.
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
