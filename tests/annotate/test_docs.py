import math

import numpy
import pytest
import spacy
from numpy.testing import assert_allclose, assert_array_equal
from spacy.tokens import Doc, DocBin

from spacy_distill.annotate.docs import annotate_docs
from spacy_distill.corpus import build_distillation_corpus_v1
from spacy_distill.distributions import UNSEEN, log_softmax
from spacy_distill.soft_targets import KEY, get_soft_targets, set_soft_targets
from spacy_distill.tags import make_tags
from spacy_distill.teachers.checkpoint_labels import read_scheme
from spacy_distill.teachers.ner_tagger import find_ner_tagger


@pytest.fixture
def docs(student, texts, make_doc):
    return [make_doc(text, vocab=student.vocab) for text in texts]


def annotations(docs):
    return [(doc.text, doc.to_array(["ENT_IOB", "ENT_TYPE"]).tolist()) for doc in docs]


def test_annotation_keeps_the_order(student, docs, texts):
    found = list(annotate_docs(student, iter(docs), batch_size=4))
    assert [id(doc) for doc in found] == [id(doc) for doc in docs]
    assert [doc.text.split() for doc in found] == [text.split() for text in texts]


@pytest.mark.parametrize("scheme", ["iob", "biluo"])
def test_annotation_sets_entities_and_soft_targets(make_student, texts, make_doc, scheme):
    teacher = make_student(scheme=scheme)
    ner = teacher.get_pipe("ner")
    # Untrained, with a bias that makes it predict entities everywhere.
    ner.model.get_ref("output_layer").get_param("b")[1:] = 0.3
    docs = list(annotate_docs(teacher, [make_doc(text) for text in texts]))
    expected = [ner(make_doc(text)) for text in texts]
    assert annotations(docs) == annotations(expected)
    assert sum(len(doc.ents) for doc in docs) > 3
    for doc, scores in zip(docs, ner.predict([make_doc(text) for text in texts])):
        found = get_soft_targets(doc, tags=ner.tags, name="ner")
        assert_allclose(found, log_softmax(scores), rtol=1e-3, atol=1e-5)


def test_annotation_does_not_depend_on_batches(student, texts, make_doc):
    results = []
    for batch_size in (1, 3, 1024):
        docs = [make_doc(text, vocab=student.vocab) for text in texts]
        results.append(list(annotate_docs(student, docs, batch_size=batch_size)))
    first, *others = results
    for other in others:
        assert annotations(other) == annotations(first)
        for doc, again in zip(first, other):
            assert_allclose(
                doc.user_data[KEY]["log_probs"], again.user_data[KEY]["log_probs"], rtol=2e-3
            )


def test_annotation_keeps_gold(student, make_doc, ents):
    """The teacher itself would predict that Ann Smith is a PER and New York a LOC."""
    words = "Ann Smith lives in New York ."
    gold = make_doc(words, "O B-LOC O B-LOC I-LOC O O", vocab=student.vocab)
    outside = make_doc(words, "O O O O O O O", vocab=student.vocab)
    before = annotations([gold, outside])
    assert annotations(annotate_docs(student, [gold, outside])) == before
    assert gold.user_data[KEY]["log_probs"].shape == (7, 5)


def test_annotation_fills_in_partial_gold(student, make_doc, ents):
    doc = make_doc("Ann Smith lives in New York .", vocab=student.vocab)
    given = doc.char_span(0, 3, label="GIVEN")
    doc.set_ents([given], outside=[doc[5:6]], default="missing")
    (doc,) = annotate_docs(student, [doc])
    # `New` was free, but not `York`; `Smith` was free, but follows a given entity.
    found = ents(doc)
    assert (0, 1, "GIVEN") in found
    assert doc[5].ent_iob_ == "O"
    assert all(token.ent_iob_ for token in doc)
    assert {label for _, _, label in found} <= {"GIVEN", "PER", "LOC"}
    assert len(found) > 1


class Closing:
    """A teacher that ends entities with whitespace, like stock `ner`."""

    name = "closing"
    tags = make_tags(["LOC"], scheme="biluo")

    def predict(self, docs):
        best = {"Rome": "B-LOC", "\n": "L-LOC"}
        ids = [[self.tags.index(best.get(token.text, "O")) for token in doc] for doc in docs]
        return [numpy.log(numpy.eye(len(self.tags))[found] * 0.9 + 0.02) for found in ids]


