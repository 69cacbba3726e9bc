import gc
import pickle

import numpy
import pytest

from spacy_distill.docbins import copy_words
from spacy_distill.pipeline.readings import Readings


@pytest.fixture
def ner(student):
    """A component in its training."""
    ner = student.get_pipe("ner")
    ner.score_tuned = ner.has_learnt = True
    return ner


@pytest.fixture
def read(ner, monkeypatch):
    """Lists how many documents were read, call by call."""
    found = []
    predict = ner.predict

    def count(docs):
        found.append(len(docs))
        return predict(docs)

    monkeypatch.setattr(ner, "predict", count)
    return found


def test_evaluation_reads_each_document_once(student, examples, read):
    scores = student.evaluate(examples)
    assert sum(read) == len(examples)
    assert scores["ents_f_tuned"] >= scores["ents_f"] > 0


def test_scores_are_those_of_the_weights_that_annotated(ner, examples):
    """Documents that were read are scored as they were read, whatever was learnt since."""
    docs = list(ner.pipe([copy_words(eg.reference) for eg in examples]))
    before = ner._readings.find(docs, ner.predict)
    layer = ner.model.get_ref("output_layer")
    layer.set_param("b", layer.get_param("b") + numpy.arange(len(ner.tags), dtype="f"))
    new = copy_words(docs[0])
    *after, of_new = ner._readings.find([*docs, new], ner.predict)
    for kept, was in zip(after, before):
        numpy.testing.assert_array_equal(kept.scores, was.scores)
    numpy.testing.assert_array_equal(of_new.scores, ner.predict([new])[0])


def test_scores_go_with_their_documents_and_stay_in_their_process(ner, examples):
    docs = list(ner.pipe([copy_words(eg.reference) for eg in examples]))
    kept = ner._readings
    assert len(kept) == len(docs)
    copy = pickle.loads(pickle.dumps(kept))
    assert type(copy) is Readings and not copy
    del docs
    gc.collect()
    assert not kept


def test_scores_of_one_document_do_not_hold_those_of_its_batch(ner, examples):
    doc, *_ = ner.pipe([copy_words(eg.reference) for eg in examples])
    kept = ner._readings[doc]
    assert all(part.base is None for part in (kept.scores, *kept.attributes))


@pytest.mark.parametrize("asked", [{"score_tuned": False}, {"has_learnt": False}])
def test_scores_are_kept_only_for_who_asks(ner, examples, asked):
    """Training does. A pipeline that was trained and loaded may come untuned, and is no slower."""
    vars(ner).update(asked)
    docs = list(ner.pipe([copy_words(eg.reference) for eg in examples]))
    assert docs and not ner._readings
