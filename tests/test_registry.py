"""The public API is the list of entry points in setup.cfg, and the configs use it."""

import configparser
import importlib
from pathlib import Path

import catalogue
import pytest
import spacy
import thinc.api
from spacy.schemas import ConfigSchemaTraining
from spacy.util import load_config, load_model_from_config, registry

ROOT = Path(__file__).parents[1]
CONFIGS = ("student", "baseline", "teacher")
# Settings that may also differ from student.cfg: the duration, batches and steps of training.
SIZES = {
    "baseline": {"max_steps", "eval_frequency", "patience"},
    "teacher": {
        *("max_steps", "eval_frequency", "patience", "dropout"),
        *("batcher.", "optimizer.learn_rate", "optimizer.L2"),
        *("optimizer.grad_clip", "optimizer.use_averages"),
    },
}


def entry_points():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    for group, lines in setup["options.entry_points"].items():
        for line in lines.strip().splitlines():
            name, _, target = line.partition(" = ")
            yield group, name, target


REGISTERED = [entry for entry in entry_points() if entry[0] != "console_scripts"]


def load(name):
    return load_config(ROOT / "configs" / f"{name}.cfg")


def build(name):
    if name == "teacher":
        pytest.importorskip("spacy_transformers", reason="the extra 'train' is not installed")
    return load_model_from_config(load(name), auto_fill=True)


def resolve(target):
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)


@pytest.mark.parametrize("group, name, target", REGISTERED, ids=[e[1] for e in REGISTERED])
def test_registry_finds_what_setup_cfg_lists(group, name, target):
    library, _, kind = group.partition("_")
    if kind == "factories":
        # spaCy calls the factory's function with a config.
        assert spacy.blank("en").has_factory(name)
        assert resolve(target)
        return
    registries = {"spacy": registry, "thinc": thinc.api.registry}[library]
    assert getattr(registries, kind).get(name) is resolve(target)
    # spaCy's registry, which resolves configs, has those of thinc, too.
    assert getattr(registry, kind).get(name) is resolve(target)


def test_registry_names_follow_one_pattern():
    for group, name, target in REGISTERED:
        if group in ("spacy_factories", "spacy_cli"):
            continue
        prefix, camel, version = name.split(".")
        assert (prefix, version) == ("spacy-distill", "v1")
        snake = target.partition(":build_")[2].removesuffix("_v1")
        assert snake.replace("_", "") == camel.lower()


def test_registry_command_exists():
    (target,) = (target for group, _, target in entry_points() if group == "console_scripts")
    assert callable(resolve(target))


def test_registry_lists_all_functions_of_the_configs():
    """Every function of this package that a config names with @ is in setup.cfg."""
    ours = {name for _, name, _ in REGISTERED}
    for name in CONFIGS:
        for line in (ROOT / "configs" / f"{name}.cfg").read_text(encoding="utf-8").splitlines():
            if line.startswith("@") and "spacy-distill." in line:
                assert line.split('"')[1] in ours


def test_registry_refuses_names_that_are_not_listed():
    with pytest.raises((catalogue.RegistryError, ValueError)):
        registry.architectures.get("spacy-distill.CharCNNBiLSTM.v99")


@pytest.mark.parametrize("name", CONFIGS)
def test_registry_builds_the_pipeline_of_each_config(name):
    nlp = build(name)
    assert nlp.pipe_names == ["ner"]
    assert nlp.get_pipe_meta("ner").factory == "ner_tagger"


@pytest.mark.parametrize("name", CONFIGS)
def test_registry_builds_the_rest_of_each_config(name):
    config = build(name).config.interpolate()
    training = registry.resolve(config["training"], schema=ConfigSchemaTraining)
    assert training["train_corpus"] == "corpora.train"
    assert training["score_weights"]["ents_f_tuned"] == 1.0
    corpora = registry.resolve(config["corpora"])
    assert set(corpora) == {"train", "dev"}
    registry.resolve(config["initialize"]["components"])


@pytest.mark.parametrize("name", CONFIGS)
def test_registry_defaults_do_not_change_the_component_of_a_config(name):
    """A config filled with defaults keeps the component's own settings."""
    component = load(name)["components"]["ner"]
    filled = build(name).config["components"]["ner"]
    assert {key: filled[key] for key in ("factory", "scheme", "spans_key")} == {
        key: component[key] for key in ("factory", "scheme", "spans_key")
    }


def test_registry_factory_has_the_model_of_the_student():
    default = spacy.blank("en")
    default.add_pipe("ner_tagger", name="ner")
    student = build("student").config.interpolate()
    assert (
        default.config.interpolate()["components"]["ner"]["model"]
        == student["components"]["ner"]["model"]
    )


def flat(section, prefix=""):
    for key, value in section.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


@pytest.mark.parametrize("name", ["baseline", "teacher"])
def test_registry_configs_differ_in_model_tags_corpus_and_sizes_only(name):
    student, other = (load(n).interpolate() for n in ("student", name))
    assert {**student["nlp"], "batch_size": 0} == {**other["nlp"], "batch_size": 0}
    assert student["system"] == other["system"]
    for config in (student, other):
        del config["components"]["ner"]["loss"], config["corpora"]["train"]
        config["corpora"]["dev"].pop("limit")
        if name == "teacher":
            del config["components"]["ner"]["model"], config["components"]["ner"]["scheme"]
    assert student["components"] == other["components"]
    assert student["corpora"] == other["corpora"]
    assert load(name)["components"]["ner"]["loss"].keys() == {"@losses"}
    ours, theirs = dict(flat(student["training"])), dict(flat(other["training"]))
    differing = {key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key)}
    allowed = SIZES[name]
    assert {key for key in differing if not any(key.startswith(size) for size in allowed)} == set()
    assert all(any(key.startswith(size) for key in differing) for size in allowed)


def test_registry_baseline_is_initialised_like_the_student():
    student, baseline = (load(name).interpolate()["initialize"] for name in ("student", "baseline"))
    del student["before_init"]  # only the pool can be so large that it needs more steps
    assert student == baseline
