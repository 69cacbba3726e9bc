"""Shared fixtures: a blank pipeline, documents made by hand, a small trained student."""

import copy
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Dict, List, NamedTuple

import numpy
import pytest
import spacy
from hypothesis import settings
from spacy.cli.init_config import fill_config
from spacy.tokens import Doc, DocBin
from spacy.training import Example
from spacy.util import fix_random_seed
from thinc.api import Adam, require_cpu
from thinc.compat import has_cupy_gpu, has_torch_cuda_gpu

import spacy_distill
from spacy_distill.decoding import best_paths, legal_potentials

# Words and their tags in IOB; a token "_" is a line break.
SENTENCES = [
    ("Ann Smith lives in New York .", "B-PER I-PER O O B-LOC I-LOC O"),
    ("Bob went to Rome", "B-PER O O B-LOC"),
    ("nobody went home", "O O O"),
    ("Rome and Oslo are cities", "B-LOC O B-LOC O O"),
    ("yesterday Eve Jones saw Bob", "O B-PER I-PER O B-PER"),
    ("New York is far from Oslo", "B-LOC I-LOC O O O B-LOC"),
    ("Eve likes Ann", "B-PER O B-PER"),
    ("it rains in Oslo", "O O O B-LOC"),
    ("Bob Jones was never there", "B-PER I-PER O O O"),
    ("they met Ann Jones in Rome", "O O B-PER I-PER O B-LOC"),
]
TINY = {
    "scheme": "iob",
    "model": {
        "@architectures": "spacy-distill.CharCNNBiLSTM.v1",
        "classifier": "softmax",
        "dropout": 0.0,
        "lookup": {"@layers": "spacy-distill.Lookup.v1", "width": 12, "unknown_rate": 0.0},
        "char_cnn": {"@layers": "spacy-distill.CharCNN.v1", "width": 6, "filters": 8},
        "bilstm": {"@layers": "spacy-distill.BiLSTM.v1", "width": 12},
    },
}
# Packages that only a teacher needs, and the editable installation of this project.
HEAVY = ("torch", "functorch", "transformers", "spacy_transformers", "datasets", "__editable__")

# No deadline, because the duration of an example depends more on the machine than on the code.
settings.register_profile("no_deadline", parent=settings(), deadline=None)
settings.load_profile("no_deadline")


@pytest.fixture(autouse=True)
def fixed_seed():
    fix_random_seed(0)


@pytest.fixture
def gpu():
    """The number of a GPU to use. Without a GPU, PyTorch and CuPy for it, the test is skipped."""
    if not (has_cupy_gpu and has_torch_cuda_gpu):
        pytest.skip("needs a GPU, with PyTorch and CuPy for it")
    yield 0
    require_cpu()


@pytest.fixture
def nlp():
    return spacy.blank("en")


@pytest.fixture
def make_doc(nlp):
    """Make a document: `make_doc("Ann left", "B-PER O")`; without tags, it is not annotated."""

    def make(text, tags=None, vocab=nlp.vocab, **attrs):
        words = [word.replace("_", "\n") for word in text.split()]
        ents = None if tags is None else tags.split()
        return Doc(vocab, words=words, ents=ents, **attrs)

    return make


@pytest.fixture
def make_example(make_doc):
    """Like `make_doc`, but make an Example whose predicted document has only the words."""

    def make(text, tags=None, **attrs):
        return Example(make_doc(text, **attrs), make_doc(text, tags, **attrs))

    return make


@pytest.fixture
def examples(make_example):
    return [make_example(*sentence) for sentence in SENTENCES]


@pytest.fixture
def tiny():
    """The config of a component with a small model."""
    return copy.deepcopy(TINY)


@pytest.fixture
def make_student(nlp, examples, tiny):
    """Make a pipeline with an initialised `ner_tagger` called `ner`."""

    def make(target=nlp, **config):
        target.add_pipe("ner_tagger", name="ner", config={**tiny, **config})
        target.initialize(lambda: examples)
        return target

    return make


@pytest.fixture
def korean(monkeypatch):
    """A Korean pipeline that splits on whitespace. The packages of the language's own tokenizer
    are missing."""

    def fail():
        raise ImportError("The Korean tokenizer requires mecab-ko")

    monkeypatch.setattr("spacy.lang.ko.try_mecab_import", fail)
    tokenizer = {"@tokenizers": "spacy.Tokenizer.v1"}
    return spacy.blank("ko", config={"nlp": {"tokenizer": tokenizer}})


@pytest.fixture
def make_teacher(tiny, examples):
    """Make a component of the same architecture that is trained on the examples."""

    def make(**config):
        nlp = spacy.blank("en")
        nlp.add_pipe("ner_tagger", name="ner", config={**tiny, **config})
        nlp.initialize(lambda: examples)
        optimizer = Adam(0.02)
        for _ in range(15):
            nlp.update(examples, sgd=optimizer)
        return nlp.get_pipe("ner")

    return make


