"""The student of `distill`: its config, its lookup table and its training."""

import sys
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence

from spacy.cli._util import show_validation_error
from spacy.training.initialize import init_nlp
from spacy.training.loop import train
from spacy.util import dict_to_dot, load_config
from thinc.api import Config, require_cpu
from wasabi import msg

from ...checks import require
from ...errors import Errors
from ...files import digest_folder, digest_json, make_folder, read_json, write_json
from ...layers.lookup import DEFAULT_WIDTH
from ...loading import load_pipeline
from ...manifest import MANIFEST
from ...provenance import digest_input
from ...teachers.label_map import NO_MAP, list_labels
from ..table import table_cli
from ..tune import tune_pipeline
from ..weights import DEFAULT, warn_of_language, weights_cli
from .corpus import Inputs

# The folder in which the project workflow keeps the weights of its teacher.
PROJECT_WEIGHTS = Path("assets/teacher")
READER = "spacy-distill.DistillationCorpus.v1"
# The file that records what each product was made from, so that it is not made again needlessly.
NOTE = "distilled.json"


def read_config(path: Path, overrides: Mapping[str, Any]) -> Config:
    """Read a student's config, not interpolated. RAISES (FileNotFoundError): D110."""
    if not path.exists():
        raise FileNotFoundError(Errors.D110.format(source=path))
    with show_validation_error(path):
        config = load_config(path, overrides=dict(overrides), interpolate=False)
    # spaCy has defaults for these two settings, but its training needs them in the config.
    training = config.setdefault("training", {})
    training.setdefault("seed", 0)
    training.setdefault("gpu_allocator", None)
    return config


def find_student(config: Config, *, source: Path) -> str:
    """Return the name of the config's `ner_tagger`, which may be sourced from another pipeline.

    RAISES (ValueError): D416 if there is none, D019 if a source can't be loaded.
    """
    blocks = config.get("components", {})
    factories = {name: block.get("factory") for name, block in blocks.items()}
    for name, pipeline in find_sources(config).items():
        component = blocks[name].get("component", name)
        factories[name] = load_pipeline(pipeline).pipe_factories.get(component)
    for name, factory in factories.items():
        if factory == "ner_tagger":
            return name
    raise ValueError(Errors.D416.format(path=source, found=factories))


def find_sources(config: Config) -> Dict[str, str]:
    """Return the pipelines that components are sourced from, by the name of the component."""
    sourced = [name for name, block in config.get("components", {}).items() if "source" in block]
    return {name: config.interpolate()["components"][name]["source"] for name in sourced}


def has_table(config: Config, name: str) -> bool:
    """Return whether a student is initialised with a lookup table."""
    return get_setting(config, f"initialize.components.{name}.init_model.path") is not None


def warn_unscored(training: Mapping[str, Any]) -> None:
    """Warn of a training that ends before the first evaluation, so that the untrained weights are
    kept as the best."""
    steps, frequency = training["max_steps"], training["eval_frequency"]
    if 0 < steps < frequency:
        msg.warn(
            f"Training stops after {steps} steps (training.max_steps), before the first "
            f"evaluation (training.eval_frequency = {frequency}): the untrained weights would be "
            "kept. Lower training.eval_frequency"
        )


def check_paths(overrides: Mapping[str, Any]) -> None:
    """Refuse to override a setting that `set_inputs` sets. RAISES (ValueError): D007, which names
    the option to use instead."""
    for key in Inputs._fields:
        setting = f"paths.{key}"
        value = overrides.get(setting)
        requirement = f"omitted: 'distill' sets it from --{key}"
        require(setting not in overrides, f"--{setting}", value, requirement)


def set_inputs(config: Config, inputs: Inputs, *, name: str) -> None:
    """Set the paths of the inputs in a student's config.

    config (Config): The config, not interpolated. Its block [paths] is modified in place.
    inputs (Inputs): The paths.
    name (str): The component's name.
    RAISES (ValueError): D007 if the config does not read its data from [paths].
    """
    paths = {key: path and str(path) for key, path in inputs._asdict().items()}
    config.setdefault("paths", {}).update(paths)
    filled = config.interpolate()
    reader = get_setting(filled, "corpora.train.@readers")
    require(reader == READER, "'corpora.train.@readers'", reader, f"'{READER}'")
    reads = {
        "corpora.train.labelled": "labelled",
        "corpora.train.unlabelled": "unlabelled",
        "corpora.dev.path": "dev",
    }
    if has_table(filled, name):
        reads[f"initialize.components.{name}.init_model.path"] = "table"
    for setting, key in reads.items():
        found = get_setting(filled, setting)
        require(found == paths[key], f"'{setting}'", found, f"${{paths.{key}}}")


