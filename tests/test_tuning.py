import numpy
import pytest
from numpy.testing import assert_allclose
from spacy.scorer import get_ner_prf
from spacy.training import Example

from spacy_distill import tuning
from spacy_distill.corpus import copy_words
from spacy_distill.tuning import add_outside, score_candidates, tune_outside


@pytest.fixture
def careful(student):
    """A component that knows its sentences by heart, but prefers O by six nats."""
    ner = student.get_pipe("ner")
    layer = ner.model.get_ref("output_layer")
    layer.set_param("b", add_outside(layer.get_param("b"), 6.0))
    return ner


@pytest.fixture
def references(student, examples):
    return [eg.reference for eg in examples]


def f1(ner, references):
    docs = ner.pipe([copy_words(doc) for doc in references])
    return get_ner_prf([Example(doc, gold) for doc, gold in zip(docs, references)])["ents_f"]


def test_tuning_finds_what_gives_the_best_f1(careful, references):
    before = f1(careful, references)
    b = careful.model.get_ref("output_layer").get_param("b").copy()
    tuned = tune_outside(careful, references, candidates=(0.0, -1.0, -6.0, 6.0))
    assert tuned.added == -6.0
    assert tuned.before == pytest.approx(before) != tuned.after
    assert tuned.after == pytest.approx(f1(careful, references)) == 1.0
    change = careful.model.get_ref("output_layer").get_param("b") - b
    assert_allclose(change, [-6, 0, 0, 0, 0], atol=1e-5)


def test_tuning_leaves_what_is_best_as_it_is(student, references):
    ner = student.get_pipe("ner")
    before = ner.model.to_bytes()
    tuned = tune_outside(ner, references)
    assert tuned.added == 0.0
    assert tuned.before == tuned.after
    assert ner.model.to_bytes() == before


def test_tuning_adds_to_the_first_tag():
    scores = numpy.zeros((2, 3))
    assert add_outside(scores, -0.5).tolist() == [[-0.5, 0, 0]] * 2
    assert not scores.any()


def test_tuning_needs_an_output_layer(student, references):
    ner = student.get_pipe("ner")
    ner.model.set_ref("output_layer", None)
    with pytest.raises(ValueError, match=r"\[D013\].*'ner'.*char_cnn_bilstm"):
        tune_outside(ner, references)


def test_tuning_takes_no_notice_of_chance(careful, references, monkeypatch):
    """F1 of 0.6, then 0.604 and 0.606."""
    found = iter([[0.6, 0.604], [0.6, 0.606]])
    monkeypatch.setattr(tuning, "score_candidates", lambda *_, **__: next(found))
    assert tune_outside(careful, references, candidates=(0.0, -1.0)) == (0.0, 0.6, 0.6)
    assert tune_outside(careful, references, candidates=(0.0, -1.0)) == (-1.0, 0.6, 0.606)


def test_tuning_goes_no_further_than_it_must(careful, references, monkeypatch):
    """What is first of those next to the best: of 0.6, 0.698, 0.7 and 0.699, the second."""
    monkeypatch.setattr(tuning, "score_candidates", lambda *_, **__: [0.6, 0.698, 0.7, 0.699])
    tuned = tune_outside(careful, references, candidates=(0.0, -1.0, -2.0, -3.0))
    assert tuned == (-1.0, 0.6, 0.698)


def test_tuning_scores_as_spacy_does(careful, references):
    """With entities of several words, of which gold lacks some, or says nothing of."""
    references[0].set_ents([], default="missing")
    references[1].set_ents([], missing=[references[1][:1]], default="unmodified")
    layer = careful.model.get_ref("output_layer")
    b = layer.get_param("b")
    candidates = numpy.linspace(-16, 4, 41).tolist()
    values = score_candidates(careful, references, candidates=candidates)
    assert len(set(values)) > 2
    for added, value in zip(candidates, values):
        layer.set_param("b", add_outside(b, added))
        assert value == pytest.approx(f1(careful, references) or 0.0)


def test_tuning_is_foreseen_by_the_score(careful, references):
    examples = [Example(copy_words(doc), doc) for doc in references]
    assert "ents_f_tuned" not in careful.score(examples)
    careful.score_tuned = True
    scores = careful.score(examples)
    assert scores["ents_f_tuned"] == 1.0 > (scores["ents_f"] or 0.0)
