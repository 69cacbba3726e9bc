import numpy
import pytest
import spacy
from numpy.testing import assert_allclose

from spacy_distill.annotate.docs import annotate_docs
from spacy_distill.soft_targets import KEY
from spacy_distill.tags import make_tags
from spacy_distill.teachers.choose import choose_teacher
from spacy_distill.teachers.doc_ents import DocEntsTeacher, find_entity_labels
from spacy_distill.teachers.ensemble import join_teachers
from spacy_distill.teachers.label_map import LabelMap


@spacy.Language.component("find_capitals")
def find_capitals(doc):
    """Set entities without declaring them or their labels, as GLiNER or an LLM may do."""
    labels = {"A": "PERSON", "R": "GPE", "S": "NORP"}
    doc.ents = [doc.char_span(t.idx, t.idx + len(t), labels[t.text[0]]) for t in doc if t.is_title]
    return doc


@pytest.fixture
def rules():
    nlp = spacy.blank("en")
    ruler = nlp.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": "PER", "pattern": "Ann Smith"}])
    ruler.add_patterns([{"label": "LOC", "pattern": "Rome"}])
    return nlp


@pytest.fixture
def unknown():
    nlp = spacy.blank("en")
    nlp.add_pipe("find_capitals")
    return nlp


def test_doc_ents_have_most_of_the_probability(rules, make_doc):
    teacher = choose_teacher(rules, smoothing=0.2)
    assert isinstance(teacher, DocEntsTeacher)
    assert teacher.tags == make_tags(["LOC", "PER"], scheme="iob")
    doc, empty = make_doc("Ann Smith left Rome"), make_doc("")
    found, nothing = teacher.predict([doc, empty])
    best = ["B-PER", "I-PER", "O", "B-LOC"]
    expected = [[0.8 if tag == wanted else 0.05 for tag in teacher.tags] for wanted in best]
    assert_allclose(numpy.exp(found), expected, rtol=1e-5)
    assert nothing.shape == (0, 5)
    assert not doc.ents


@pytest.mark.parametrize("smoothing", [0.0, 0.5, -1.0, float("nan")])
def test_doc_ents_smoothing_has_a_range(rules, smoothing):
    with pytest.raises(ValueError, match=r"\[D007\] smoothing"):
        choose_teacher(rules, smoothing=smoothing)


def test_doc_ents_become_pseudo_labels(rules, make_doc, ents):
    (doc,) = annotate_docs(rules, [make_doc("Ann Smith left Rome")])
    assert ents(doc) == [(0, 2, "PER"), (3, 4, "LOC")]


def test_doc_ents_of_unknown_labels_need_the_students(unknown, make_doc, ents):
    teacher = choose_teacher(unknown)
    assert teacher.labels is None
    with pytest.raises(ValueError, match=r"\[D804\] .*'en_pipeline'.*--labels"):
        join_teachers([teacher])
    label_map = LabelMap({"PERSON": "PER", "GPE": "LOC"}, frozenset(["NORP"]))
    joined = join_teachers([teacher], labels=["LOC", "PER"], label_map=label_map)
    doc = make_doc("Ann saw Swiss Rome")
    (doc,) = annotate_docs(joined, [doc])
    assert ents(doc) == [(0, 1, "PER"), (3, 4, "LOC")]
    # Smoothing is uniform over the student's tags.
    probs = numpy.exp(doc.user_data[KEY]["log_probs"].astype("f"))
    assert_allclose(numpy.sort(probs, axis=1), [[0.025] * 4 + [0.9]] * 4, rtol=1e-2)
    assert probs.argmax(axis=1).tolist() == [3, 0, 0, 1]


def test_doc_ents_give_unknown_labels_no_probability(rules, make_doc):
    joined = join_teachers([choose_teacher(rules)], labels=["LOC", "PER", "ORG"], may_lack=True)
    assert joined.tags == make_tags(["LOC", "PER", "ORG"], scheme="iob")
    (found,) = joined.predict([make_doc("Rome sleeps")])
    expected = [[0.025, 0.9, 0.025, 0.025, 0.025, 0, 0], [0.9, *[0.025] * 4, 0, 0]]
    assert_allclose(numpy.exp(found), expected, atol=1e-3)


def test_doc_ents_of_labels_that_the_student_lacks_are_refused(unknown, make_doc):
    joined = join_teachers(
        [choose_teacher(unknown)], labels=["LOC"], label_map=LabelMap({"GPE": "LOC"})
    )
    with pytest.raises(ValueError, match=r"\[D803\].*'Ann' as PERSON.*\['LOC'\].*--drop PERSON"):
        joined.predict([make_doc("Ann saw Rome")])


def test_doc_ents_join_another_teacher(unknown, student, make_doc, ents):
    label_map = LabelMap({"PERSON": "PER", "GPE": "LOC"})
    teachers = [choose_teacher(unknown), choose_teacher(student)]
    joined = join_teachers(teachers, label_map=label_map)
    assert joined.tags == student.get_pipe("ner").tags
    docs = [make_doc("Ann saw Rome")]
    (mean,), (first,), (second,) = (t.predict(docs) for t in (joined, *joined.teachers))
    assert_allclose(numpy.exp(mean), (numpy.exp(first) + numpy.exp(second)) / 2, rtol=1e-5)


@pytest.mark.parametrize("labels", [[], ["ORG"]])
def test_doc_ents_labels_are_those_of_entities(nlp, labels):
    nlp.add_pipe("textcat").add_label("SPAM")
    nlp.add_pipe("tagger").add_label("NOUN")
    ner = nlp.add_pipe("ner")
    for label in labels:
        ner.add_label(label)
    assert find_entity_labels(nlp) == labels


def test_doc_ents_labels_include_those_of_rules(rules):
    config = {"annotate_ents": True, "spans_key": None}
    ruler = rules.add_pipe("span_ruler", config=config)
    ruler.add_patterns([{"label": "ORG", "pattern": "UN"}])
    assert find_entity_labels(rules) == ["LOC", "ORG", "PER"]
