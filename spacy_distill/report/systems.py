"""The systems of a report: a description of each pipeline, and its predictions on the test set."""

from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from spacy.language import Language
from spacy.util import dict_to_dot

from ..files import folder_size
from ..layers.lookup import NO_WORDS
from ..loading import load_pipeline
from ..parameters import count_parameters, find_nodes
from ..pipeline.ner_tagger import NERTagger
from ..teachers.doc_ents import find_entity_labels
from .predictions import Predictions, predict

# The settings of a pipeline that the page shows: the tag scheme, which the config may leave open,
SCHEME = "scheme"
# settings of the component that predicts entities,
COMPONENT_SETTINGS = (
    "model.classifier",
    "model.lookup.piece_dropout",
    "model.lookup.piece_dropout_limit",
    "model.bilstm.depth",
)
# settings of its loss, shown only for pipelines that learn from soft targets,
LOSS_SETTINGS = (
    "loss.task_weight",
    "loss.distillation_weight",
    "loss.temperature",
    "loss.direction",
    "loss.crf_distribution",
)
# and other settings of the config.
SETTINGS = (
    "corpora.train.labelled_fraction",
    "corpora.train.min_confidence",
    "training.batcher.size",
    "training.dropout",
    "training.max_steps",
    "training.max_epochs",
    "training.optimizer.learn_rate",
    "training.optimizer.learn_rate.initial_rate",
    "training.seed",
)
ALL_SETTINGS = (SCHEME, *COMPONENT_SETTINGS, *LOSS_SETTINGS, *SETTINGS)


class Examined(NamedTuple):
    """A trained pipeline, and what it predicts on the test set."""

    architecture: str
    table: Optional[str]  # description of its lookup table
    labels: Tuple[str, ...]
    settings: Dict[str, Any]  # from its config
    n_parameters: int
    n_bytes: int
    lang: str
    direction: str  # of the language's script, "ltr" or "rtl"
    predictions: Predictions


def examine(name: str, path: Path, *, test: Path, limit: int = 0) -> Examined:
    """Load a pipeline, run it on the test set, and describe it.

    name (str): The name of the pipeline in the report.
    path (Path): Its folder.
    test (Path): The test set (.spacy).
    limit (int): The most documents to read; 0: all.
    RETURNS (Examined): The description. The pipeline itself is not kept, because it may be large.
    """
    nlp = load_pipeline(path)
    predictions = predict(nlp, test, limit=limit, name=name)
    nodes = find_nodes(nlp)
    component = find_component(nlp)
    pipe = nlp.get_pipe(component) if component else None
    config = nlp.config.interpolate()
    own = config["components"].get(component, {})
    distils = "unlabelled" in config.get("corpora", {}).get("train", {})
    return Examined(
        architecture=describe_architecture(own.get("model", {})),
        table=describe_table(nlp),
        labels=tuple(find_entity_labels(nlp)),
        settings={
            **find_scheme(pipe),
            **pick(own, (*COMPONENT_SETTINGS, *(LOSS_SETTINGS if distils else ()))),
            **pick(config, SETTINGS),
        },
        n_parameters=count_parameters(nodes),
        n_bytes=folder_size(path),
        lang=nlp.lang or "",
        direction=nlp.vocab.writing_system.get("direction", "ltr"),
        predictions=predictions,
    )


def find_component(nlp: Language) -> Optional[str]:
    """Name the component that predicts entities: the last `ner_tagger`, else the last component."""
    taggers = [name for name, pipe in nlp.pipeline if isinstance(pipe, NERTagger)]
    names = [*nlp.pipe_names, *taggers]
    return names[-1] if names else None


def find_scheme(pipe: Any) -> Dict[str, Any]:
    """Return the tag scheme of a `ner_tagger`, which its config may leave open, as a setting."""
    return {SCHEME: pipe.cfg["scheme"]} if isinstance(pipe, NERTagger) else {}


def describe_architecture(model: Dict[str, Any]) -> str:
    """Name a model's architecture and, if it has one, that of its tok2vec."""
    names: List[str] = [model[key] for key in ("@architectures", "@layers") if key in model]
    if isinstance(model.get("tok2vec"), dict):
        names.append(describe_architecture(model["tok2vec"]))
    return " over ".join(name for name in names if name)


def describe_table(nlp: Language) -> Optional[str]:
    """Describe a student's lookup table; None if it has none.

    RETURNS (Optional[str]): The number, kind and width of its rows, and the number of distinct
        words in the data that it was initialised with, if known.
    """
    for node in find_nodes(nlp):
        if node.name == "lookup":
            segmenter = node.attrs.get("segmenter", NO_WORDS)
            kind = {"pieces": "word pieces"}.get(segmenter.kind, segmenter.kind)
            n_words = node.attrs.get("n_words", 0)
            return f"{len(segmenter.entries):,} {kind} of width {node.get_dim('nO')}" + (
                f", from {n_words:,} distinct words of text" if n_words else ""
            )
    return None


def pick(config: Dict[str, Any], names: Tuple[str, ...]) -> Dict[str, Any]:
    """Select those of the named settings that a config has, by their dotted names."""
    settings = dict_to_dot(config)
    return {name: tidy(settings[name]) for name in names if settings.get(name) is not None}


def tidy(value: Any) -> Any:
    """A setting; as a float, without the last digits, in which srsly's parser may err: 0.3 on a
    command line becomes 0.30000000000000004."""
    return float(f"{value:.12g}") if isinstance(value, float) else value
