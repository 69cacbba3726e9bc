"""Teachers with rules that set entities in addition to a component with scores."""

import numpy
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from spacy.language import Language
from spacy.tokens import Doc, Span

from spacy_distill.tags import make_tags, tags_from_docs
from spacy_distill.teachers.choose import choose_teacher
from spacy_distill.teachers.ensemble import join_teachers
from spacy_distill.teachers.label_map import read_label_map
from spacy_distill.teachers.ner_tagger import NERTaggerTeacher
from spacy_distill.teachers.stock_ner import StockNERTeacher
from spacy_distill.teachers.whole_pipeline import WholePipelineTeacher, override

PATTERNS = [
    {"label": "PROD", "pattern": [{"LOWER": "widget"}, {"LOWER": "pro"}]},
    {"label": "LOC", "pattern": "Bob"},
]


@Language.component("find_years_of_a_test", assigns=["doc.ents"])
def find_years(doc):
    """Set entities without declaring their labels."""
    years = [Span(doc, token.i, token.i + 1, label="DATE") for token in doc if token.is_digit]
    doc.set_ents(years, default="unmodified")
    return doc


@pytest.fixture
def stock(nlp, examples):
    nlp.add_pipe("ner")
    nlp.initialize(lambda: examples)
    for _ in range(30):
        nlp.update(examples)
    return nlp


def check_that_entities_are_taught(nlp, texts):
    """Check that the argmax of the soft targets gives the entities that the pipeline sets."""
    teacher = choose_teacher(nlp)
    assert isinstance(teacher, WholePipelineTeacher)
    texts = ["Bob went to Rome for a Widget Pro", "Widget Pro", "", *texts]
    docs = [nlp.make_doc(text) for text in texts]
    rows = teacher.predict(docs)
    found = list(nlp.pipe(texts))
    assert {ent.label_ for doc in found for ent in doc.ents} >= {"PROD", "LOC"}
    for doc, log_probs in zip(found, rows):
        assert log_probs.shape == (len(doc), len(teacher.tags))
        assert_allclose(numpy.exp(log_probs).sum(axis=1), 1.0, atol=1e-4)
        assert_array_equal(log_probs.argmax(axis=1), tags_from_docs([doc], teacher.tags))
    return teacher, docs, rows


@pytest.mark.parametrize("place", ["first", "last"])
def test_whole_pipeline_of_our_component_and_rules(student, texts, place):
    student.add_pipe("entity_ruler", config={"overwrite_ents": True}, **{place: True}).add_patterns(
        PATTERNS
    )
    teacher, docs, rows = check_that_entities_are_taught(student, texts)
    # A token that the rules do not change has the distribution of the component.
    own = NERTaggerTeacher(student, student.get_pipe("ner")).predict(docs)[0]
    columns = [teacher.tags.index(tag) for tag in student.get_pipe("ner").tags]
    assert_allclose(numpy.exp(rows[0][3][columns]), numpy.exp(own[3]), atol=1e-3)
    assert numpy.exp(rows[0][6]).max() == pytest.approx(0.9)  # from the rules


def test_whole_pipeline_of_the_stock_component_and_rules(stock, texts):
    stock.add_pipe("entity_ruler", config={"overwrite_ents": True}).add_patterns(PATTERNS)
    check_that_entities_are_taught(stock, texts)


def test_stock_component_sees_rules_before_it(stock):
    stock.add_pipe("entity_ruler", first=True).add_patterns(PATTERNS)
    assert isinstance(choose_teacher(stock), StockNERTeacher)


def test_whole_pipeline_counts_rules_of_spans(student, texts):
    ruler = student.add_pipe("span_ruler", config={"annotate_ents": True, "overwrite": True})
    ruler.add_patterns(PATTERNS)
    check_that_entities_are_taught(student, texts)


