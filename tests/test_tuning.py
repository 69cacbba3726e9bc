from functools import partial

import numpy
import pytest
import spacy
from numpy.testing import assert_allclose
from spacy.scorer import get_ner_prf
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.vocab import Vocab

from spacy_distill import tuning
from spacy_distill.docs import copy_words
from spacy_distill.entities import TokenAttributes, find_entities
from spacy_distill.pipeline.score_cache import score_docs
from spacy_distill.teachers.alignment import run_pipes
from spacy_distill.tuning import (
    Gold,
    add_outside,
    align_tokens,
    choose_candidate,
    score_candidates,
    tune_outside,
)


@pytest.fixture
def careful(student):
    """A component that has memorised its sentences, but prefers O by six nats."""
    ner = student.get_pipe("ner")
    layer = ner.model.get_ref("output_layer")
    layer.set_param("b", add_outside(layer.get_param("b"), 6.0))
    return ner


@pytest.fixture
def dev(student, examples):
    return [Example(copy_words(eg.reference), eg.reference) for eg in examples]


def scorer_of(ner):
    return partial(score_docs, predict=ner.predict)


def f1(ner, dev):
    docs = ner.pipe([eg.predicted.copy() for eg in dev])
    return get_ner_prf([Example(doc, eg.reference) for doc, eg in zip(docs, dev)])["ents_f"]


def test_tuning_finds_the_constant_with_the_best_f1(careful, dev):
    before = f1(careful, dev)
    b = careful.model.get_ref("output_layer").get_param("b").copy()
    tuned = tune_outside(careful, dev)
    assert -6.0 <= tuned.added < 0
    assert tuned.before == pytest.approx(before) != tuned.after
    assert tuned.after == pytest.approx(f1(careful, dev)) == 1.0
    change = careful.model.get_ref("output_layer").get_param("b") - b
    assert_allclose(change, [tuned.added, 0, 0, 0, 0], atol=1e-5)


def test_tuning_does_not_change_the_best_model(student, dev):
    ner = student.get_pipe("ner")
    before = ner.model.to_bytes()
    tuned = tune_outside(ner, dev)
    assert tuned.added == 0.0
    assert tuned.before == tuned.after
    assert ner.model.to_bytes() == before


def test_tuning_adds_to_the_first_tag():
    scores = numpy.zeros((2, 3))
    assert add_outside(scores, -0.5).tolist() == [[-0.5, 0, 0]] * 2
    assert not scores.any()


def test_tuning_uses_the_current_weights(careful, dev):
    """Scores from before a change of the weights, which gave no entities, are not reused."""
    careful.score_tuned = True
    layer = careful.model.get_ref("output_layer")
    b = layer.get_param("b")
    layer.set_param("b", add_outside(b, 100.0))
    docs = list(careful.pipe([eg.predicted for eg in dev]))
    assert not any(doc.ents for doc in docs)
    layer.set_param("b", add_outside(b, -6.0))
    assert tune_outside(careful, dev).before == 1.0


def test_tuning_needs_an_output_layer(student, dev):
    ner = student.get_pipe("ner")
    ner.model.set_ref("output_layer", None)
    with pytest.raises(ValueError, match=r"\[D013\].*'ner'.*char_cnn_bilstm"):
        tune_outside(ner, dev)


@pytest.mark.parametrize(
    "values, expected",
    [
        ([0.6, 0.604, 0.6, 0.6], 0),  # a gain that may be due to chance
        ([0.6, 0.606, 0.6, 0.6], 1),
        ([0.6, 0.698, 0.7, 0.699], 1),  # the smallest constant next to the best
        ([0.6, 0.697, 0.7, 0.699], 2),
        ([0.7, 0.6, 0.6, 0.6], 0),
    ],
)
def test_tuning_chooses_the_smallest_constant_near_the_best(values, expected):
    assert choose_candidate(values, (0.0, -1.0, 1.0, -2.0), n_entities=500) == expected


def test_tuning_keeps_zero_without_gain():
    assert choose_candidate([0.604, 0.6], (-1.0, 0.0), n_entities=500) == 1


@pytest.mark.parametrize(
    "n_entities, values, expected",
    [
        (50, [0.6, 0.649, 0.6, 0.6], 0),  # less than 2.5 entities
        (50, [0.6, 0.651, 0.6, 0.6], 1),
        (50, [0.6, 0.676, 0.7, 0.6], 1),  # less than 1.25 entities below the best
        (50, [0.6, 0.674, 0.7, 0.6], 2),
        (5000, [0.6, 0.606, 0.6, 0.6], 1),
        (5000, [0.6, 0.604, 0.6, 0.6], 0),  # more entities do not help further
        (0, [0.0, 0.0, 0.0, 0.0], 0),
    ],
)
def test_tuning_needs_larger_gains_on_fewer_entities(n_entities, values, expected):
    assert choose_candidate(values, (0.0, -1.0, 1.0, -2.0), n_entities=n_entities) == expected


