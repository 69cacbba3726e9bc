"""Entities and confidences that the `ner_tagger` sets on documents, from given scores."""

import math

import numpy
import pytest
import spacy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from spacy.tokens import Doc

from spacy_distill.layers.crf import find_crf

WORDS = ["Ann", "Bob", "Rome", "Oslo", "New", "York", "in", "saw", "\n", "Zanzibar", "x" * 40]


@pytest.fixture(params=["iob", "biluo"])
def ner(request, make_student):
    return make_student(scheme=request.param, spans_key="sure").get_pipe("ner")


@pytest.fixture
def annotate(ner, tag_scores):
    """Set annotations from scores that prefer the given tags: in BILUO, converted if needed."""

    def set_annotations(doc, wanted):
        if ner.cfg["scheme"] == "iob":
            wanted = wanted.replace("L-", "I-").replace("U-", "B-")
        ner.set_annotations([doc], [tag_scores(wanted, ner.tags)])
        return doc

    return set_annotations


def test_ner_tagger_sets_entities(annotate, make_doc, ents):
    doc = annotate(make_doc("Ann Smith saw Rome"), "B-PER L-PER O U-LOC")
    assert ents(doc) == [(0, 2, "PER"), (3, 4, "LOC")]
    assert [token.ent_iob_ for token in doc] == ["B", "I", "O", "B"]
    assert doc.has_annotation("ENT_IOB")


def test_ner_tagger_sets_no_entities(annotate, make_doc):
    doc = annotate(make_doc("nobody came"), "O O")
    assert doc.ents == ()
    assert [token.ent_iob_ for token in doc] == ["O", "O"]


def test_ner_tagger_keeps_preset_entities(annotate, make_doc, ents):
    """Predictions for tokens 1 and 2 are ignored, but entities next to them are set."""
    doc = make_doc("a b c d e")
    doc.set_ents([doc.char_span(2, 5, label="GIVEN", kb_id="Q1", span_id="r1")], default="missing")
    annotate(doc, "U-PER U-LOC O B-PER L-PER")
    assert ents(doc) == [(0, 1, "PER"), (1, 3, "GIVEN"), (3, 5, "PER")]
    assert (doc.ents[1].kb_id_, doc.ents[1].id_) == ("Q1", "r1")


def test_ner_tagger_entities_do_not_overlap_preset_ones(annotate, make_doc, ents):
    doc = make_doc("a b c d")
    doc.set_ents([doc.char_span(2, 3, label="GIVEN")], default="missing")
    annotate(doc, "B-PER I-PER L-PER O")
    assert (1, 2, "GIVEN") in ents(doc)
    assert all(start >= 2 or end <= 1 for start, end, label in ents(doc) if label != "GIVEN")


def test_ner_tagger_keeps_blocked_tokens(annotate, make_doc, ents):
    doc = make_doc("a b c d")
    doc.set_ents([], blocked=[doc[1:2]], default="missing")
    annotate(doc, "U-PER U-PER O U-LOC")
    assert ents(doc) == [(0, 1, "PER"), (3, 4, "LOC")]
    assert_array_equal(doc.to_array(["ENT_IOB", "ENT_TYPE"])[1], [3, 0])


def test_ner_tagger_entities_have_no_kb_id(annotate, make_doc):
    """A new entity does not get the id of an entity of the same words that was removed."""
    doc = make_doc("a b c")
    doc.set_ents([doc.char_span(0, 3, label="OLD", kb_id="Q1")])
    doc.set_ents([], default="missing")
    annotate(doc, "B-PER L-PER O")
    assert [(ent.label_, ent.kb_id_) for ent in doc.ents] == [("PER", "")]


def test_ner_tagger_sets_entities_on_tokens_annotated_as_outside(annotate, make_doc, ents):
    doc = make_doc("a b c", "O O O")
    assert ents(annotate(doc, "O U-PER O")) == [(1, 2, "PER")]


def test_ner_tagger_after_an_entity_ruler(student, ents):
    ruler = student.add_pipe("entity_ruler", before="ner")
    ruler.add_patterns([{"label": "CITY", "pattern": "New York", "id": "ny"}])
    doc = student("Ann Smith lives in New York .")
    assert ents(doc) == [(0, 2, "PER"), (4, 6, "CITY")]
    assert doc.ents[1].ent_id_ == "ny"