@pytest.mark.parametrize(
    "renames, drop, labels, tag",
    [
        (["DATE=TIME"], [], None, "B-TIME"),
        (["DATE=LOC"], [], None, "B-LOC"),
        ([], ["DATE"], None, "O"),
        ([], [], ["PER", "DATE", "LOC"], "B-DATE"),
        (["DATE=PER", "PER=DATE"], [], ["PER", "DATE", "LOC"], "B-PER"),
        (["DATE=TIME"], ["PER"], ["TIME", "LOC"], "B-TIME"),
    ],
)
@pytest.mark.parametrize("kind", ["student", "stock"])
def test_whole_pipeline_maps_labels_that_no_component_declares(
    request, kind, renames, drop, labels, tag
):
    nlp = request.getfixturevalue(kind)
    nlp.add_pipe("find_years_of_a_test")
    teacher = choose_teacher(nlp)
    doc = nlp.make_doc("Bob went to Rome 1999")
    with pytest.raises(ValueError, match=r"\[D803\].*'1999' as DATE.*--map .*--drop .*--labels"):
        join_teachers([teacher]).predict([doc])
    label_map = read_label_map(renames, drop=drop)
    joined = join_teachers([teacher], labels=labels, label_map=label_map, may_lack=bool(labels))
    assert set(joined.tags) >= set(make_tags(labels or ["LOC"], scheme="iob"))
    (rows,) = joined.predict([doc])
    expected = [label_map.of_tag("B-PER"), "O", "O", "B-LOC", tag]
    assert [joined.tags[i] for i in rows.argmax(axis=1)] == expected
    if tag in ("B-TIME", "B-DATE"):  # the component may predict the others itself
        assert numpy.exp(rows[4]).max() == pytest.approx(0.9, abs=1e-3)


def test_whole_pipeline_checks_maps_if_all_labels_are_declared(student):
    student.add_pipe("entity_ruler").add_patterns(PATTERNS)
    with pytest.raises(ValueError, match=r"\[D802\].*'DATE'.*'PROD'"):
        join_teachers([choose_teacher(student)], label_map=read_label_map([], drop=["DATE"]))


def test_whole_pipeline_maps_the_labels_of_the_component(student):
    student.add_pipe("entity_ruler").add_patterns(PATTERNS)
    docs = [student.make_doc("Eve Jones saw Ann in New York")]
    teacher = choose_teacher(student)
    plain, mapped = (
        join_teachers([teacher], label_map=read_label_map(renames))
        for renames in ([], ["LOC=PLACE"])
    )
    assert mapped.tags == [tag.replace("LOC", "PLACE") for tag in plain.tags]
    assert_allclose(mapped.predict(docs)[0], plain.predict(docs)[0], atol=1e-5)


def test_whole_pipeline_keeps_distributions_if_the_mapped_tags_agree(student):
    """The rules only change the name of a label, and `--map` changes it back."""
    student.add_pipe("entity_ruler", config={"overwrite_ents": True}).add_patterns(
        [{"label": "PERSON", "pattern": "Bob"}]
    )
    doc = student.make_doc("Bob went to Rome")
    label_map = read_label_map(["PERSON=PER"])
    joined = join_teachers([choose_teacher(student)], label_map=label_map)
    (rows,) = joined.predict([doc])
    own = NERTaggerTeacher(student, student.get_pipe("ner"))
    (expected,) = join_teachers([own], labels=["LOC", "PER"]).predict([doc])
    assert joined.tags == own.tags
    assert_allclose(numpy.exp(rows), numpy.exp(expected), atol=1e-3)


def test_whole_pipeline_override_replaces_only_changed_tokens():
    nan = [numpy.nan] * 3
    scored = numpy.log([[0.6, 0.3, 0.1], [0.6, 0.3, 0.1], nan, [0.2, 0.5, 0.3], nan])
    said = numpy.log([[0.9, 0.05, 0.05], [0.05, 0.9, 0.05], [0.9, 0.05, 0.05], nan, nan])
    expected = numpy.stack([scored[0], said[1], said[2], scored[3], numpy.asarray(nan)])
    assert_array_equal(override(scored, said), expected)


def test_whole_pipeline_keeps_the_tokens_of_documents(student):
    student.add_pipe("entity_ruler").add_patterns(PATTERNS)
    doc = Doc(student.vocab, words=["Bob", "sold", "theWidget", "Pro"])
    (rows,) = choose_teacher(student).predict([doc])
    assert rows.shape[0] == 4
    assert not numpy.isnan(rows).any()