def test_annotation_trims_whitespace_from_a_teachers_entities(make_doc, ents):
    docs = [make_doc("In Rome _ it rains"), make_doc("In Rome _")]
    assert [ents(doc) for doc in annotate_docs(Closing(), docs)] == [[(1, 2, "LOC")]] * 2


class Blind:
    """A teacher that has no scores for whitespace and for `?`, like a transformer."""

    name = "blind"

    def __init__(self, labels):
        self.scheme = read_scheme(labels, teacher=self.name)
        self.labels, self.tags = labels, self.scheme.tags
        self.words = {}

    def predict(self, docs):
        rows = [[self.make_row(token) for token in doc] for doc in docs]
        return [self.scheme.to_tags(numpy.asarray(found, dtype="f")) for found in rows]

    def make_row(self, token):
        if token.is_space or token.text == "?":
            return numpy.full(len(self.labels), numpy.nan)
        best = self.labels.index(self.words.get(token.text, "O"))
        return numpy.log(numpy.eye(len(self.labels))[best] * 0.9 + 0.02)


@pytest.mark.parametrize(
    "labels, first, last",
    [
        ("O B-PER I-PER", "B-PER", "I-PER"),
        ("O B-PER I-PER L-PER U-PER", "B-PER", "L-PER"),
        ("O PER", "PER", "PER"),
        ("O I-PER", "I-PER", "I-PER"),
    ],
)
@pytest.mark.parametrize("n_others", [0, 1])
def test_annotation_finds_entities_across_whitespace(make_doc, ents, labels, first, last, n_others):
    teacher = Blind(labels.split())
    teacher.words = {"Ann": first, "Lee": last}
    docs = [make_doc(text) for text in ("_ Ann Lee _ left", "_ Ann _ Lee _ left _")]
    docs = list(annotate_docs(teacher, docs, others=[teacher] * n_others))
    assert [ents(doc) for doc in docs] == [[(1, 3, "PER")], [(1, 4, "PER")]]
    # Whitespace outside of entities has no pseudo-label.
    assert [token.ent_iob for token in docs[1]] == [0, 3, 1, 1, 0, 2, 0]
    # The soft targets are those of the same words on one line.
    on_one_line, on_two = [doc.user_data[KEY]["log_probs"] for doc in docs]
    assert_array_equal(on_two[[1, 3, 5]], on_one_line[[1, 2, 4]])
    assert numpy.isnan(on_two[[0, 2, 4, 6]]).all()


@pytest.mark.parametrize("text", ["Ann ? Lee", "Ann _ ? Lee", "Ann _ ?"])
def test_annotation_leaves_out_entities_that_may_continue_after_whitespace(make_doc, ents, text):
    teacher = Blind(["O", "PER"])
    teacher.words = {"Ann": "PER"}
    (doc,) = annotate_docs(teacher, [make_doc(text)])
    assert ents(doc) == [] and doc[0].ent_iob == 0


@pytest.mark.parametrize("scheme, tags", [("iob", "B-PER I-PER"), ("biluo", "B-PER L-PER")])
def test_annotation_by_a_tagger_finds_entities_across_whitespace(
    make_student, make_doc, ents, tag_scores, monkeypatch, scheme, tags
):
    teacher = make_student(scheme=scheme)
    ner = teacher.get_pipe("ner")
    first, last = tags.split()
    before = "the board of the company and all of its many shareholders"
    n = len(before.split())
    scores = tag_scores(f"O {'O ' * n}{first} O {last} O O", ner.tags)
    spaces = [0, n + 2, n + 4]
    scores[spaces] = [0.0, *[UNSEEN] * (len(ner.tags) - 1)]
    monkeypatch.setattr(ner, "predict", lambda docs: [scores for _ in docs])
    (doc,) = annotate_docs(teacher, [make_doc(f"_ {before} Ann _ Lee _ left")])
    assert ents(doc) == [(n + 1, n + 4, "PER")]
    assert [token.ent_iob for token in doc] == [0, *[2] * n, 3, 1, 1, 0, 2]
    assert numpy.isnan(doc.user_data[KEY]["log_probs"][spaces]).all()


