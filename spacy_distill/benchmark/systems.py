"""The systems to measure, and how each is loaded in its process."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from spacy.language import Language
from spacy.util import is_package
from thinc.api import Config

from ..errors import Errors

# The systems that a student is compared with, in the order of the tables.
PEERS = {
    "spacy-ner": "spaCy's stock `ner`, of the shape of en_core_web_sm's, not trained",
    "teacher": "the teacher, as a spaCy pipeline",
    "onnx-fp32": "the teacher's transformer and linear layer in onnxruntime, float32",
    "onnx-int8": "the same with weights in int8, activations quantised as they come",
    "bert-base": "BERT-base in transformers, random weights",
    "bert-large": "BERT-large in transformers, random weights",
}
BERT_SHAPES = {
    "bert-base": {
        "hidden_size": 768,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "intermediate_size": 3072,
    },
    "bert-large": {
        "hidden_size": 1024,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "intermediate_size": 4096,
    },
}
ONNX = {"onnx-fp32": "fp32", "onnx-int8": "int8"}
# Packages that a student does not need in use, so they are hidden from its process.
HEAVY = ("torch", "transformers", "spacy_transformers")


class System(NamedTuple):
    """A system, and how its process loads it."""

    name: str
    description: str
    loader: str  # "module:function" in this package
    settings: Dict[str, Any]  # arguments of the loader
    hidden: Tuple[str, ...] = ()  # packages that are hidden from its process
    sorts: bool = False  # reads texts of similar length together, at batch sizes above 1
    is_student: bool = False


def check_pipeline(name: str) -> None:
    """Check that a name is that of a pipeline's folder or package. RAISES (ValueError): D505."""
    if not is_package(name) and not (Path(name) / "meta.json").exists():
        raise ValueError(Errors.D505.format(name=name))


def choose_peers(names: Optional[Sequence[str]]) -> List[str]:
    """Return the requested peers in the order of `PEERS`, or all if `names` is None.

    RAISES (ValueError): D501 for an unknown name.
    """
    unknown = [name for name in names or [] if name not in PEERS]
    if unknown:
        raise ValueError(Errors.D501.format(unknown=unknown, known=list(PEERS)))
    return [name for name in PEERS if names is None or name in names]


def explain_missing(
    peers: Sequence[str], *, teacher: Optional[str], labels: Sequence[str]
) -> Dict[str, str]:
    """Explain why peers can't be measured, as far as that is known before the teacher is loaded.

    peers (Sequence[str]): Names of `PEERS`.
    teacher (Optional[str]): The teacher's folder or package.
    labels (Sequence[str]): The student's labels.
    RETURNS (Dict[str, str]): The reason for each peer that can't be measured.
    """
    reasons = {}
    for name in peers:
        missing = [package for package in required_packages(name) if find_spec(package) is None]
        if name == "spacy-ner":
            if not labels:
                reasons[name] = "the student has no labels to give it"
        elif teacher is None:
            what = "" if name == "teacher" or name in ONNX else ", whose tokenizer it uses"
            reasons[name] = f"no teacher is given{what}; give --teacher"
        elif missing:
            reasons[name] = f"no {' and '.join(missing)} here; install 'spacy-distill[bench]'"
    return reasons


def required_packages(name: str) -> Tuple[str, ...]:
    """Return the packages that making a peer needs."""
    of_transformers = ("torch", "transformers") if name in (*ONNX, *BERT_SHAPES) else ()
    return (*of_transformers, *(("onnx", "onnxruntime") if name in ONNX else ()))


def student_system(name: str, source: str, nlp: Language) -> System:
    """Describe a student. Heavy packages are hidden from it unless its config refers to them."""
    components = Config({"components": nlp.config["components"]}).to_str().lower()
    is_light = "torch" not in components and "transformer" not in components
    return System(
        name,
        "a student",
        "pipelines:load_spacy",
        {"path": source},
        hidden=HEAVY if is_light else (),
        is_student=True,
    )


def peer_system(
    name: str, settings: Dict[str, Any], *, hidden: Tuple[str, ...] = (), sorts: bool = True
) -> System:
    loader = "pipelines:load_spacy"
    if name in ONNX:
        loader = "onnx_session:load_onnx"
    elif name in BERT_SHAPES:
        loader = "bert:load_bert"
    return System(name, PEERS[name], loader, settings, hidden=hidden, sorts=sorts)
