"""The config of the student of `distill`: what is read from it, and set in it."""

from pathlib import Path
from typing import Any, Dict, Mapping

from spacy.cli._util import show_validation_error
from spacy.util import dict_to_dot, load_config
from thinc.api import Config
from wasabi import msg

from ...checks import require
from ...errors import Errors
from ...loading import load_pipeline
from .corpus import Inputs

READER = "spacy-distill.DistillationCorpus.v1"


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


def get_setting(config: Mapping[str, Any], setting: str) -> Any:
    """Return the value of a setting, given as section.key; None if there is none."""
    return dict_to_dot({**config}).get(setting)


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


def warn_unscored(training: Mapping[str, Any]) -> None:
    """Warn of a training that ends before its second evaluation: the first is after one step."""
    steps, frequency = training["max_steps"], training["eval_frequency"]
    if 0 < steps < frequency:
        msg.warn(
            f"Training stops after {steps} steps (training.max_steps), with a single evaluation, "
            f"after the first step (training.eval_frequency = {frequency}): its weights would be "
            "kept. Lower training.eval_frequency"
        )
