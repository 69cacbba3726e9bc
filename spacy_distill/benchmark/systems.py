"""The systems to measure, and how each is loaded in its process."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any, Dict, List, Literal, NamedTuple, Optional, Sequence, Tuple

from spacy.language import Language
from spacy.util import is_package
from thinc.api import Config

from ..errors import Errors

# Packages that a student does not need in use, so they are hidden from its process.
HEAVY = ("torch", "transformers", "spacy_transformers")
# Packages that making a transformer needs, and those for making it as ONNX.
TORCH = ("torch", "transformers")
ONNX = (*TORCH, "onnx", "onnxruntime")


class System(NamedTuple):
    """A system, and how its process loads it."""

    name: str
    description: str
    loader: str  # "module:function" in this package
    settings: Dict[str, Any]  # arguments of the loader, to which `prepare_peers` adds
    # What a peer is made from: the student's labels, the teacher, the teacher's tokenizer (with
    # random weights), or the teacher as ONNX.
    needs: Literal["nothing", "labels", "teacher", "tokenizer", "onnx"] = "nothing"
    packages: Tuple[str, ...] = ()  # packages that making it needs
    hidden: Tuple[str, ...] = ()  # packages that are hidden from its process
    sorts: bool = False  # reads texts of similar length together, at batch sizes above 1
    is_student: bool = False


# The systems that a student is compared with, in the order of the tables.
PEERS = {
    peer.name: peer
    for peer in (
        System(
            "spacy-ner",
            "spaCy's stock `ner`, of the shape of en_core_web_sm's, not trained",
            "pipelines:load_spacy",
            {},
            needs="labels",
            hidden=HEAVY,
        ),
        System(
            "teacher",
            "the teacher, as a spaCy pipeline",
            "pipelines:load_spacy",
            {"sort": True},
            needs="teacher",
            sorts=True,
        ),
        System(
            "onnx-fp32",
            "the teacher's transformer and linear layer in onnxruntime, float32",
            "onnx_session:load_onnx",
            {"file": "fp32.onnx"},
            needs="onnx",
            packages=ONNX,
            sorts=True,
        ),
        System(
            "onnx-int8",
            "the same with weights in int8, activations quantised as they come",
            "onnx_session:load_onnx",
            {"file": "int8.onnx"},
            needs="onnx",
            packages=ONNX,
            sorts=True,
        ),
        System(
            "bert-base",
            "BERT-base in transformers, random weights",
            "bert:load_bert",
            {
                "shape": {
                    "hidden_size": 768,
                    "num_hidden_layers": 12,
                    "num_attention_heads": 12,
                    "intermediate_size": 3072,
                }
            },
            needs="tokenizer",
            packages=TORCH,
            sorts=True,
        ),
        System(
            "bert-large",
            "BERT-large in transformers, random weights",
            "bert:load_bert",
            {
                "shape": {
                    "hidden_size": 1024,
                    "num_hidden_layers": 24,
                    "num_attention_heads": 16,
                    "intermediate_size": 4096,
                }
            },
            needs="tokenizer",
            packages=TORCH,
            sorts=True,
        ),
    )
}


def check_pipeline(name: str) -> None:
    """Check that a name is that of a pipeline's folder or package. RAISES (ValueError): D505."""
    if not is_package(name) and not (Path(name) / "meta.json").exists():
        raise ValueError(Errors.D505.format(name=name))


def choose_peers(names: Optional[Sequence[str]]) -> List[System]:
    """Return the requested peers in the order of `PEERS`, or all if `names` is None.

    RAISES (ValueError): D601 for an unknown name.
    """
    unknown = [name for name in names or [] if name not in PEERS]
    if unknown:
        raise ValueError(Errors.D601.format(unknown=unknown, known=list(PEERS)))
    return [peer for name, peer in PEERS.items() if names is None or name in names]


def explain_missing(
    peers: Sequence[System], *, teacher: Optional[str], labels: Sequence[str]
) -> Dict[str, str]:
    """Explain why peers can't be measured, as far as that is known before the teacher is loaded.

    peers (Sequence[System]): Some of `PEERS`.
    teacher (Optional[str]): The teacher's folder or package.
    labels (Sequence[str]): The student's labels.
    RETURNS (Dict[str, str]): The reason for each peer that can't be measured.
    """
    reasons = {}
    for peer in peers:
        missing = [package for package in peer.packages if find_spec(package) is None]
        if peer.needs == "labels" and not labels:
            reasons[peer.name] = "the student has no labels to give it"
        elif peer.needs != "labels" and teacher is None:
            what = ", whose tokenizer it uses" if peer.needs == "tokenizer" else ""
            reasons[peer.name] = f"no teacher is given{what}; give --teacher"
        elif missing:
            reasons[peer.name] = f"no {' and '.join(missing)} here; install 'spacy-distill[bench]'"
    return reasons


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
