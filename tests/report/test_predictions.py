import numpy
import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Example

from spacy_distill.report.predictions import (
    Entity,
    find_entities,
    leave_out_missing,
    predict,
    read_sentences,
)


@pytest.fixture
def test_set(tmp_path, make_doc):
    """A sentence that the student knows, one that it half knows, and one without annotation."""
    docs = [
        make_doc("Bob went to Rome", "B-PER O O B-LOC"),
        make_doc("Bob Jones went to Rome", "O O O O B-LOC"),
        make_doc("Eve likes Ann"),
    ]
    DocBin(docs=docs).to_disk(tmp_path / "test.spacy")
    return tmp_path / "test.spacy"


def test_predictions_are_scored_as_spacy_does(student, test_set):
    found = predict(student, test_set)
    assert [[ent.key for ent in entities] for entities in found.entities] == [
        [(0, 1, "PER"), (3, 4, "LOC")],
        [(0, 2, "PER"), (4, 5, "LOC")],
        [],  # predictions there are neither right nor wrong
    ]
    assert found.scores["ents_p"] == 3 / 4
    assert found.scores["ents_r"] == 1.0
    assert found.n_words == 12
    assert found.words_per_second == pytest.approx(12 / found.seconds)


def test_predictions_have_the_confidences_of_the_component(student, test_set):
    found = predict(student, test_set)
    student.get_pipe("ner").spans_key = "own"
    doc = student("Bob went to Rome")
    expected = doc.spans["own"].attrs["scores"]
    assert [ent.confidence for ent in found.entities[0]] == pytest.approx(expected)
    assert all(0 < score <= 1 for score in expected)


def test_predictions_of_several_components(student, student_path, test_set):
    """The pipeline also has a ruler, and another component of the same kind."""
    alone = predict(student, test_set).entities[0]
    ruler = student.add_pipe("entity_ruler", last=True)
    ruler.add_patterns([{"label": "EVENT", "pattern": "went"}])
    found = predict(student, test_set).entities[0]
    assert found == [alone[0], Entity(1, 2, "EVENT", None), alone[1]]
    student.add_pipe("ner", name="again", source=spacy.load(student_path), after="ner")
    assert predict(student, test_set).entities[0] == found


def test_predictions_of_another_component_have_no_confidence(nlp, make_doc):
    doc = make_doc("Bob left", "B-PER O", vocab=nlp.vocab)
    assert find_entities(Example(doc, doc.copy())) == [Entity(0, 1, "PER", None)]


def test_predictions_are_of_gold_tokens(make_doc, nlp):
    """Computed by hand: one token of gold is split, two are merged, and two entities share one."""
    gold = make_doc("New York likes Ann-Eve", "B-LOC I-LOC O O", vocab=nlp.vocab)
    words, spaces = ["New York", "likes", "Ann", "-", "Eve"], [True, True, False, False, False]
    found = Doc(nlp.vocab, words=words, spaces=spaces, ents=["B-LOC", "O", "B-PER", "O", "B-PER"])
    assert find_entities(Example(found, gold)) == [Entity(0, 2, "LOC"), Entity(3, 4, "PER")]


def test_predictions_of_a_pipeline_that_changes_tokens(student, test_set):
    """Merged entities are the same entities, with the same confidences."""
    expected = predict(student, test_set)
    student.add_pipe("merge_entities")
    assert [len(token) for token in student("Bob Jones went")] == [9, 4]
    found = predict(student, test_set)
    assert found.entities == expected.entities
    assert (found.scores, found.n_words) == (expected.scores, expected.n_words)


@Language.component("test_predictions_copy")
def copy_doc(doc):
    """Return a new document with the same words."""
    return Doc(doc.vocab, words=[token.text for token in doc])


def test_predictions_of_a_pipeline_that_returns_new_documents(student, test_set):
    expected = predict(student, test_set)
    student.add_pipe("test_predictions_copy", first=True)
    found = predict(student, test_set)
    assert (found.entities, found.scores) == (expected.entities, expected.scores)


def test_predictions_read_sentences(student, test_set):
    sentences = read_sentences(test_set, student)
    assert [len(sentence.offsets) for sentence in sentences] == [4, 5, 3]
    first = sentences[0]
    assert first.gold == [Entity(0, 1, "PER"), Entity(3, 4, "LOC")]
    assert [first.text[start:end] for start, end in first.offsets] == ["Bob", "went", "to", "Rome"]
    assert len(read_sentences(test_set, student, limit=2)) == 2
    assert len(predict(student, test_set, limit=2).entities) == 2


def test_predictions_split_documents_as_evaluation_does(student, tmp_path, make_doc):
    doc = make_doc("Bob went Eve left", "B-PER O B-PER O", sent_starts=[True, False, True, False])
    DocBin(docs=[doc]).to_disk(tmp_path / "test.spacy")
    sentences = read_sentences(tmp_path / "test.spacy", student)
    assert [sentence.text.strip() for sentence in sentences] == ["Bob went", "Eve left"]
    assert [sentence.gold for sentence in sentences] == [[Entity(0, 1, "PER")]] * 2


def test_predictions_need_annotation(student, tmp_path, make_doc):
    DocBin(docs=[make_doc("Bob went home")]).to_disk(tmp_path / "test.spacy")
    with pytest.raises(ValueError, match=r"\[D703\]"):
        read_sentences(tmp_path / "test.spacy", student)


def test_predictions_without_annotation_are_left_out(nlp, make_doc):
    doc = make_doc("a b c d", "O O O O", vocab=nlp.vocab)
    doc.set_ents([Span(doc, 0, 1, "A")], missing=[doc[2:3]], default="outside")
    ent_iob = doc.to_array("ENT_IOB")
    assert (ent_iob == 0).tolist() == [False, False, True, False]
    found = [Entity(0, 1, "A"), Entity(1, 3, "A"), Entity(3, 4, "A")]
    assert leave_out_missing(found, ent_iob) == [found[0], found[2]]
    assert leave_out_missing([], numpy.zeros(0)) == []