def test_ner_tagger_before_an_entity_ruler_that_overwrites(student, ents):
    ruler = student.add_pipe("entity_ruler", config={"overwrite_ents": True}, after="ner")
    ruler.add_patterns([{"label": "CITY", "pattern": "New York"}])
    assert ents(student("Ann Smith lives in New York ."))[1] == (4, 6, "CITY")


@pytest.mark.parametrize(
    "wanted",
    ["B-PER L-PER O O", "B-PER I-PER L-PER O", "O B-PER I-PER L-PER", "U-PER U-PER O U-PER"],
)
def test_ner_tagger_entities_have_no_whitespace_at_their_ends(annotate, make_doc, ents, wanted):
    doc = annotate(make_doc("a _ _ b"), wanted)
    for ent in doc.ents:
        assert not ent[0].is_space
        assert not ent[-1].is_space


WIDE = "the board of the company and all of its many shareholders in"


@pytest.mark.parametrize("last", ["B-LOC O L-LOC", "B-LOC B-PER L-LOC"])
def test_ner_tagger_entities_may_contain_whitespace(annotate, make_doc, ents, last):
    """If the line is full. What the model predicts for the whitespace itself is ignored."""
    wanted = f"{'O ' * len(WIDE.split())}{last}"
    assert ents(annotate(make_doc(f"{WIDE} New _ York"), wanted)) == [(12, 15, "LOC")]


@pytest.mark.parametrize("text", [f"{WIDE} New __ York", "New _ York"])
def test_ner_tagger_entities_do_not_cross_lines(annotate, make_doc, ents, text):
    doc = make_doc(text)
    annotate(doc, f"{'O ' * (len(doc) - 3)}B-LOC I-LOC L-LOC")
    assert [end - start for start, end, _ in ents(doc)] in ([], [1])


def test_ner_tagger_entities_do_not_cross_sentence_starts(annotate, make_doc, ents):
    doc = make_doc("a b c d", sent_starts=[True, False, True, False])
    annotate(doc, "B-PER I-PER I-PER L-PER")
    assert ents(doc)
    assert all(not (start < 2 < end) for start, end, _ in ents(doc))
    free = make_doc("a b c d")
    assert ents(annotate(free, "B-PER I-PER I-PER L-PER")) == [(0, 4, "PER")]


def test_ner_tagger_confidence_is_the_geometric_mean(ner, make_doc):
    """The tags of the entities have probabilities 0.8 and 0.45, and 0.9."""
    first = ["B-PER", "I-PER"] if ner.cfg["scheme"] == "iob" else ["B-PER", "L-PER"]
    single = "B-PER" if ner.cfg["scheme"] == "iob" else "U-PER"
    n_tags = len(ner.tags)
    probs = numpy.zeros((4, n_tags))
    for i, (tag, prob) in enumerate(zip([*first, "O", single], [0.8, 0.45, 0.7, 0.9])):
        probs[i] = (1 - prob) / (n_tags - 1)
        probs[i, ner.tags.index(tag)] = prob
    doc = make_doc("Ann Smith saw Bob")
    ner.set_annotations([doc], [numpy.log(probs).astype("f") + 3])
    assert [span.text for span in doc.spans["sure"]] == ["Ann Smith", "Bob"]
    assert_allclose(doc.spans["sure"].attrs["scores"], [math.sqrt(0.8 * 0.45), 0.9], rtol=1e-5)


def test_ner_tagger_confidence_of_preset_entities_is_one(annotate, make_doc):
    doc = make_doc("a b c")
    doc.set_ents([doc.char_span(2, 3, label="GIVEN")], default="missing")
    annotate(doc, "U-PER O O")
    assert [span.label_ for span in doc.spans["sure"]] == ["PER", "GIVEN"]
    sure, given = doc.spans["sure"].attrs["scores"]
    assert given == 1.0
    assert 0.5 < sure < 1.0


def test_ner_tagger_confidences_of_a_batch(ner, make_doc, tag_scores):
    """Each document gets its own confidences, also next to documents without tokens."""
    single = "B-PER" if ner.cfg["scheme"] == "iob" else "U-PER"
    texts = [f"{single} O", "", "O", f"O {single} {single}", ""]
    docs = [make_doc("a " * len(text.split())) for text in texts]
    scores = [tag_scores(text, ner.tags, margin=2.0 + i) for i, text in enumerate(texts)]
    ner.set_annotations(docs, scores)
    assert [len(doc.spans["sure"]) for doc in docs] == [1, 0, 0, 2, 0]
    for i, doc in enumerate(docs):
        sure = math.exp(2.0 + i) / (math.exp(2.0 + i) + len(ner.tags) - 1)
        expected = [sure] * len(doc.ents)
        assert_allclose(doc.spans["sure"].attrs["scores"], expected, rtol=1e-5)


