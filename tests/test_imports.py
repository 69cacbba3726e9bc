"""Imports go one way within the package, and load nothing heavy at run time."""

import ast
import json
import re
from pathlib import Path

import pytest

import spacy_distill

PACKAGE = Path(spacy_distill.__file__).parent
DESIGN = PACKAGE.parent / "docs" / "design.md"
# A module may import modules of the sections above its own, and of its own.
LAYERS = [
    {
        name
        for row in re.findall(r"^\| (`.*?) \|", section, flags=re.M)
        for name in re.findall("`([^`]*)`", row)
    }
    for section in DESIGN.read_text(encoding="utf-8").split("\n## ")[1:]
]
# Packages that users of a student do not have, and the modules that may import them.
HEAVY = {
    "torch": {"benchmark", "encoder", "teachers/hf_token_classifier"},
    "transformers": {"benchmark", "encoder", "teachers/hf_token_classifier"},
    "tokenizers": {"benchmark", "encoder"},
    "safetensors": {"encoder"},
    "datasets": {"data/features", "data/hub"},
    "huggingface_hub": {"cli"},
    "spacy_transformers": set(),
    "ray": {"annotate/ray_cluster"},
    "matplotlib": {"benchmark", "figures", "sweep"},
    "onnx": {"benchmark"},
    "onnxruntime": {"benchmark"},
}
LOAD = """
import json
import sys

import spacy

for name in ("torch", "transformers", "datasets"):
    try:
        __import__(name)
    except ModuleNotFoundError:
        continue
    raise AssertionError(f"{name} can be imported, so this shows nothing")
blank = spacy.blank("en")
assert blank.has_factory("ner_tagger")
nlp = spacy.load(sys.argv[1])
docs = nlp.pipe(json.loads(sys.argv[2]))
print(json.dumps([[(ent.text, ent.label_) for ent in doc.ents] for doc in docs]))
"""
LIGHT = """
import sys

import spacy_distill.pipeline.factory

print(*sorted(sys.modules))
"""
COMMANDS = """
import sys

import spacy_distill.cli

print(*sorted(sys.modules))
"""
BLANK = """
import sys

import spacy

spacy.blank("en")
print(*sorted(sys.modules))
"""


def modules():
    return {
        path.relative_to(PACKAGE).with_suffix("").as_posix(): path
        for path in sorted(PACKAGE.rglob("*.py"))
    }


def imports(path):
    """Full names of all imports of a file, wherever in it."""
    package = ["spacy_distill", *path.relative_to(PACKAGE).parent.parts]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            name = ".".join([*base, *([node.module] if node.module else [])])
            yield name if node.module else f"{name}.{node.names[0].name}"


def layer_of(part):
    (found,) = (i for i, layer in enumerate(LAYERS) if part in layer)
    return found


def test_imports_every_module_is_in_the_design():
    parts = {name.split("/")[0] for name in modules()} - {"__init__"}
    assert parts == set().union(*LAYERS)
    assert sum(map(len, LAYERS)) == len(parts)


@pytest.mark.parametrize("name", modules())
def test_imports_go_in_one_direction(name):
    if name == "__init__":
        assert list(imports(modules()[name])) == []
        return
    own = layer_of(name.split("/")[0])
    for imported in imports(modules()[name]):
        if imported.startswith("spacy_distill."):
            part = imported.split(".")[1]
            assert layer_of(part) <= own, f"{name} imports {imported}"


@pytest.mark.parametrize("name", modules())
def test_imports_of_heavy_packages_are_only_where_they_are_allowed(name):
    for imported in imports(modules()[name]):
        allowed = HEAVY.get(imported.split(".")[0])
        is_allowed = allowed is None or {name, name.split("/")[0]} & allowed
        assert is_allowed, f"{name} imports {imported}"


def test_imports_are_found():
    """The checks above detect what they look for."""
    assert "spacy_distill.errors" in imports(PACKAGE / "layers" / "lookup.py")
    assert "spacy_distill.tags" in imports(PACKAGE / "decoding.py")
    assert "datasets" in imports(PACKAGE / "data" / "hub.py")


def test_imports_of_a_student_do_not_need_torch(student_path, student, texts, run_light):
    found = json.loads(run_light(LOAD, student_path, json.dumps(texts)))
    expected = [[[ent.text, ent.label_] for ent in doc.ents] for doc in student.pipe(texts)]
    assert found == expected
    assert sum(map(len, found)) > 10


@pytest.mark.parametrize("script", [LIGHT, BLANK])
def test_imports_of_the_factory_are_light(run_light, script):
    """Every `spacy.blank()` imports the module of every factory that is installed."""
    loaded = set(run_light(script).split())
    assert "spacy_distill.pipeline.ner_tagger" in loaded
    ours = {name.split(".")[1] for name in loaded if name.startswith("spacy_distill.")}
    assert ours <= {
        *("batches", "checks", "crf", "decoding", "distributions", "entities", "errors"),
        *("lines", "losses", "parameters", "pipeline", "pruning"),
        *("soft_targets", "steps", "tags", "targets", "threads", "types"),
        "compression",  # turns weights into float32 when the component is loaded
        "layers",  # the component needs those of the CRF
        "loggers",  # spaCy loads all loggers to find the one of its default config
    }
    layers = {name for name in loaded if name.startswith("spacy_distill.layers.")}
    assert layers <= {"spacy_distill.layers.crf"}
    assert not {name.split(".")[0] for name in loaded} & set(HEAVY)


def test_imports_of_the_command_line_are_light(run_light):
    loaded = set(run_light(COMMANDS).split())
    assert "spacy_distill.cli.benchmark" in loaded
    assert not {name.split(".")[0] for name in loaded} & set(HEAVY)
