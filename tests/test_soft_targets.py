import math
from itertools import product

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from spacy.tokens import Doc, DocBin
from spacy.vocab import Vocab

from spacy_distill.distributions import log_softmax
from spacy_distill.soft_targets import (
    KEY,
    get_soft_targets,
    has_soft_targets,
    max_log_probs,
    set_soft_targets,
)
from spacy_distill.tags import make_tags, split_tag

TAGS = make_tags(["A", "B"], scheme="iob")


def make_doc(n_tokens=3):
    return Doc(Vocab(), words=["w"] * n_tokens)


def make_log_probs(n_tokens, n_tags, seed=0, scale=6.0):
    rng = numpy.random.default_rng(seed)
    return log_softmax(rng.normal(scale=scale, size=(n_tokens, n_tags)).astype("f"))


@given(n_tokens=st.integers(0, 6), seed=st.integers(0, 1000))
@settings(max_examples=30)
def test_soft_targets_are_saved_in_a_docbin(n_tokens, seed):
    log_probs = make_log_probs(n_tokens, len(TAGS), seed)
    doc = make_doc(n_tokens)
    assert not has_soft_targets(doc)
    set_soft_targets(doc, log_probs, tags=TAGS)
    data = DocBin(docs=[doc], store_user_data=True).to_bytes()
    (loaded,) = DocBin().from_bytes(data).get_docs(Vocab())
    assert has_soft_targets(loaded)
    found = get_soft_targets(loaded, tags=TAGS, name="ner")
    assert found.dtype == numpy.float32
    # float16 has 11 significant bits.
    assert_allclose(found, log_probs, rtol=2**-11, atol=1e-7)


def test_soft_targets_give_the_confidence_of_the_teacher():
    doc = make_doc(3)
    log_probs = numpy.log([[0.5, 0.25, 0.25], [0.2, 0.7, 0.1], [numpy.nan] * 3])
    set_soft_targets(doc, log_probs, tags=["O", "B-PER", "I-PER"])
    found = max_log_probs(doc)
    assert found.dtype == numpy.float16
    assert_allclose(found, numpy.log([0.5, 0.7, numpy.nan]), rtol=2**-10)


def test_soft_targets_are_stored_as_float16():
    doc = make_doc()
    set_soft_targets(doc, make_log_probs(3, 5), tags=TAGS)
    assert doc.user_data[KEY]["log_probs"].nbytes == 3 * 5 * 2


@pytest.mark.parametrize("temperature", [1.0, 2.0, 5.0])
def test_soft_targets_keep_the_tails_for_a_temperature(temperature):
    """A probability of e^-30 is 0 in float16, its logarithm is not."""
    scores = numpy.asarray([[0.0, -15.0, -20.0, -25.0, -30.0]], dtype="f")
    doc = make_doc(1)
    set_soft_targets(doc, log_softmax(scores), tags=TAGS)
    found = get_soft_targets(doc, tags=TAGS, name="ner")
    assert_allclose(
        numpy.exp(log_softmax(found / temperature)),
        numpy.exp(log_softmax(scores / temperature)),
        rtol=0.02,
    )


def test_soft_targets_have_no_infinity():
    doc = make_doc(1)
    set_soft_targets(doc, numpy.asarray([[0.0, -numpy.inf, -1e9, -1.0, -2.0]]), tags=TAGS)
    assert numpy.isfinite(get_soft_targets(doc, tags=TAGS, name="ner")).all()


def test_soft_targets_come_in_the_order_of_the_student():
    log_probs = make_log_probs(3, len(TAGS))
    doc = make_doc()
    set_soft_targets(doc, log_probs, tags=TAGS)
    other = make_tags(["B", "A"], scheme="iob")
    found = get_soft_targets(doc, tags=other, name="ner")
    for column, tag in enumerate(other):
        assert_allclose(found[:, column], log_probs[:, TAGS.index(tag)], rtol=1e-3)


def test_soft_targets_of_biluo_teach_iob():
    """B and U are added, and so are I and L: 0.1 + 0.2 and 0.3 + 0.15."""
    biluo = make_tags(["A"], scheme="biluo")
    probs = {"O": 0.25, "B-A": 0.1, "I-A": 0.3, "L-A": 0.15, "U-A": 0.2}
    doc = make_doc(1)
    set_soft_targets(doc, numpy.log([[probs[tag] for tag in biluo]]), tags=biluo)
    found = get_soft_targets(doc, tags=["O", "B-A", "I-A"], name="ner")
    assert_allclose(numpy.exp(found), [[0.25, 0.3, 0.45]], rtol=1e-3)


