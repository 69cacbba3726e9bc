"""What is given says which kind of teacher it is."""

from pathlib import Path
from typing import List, Optional, Sequence, Tuple, Union

from spacy.language import Language
from spacy.pipeline import EntityRecognizer
from spacy.util import get_package_path, is_package

from ..errors import Errors
from ..files import digest_folder, is_path, read_json
from ..loading import load_pipeline
from ..pipeline.ner_tagger import NERTagger
from ..types import Teacher
from .doc_ents import (
    DEFAULT_SMOOTHING,
    DocEntsTeacher,
    find_declared_labels,
    says_it_sets,
    sets_entities,
)
from .label_map import NO_MAP, list_labels, map_tags
from .ner_tagger import NERTaggerTeacher
from .stock_ner import StockNERTeacher
from .whole_pipeline import WholePipelineTeacher

# How transformers calls the architecture of a checkpoint that labels tokens.
ARCHITECTURE = "ForTokenClassification"


def load_teacher(
    source: str, *, smoothing: float = DEFAULT_SMOOTHING, iob1: bool = False, gpu: int = -1
) -> Teacher:
    """Load a teacher of any kind.

    source (str): A pipeline's folder or package; or a Hugging Face checkpoint for token
        classification: its folder, or its id on the hub, `NAME@REVISION`.
    smoothing (float): Of a pipeline that only sets `doc.ents`; see `DocEntsTeacher`.
    iob1 (bool): Of a checkpoint; see `HFTokenClassifier`.
    gpu (int): GPU to run a checkpoint on, -1 for the CPU.
    RETURNS (Teacher): The teacher.
    RAISES (ValueError): D808 for a pipeline that sets no entities, D805 for what is no teacher.
    """
    check_teacher(source)
    path = Path(source)
    if is_pipeline(path) or is_package(source):
        # Of a folder and a package of one name, the folder.
        nlp = load_pipeline(path if is_pipeline(path) else source)
        return choose_teacher(nlp, smoothing=smoothing)
    # Only a checkpoint needs torch and transformers.
    from .hf_token_classifier import HFTokenClassifier

    name, revision = split_revision(source)
    return HFTokenClassifier.load(name, revision=revision, iob1=iob1, gpu=gpu)


def check_teacher(source: str) -> None:
    """Refuse what can't be loaded as a teacher. RAISES (ValueError): D805."""
    path = Path(source)
    is_one = is_pipeline(path) or is_package(source) or is_checkpoint(path) or is_model_id(source)
    if not is_one:
        raise ValueError(Errors.D805.format(teacher=source, architecture=ARCHITECTURE))


def choose_teacher(nlp: Language, *, smoothing: float = DEFAULT_SMOOTHING) -> Teacher:
    """A pipeline as a teacher, by its components: `ner_tagger`, `ner`, or what sets `doc.ents`.

    Where others of its components say that they set entities, rules say, they teach, too.

    RAISES (ValueError): D808 if nothing of it sets entities.
    """
    for name, pipe in nlp.pipeline:
        if isinstance(pipe, NERTagger):
            return with_others(NERTaggerTeacher(nlp, pipe), list_others(nlp, name), smoothing)
    for i, (name, pipe) in enumerate(nlp.pipeline):
        if isinstance(pipe, EntityRecognizer):
            # What stands before it is among what it looks at.
            others = [other for other in list_others(nlp, name) if other in nlp.pipe_names[i:]]
            return with_others(StockNERTeacher(nlp, pipe), others, smoothing)
    if not any(sets_entities(nlp, name) for name in nlp.pipe_names):
        raise ValueError(Errors.D808.format(pipes=nlp.pipe_names))
    return DocEntsTeacher(nlp, find_declared_labels(nlp), smoothing)


def list_others(nlp: Language, name: str) -> List[str]:
    """The components beside one that say they set entities."""
    return [other for other in nlp.pipe_names if other != name and says_it_sets(nlp, other)]


def with_others(
    teacher: Union[NERTaggerTeacher, StockNERTeacher], others: Sequence[str], smoothing: float
) -> Teacher:
    """A component as a teacher, together with components that change what it finds.

    others (Sequence[str]): Their names.
    smoothing (float): Of what these set.
    """
    if not others:
        return teacher
    labels = list_labels(teacher.tags, NO_MAP)
    for name in others:
        found = getattr(teacher.nlp.get_pipe(name), "labels", ())
        labels += [label for label in found if label not in labels]
    whole = DocEntsTeacher(teacher.nlp, labels, smoothing)
    return WholePipelineTeacher(map_tags(teacher, whole.tags, NO_MAP), whole)


def is_pipeline(path: Path) -> bool:
    """Whether a folder holds a pipeline."""
    return (path / "meta.json").exists()


def is_checkpoint(path: Path) -> bool:
    """Whether a folder holds a Hugging Face checkpoint for token classification."""
    config = path / "config.json"
    if not config.exists():
        return False
    architectures = read_json(config).get("architectures") or []
    return any(name.endswith(ARCHITECTURE) for name in architectures)


def is_model_id(source: str) -> bool:
    """Whether a source can only be an id on the hub: `OWNER/NAME`, or with a revision."""
    return not is_path(source) and ("@" in source or source.count("/") == 1)


def split_revision(source: str) -> Tuple[str, str]:
    """`NAME@REVISION` -> its two parts, the latter empty where there is none, as for a folder."""
    if Path(source).exists():
        return source, ""
    name, _, revision = source.partition("@")
    return name, revision


def identify(source: str) -> str:
    """What identifies a pipeline or a checkpoint: the digest of its folder or package, or the hub's
    commit."""
    folder = find_folder(source)
    if folder is not None:
        return f"sha256:{digest_folder(folder)}"
    from .hf_token_classifier import find_commit

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
