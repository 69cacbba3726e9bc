from dataclasses import dataclass
from typing import List

import numpy
import pytest
from numpy.testing import assert_allclose

from spacy_distill.distributions import log_softmax
from spacy_distill.tags import make_tags
from spacy_distill.teachers.ensemble import Ensemble, join_teachers
from spacy_distill.teachers.label_map import LabelMap, read_label_map


@dataclass
class Fixed:
    """A teacher that predicts the same for all documents of the same length."""

    tags: List[str]
    name: str = "fixed"

    def predict(self, docs):
        rng = numpy.random.default_rng(0)
        shapes = [(len(doc), len(self.tags)) for doc in docs]
        return [log_softmax(rng.normal(size=shape).astype("f")) for shape in shapes]


def teacher_of(*labels, scheme="iob"):
    return Fixed(make_tags(labels, scheme=scheme))


def probs_of(teacher, doc):
    """Return the probabilities of each tag, by its name: (n_tokens,) each."""
    (rows,) = teacher.predict([doc])
    assert_allclose(numpy.exp(rows).sum(axis=1), 1, rtol=1e-5)
    return dict(zip(teacher.tags, numpy.exp(rows).T))


@pytest.fixture
def doc(make_doc):
    return make_doc("Ann met Bob")


def test_label_map_is_read():
    assert read_label_map(["A=B=C"])("A=B") == "C"
    label_map = read_label_map(["PERSON=PER", "GPE=LOC"], drop=["NORP"])
    assert label_map == LabelMap({"PERSON": "PER", "GPE": "LOC"}, frozenset(["NORP"]))
    assert [label_map(label) for label in ("PERSON", "NORP", "ORG")] == ["PER", "", "ORG"]
    assert label_map.of_tag("L-GPE") == "L-LOC"
    assert label_map.of_tag("B-NORP") == label_map.of_tag("O") == "O"


@pytest.mark.parametrize("names", [["PERSON"], ["=PER"], ["PERSON="], [""]])
def test_label_map_refuses_malformed_names(names):
    with pytest.raises(ValueError, match=r"\[D007\] --map .*OLD=NEW"):
        read_label_map(names)


def test_label_map_refuses_a_label_that_is_given_twice():
    with pytest.raises(ValueError, match=r"\[D007\] --map or --drop is \['A=B', 'A'\]"):
        read_label_map(["A=B"], drop=["A"])


def test_label_map_adds_probabilities_of_joined_labels(doc):
    teacher = teacher_of("PERSON", "GPE", "LOC", "NORP")
    label_map = LabelMap({"PERSON": "PER", "GPE": "LOC"}, frozenset(["NORP"]))
    joined = join_teachers([teacher], label_map=label_map)
    assert joined.tags == make_tags(["PER", "LOC"], scheme="iob")
    before, found = probs_of(teacher, doc), probs_of(joined, doc)
    assert_allclose(found["B-PER"], before["B-PERSON"], rtol=1e-5)
    assert_allclose(found["I-LOC"], before["I-GPE"] + before["I-LOC"], rtol=1e-5)
    assert_allclose(found["O"], before["O"] + before["B-NORP"] + before["I-NORP"], rtol=1e-5)


@pytest.mark.parametrize("names", [{"A": "C"}, {"A": "C", "B": "D"}, {"A": "B", "B": "A"}])
@pytest.mark.parametrize("labels", [None, ["A", "B"]])
def test_label_map_renames(doc, names, labels):
    """Columns are put in order even if no label is dropped or joined with another."""
    teacher, label_map = teacher_of("A", "B"), LabelMap(names)
    labels = labels and [label_map(label) for label in labels][::-1]
    joined = join_teachers([teacher], labels=labels, label_map=label_map)
    (before,), (after,) = teacher.predict([doc]), joined.predict([doc])
    assert set(joined.tags) == {label_map.of_tag(tag) for tag in teacher.tags}
    for i, tag in enumerate(teacher.tags):
        column = joined.tags.index(label_map.of_tag(tag))
        assert_allclose(after[:, column], before[:, i], rtol=1e-5)


def test_label_map_without_changes_returns_the_teacher():
    teacher = teacher_of("PER", "LOC", scheme="biluo")
    assert join_teachers([teacher]) is teacher
    # The order is that of the teacher, whatever the order of the given labels.
    assert join_teachers([teacher], labels=["LOC", "PER"]) is teacher


def test_label_map_error_lists_unmatched_labels_of_both_sides():
    with pytest.raises(ValueError, match=r"\[D801\].*'A', 'B'.*'B', 'C'.*\['A'\].*\['C'\]"):
        join_teachers([teacher_of("A", "B")], labels=["B", "C"])
    renamed = LabelMap({"B": "C"})
    with pytest.raises(ValueError, match=r"\[D801\].*Only the teacher has \['A'\].*--labels\.$"):
        join_teachers([teacher_of("A", "B")], labels=["C"], may_lack=True, label_map=renamed)
    with pytest.raises(ValueError, match=r"\[D801\].*'A'\]; .*\. Only the student has \['B'\]"):
        join_teachers([teacher_of("A", "B"), teacher_of("A")])


def test_label_map_gives_labels_that_a_teacher_lacks_a_low_probability(doc):
    teacher = teacher_of("A")
    joined = join_teachers([teacher], labels=["B", "A"], may_lack=True)
    before, found = probs_of(teacher, doc), probs_of(joined, doc)
    assert joined.tags == make_tags(["B", "A"], scheme="iob")
    assert_allclose(found["I-A"], before["I-A"], rtol=1e-3)
    assert (found["B-B"] < 2e-5).all() and (found["B-B"] > 0).all()


def test_label_map_of_unknown_labels_is_refused():
    with pytest.raises(ValueError, match=r"\[D802\].*'PERSN'.*'PER'"):
        join_teachers([teacher_of("PER")], label_map=LabelMap({"PERSN": "PER"}))


def test_label_map_joins_schemes(doc):
    """The joint scheme is BILUO if all teachers have it, otherwise IOB."""
    closing, open_ended = teacher_of("A", "B", scheme="biluo"), teacher_of("B", "A")
    joined = join_teachers([closing, open_ended], weights=[3, 1])
    assert isinstance(joined, Ensemble)
    assert joined.tags == make_tags(["A", "B"], scheme="iob")
    first, second, found = (probs_of(one, doc) for one in (closing, open_ended, joined))
    for label in "AB":
        for tag, merged in ((f"B-{label}", f"U-{label}"), (f"I-{label}", f"L-{label}")):
            expected = 0.75 * (first[tag] + first[merged]) + 0.25 * second[tag]
            assert_allclose(found[tag], expected, rtol=1e-5)
    twins = join_teachers([closing, teacher_of("B", "A", scheme="biluo")])
    assert twins.tags == closing.tags
