"""A report made by hand, of two sentences in which the student gets one entity wrong."""

from pathlib import Path

import pytest

from spacy_distill.report.page import Report
from spacy_distill.report.predictions import Entity, Predictions, Sentence
from spacy_distill.report.project import Figure, Measurement, Part, Sweep
from spacy_distill.report.render import render_report
from spacy_distill.report.systems import Examined
from spacy_distill.text_tables import TextTable

# An empty picture as a `data:` URL.
FIGURE = Figure(
    "data:image/svg+xml;base64,PHN2ZyB4bWxucz0naHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmcnIHdpZHRoPSc5M"
    "CcgaGVpZ2h0PSc5MCcvPg==",
    "nothing",
)


@pytest.fixture
def hostile():
    return """<script>alert(1)</script><img src=x onerror=alert(1)>'"&{{ 7 * 7 }}"""


@pytest.fixture
def render():
    return render_report


@pytest.fixture
def make_report():
    """Make a report. Its texts and labels can be chosen."""

    def make(text="Ann", label="LOC", project="demo"):
        n = len(text)
        sentences = [
            Sentence(
                f"{text} met Bob",
                [(0, n), (n + 1, n + 4), (n + 5, n + 8)],
                [Entity(0, 1, "PER"), Entity(2, 3, "PER")],
            ),
            Sentence("in Oslo", [(0, 2), (3, 7)], [Entity(1, 2, label)]),
        ]
        right = [[Entity(0, 1, "PER", 0.9), Entity(2, 3, "PER", 0.8)], [Entity(1, 2, label, 0.7)]]
        wrong = [[Entity(0, 1, "PER", 0.9), Entity(2, 3, label, 0.8)], [Entity(1, 2, label, 0.7)]]
        return Report(
            project=project,
            date="2000-01-01 00:00 UTC",
            sentences=sentences,
            systems={
                "teacher": make_system("teacher", right, f1=1.0, labels=("PER", label)),
                "student": make_system("student", wrong, f1=2 / 3, labels=("PER", label)),
            },
            left_out={"baseline": f"it holds {text}"},
            changed={"teacher": [Path(f"corpus/{text}.spacy")], "student": []},
            untuned=[text],
            parts=[Part("test", "for this page", 2, 5, 3)],
            weights=f"weights of {text}",
            versions={"spacy": "3.8"},
            machine="a machine",
            sweep=Sweep(
                f"corpus of {text}",
                {"digest"},
                TextTable("F1, 2 seeds", ["labelled", "150", "300"], [[text, "70.0 ±1.0", "-"]]),
                [f"a note on {text}"],
                FIGURE,
            ),
            measurement=Measurement(make_benchmark(text), FIGURE, others=[]),
        )

    return make


def make_system(name, entities, *, f1, labels):
    scores = {"ents_p": f1, "ents_r": f1, "ents_f": f1}
    scores["ents_per_type"] = {label: {"p": f1, "r": f1, "f": f1} for label in labels}
    return Examined(
        architecture="Architecture.v1",
        table=None if name == "teacher" else "3 words of width 2",
        labels=labels,
        settings={"scheme": "iob", "loss.crf_distribution": "marginals", "training.seed": 0},
        n_parameters={"teacher": 1000, "student": 100}[name],
        n_bytes=5000,
        lang="en",
        direction="ltr",
        predictions=Predictions(
            entities, scores, seconds={"teacher": 0.01, "student": 0.005}[name], n_words=5
        ),
    )


def make_benchmark(text):
    """Make the part of a benchmark's report that the page shows."""

    def make(median):
        return {
            "is_student": median > 100,
            "parameters": 1000,
            "bytes_on_disk": 5000,
            "import_seconds": 0.5,
            "load_seconds": None,
            "peak_memory_bytes": 100_000_000,
            "speed": {"1": {"median": median, "min": median, "max": median, "repeats": 1}},
            "speed_up": {"student": {"1": 400 / median}},
            "compression": {"student": 1.0},
            "roofline": {},
        }

    return {
        "date": "2000-01-01T00:00:00",
        "machine": {"cpu": text},
        "settings": {"batch_sizes": [1]},
        "systems": {"student": make(400), "teacher": make(100)},
        "left_out": {text: text},
        "notes": [text],
    }
