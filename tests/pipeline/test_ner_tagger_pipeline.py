"""The `ner_tagger` in a pipeline: serialisation, multiprocessing and `spacy train`."""

import json

import numpy
import pytest
import spacy
from numpy.testing import assert_array_equal
from spacy.cli.train import train
from spacy.tokens import DocBin

from spacy_distill.pipeline.ner_tagger import NERTagger

SPAWN = """
import json
import multiprocessing
import sys

import spacy

if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    nlp = spacy.load(sys.argv[1])
    docs = nlp.pipe(json.loads(sys.argv[2]), n_process=2, batch_size=3)
    print(json.dumps([[(ent.text, ent.label_) for ent in doc.ents] for doc in docs]))
"""
TRAIN = """
[nlp]
lang = "en"
pipeline = ["names", "ner"]

[components]

[components.names]
source = "{student}"
component = "ner"

[components.ner]
factory = "ner_tagger"

[components.ner.model]
dropout = 0.0

[components.ner.model.lookup]
width = 8

[components.ner.model.bilstm]
width = 8

[corpora]

[corpora.train]
@readers = "spacy.Corpus.v1"
path = "{gold}"

[corpora.dev]
@readers = "spacy.Corpus.v1"
path = "{gold}"

[training]
max_steps = 4
eval_frequency = 2
frozen_components = ["names"]
annotating_components = ["names"]

[training.optimizer]
@optimizers = "Adam.v1"
learn_rate = 0.01

[training.logger]
@loggers = "spacy-distill.ConsoleLogger.v1"
progress_bar = false
"""


def entities_of(docs):
    return [[(ent.text, ent.label_) for ent in doc.ents] for doc in docs]


@pytest.fixture
def expected(student, texts):
    entities = entities_of(student.pipe(texts))
    assert sum(map(len, entities)) > 10
    return entities


def scores_of(nlp, texts):
    return nlp.get_pipe("ner").predict([nlp.make_doc(text) for text in texts])


def test_ner_tagger_to_from_bytes(student, texts, tiny):
    blank = spacy.blank("en")
    blank.add_pipe("ner_tagger", name="ner", config=tiny)
    blank.from_bytes(student.to_bytes())
    for one, other in zip(scores_of(blank, texts), scores_of(student, texts)):
        assert_array_equal(one, other)
    assert blank.get_pipe("ner").labels == student.get_pipe("ner").labels
    assert blank.get_pipe("ner").tags == student.get_pipe("ner").tags


def test_ner_tagger_to_from_disk(student, texts, tmp_path):
    student.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    for one, other in zip(scores_of(loaded, texts), scores_of(student, texts)):
        assert_array_equal(one, other)
    assert loaded.get_pipe("ner").to_bytes() == student.get_pipe("ner").to_bytes()


def test_ner_tagger_scheme_is_saved(make_student, examples, tmp_path):
    make_student(scheme="biluo").to_disk(tmp_path)
    ner = spacy.load(tmp_path).get_pipe("ner")
    assert ner.cfg["scheme"] == "biluo"
    assert len(ner.tags) == 9
    assert_array_equal(ner.transitions.end, [1, 0, 0, 1, 1, 0, 0, 1, 1])


@pytest.mark.parametrize("way", ["bytes", "disk"])
def test_ner_tagger_serialisation_with_exclude(student, tiny, way, tmp_path):
    ner = student.get_pipe("ner")
    nlp = spacy.blank("en")
    other = nlp.add_pipe("ner_tagger", name="ner", config=tiny)
    if way == "bytes":
        other.from_bytes(ner.to_bytes(exclude=["model"]), exclude=["model"])
    else:
        ner.to_disk(tmp_path, exclude=["vocab"])
        assert not (tmp_path / "vocab").exists()
        other.from_disk(tmp_path, exclude=["model", "vocab"])
    assert other.labels == ner.labels
    assert not other.model.has_dim("nO")
    assert "PER" in nlp.vocab.strings


def test_ner_tagger_runs_in_forked_processes(student, texts, expected):
    assert entities_of(student.pipe(texts, n_process=2, batch_size=3)) == expected


def test_ner_tagger_runs_in_spawned_processes(student_path, texts, expected, run_light):
    output = run_light(SPAWN, student_path, json.dumps(texts))
    assert [[tuple(ent) for ent in doc] for doc in json.loads(output)] == expected


def test_ner_tagger_works_in_a_memory_zone(student, texts, expected):
    other = "Zachary Quux moved from Ulaanbaatar"
    before = entities_of([student(other)])
    with student.memory_zone():
        assert entities_of(student.pipe(texts)) == expected
        student(other)
    assert all(label in student.vocab.strings for label in student.get_pipe("ner").labels)
    assert entities_of(student.pipe(texts)) == expected
    assert entities_of([student(other)]) == before
    with student.memory_zone():
        assert entities_of([student(other), student(texts[0])]) == [before[0], expected[0]]


def test_ner_tagger_loaded_in_a_memory_zone_keeps_its_labels(student_path, texts, expected):
    nlp = spacy.load(student_path)
    with nlp.memory_zone():
        assert entities_of(nlp.pipe(texts)) == expected
    assert entities_of(nlp.pipe(texts)) == expected


def test_ner_tagger_can_be_disabled(student, texts, expected):
    with student.select_pipes(disable="ner"):
        assert entities_of(student.pipe(texts)) == [[]] * len(texts)
    assert entities_of(student.pipe(texts)) == expected


def test_ner_tagger_can_be_sourced(student, texts, expected):
    nlp = spacy.blank("en")
    nlp.add_pipe("ner", source=student, name="names")
    assert entities_of(nlp.pipe(texts)) == expected
    again = spacy.blank("en")
    again.add_pipe("names", source=nlp)
    assert entities_of(again.from_bytes(nlp.to_bytes()).pipe(texts)) == expected


def test_ner_tagger_trains_after_a_frozen_annotating_component(
    student_path, student, examples, tmp_path, texts, expected, write_config
):
    gold = tmp_path / "gold.spacy"
    DocBin(docs=[eg.reference for eg in examples]).to_disk(gold)
    train(write_config(TRAIN.format(student=student_path, gold=gold)), tmp_path / "output")
    nlp = spacy.load(tmp_path / "output" / "model-last")
    assert nlp.pipe_names == ["names", "ner"]
    assert all(isinstance(pipe, NERTagger) for _, pipe in nlp.pipeline)
    before, after = student.get_pipe("ner").model, nlp.get_pipe("names").model
    for node, other in zip(before.walk(), after.walk()):
        for name in node.param_names:
            assert_array_equal(other.get_param(name), node.get_param(name))
    # The second component keeps the entities of the first.
    assert entities_of(nlp.pipe(texts)) == expected
    performance = nlp.meta["performance"]
    assert performance["ents_f"] == 1.0
    assert performance["ner_loss"] > 0


def test_ner_tagger_prediction_does_not_change_saved_weights(student, texts, tmp_path):
    """Nothing that is cached during prediction is written to disk."""
    student.to_disk(tmp_path / "before")
    list(student.pipe(texts * 3))
    student("unheard-of words")
    student.to_disk(tmp_path / "after")
    before, after = (tmp_path / name / "ner" / "model" for name in ("before", "after"))
    assert before.read_bytes() == after.read_bytes()
    assert len(numpy.frombuffer(before.read_bytes(), dtype="uint8")) < 1e5