@pytest.fixture(scope="session")
def student_path(tmp_path_factory):
    """A small student on disk that has memorised SENTENCES. Tests must not change it."""
    fix_random_seed(0)
    nlp = spacy.blank("en")
    examples = []
    for text, tags in SENTENCES:
        words = text.split()
        gold = Doc(nlp.vocab, words=words, ents=tags.split())
        examples.append(Example(Doc(nlp.vocab, words=words), gold))
    nlp.add_pipe("ner_tagger", name="ner", config=TINY)
    optimizer = nlp.initialize(lambda: examples)
    optimizer.learn_rate = 0.02
    for _ in range(40):
        nlp.update(examples, sgd=optimizer)
    assert nlp.evaluate(examples)["ents_f"] == 1.0
    path = tmp_path_factory.mktemp("student") / "model-best"
    nlp.to_disk(path)
    return path


@pytest.fixture
def student(student_path):
    return spacy.load(student_path)


@pytest.fixture
def texts():
    """The words of SENTENCES, as texts."""
    return [text for text, _ in SENTENCES]


@pytest.fixture
def ents():
    """The entities of a document, as plain values."""

    def read(doc):
        return [(ent.start, ent.end, ent.label_) for ent in doc.ents]

    return read


@pytest.fixture
def write_config(tmp_path):
    """Write a config file, and fill it like `spacy init fill-config`."""

    def write(text, name="config.cfg"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        fill_config(path, path)
        return path

    return write


@pytest.fixture
def tag_scores():
    """Scores that prefer the given tags, by a margin: `tag_scores("B-PER O", tags)`."""

    def make(wanted, tags, margin=5.0):
        scores = numpy.zeros((len(wanted.split()), len(tags)), dtype="f")
        for i, tag in enumerate(wanted.split()):
            scores[i, tags.index(tag)] = margin
        return scores

    return make


@pytest.fixture(scope="session")
def viterbi():
    """The best legal sequence of each document, searched without pruning."""

    def find(scores, lengths, transitions, potentials=None):
        legal = legal_potentials(transitions, potentials)
        ends = numpy.cumsum(lengths)
        with_edges = scores.astype("d")
        with_edges[ends - lengths] += legal.start
        with_edges[ends - 1] += legal.end
        return best_paths(with_edges, lengths, legal.pairs)

    return find


@pytest.fixture
def project(tmp_path, student_path, examples):
    """A finished project, in which every pipeline is the same small student."""
    folder = tmp_path / "project"
    for name in ("teacher", "baseline", "student"):
        shutil.copytree(student_path, folder / "training" / name / "model-best")
    (folder / "corpus").mkdir()
    for name in ("labelled", "dev", "test"):
        docs = [eg.reference for eg in examples]
        DocBin(docs=docs).to_disk(folder / "corpus" / f"{name}.spacy")
    return folder


@pytest.fixture
def make_row():
    """Make the row of a sweep's run: `make_row("teacher", 300, 0.6, seed=1)`."""

    def make(system, size, f1, *, seed=0, limit=0, base=None, pool=None, test="t", **more):
        is_student = (base or system).startswith("student")
        name = (base or system).partition("-")[0]
        return {
            "tuned": {"added": -0.5, "before": (f1 or 0.0) - 0.02, "after": f1 or 0.0},
            "corpus": "tweets",
            "system": system,
            "base": base or system,
            "settings": {},
            "size": size,
            "seed": seed,
            "limit": limit,
            "labelled": size,
            "pool": (pool or limit or 5000) if is_student else None,
            "test": {"ents_p": f1, "ents_r": f1, "ents_f": f1, "ents_per_type": {}},
            "dev": {"ents_f": f1},
            "words_per_second": 1500.0,
            "parameters": 3_300_000,
            "seconds": {"corpus": 6.0, f"train-{system}": 90.0 + 60 * seed},
            "fingerprint": f"{system}-{size}-{seed}-{limit}-{f1}",
            "inputs": {
                "config": {"name": f"{name}.cfg", "sha256": "c"},
                "overrides": {"nlp.lang": "en", "system.seed": str(seed)},
                "corpus": {"labelled": "l", "unlabelled": "u", "dev": "d", "test": test},
                "weights": None,
            },
            "sweep": "python -m spacy_distill sweep DATA/btc results/btc",
            "commands": [],
            "versions": {},
            "date": "2026-01-01",
            **more,
        }

    return make


class Python(NamedTuple):
    """A Python interpreter: its command line and its environment."""

    command: List[str]
    env: Dict[str, str]


@pytest.fixture(scope="session")
def light_python(tmp_path_factory):
    """Python without torch, transformers and datasets, which also starts faster.

    Thinc imports torch if it is installed, and spaCy imports the module of every installed factory,
    so all packages except these are linked into another folder.
    """
    packages = tmp_path_factory.mktemp("site") / "packages"
    packages.mkdir()
    for path in Path(spacy.__file__).parents[1].iterdir():
        if not path.name.startswith(HEAVY) and path.suffix != ".pth":
            (packages / path.name).symlink_to(path)
    source = Path(spacy_distill.__file__).parents[1]
    # -S: the interpreter adds no folder of its own.
    return Python(
        [sys.executable, "-S"], {**os.environ, "PYTHONPATH": f"{packages}{os.pathsep}{source}"}
    )


@pytest.fixture(scope="session")
def run_light(light_python, tmp_path_factory):
    """Run a script with `light_python`, and return its output."""

    def run(code, *args):
        path = tmp_path_factory.mktemp("script") / "script.py"
        path.write_text(code, encoding="utf-8")
        result = subprocess.run(
            [*light_python.command, str(path), *map(str, args)],
            env=light_python.env,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert result.returncode == 0, result.stderr
        return result.stdout

    return run