def test_tuning_counts_the_entities_of_gold(careful, dev, monkeypatch):
    seen = []
    monkeypatch.setattr(
        tuning, "choose_candidate", lambda *_, n_entities: seen.append(n_entities) or 0
    )
    tune_outside(careful, dev)
    assert seen == [16]


def test_tuning_scores_as_spacy_does(careful, dev):
    """F1 agrees with spaCy's for multi-word entities that are spurious or lack gold annotation."""
    dev[0].reference.set_ents([], default="missing")
    dev[1].reference.set_ents([], missing=[dev[1].reference[:1]], default="unmodified")
    for eg in dev[2:4]:  # a blocked token is not an entity, whether in gold or preset
        eg.reference.set_ents([], blocked=[eg.reference[-1:]], default="unmodified")
        eg.predicted.set_ents([], blocked=[eg.predicted[-1:]], default="unmodified")
    layer = careful.model.get_ref("output_layer")
    b = layer.get_param("b")
    candidates = numpy.linspace(-16, 4, 41).tolist()
    values = score_candidates(careful, dev, scorer_of(careful), candidates=candidates)
    assert len(set(values)) > 2
    for added, value in zip(candidates, values):
        layer.set_param("b", add_outside(b, added))
        assert value == pytest.approx(f1(careful, dev) or 0.0)


def test_tuning_is_predicted_by_the_score(careful, dev):
    assert "ents_f_tuned" not in careful.score(dev)
    careful.score_tuned = True
    docs = careful.pipe([eg.predicted for eg in dev])
    scores = careful.score([Example(doc, eg.reference) for doc, eg in zip(docs, dev)])
    assert scores["ents_f_tuned"] == 1.0 > (scores["ents_f"] or 0.0)


def test_tuning_assigns_tokens_to_documents():
    """spaCy's alignment may have one token too many if a text ends with whitespace."""
    vocab = Vocab()
    own = Doc(vocab, words=["a", "   "], spaces=[True, False])
    gold = Doc(vocab, words=["a", " ", " "], spaces=[True, True, False])
    eg = Example(own, gold)
    assert own.text == gold.text and len(eg.alignment.x2y.lengths) == 3
    other = Doc(vocab, words=["b"])
    to_gold, n_before = align_tokens([eg, Example(other, other.copy())])
    assert len(n_before) == len(own) + 1 + 1
    assert to_gold[n_before[2]] == len(gold)


def test_tuning_needs_annotation(careful, dev):
    for eg in dev:
        eg.reference.set_ents([], default="missing")
    careful.score_tuned = True
    list(careful.pipe([eg.predicted for eg in dev]))
    assert careful.score(dev)["ents_f_tuned"] is None
    with pytest.raises(ValueError, match=r"\[D014\].*'ner'"):
        tune_outside(careful, dev)


def test_tuning_keeps_preset_entities(careful, dev):
    """Half of the gold entities, and a wrong one, are preset."""
    for eg in dev[::2]:
        eg.predicted.ents = [
            Span(eg.predicted, ent.start, ent.end, label=ent.label_) for ent in eg.reference.ents
        ]
    other = dev[1].predicted
    other.ents = [Span(other, 0, 1, label="OTHER")]
    candidates = (0.0, -6.0, -12.0)
    values = score_candidates(careful, dev, scorer_of(careful), candidates=candidates)
    layer = careful.model.get_ref("output_layer")
    b = layer.get_param("b")
    for added, value in zip(candidates, values):
        layer.set_param("b", add_outside(b, added))
        assert value == pytest.approx(f1(careful, dev))
    assert len(set(values)) > 1


def test_tuning_is_predicted_between_entity_rulers(student, careful, examples, monkeypatch):
    """One ruler presets a wrong entity. Tuning does not see what a later ruler adds."""
    monkeypatch.setattr("spacy_distill.tuning.ENOUGH", 0)
    ruler = student.add_pipe("entity_ruler", before="ner")
    ruler.add_patterns([{"label": "OTHER", "pattern": examples[0].reference[0].text}])
    ruler = student.add_pipe("entity_ruler", name="late")
    ruler.add_patterns([{"label": "LATE", "pattern": examples[1].reference[-1].text}])
    careful.score_tuned = careful.has_learnt = True  # as during training
    copies = [copy_words(eg.reference, student.vocab) for eg in examples]
    dev = [Example(doc, eg.reference) for doc, eg in zip(copies, examples)]
    tuned_score = student.evaluate(dev)["ents_f_tuned"]
    again = [copy_words(doc) for doc in copies]
    docs = run_pipes(student, again, before=careful)
    assert any(ent.label_ == "OTHER" for doc in docs for ent in doc.ents)
    tuned = tune_outside(careful, [Example(doc, eg.reference) for doc, eg in zip(docs, examples)])
    assert tuned.before < tuned.after == tuned_score < 1.0