def test_annotation_keeps_blocked_tokens_and_kb_ids(student, make_doc, ents):
    """The teacher itself would predict that Ann Smith is a PER and New York a LOC."""
    doc = make_doc("Ann Smith lives in New York .", vocab=student.vocab)
    given = doc.char_span(0, 3, label="GIVEN", kb_id="Q1")
    doc.set_ents([given], blocked=[doc[4:6]], default="missing")
    (doc,) = annotate_docs(student, [doc])
    assert (doc.ents[0].label_, doc.ents[0].kb_id_) == ("GIVEN", "Q1")
    assert all(end <= 4 or start >= 6 for start, end, _ in ents(doc))
    assert_array_equal(doc.to_array(["ENT_IOB", "ENT_TYPE"])[4:6], [[3, 0], [3, 0]])


def test_annotation_of_documents_without_tokens(student, make_doc):
    docs = [make_doc(text, vocab=student.vocab) for text in ("", "Ann left", "")]
    found = list(annotate_docs(student, docs))
    assert [len(doc) for doc in found] == [0, 2, 0]
    tags = student.get_pipe("ner").tags
    shapes = [get_soft_targets(doc, tags=tags, name="ner").shape for doc in found]
    assert shapes == [(0, 5), (2, 5), (0, 5)]
    assert list(annotate_docs(student, [])) == []


def test_annotation_entities_have_no_whitespace_at_their_ends(student, make_doc, monkeypatch):
    """As in the component, the tag of a line break at the end of a name is ignored."""
    ner = student.get_pipe("ner")
    scores = numpy.zeros((3, 5), dtype="f")
    scores[[0, 1, 2], [ner.tags.index(tag) for tag in ("B-PER", "I-PER", "O")]] = 9.0
    monkeypatch.setattr(ner, "predict", lambda docs: [scores for _ in docs])
    (doc,) = annotate_docs(student, [make_doc("Ann _ left", vocab=student.vocab)])
    assert [(ent.start, ent.end) for ent in doc.ents] == [(0, 1)]


def test_annotation_sets_nothing_but_entities(student, make_doc, texts):
    """The other components of the teacher's pipeline run on copies of the documents."""
    student.add_pipe("sentencizer", first=True)
    student.add_pipe("entity_ruler", before="ner").add_patterns(
        [{"label": "X", "pattern": "saw", "id": "rule"}]
    )
    doc = make_doc(texts[4], vocab=student.vocab)
    (doc,) = annotate_docs(student, [doc])
    assert not doc.has_annotation("SENT_START")
    assert {ent.label_ for ent in doc.ents} == {"PER", "X"}
    assert not any(token.ent_id for token in doc)


@pytest.mark.filterwarnings("ignore:.*W003")
def test_annotation_runs_only_components_before_the_teacher(student, make_doc, texts):
    seen = []

    @spacy.Language.component("count_docs_before")
    def count_before(doc):
        seen.append("before")
        return doc

    @spacy.Language.component("count_docs_after")
    def count_after(doc):
        seen.append("after")
        return doc

    student.add_pipe("count_docs_before", first=True)
    student.add_pipe("count_docs_after", last=True)
    list(annotate_docs(student, [make_doc(text, vocab=student.vocab) for text in texts]))
    assert seen == ["before"] * len(texts)


def test_annotation_needs_a_teacher(nlp, student):
    nlp.add_pipe("sentencizer")
    with pytest.raises(ValueError, match=r"\[D012\].*sentencizer"):
        find_ner_tagger(nlp)
    with pytest.raises(ValueError, match=r"\[D808\]"):
        list(annotate_docs(nlp, [nlp("Ann")]))
    assert find_ner_tagger(student) is student.get_pipe("ner")


def test_annotation_uses_the_last_ner_tagger(student_path):
    nlp = spacy.load(student_path)
    last = nlp.add_pipe("ner", name="last", source=spacy.load(student_path))
    assert find_ner_tagger(nlp) is last