def test_ner_tagger_confidences_are_serialised(annotate, make_doc):
    doc = annotate(make_doc("Ann left"), "U-PER O")
    loaded = Doc(doc.vocab).from_bytes(doc.to_bytes())
    assert_allclose(loaded.spans["sure"].attrs["scores"], doc.spans["sure"].attrs["scores"])


def test_ner_tagger_without_spans_key_sets_no_spans(student):
    assert dict(student("Ann lives in Rome").spans) == {}


def test_ner_tagger_takes_documents_without_tokens(ner, make_doc):
    for docs in ([], [make_doc("")], [make_doc(""), make_doc("Ann"), make_doc("")]):
        scores = ner.predict(docs)
        assert [s.shape for s in scores] == [(len(doc), len(ner.tags)) for doc in docs]
        ner.set_annotations(docs, scores)
    assert ner(make_doc("")).ents == ()


def test_ner_tagger_predict_does_not_modify_documents(ner, make_doc):
    doc = make_doc("Ann left", "O B-LOC")
    before = doc.to_bytes()
    ner.predict([doc])
    assert doc.to_bytes() == before


def test_ner_tagger_takes_a_long_document(student, texts, ents):
    """One sentence is repeated 1,000 times, which makes 5,000 tokens."""
    words = [*texts[1].split(), "and"]
    doc = Doc(student.vocab, words=words * 1000)
    doc = student.get_pipe("ner")(doc)
    assert len(doc) == 5000
    starts = {start for start, _, _ in ents(doc)}
    assert len(doc.ents) > 1900
    assert {start % 5 for start in starts} <= {0, 3}


documents = st.lists(st.lists(st.sampled_from(WORDS), max_size=12), max_size=6)


@given(documents=documents)
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_ner_tagger_scores_do_not_depend_on_the_batch(student, documents):
    ner = student.get_pipe("ner")
    docs = [Doc(student.vocab, words=words) for words in documents]
    for doc, together in zip(docs, ner.predict(docs)):
        assert_allclose(ner.predict([doc])[0], together, atol=1e-5)


def test_ner_tagger_call_and_pipe_agree(student, texts):
    singly = [student(text) for text in texts]
    for batch_size in (1, 3, 100):
        for one, doc in zip(singly, student.pipe(texts, batch_size=batch_size)):
            assert_array_equal(one.to_array("ENT_IOB"), doc.to_array("ENT_IOB"))
            assert_array_equal(one.to_array("ENT_TYPE"), doc.to_array("ENT_TYPE"))


@pytest.mark.parametrize("classifier", ["softmax", "crf"])
@pytest.mark.parametrize("score", [numpy.inf, numpy.nan])
def test_ner_tagger_refuses_nan_and_infinite_scores(
    tiny, make_student, make_doc, classifier, score
):
    """For example after training has diverged. A score of -inf is legal: it rules out a tag."""
    ner = make_student(model={**tiny["model"], "classifier": classifier}).get_pipe("ner")
    doc = make_doc("Ann left")
    scores = ner.predict([doc])
    scores[0][1, 2] = -numpy.inf
    ner.set_annotations([doc], scores)
    scores[0][1, 2] = score
    with pytest.raises(ValueError, match=rf"\[D017\].*'ner'.*{score}"):
        ner.set_annotations([doc], scores)


@pytest.mark.parametrize("value, shown", [(numpy.nan, "nan"), (-numpy.inf, "inf")])
def test_ner_tagger_refuses_a_crf_that_is_not_finite(tiny, make_student, tmp_path, value, shown):
    nlp = make_student(model={**tiny["model"], "classifier": "crf"})
    find_crf(nlp.get_pipe("ner").model).get_param("pairs")[0, 1] = value
    nlp.to_disk(tmp_path)
    expected = rf"\[D202\] Parameter 'pairs' of layer 'crf' .*{shown}"
    with pytest.raises(ValueError, match=expected):
        spacy.load(tmp_path)