@pytest.mark.parametrize("own", ["AnnSmith lives in New York .", "Ann Smith lives in N ew Yo rk."])
def test_tuning_scores_other_tokens_as_spacy_does(careful, dev, own):
    """Tokens are joined within an entity and over the edge of one, and split."""
    text = dev[0].reference.text.replace(" ", "")
    assert own.replace(" ", "") == text
    words = own.split()
    other = Doc(dev[0].predicted.vocab, words=words, spaces=[False] * len(words))
    gold = Doc(
        other.vocab,
        words=[token.text for token in dev[0].reference],
        spaces=[False] * len(dev[0].reference),
        ents=["B-PER", "I-PER", "O", "O", "B-LOC", "I-LOC", "O"],
    )
    examples = [dev[1], Example(other, gold), *dev[2:]]
    candidates = (0.0, -6.0, -12.0, -24.0)
    values = score_candidates(careful, examples, scorer_of(careful), candidates=candidates)
    layer = careful.model.get_ref("output_layer")
    b = layer.get_param("b")
    for added, value in zip(candidates, values):
        layer.set_param("b", add_outside(b, added))
        docs = careful.pipe([eg.predicted.copy() for eg in examples])
        scored = [Example(doc, eg.reference) for doc, eg in zip(docs, examples)]
        assert value == pytest.approx(get_ner_prf(scored)["ents_f"])
    assert len(set(values)) > 2


def test_tuning_counts_duplicate_entities():
    """If two entities become the same in gold's tokens, spaCy counts one of them as wrong."""
    vocab = Vocab()
    own = Doc(vocab, words=["Ann", "-", "Lee"], spaces=[False] * 3, ents=["B-PER", "O", "B-PER"])
    eg = Example(own, Doc(vocab, words=["Ann-Lee"], spaces=[False], ents=["B-PER"]))
    tokens = TokenAttributes.from_docs([own])
    found = Gold.from_examples([eg]).score(find_entities(tokens.ent_iob, tokens.ent_type))
    assert found == pytest.approx(2 / 3) == get_ner_prf([eg])["ents_f"]


def test_tuning_with_a_listener(examples):
    """A component that listens to a shared `tok2vec` is scored and tuned with its vectors."""
    nlp = spacy.blank("en")
    nlp.add_pipe("tok2vec")
    listener = {"@architectures": "spacy.Tok2VecListener.v1", "width": 96}
    model = {"@architectures": "spacy-distill.LinearTagger.v1", "tok2vec": listener, "dropout": 0.0}
    ner = nlp.add_pipe("ner_tagger", name="ner", config={"model": model, "score_tuned": True})
    nlp.initialize(lambda: examples)
    for _ in range(60):
        nlp.update(examples)
    scores = nlp.evaluate(examples)
    assert scores["ents_f"] > 0.9
    assert scores["ents_f_tuned"] >= scores["ents_f"]
    # Also if the tokens differ from gold's: a copy with gold's tokens would have no tok2vec output.
    words = ["Ann", "Smith", "lives", "in", "New", "York", "."]
    own = Doc(nlp.vocab, words=words, spaces=[True] * 5 + [False] * 2)
    tags = ["B-PER", "I-PER", "O", "O", "B-LOC", "I-LOC"]
    gold = Doc(nlp.vocab, words=[*words[:5], "York."], ents=tags, spaces=[True] * 5 + [False])
    scores = nlp.evaluate([Example(own, gold), *examples[1:]])
    assert scores["ents_f"] > 0.9
    assert scores["ents_f_tuned"] >= scores["ents_f"]
    docs = run_pipes(nlp, [copy_words(eg.reference) for eg in examples], before=ner)
    tuned = tune_outside(ner, [Example(doc, eg.reference) for doc, eg in zip(docs, examples)])
    assert tuned.before == pytest.approx(scores["ents_f"])


def test_tuning_sees_the_layout_behind_a_component_that_changes_tokens(student):
    """Line breaks separate text or not depending on the spaces between tokens."""
    ner = student.get_pipe("ner")
    doc = student.make_doc("Ann (a friend) left New\nYork.")
    reference = doc.copy()
    reference.set_ents([Span(doc, i, i + 1, "LOC") for i in (6, 8)], default="outside")
    scored = score_docs([doc], ner.predict)
    scored[0].scores[:] = 0
    for i, tag in ((6, "B-LOC"), (8, "I-LOC")):  # one entity, if it were one line
        scored[0].scores[i, ner.tags.index(tag)] = 9
    scored[0].scores[8, ner.tags.index("B-LOC")] = 8
    for _ in range(2):
        found = score_candidates(ner, [Example(doc, reference)], lambda docs: scored)
        assert found[0] == 1
        with doc.retokenize() as retokenizer:
            retokenizer.merge(doc[0:2])