def test_annotation_can_be_read_by_the_corpus(student, docs, tmp_path):
    (empty,) = annotate_docs(student, [student.make_doc("")])
    annotated = [*annotate_docs(student, docs), empty]
    DocBin(docs=annotated, store_user_data=True).to_disk(tmp_path / "pool.spacy")
    reader = build_distillation_corpus_v1(labelled=None, unlabelled=tmp_path)
    found = [eg.reference for eg in reader(student)]
    assert annotations(found) == annotations(annotated)
    for doc, again in zip(annotated, found):
        assert_array_equal(doc.user_data[KEY]["log_probs"], again.user_data[KEY]["log_probs"])


def test_annotation_replaces_soft_targets_of_an_earlier_run(student, make_doc):
    doc = make_doc("Ann left", vocab=student.vocab)
    set_soft_targets(doc, numpy.zeros((2, 3)), tags=["O", "B-X", "I-X"])
    (doc,) = annotate_docs(student, [doc])
    assert doc.user_data[KEY]["tags"] == student.get_pipe("ner").tags


@pytest.fixture
def other(student_path):
    """The same teacher, less confident, with tags in another order and its own vocabulary."""
    nlp = spacy.load(student_path)
    ner = nlp.get_pipe("ner")
    layer = ner.model.get_ref("output_layer")
    order = [0, 3, 4, 1, 2]  # B-PER and I-PER before B-LOC and I-LOC
    for name in ("W", "b"):
        layer.set_param(name, 0.3 * layer.get_param(name)[order])
    ner.cfg["labels"] = ner.cfg["labels"][::-1]
    ner._labels_changed()
    return nlp


def test_annotation_averages_teachers(student, other, texts, docs):
    shares = numpy.asarray([0.75, 0.25])
    found = list(annotate_docs(student, docs, others=[other], weights=[3, 1], batch_size=4))
    first, second = (nlp.get_pipe("ner") for nlp in (student, other))
    assert first.tags != second.tags
    for doc, text in zip(found, texts):
        probs = []
        for nlp, ner in ((student, first), (other, second)):
            (scores,) = ner.predict([Doc(nlp.vocab, words=text.split())])
            columns = [ner.tags.index(tag) for tag in first.tags]
            probs.append(numpy.exp(log_softmax(scores))[:, columns])
        mean = numpy.tensordot(shares, probs, axes=1)
        log_probs = get_soft_targets(doc, tags=first.tags, name="ner")
        assert_allclose(numpy.exp(log_probs), mean, atol=2e-3)
        entropies = [-(p * numpy.log(p)).sum(axis=1) for p in (mean, *probs)]
        expected = entropies[0] - shares @ numpy.stack(entropies[1:])
        assert_allclose(doc.user_data[KEY]["disagreement"], expected, atol=2e-3)
    assert sum(len(doc.ents) for doc in found) > 5


def test_annotation_of_identical_teachers_is_that_of_one(student, student_path, texts, docs):
    alone = [Doc(student.vocab, words=text.split()) for text in texts]
    twin = spacy.load(student_path)
    together = list(annotate_docs(student, docs, others=[twin]))
    assert annotations(together) == annotations(annotate_docs(student, alone))
    for doc in together:
        assert_allclose(doc.user_data[KEY]["disagreement"], 0, atol=1e-3)


def test_annotation_of_several_teachers_keeps_gold(student, student_path, make_doc):
    gold = make_doc(
        "Ann Smith lives in New York .", "O B-LOC O B-LOC I-LOC O O", vocab=student.vocab
    )
    before = annotations([gold])
    assert annotations(annotate_docs(student, [gold], others=[spacy.load(student_path)])) == before


def test_annotation_refuses_bad_weights_and_different_labels(student, other, docs):
    with pytest.raises(ValueError, match=r"\[D007\] weights.*2 numbers above 0"):
        list(annotate_docs(student, docs, others=[other], weights=[1.0]))
    for weight in (0.0, math.inf, math.nan):
        with pytest.raises(ValueError, match=r"\[D007\] weights"):
            list(annotate_docs(student, docs, others=[other], weights=[1.0, weight]))
    other.get_pipe("ner").cfg["labels"][0] = "ORG"
    other.get_pipe("ner")._labels_changed()
    with pytest.raises(ValueError, match=r"\[D801\].*'ORG'.*'LOC', 'PER'"):
        list(annotate_docs(student, docs, others=[other]))