def get_setting(config: Mapping[str, Any], setting: str) -> Any:
    """Return the value of a setting, given as section.key; None if there is none."""
    return dict_to_dot({**config}).get(setting)


def make_table(path: Path, *, encoder: str, lang: str, width: Optional[int], gpu: int) -> None:
    """Make a lookup table from a transformer's word pieces, unless it is up to date.

    path (Path): File for the table. Weights that are not on this machine are put into `encoder`,
        in the same folder.
    encoder (str): See `find_weights`.
    lang (str): The student's language.
    width (Optional[int]): Dimensions of a row; None: `DEFAULT_WIDTH`.
    gpu (int): GPU to use, -1 for the CPU.
    """
    weights = find_weights(encoder, path.parent / "encoder")
    warn_of_language(str(weights), lang=lang, option="--encoder")
    made_from = digest_json([digest_folder(weights), width])
    if path.exists() and recall(path) == made_from:
        msg.info(f"'{path}' is up to date")
        return
    table_cli(path, teacher=str(weights), width=width or DEFAULT_WIDTH, gpu=gpu)
    note(path, made_from)


def find_weights(encoder: str, folder: Path) -> Path:
    """Return a transformer's folder, which is made if it is not on this machine.

    encoder (str): A folder, or anything else that the command `weights` takes. If empty, that of
        the project if it exists, otherwise the default teacher of `weights`.
    folder (Path): Folder for weights that are not on this machine.
    """
    if not encoder and (PROJECT_WEIGHTS / "config.json").exists():
        return PROJECT_WEIGHTS
    source = encoder or DEFAULT
    if Path(source).is_dir():
        return Path(source)
    weights_cli(source, folder)
    return folder


def train_student(
    config: Config, output: Path, *, name: str, source: Path, code: Optional[Path]
) -> Path:
    """Train a student, and tune it on its development set, unless it is up to date.

    config (Config): The config, not interpolated. Its inputs must be set, and exist.
    output (Path): Output folder, as for `spacy train`.
    name (str): The component's name. Unless its labels are in the config, it gets all labels of the
        annotation, even those without an entity.
    source (Path): File of the config, for errors.
    code (Optional[Path]): File of code that was imported for the config.
    RETURNS (Path): The folder of the best pipeline.
    """
    inputs = [*config["paths"].values(), *find_sources(config).values(), code]
    paths = [Path(path) for path in inputs if path]
    annotated = Path(config["paths"]["labelled"] or config["paths"]["unlabelled"])
    blocks = config.setdefault("initialize", {}).setdefault("components", {})
    blocks.setdefault(name, {}).setdefault("labels", labels_of_folder(annotated))
    digests = [digest_input(path) for path in paths if path.exists()]
    made_from = digest_json([config.to_str(), digests])
    best = output / "model-best"
    if (best / "meta.json").exists() and recall(best) == made_from:
        msg.info(f"'{best}' is up to date")
        return best
    note(best, None)
    # The teacher may have used a GPU, but the student's layers run on NumPy.
    require_cpu()
    with show_validation_error(source, hint_fill=False):
        nlp = init_nlp(config)
    train(nlp, output, stdout=sys.stdout, stderr=sys.stderr)
    tuned = tune_pipeline(best, Path(config["paths"]["dev"]), name=name)
    write_json(output / "tuned.json", tuned._asdict())
    note(best, made_from)
    return best


def labels_of_folder(annotated: Path) -> List[str]:
    """Return the labels that a folder was annotated with."""
    return list_labels(read_json(annotated / MANIFEST)["settings"]["tags"], NO_MAP)


def claim_output(output: Path, *, makes: Sequence[str]) -> None:
    """Make the output folder. Refuse one with files that `distill` did not make and would
    overwrite.

    output (Path): The folder, which need not exist.
    makes (Sequence[str]): Names of the files and folders that will be overwritten in it.
    RAISES (ValueError): D417.
    """
    path = output / NOTE
    if path.exists():
        return
    others = [name for name in makes if (output / name).exists()]
    if others:
        raise ValueError(
            Errors.D417.format(path=output, names=", ".join(others), command="distill")
        )
    make_folder(output)
    write_json(path, {})


def recall(product: Path) -> Optional[str]:
    """Return the digest of what a product was made from; None if it was not finished."""
    path = product.parent / NOTE
    return read_json(path).get(product.name) if path.exists() else None


def note(product: Path, made_from: Optional[str]) -> None:
    """Record the digest of what a product was made from; None while it is being made."""
    path = product.parent / NOTE
    known = read_json(path) if path.exists() else {}
    write_json(path, {**known, product.name: made_from})
