"""Choose the kind of teacher by its source."""

import warnings
from itertools import chain
from pathlib import Path
from typing import List, Optional, Sequence, Union

from spacy.language import Language
from spacy.pipeline import EntityRecognizer
from spacy.util import get_package_path, is_package

from ..errors import Errors, Warnings
from ..files import digest_folder, read_json
from ..hub_ids import is_model_id, split_revision
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

# Suffix of the architectures for token classification in transformers.
ARCHITECTURE = "ForTokenClassification"


def load_teacher(
    source: str, *, smoothing: float = DEFAULT_SMOOTHING, iob1: bool = False, gpu: int = -1
) -> Teacher:
    """Load a teacher of any kind.

    source (str): Folder or package of a pipeline; or a Hugging Face checkpoint for token
        classification: its folder, or its id on the hub, `NAME@REVISION`.
    smoothing (float): For a pipeline that only sets `doc.ents`; see `DocEntsTeacher`.
    iob1 (bool): For a checkpoint; see `HFTokenClassifier.load`.
    gpu (int): GPU to run a checkpoint on, -1 for the CPU.
    RETURNS (Teacher): The teacher.
    RAISES (ValueError): D805 if the source is not a teacher, D808 for a pipeline that sets no
        entities.
    """
    check_teacher(source)
    path = Path(source)
    if is_pipeline(path) or is_package(source):
        # A folder takes precedence over a package of the same name.
        nlp = load_pipeline(path if is_pipeline(path) else source)
        return choose_teacher(nlp, smoothing=smoothing)
    # Only a checkpoint needs torch and transformers.
    from .hf_token_classifier import HFTokenClassifier

    name, revision = split_revision(source)
    return HFTokenClassifier.load(name, revision=revision, iob1=iob1, gpu=gpu)


def check_teacher(source: str) -> None:
    """Check that a source can be a teacher. RAISES (ValueError): D805 if it can't."""
    path = Path(source)
    is_one = is_pipeline(path) or is_package(source) or is_checkpoint(path) or is_model_id(source)
    if not is_one:
        raise ValueError(Errors.D805.format(teacher=source, architecture=ARCHITECTURE))


def choose_teacher(nlp: Language, *, smoothing: float = DEFAULT_SMOOTHING) -> Teacher:
    """Create a teacher from a pipeline, by the component that sets its entities.

    This is a `ner_tagger`, an `ner`, or any that sets `doc.ents`. If other components declare that
    they set entities, such as rules, these entities are taught as well.

    RAISES (ValueError): D808 if no component sets entities.
    """
    if name := find_model(nlp):
        pipe = nlp.get_pipe(name)
        others = [other for other in list_others(nlp, name) if says_it_sets(nlp, other)]
        if isinstance(pipe, NERTagger):
            return with_others(NERTaggerTeacher(nlp, pipe), others, smoothing)
        return with_others(StockNERTeacher(nlp, pipe), others, smoothing)
    if not any(sets_entities(nlp, name) for name in nlp.pipe_names):
        raise ValueError(Errors.D808.format(pipes=nlp.pipe_names))
    return DocEntsTeacher(nlp, find_declared_labels(nlp), smoothing)


def find_model(nlp: Language) -> str:
    """Return the name of the component whose scores are taught, or an empty string."""
    for kind in (NERTagger, EntityRecognizer):
        for name, pipe in nlp.pipeline:
            if isinstance(pipe, kind):
                return name
    return ""


def list_others(nlp: Language, name: str) -> List[str]:
    """Return the components whose entities a component does not take into account itself."""
    names = nlp.pipe_names
    if isinstance(nlp.get_pipe(name), EntityRecognizer):  # it keeps those of earlier ones
        names = names[names.index(name) :]
    return [other for other in names if other != name]


def find_undeclared(pipelines: Sequence[Language]) -> List[str]:
    """Return the components that declare nothing, so that entities that they set aren't taught."""
    return [
        other
        for nlp in pipelines
        if (name := find_model(nlp))
        for other in list_others(nlp, name)
        if sets_entities(nlp, other) and not says_it_sets(nlp, other)
    ]


def warn_of_undeclared(names: Sequence[str]) -> None:
    """Warn of the components that `find_undeclared` returns, if there are any: W003."""
    if names:
        warnings.warn(Warnings.W003.format(names=list(names)), stacklevel=2)


def with_others(
    teacher: Union[NERTaggerTeacher, StockNERTeacher], others: Sequence[str], smoothing: float
) -> Teacher:
    """Combine a component, as a teacher, with components that change its entities.

    others (Sequence[str]): Names of these components.
    smoothing (float): Smoothing of the entities that they set.
    """
    if not others:
        return teacher
    of_others = [getattr(teacher.nlp.get_pipe(name), "labels", ()) for name in others]
    labels = dict.fromkeys(chain(list_labels(teacher.tags, NO_MAP), *of_others))
    whole = DocEntsTeacher(teacher.nlp, list(labels), smoothing)
    component = map_tags(teacher, whole.tags, NO_MAP)
    return WholePipelineTeacher(component, whole, is_open=not all(of_others))


def is_pipeline(path: Path) -> bool:
    """Return whether a folder holds a pipeline."""
    return (path / "meta.json").exists()


def is_checkpoint(path: Path) -> bool:
    """Return whether a folder holds a Hugging Face checkpoint for token classification."""
    config = path / "config.json"
    if not config.exists():
        return False
    architectures = read_json(config).get("architectures") or []
    return any(name.endswith(ARCHITECTURE) for name in architectures)


def identify(source: str) -> str:
    """Return an identifier of a pipeline or a checkpoint.

    This is the digest of its folder or package, or the hub's commit.
    """
    folder = find_folder(source)
    if folder is not None:
        return f"sha256:{digest_folder(folder)}"
    from .hf_token_classifier import find_commit

    name, revision = split_revision(source)
    return f"{name}@{find_commit(name, revision=revision)}"


def find_lang(teacher: str) -> str:
    """Return the language of a pipeline, or an empty string for any other teacher."""
    folder = find_folder(teacher)
    meta = folder / "meta.json" if folder else Path()
    return read_json(meta).get("lang", "") if meta.is_file() else ""


def find_folder(teacher: str) -> Optional[Path]:
    """Return the folder with a teacher's files, that of its package, or None for an id on the hub.

    RAISES (ValueError): D019 for a package that can't be imported by that name.
    """
    path = Path(teacher)
    if path.exists() and (is_pipeline(path) or not is_package(teacher)):
        return path
    try:
        return get_package_path(teacher) if is_package(teacher) else None
    except ImportError as error:  # en-core-web-sm is installed, but imported as en_core_web_sm
        raise ValueError(Errors.D019.format(source=teacher, reason=error)) from error
