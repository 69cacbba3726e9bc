"""The student of `distill`: its config, its lookup table, its training."""

import hashlib
import json
import sys
from pathlib import Path
from typing import Any, Mapping, Optional, Sequence

import srsly
from spacy.cli._util import show_validation_error
from spacy.training.initialize import init_nlp
from spacy.training.loop import train
from spacy.util import load_config
from thinc.api import Config, require_cpu
from wasabi import msg
from weasel.util.hashing import get_checksum

from ..errors import Errors, require
from .table import table_cli
from .tune import tune_cli
from .weights import DEFAULT, weights_cli

# Where the project workflow keeps the weights of its teacher.
PROJECT_WEIGHTS = Path("assets/teacher")
READER = "spacy-distill.DistillationCorpus.v1"
TABLE_WIDTH = 100
# What each product was made from, so that it is not made again from the same.
NOTE = "distilled.json"


def read_config(path: Path, overrides: Mapping[str, Any]) -> Config:
    """Read a student's config, not interpolated. RAISES (FileNotFoundError): D110."""
    if not path.exists():
        raise FileNotFoundError(Errors.D110.format(source=path))
    with show_validation_error(path):
        return load_config(path, overrides=dict(overrides), interpolate=False)


def find_student(config: Config, *, source: Path) -> str:
    """The name of a config's `ner_tagger`. RAISES (ValueError): D416 if there is none."""
    blocks = config.get("components", {})
    factories = {name: block.get("factory") for name, block in blocks.items()}
    for name, factory in factories.items():
        if factory == "ner_tagger":
            return name
    raise ValueError(Errors.D416.format(path=source, found=factories))


def has_table(config: Config, name: str) -> bool:
    """Whether a student begins with a lookup table."""
    return find(config, f"initialize.components.{name}.init_model.path") is not None


def set_inputs(
    config: Config, inputs: Mapping[str, Optional[str]], *, name: str, labels: Sequence[str]
) -> None:
    """Put what a student learns from into its config.

    config (Config): Not interpolated. Modified in place.
    inputs (Mapping[str, Optional[str]]): For the block [paths]: `labelled`, `unlabelled`, `dev`,
        `table`.
    name (str): The component's name.
    labels (Sequence[str]): All that the teacher has. There need not be an entity of each.
    RAISES (ValueError): D007 if the config does not read its data from [paths].
    """
    config.setdefault("paths", {}).update(inputs)
    blocks = config.setdefault("initialize", {}).setdefault("components", {})
    blocks.setdefault(name, {}).setdefault("labels", list(labels))
    filled = config.interpolate()
    reader = find(filled, "corpora.train.@readers")
    require(reader == READER, "'corpora.train.@readers'", reader, f"'{READER}'")
    reads = {
        "corpora.train.labelled": "labelled",
        "corpora.train.unlabelled": "unlabelled",
        "corpora.dev.path": "dev",
        f"initialize.components.{name}.init_model.path": "table",
    }
    for setting, key in reads.items():
        if key in inputs:
            found = find(filled, setting)
            require(found == inputs[key], f"'{setting}'", found, f"'${{paths.{key}}}'")


def find(config: Mapping[str, Any], setting: str) -> Any:
    """A value by its name with dots; None if there is none."""
    found: Any = config
    for key in setting.split("."):
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def make_table(output: Path, *, encoder: str, width: Optional[int], gpu: int) -> Path:
    """Make a lookup table from a transformer's word pieces, unless it is there.

    output (Path): The folder for it, and for the transformer's weights if they are not here.
    encoder (str): A folder, or what the command `weights` takes; empty: the default teacher.
    width (Optional[int]): Dimensions of a row; None: the usual ones.
    gpu (int): Which to use, -1 for the CPU.
    """
    is_of_project = not encoder and (PROJECT_WEIGHTS / "config.json").exists()
    weights = PROJECT_WEIGHTS if is_of_project else Path(encoder or output / "encoder")
    if not weights.is_dir() or weights == output / "encoder":
        weights = output / "encoder"
        weights_cli(encoder or DEFAULT, weights)
    path = output / "table.npz"
    made_from = fingerprint(get_checksum(weights), width)
    if path.exists() and recall(output, "table") == made_from:
        msg.info(f"'{path}' is up to date")
        return path
    table_cli(path, teacher=str(weights), width=width or TABLE_WIDTH, gpu=gpu)
    note(output, "table", made_from)
    return path


def train_student(config: Config, output: Path, *, source: Path, made_from: str) -> Path:
    """Train a student, and tune it on its development set, unless that is done.

    config (Config): Not interpolated, its inputs set.
    output (Path): The folder, as of `spacy train`.
    source (Path): Where the config is from, for errors.
    made_from (str): Fingerprint of the inputs.
    RETURNS (Path): The best pipeline.
    """
    best = output / "model-best"
    if (best / "meta.json").exists() and recall(output, "student") == made_from:
        msg.info(f"'{best}' is up to date")
        return best
    note(output, "student", None)
    # The teacher may have used a GPU. The student's layers are NumPy's.
    require_cpu()
    with show_validation_error(source, hint_fill=False):
        nlp = init_nlp(config)
    train(nlp, output, stdout=sys.stdout, stderr=sys.stderr)
    tune_cli(best, Path(config.interpolate()["paths"]["dev"]), output=output / "tuned.json")
    note(output, "student", made_from)
    return best


def fingerprint(*inputs: Any) -> str:
    """One name for inputs: the same for the same."""
    return hashlib.sha256(json.dumps(inputs).encode()).hexdigest()


def recall(output: Path, product: str) -> Optional[str]:
    """What a product was made from; None if it was not finished."""
    path = output / NOTE
    return srsly.read_json(path).get(product) if path.exists() else None


def note(output: Path, product: str, made_from: Optional[str]) -> None:
    """Keep in mind what a product was made from."""
    path = output / NOTE
    known = srsly.read_json(path) if path.exists() else {}
    srsly.write_json(path, {**known, product: made_from})
