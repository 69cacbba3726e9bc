"""What is given says which kind of teacher it is."""

from pathlib import Path
from typing import Tuple

import srsly
from spacy.language import Language
from spacy.pipeline import EntityRecognizer
from spacy.util import is_package, load_model

from ..errors import Errors
from ..pipeline.ner_tagger import NERTagger
from ..types import Teacher
from .doc_ents import DEFAULT_SMOOTHING, DocEntsTeacher, find_labels, sets_entities
from .ner_tagger import NERTaggerTeacher
from .stock_ner import StockNERTeacher

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
    RAISES (ValueError): D012 for a pipeline that sets no entities, D805 for what is no teacher.
    """
    path = Path(source)
    if (path / "meta.json").exists() or is_package(source):
        return choose_teacher(load_model(source), smoothing=smoothing)
    if not (is_checkpoint(path) or is_on_hub(source)):
        raise ValueError(Errors.D805.format(teacher=source, architecture=ARCHITECTURE))
    # Only a checkpoint needs torch and transformers.
    from .hf_token_classifier import HFTokenClassifier

    name, revision = split_revision(source)
    return HFTokenClassifier.load(name, revision=revision, iob1=iob1, gpu=gpu)


def choose_teacher(nlp: Language, *, smoothing: float = DEFAULT_SMOOTHING) -> Teacher:
    """A pipeline as a teacher, by its components: `ner_tagger`, `ner`, or what sets `doc.ents`.

    RAISES (ValueError): D012 if nothing of it sets entities.
    """
    for kind in (NERTagger, EntityRecognizer):
        for _, pipe in nlp.pipeline:
            if isinstance(pipe, kind):
                is_ours = isinstance(pipe, NERTagger)
                return NERTaggerTeacher(nlp, pipe) if is_ours else StockNERTeacher(nlp, pipe)
    if not any(sets_entities(nlp, name) for name in nlp.pipe_names):
        raise ValueError(Errors.D012.format(pipes=nlp.pipe_names))
    return DocEntsTeacher(nlp, find_labels(nlp), smoothing)


def is_checkpoint(path: Path) -> bool:
    """Whether a folder holds a Hugging Face checkpoint for token classification."""
    config = path / "config.json"
    if not config.exists():
        return False
    architectures = srsly.read_json(config).get("architectures") or []
    return any(name.endswith(ARCHITECTURE) for name in architectures)


def is_on_hub(source: str) -> bool:
    """Whether a source can only be an id on the hub: `OWNER/NAME`, or with a revision."""
    return not Path(source).exists() and ("@" in source or source.count("/") == 1)


def split_revision(source: str) -> Tuple[str, str]:
    """`NAME@REVISION` -> its two parts, the latter empty where there is none, as for a folder."""
    if Path(source).exists():
        return source, ""
    name, _, revision = source.partition("@")
    return name, revision
