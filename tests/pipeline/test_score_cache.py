import gc
import pickle

import numpy
import pytest
import spacy
from numpy.testing import assert_array_equal
from spacy.attrs import ENT_IOB, ENT_TYPE
from spacy.training import Example

from spacy_distill.docs import copy_words
from spacy_distill.entities import TokenAttributes
from spacy_distill.pipeline.score_cache import ScoreCache, score_docs


def make_scores(docs):
    """Return scores that are different for every token of a document: (n_tokens, 2)."""
    return [numpy.arange(2 * len(doc), dtype="f").reshape(-1, 2) for doc in docs]


@pytest.fixture
def docs(make_doc):
    return [make_doc("Ann lives", "B-PER O"), make_doc("in Rome .", "O B-LOC O")]


@pytest.fixture
def cache(docs):
    """A cache with the scores of both documents, which are parts of one batch."""
    cache = ScoreCache()
    batch = numpy.concatenate(make_scores(docs)) + 10
    cache.keep(docs, [batch[:2], batch[2:]], TokenAttributes.from_docs(docs))
    return cache


@pytest.fixture
def ner(student):
    """A component that is not tuned yet, and therefore uses its cache."""
    ner = student.get_pipe("ner")
    ner.score_tuned = True
    return ner


@pytest.fixture
def predicted(ner, monkeypatch):
    """The number of documents in each call of the component's `predict`."""
    found = []
    predict = ner.predict

    def count(docs):
        found.append(len(docs))
        return predict(docs)

    monkeypatch.setattr(ner, "predict", count)
    return found


def annotate(ner, examples):
    """Return examples with the entities that a component predicts."""
    docs = ner.pipe([copy_words(eg.reference) for eg in examples])
    return [Example(doc, eg.reference) for doc, eg in zip(docs, examples)]


def test_score_cache_finds_the_scores_before_annotation(cache, docs):
    expected = make_scores(docs)
    docs[1].set_ents([], default="outside")
    for part, doc_scores in zip(cache.find(docs[::-1]), expected[::-1], strict=True):
        assert_array_equal(part.scores, doc_scores + 10)
    assert_array_equal(cache[docs[1]].attributes.ent_iob, [2, 3, 2])


def test_score_cache_keeps_the_words_that_were_scored(cache, docs):
    with docs[1].retokenize() as retokenizer:
        retokenizer.merge(docs[1][:2])
    (found,) = cache.find([docs[1]])
    assert len(docs[1]) == 2 and len(found.scores) == 3
    assert [docs[1].vocab.strings[word] for word in found.words] == ["in", "Rome", "."]


def test_score_cache_does_not_keep_documents_alive(cache, docs):
    assert len(cache) == 2
    docs.clear()
    gc.collect()
    assert not cache


def test_score_cache_is_pickled_empty(cache):
    copy = pickle.loads(pickle.dumps(cache))
    assert type(copy) is ScoreCache and not copy


def test_score_cache_copies_the_arrays_of_a_batch(cache, docs):
    kept = cache[docs[0]]
    assert all(part.base is None for part in (kept.scores, *kept.attributes))


def test_score_cache_score_docs_keeps_preset_entities(docs):
    found = score_docs(docs, make_scores)
    assert_array_equal(found[1].scores, make_scores(docs)[1])
    assert_array_equal(found[1].attributes.ent_iob, [2, 3, 2])


def test_score_cache_evaluation_predicts_once(student, examples, ner, predicted):
    scores = student.evaluate(examples)
    assert sum(predicted) == len(examples)
    assert scores["ents_f_tuned"] >= scores["ents_f"] > 0


def test_score_cache_keeps_the_scores_of_annotation(ner, examples):
    """Later changes of the weights have no effect on documents that are annotated already."""
    annotated = annotate(ner, examples)
    before = ner.score(annotated)["ents_f_tuned"]
    layer = ner.model.get_ref("output_layer")
    layer.set_param("b", layer.get_param("b") + 100 * numpy.arange(len(ner.tags), dtype="f"))
    assert ner.score(annotated)["ents_f_tuned"] == before
    assert ner.score(annotate(ner, examples))["ents_f_tuned"] != before


def test_score_cache_is_used_only_with_score_tuned(ner, examples):
    """Copying scores takes time, so it is skipped if they are not needed for evaluation."""
    for ner.score_tuned in (False, True):
        annotated = annotate(ner, examples)
        assert {eg.predicted in ner._score_cache for eg in annotated} == {ner.score_tuned}


def test_score_cache_scores_the_tokens_before_a_merge(student, examples, ner, predicted):
    student.add_pipe("merge_entities")
    scores = student.evaluate(examples)
    assert sum(predicted) == len(examples)
    assert scores["ents_f_tuned"] == scores["ents_f"] == 1.0


def test_score_cache_keeps_preset_entities_after_loading(student, examples, tmp_path):
    """Also where the component finds nothing, however it is tuned."""
    student.add_pipe("entity_ruler", first=True).add_patterns([{"label": "LOC", "pattern": "Rome"}])
    student.get_pipe_config("ner")["score_tuned"] = True
    layer = student.get_pipe("ner").model.get_ref("output_layer")
    layer.set_param("b", layer.get_param("b") + 100 * numpy.eye(1, len(layer.get_param("b")))[0])
    student.to_disk(tmp_path)
    scores = spacy.load(tmp_path).evaluate(examples)
    assert scores["ents_f_tuned"] == scores["ents_f"] > 0


@pytest.mark.parametrize("has_preset", [False, True])
def test_score_cache_tuned_score_is_f1_if_a_later_component_returns_new_documents(
    student, examples, ner, predicted, has_preset
):
    """The new documents don't tell which entities were preset, nor have they vectors to predict."""

    @spacy.Language.component("replace_documents")
    def replace(doc):
        return copy_words(doc).from_array([ENT_IOB, ENT_TYPE], doc.to_array([ENT_IOB, ENT_TYPE]))

    if has_preset:
        patterns = [{"label": "LOC", "pattern": "nobody"}]
        student.add_pipe("entity_ruler", first=True).add_patterns(patterns)
    student.add_pipe("replace_documents")
    scores = student.evaluate(examples)
    assert sum(predicted) == len(examples)
    assert scores["ents_f_tuned"] == scores["ents_f"] > 0
    assert (scores["ents_f"] < 1.0) == has_preset
