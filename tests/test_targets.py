import numpy
import pytest
from numpy.testing import assert_allclose
from spacy.tokens import Doc
from spacy.training import Example

from spacy_distill.distributions import log_softmax
from spacy_distill.soft_targets import set_soft_targets
from spacy_distill.tags import make_tags
from spacy_distill.targets import get_targets

SCHEMES = ("iob", "biluo")
LABELS = ["PER", "LOC"]


@pytest.fixture
def teach():
    """Give a document soft targets, with different scores for each token."""

    def set_on(doc, tags):
        rng = numpy.random.default_rng(len(doc))
        log_probs = log_softmax(rng.normal(size=(len(doc), len(tags))).astype("f"))
        set_soft_targets(doc, log_probs, tags=tags)
        return log_probs

    return set_on


def names(targets, tags):
    return ["-" if i == -1 else tags[i] for i in targets.tags]


@pytest.mark.parametrize(
    "scheme, expected",
    [
        ("iob", "B-PER I-PER O B-LOC B-LOC I-LOC I-LOC"),
        ("biluo", "B-PER L-PER O U-LOC B-LOC I-LOC L-LOC"),
    ],
)
def test_targets_are_the_gold_tags(make_example, scheme, expected):
    tags = make_tags(LABELS, scheme=scheme)
    gold = "B-PER I-PER O B-LOC B-LOC I-LOC I-LOC"
    targets = get_targets([make_example("a b c d e f g", gold)], tags=tags, name="ner")
    assert names(targets, tags) == expected.split()
    assert targets.teacher_scores.shape == (0, len(tags))
    assert targets.taught.tolist() == []


@pytest.mark.parametrize("scheme", SCHEMES)
def test_targets_are_missing_if_gold_is_missing(make_example, scheme):
    tags = make_tags(LABELS, scheme=scheme)
    batch = [make_example("a b"), make_example("c d", "O O"), make_example("")]
    targets = get_targets(batch, tags=tags, name="ner")
    assert names(targets, tags) == ["-", "-", "O", "O"]
    eg = make_example("a b c", "O O O")
    eg.reference.set_ents([], missing=[eg.reference[1:2]], default="outside")
    assert names(get_targets([eg], tags=tags, name="ner"), tags) == ["O", "-", "O"]


def test_targets_of_a_batch_know_which_tokens_are_taught(make_example, teach):
    tags = make_tags(LABELS, scheme="iob")
    batch = [make_example("a b", "O O"), make_example("c d e"), make_example("f")]
    scores = [teach(batch[1].reference, tags), teach(batch[2].reference, tags)]
    targets = get_targets(batch, tags=tags, name="ner")
    assert targets.taught.tolist() == [2, 3, 4, 5]
    assert_allclose(targets.teacher_scores, numpy.concatenate(scores), rtol=1e-3)


def test_targets_leave_out_tokens_without_soft_targets(make_example, teach):
    tags = make_tags(LABELS, scheme="iob")
    batch = [make_example("a b c"), make_example("d e")]
    kept = []
    for eg, missing in zip(batch, (1, 0)):
        log_probs = teach(eg.reference, tags)
        log_probs[missing] = numpy.nan
        set_soft_targets(eg.reference, log_probs, tags=tags)
        kept.append(numpy.delete(log_probs, missing, axis=0))
    targets = get_targets(batch, tags=tags, name="ner")
    assert targets.taught.tolist() == [0, 2, 4]
    assert_allclose(targets.teacher_scores, numpy.concatenate(kept), rtol=1e-3)


def test_targets_do_not_come_from_the_predicted_document(make_example, teach):
    tags = make_tags(LABELS, scheme="iob")
    eg = make_example("a b")
    eg.predicted.set_ents([eg.predicted.char_span(0, 1, label="PER")], default="outside")
    teach(eg.predicted, tags)
    targets = get_targets([eg], tags=tags, name="ner")
    assert names(targets, tags) == ["-", "-"]
    assert len(targets.taught) == 0


def aligned(nlp, predicted, reference, ents):
    """Documents of the same text, split into words in two ways. `+` means no space."""

    def make(text, ents=None):
        words = text.replace("+", " ").split()
        spaces = [char == " " for char in text if char in " +"] + [False]
        return Doc(nlp.vocab, words=words, spaces=spaces, ents=ents)

    return Example(make(predicted), make(reference, ents.split()))


@pytest.mark.parametrize(
    "scheme, expected",
    [
        ("iob", "B-PER I-PER I-PER O B-LOC"),
        ("biluo", "B-PER I-PER L-PER O U-LOC"),
    ],
)
def test_targets_are_aligned_if_tokens_differ(nlp, teach, scheme, expected):
    """`Ann` and `Jo` are one token of the reference, `left` and `Rome` are tokens of both."""
    tags = make_tags(LABELS, scheme=scheme)
    eg = aligned(nlp, "Ann+Jo Smith left Rome", "AnnJo Smith left Rome", "B-PER I-PER O B-LOC")
    log_probs = teach(eg.reference, tags)
    targets = get_targets([eg], tags=tags, name="ner")
    assert names(targets, tags) == expected.split()
    assert targets.taught.tolist() == [2, 3, 4]
    assert_allclose(targets.teacher_scores, log_probs[1:], rtol=1e-3)


def test_targets_of_a_merged_token(nlp, teach):
    tags = make_tags(LABELS, scheme="iob")
    eg = aligned(nlp, "AnnJo left", "Ann+Jo left", "B-PER O O")
    log_probs = teach(eg.reference, tags)
    targets = get_targets([eg], tags=tags, name="ner")
    assert names(targets, tags) == ["-", "O"]  # an entity is half of this token
    assert targets.taught.tolist() == [1]
    assert_allclose(targets.teacher_scores, log_probs[2:], rtol=1e-3)


def test_targets_of_a_batch_are_indexed_by_predicted_tokens(nlp, teach):
    """The first document has one token more in the reference."""
    tags = make_tags(LABELS, scheme="iob")
    batch = [aligned(nlp, "ab c", "a+b c", "O O O"), aligned(nlp, "d e", "d e", "O O")]
    for eg in batch:
        teach(eg.reference, tags)
    assert get_targets(batch, tags=tags, name="ner").taught.tolist() == [1, 2, 3]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_targets_agree_with_aligned_ner(make_example, scheme, examples):
    """If the tokens are the same, targets agree with spaCy's alignment, which is slower."""
    tags = make_tags(LABELS, scheme=scheme)
    for eg in examples:
        found = names(get_targets([eg], tags=tags, name="ner"), tags)
        biluo = eg.get_aligned_ner()
        if scheme == "iob":
            biluo = [tag.replace("L-", "I-").replace("U-", "B-") for tag in biluo]
        assert found == biluo


def test_targets_name_the_component_whose_labels_differ(make_example, teach):
    eg = make_example("a b")
    teach(eg.reference, make_tags(["ORG"], scheme="iob"))
    with pytest.raises(ValueError, match=r"\[D003\].*'student'"):
        get_targets([eg], tags=make_tags(LABELS, scheme="iob"), name="student")