def test_soft_targets_of_biluo_teach_iob_with_labels_in_another_order():
    biluo = make_tags(["A", "B"], scheme="biluo")
    log_probs = make_log_probs(3, len(biluo), scale=1.0)
    doc = make_doc()
    set_soft_targets(doc, log_probs, tags=biluo)
    iob = make_tags(["B", "A"], scheme="iob")
    probs = dict(zip(iob, numpy.exp(get_soft_targets(doc, tags=iob, name="ner")).T))
    assert_allclose(sum(probs.values()), 1, rtol=1e-3)
    for label in "AB":
        for tag, parts in ((f"B-{label}", "BU"), (f"I-{label}", "IL")):
            expected = sum(numpy.exp(log_probs[:, biluo.index(f"{p}-{label}")]) for p in parts)
            assert_allclose(probs[tag], expected, rtol=2e-3)


def test_soft_targets_of_iob_teach_biluo():
    """BILUO probabilities are those of independently drawn IOB tags that are converted."""
    biluo, n_tokens = make_tags(["B", "A"], scheme="biluo"), 3
    log_probs = make_log_probs(n_tokens, len(TAGS), scale=1.0)
    doc = make_doc(n_tokens)
    set_soft_targets(doc, log_probs, tags=TAGS)
    expected = numpy.zeros((n_tokens, len(biluo)))
    for drawn in product(range(len(TAGS)), repeat=n_tokens):
        weight = numpy.exp(sum(log_probs[i, tag] for i, tag in enumerate(drawn)))
        for i, tag in enumerate(drawn):
            prefix, label = split_tag(TAGS[tag])
            goes_on = i + 1 < n_tokens and TAGS[drawn[i + 1]] == f"I-{label}"
            closed = {"O": "O", "B": f"U-{label}", "I": f"L-{label}"}[prefix]
            expected[i, biluo.index(TAGS[tag] if goes_on else closed)] += weight
    found = numpy.exp(get_soft_targets(doc, tags=biluo, name="ner"))
    assert_allclose(found, expected, atol=1e-3)
    assert_allclose(found.sum(axis=1), 1, rtol=1e-5)


def test_soft_targets_of_iob_give_no_biluo_before_a_token_without_them():
    log_probs = make_log_probs(4, len(TAGS))
    log_probs[2] = numpy.nan
    doc = make_doc(4)
    set_soft_targets(doc, log_probs, tags=TAGS)
    found = get_soft_targets(doc, tags=make_tags(["A", "B"], scheme="biluo"), name="ner")
    assert numpy.isnan(found).any(axis=1).tolist() == [False, True, True, False]
    assert numpy.isfinite(found[[0, 3]]).all()


def test_soft_targets_of_iob_teach_biluo_without_tokens():
    doc, biluo = make_doc(0), make_tags(["A", "B"], scheme="biluo")
    set_soft_targets(doc, make_log_probs(0, len(TAGS)), tags=TAGS)
    assert get_soft_targets(doc, tags=biluo, name="ner").shape == (0, len(biluo))


@pytest.mark.parametrize(
    "stored, wanted",
    [
        (TAGS, make_tags(["A"], scheme="iob")),
        (make_tags(["A"], scheme="iob"), TAGS),
        (TAGS, make_tags(["A", "C"], scheme="iob")),
        (TAGS, make_tags(["A", "C"], scheme="biluo")),
        (make_tags(["A"], scheme="biluo"), make_tags(["A", "B"], scheme="iob")),
    ],
)
def test_soft_targets_for_other_labels_are_refused(stored, wanted):
    doc = make_doc()
    set_soft_targets(doc, make_log_probs(3, len(stored)), tags=stored)
    with pytest.raises(ValueError, match=r"\[D003\].*'student'"):
        get_soft_targets(doc, tags=wanted, name="student")


@pytest.mark.parametrize("shape", [(2, 5), (3, 4), (3,), (0, 5)])
def test_soft_targets_of_another_shape_are_refused(shape):
    doc = make_doc()
    set_soft_targets(doc, numpy.zeros(shape), tags=TAGS)
    with pytest.raises(ValueError, match=r"\[D004\].*3 tokens and 5 tags.*cut or merged"):
        get_soft_targets(doc, tags=TAGS, name="ner")


def test_soft_targets_are_not_changed_by_reading():
    doc = make_doc()
    set_soft_targets(doc, make_log_probs(3, 5), tags=TAGS)
    before = doc.user_data[KEY]["log_probs"].copy()
    found = get_soft_targets(doc, tags=TAGS, name="ner")
    found += 1
    assert_array_equal(doc.user_data[KEY]["log_probs"], before)
    assert math.isclose(float(numpy.exp(before.astype("d")).sum()), 3, rel_tol=1e-2)
