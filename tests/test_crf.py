import itertools
from typing import NamedTuple

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from spacy_distill.crf import Potentials, differentiate, infer, marginal_kl, negative_log_likelihood
from spacy_distill.decoding import Transitions
from spacy_distill.distributions import log_softmax
from spacy_distill.losses import cross_entropy, softened_kl

DIRECTIONS = ("student_teacher", "teacher_student")
LENGTHS = [3, 1, 4, 2]
N_TAGS = 3


class Batch(NamedTuple):
    scores: numpy.ndarray
    lengths: numpy.ndarray
    potentials: Potentials


def make_batch(seed, *, lengths=tuple(LENGTHS), n_tags=N_TAGS, scale=1.5):
    rng = numpy.random.default_rng(seed)
    return Batch(
        rng.normal(scale=scale, size=(sum(lengths), n_tags)),
        numpy.asarray(lengths),
        Potentials(*(rng.normal(scale=scale, size=n) for n in (n_tags, (n_tags, n_tags), n_tags))),
    )


def make_teacher(seed, n_tokens=10, n_tags=N_TAGS):
    return log_softmax(numpy.random.default_rng(seed).normal(scale=2, size=(n_tokens, n_tags)))


def no_potentials(n_tags=N_TAGS):
    return Potentials(*(numpy.zeros(n) for n in (n_tags, (n_tags, n_tags), n_tags)))


def divergence(*batch, temperature, direction, taught=None):
    """The divergence of all tokens, or of those in `taught`."""
    *inputs, teacher = batch
    return marginal_kl(
        infer(*inputs, temperature=temperature),
        teacher,
        taught=numpy.arange(len(teacher)) if taught is None else taught,
        temperature=temperature,
        direction=direction,
    )


def all_sequences(batch):
    """Yield, for each document, all sequences of tags (n_sequences, length) and their scores."""
    start, pairs, end = batch.potentials
    for scores in numpy.split(batch.scores, numpy.cumsum(batch.lengths)[:-1]):
        tags = numpy.asarray(list(itertools.product(range(scores.shape[1]), repeat=len(scores))))
        totals = scores[numpy.arange(len(scores)), tags].sum(axis=1)
        totals += start[tags[:, 0]] + end[tags[:, -1]]
        yield tags, totals + pairs[tags[:, :-1], tags[:, 1:]].sum(axis=1)


def flatten(scores, potentials):
    return numpy.concatenate([scores.ravel(), *(part.ravel() for part in potentials)])


def numeric_gradient(value_of, batch):
    """The gradient by central differences, of scores and potentials, concatenated."""
    point = flatten(batch.scores, batch.potentials)
    shapes = [batch.scores.shape, *(part.shape for part in batch.potentials)]
    ends = numpy.cumsum([numpy.prod(shape) for shape in shapes])[:-1]

    def value_at(values):
        parts = numpy.split(values, ends)
        scores, *potentials = (part.reshape(shape) for part, shape in zip(parts, shapes))
        return value_of(scores, batch.lengths, Potentials(*potentials))

    steps = 1e-5 * numpy.eye(len(point))
    return numpy.asarray([value_at(point + s) - value_at(point - s) for s in steps]) / 2e-5


@given(
    lengths=st.lists(st.integers(1, 5), min_size=1, max_size=4),
    n_tags=st.integers(1, 4),
    scale=st.sampled_from([0.0, 1.0, 20.0]),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=60, deadline=None)
def test_crf_sums_over_all_sequences(lengths, n_tags, scale, seed):
    batch = make_batch(seed, lengths=lengths, n_tags=n_tags, scale=scale)
    found = infer(*batch)
    marginals, counts = [], no_potentials(n_tags)
    for (tags, totals), log_partition in zip(all_sequences(batch), found.log_partition):
        largest = totals.max()
        assert_allclose(log_partition, largest + numpy.log(numpy.exp(totals - largest).sum()))
        probs = numpy.exp(totals - log_partition)
        for column in tags.T:
            marginals.append(numpy.bincount(column, probs, minlength=n_tags))
        numpy.add.at(counts.start, tags[:, 0], probs)
        numpy.add.at(counts.end, tags[:, -1], probs)
        for left, right in zip(tags.T, tags.T[1:]):
            numpy.add.at(counts.pairs, (left, right), probs)
    assert_allclose(found.marginals, marginals, atol=1e-12)
    assert_allclose(found.marginals.sum(axis=1), 1)
    for name in Potentials._fields:
        assert_allclose(getattr(found.expected, name), getattr(counts, name), atol=1e-12)


def test_crf_by_hand():
    """Two tokens and tags, with weights e^score 1 and 3, 2 and 1; equal neighbours weigh double."""
    log = numpy.log
    scores = log([[1.0, 3.0], [2.0, 1.0]])
    pairs = log([[2.0, 1.0], [1.0, 2.0]])
    found = infer(scores, numpy.asarray([2]), Potentials(numpy.zeros(2), pairs, numpy.zeros(2)))
    # 1*2*2 + 1*1*1 + 3*1*2 + 3*2*1 = 4 + 1 + 6 + 6
    assert_allclose(numpy.exp(found.log_partition), [17])
    assert_allclose(found.marginals, numpy.asarray([[5, 12], [10, 7]]) / 17)
    assert_allclose(found.expected.pairs, numpy.asarray([[4, 1], [6, 6]]) / 17)


def test_crf_is_stable(viterbi):
    """Scores of thousands of nats, and documents of thousands of tokens."""
    batch = make_batch(0, lengths=(3000, 1), scale=300.0)
    batch.potentials.pairs[:] = make_batch(1, scale=50.0).potentials.pairs
    found = infer(*batch)
    assert numpy.isfinite(found.log_partition).all()
    assert_allclose(found.marginals.sum(axis=1), 1, rtol=1e-6)
    best = viterbi(*batch[:2], any_order(N_TAGS), batch.potentials)
    assert (found.marginals.argmax(axis=1) == best).mean() > 0.99
    for direction in DIRECTIONS:
        value, (d_scores, d_potentials) = divergence(
            *batch, make_teacher(0, n_tokens=3001), temperature=2.0, direction=direction
        )
        assert numpy.isfinite(value)
        assert numpy.isfinite(flatten(d_scores, d_potentials)).all()


def any_order(n_tags):
    yes = numpy.ones(n_tags, dtype=bool)
    pairs, no_entity = numpy.ones((n_tags, n_tags), dtype=bool), numpy.zeros(n_tags, dtype="i")
    return Transitions(yes, pairs, yes, ~yes, no_entity)


@pytest.mark.parametrize("seed", range(5))
def test_crf_viterbi_finds_the_best_of_all_sequences(viterbi, seed):
    batch = make_batch(seed)
    expected = [tags[totals.argmax()] for tags, totals in all_sequences(batch)]
    found = viterbi(*batch[:2], any_order(N_TAGS), batch.potentials)
    assert found.tolist() == numpy.concatenate(expected).tolist()


def test_crf_batched_agrees_with_unbatched():
    batch = make_batch(3)
    together = infer(*batch)
    parts = numpy.split(batch.scores, numpy.cumsum(LENGTHS)[:-1])
    for scores, log_partition in zip(parts, together.log_partition):
        alone = infer(scores, numpy.asarray([len(scores)]), batch.potentials)
        assert_allclose(alone.log_partition, log_partition)
    alone = [infer(s, numpy.asarray([len(s)]), batch.potentials).marginals for s in parts]
    assert_allclose(numpy.concatenate(alone), together.marginals)


def test_crf_likelihood_is_of_the_sequence():
    batch = make_batch(4)
    tags = numpy.random.default_rng(0).integers(N_TAGS, size=sum(LENGTHS))
    value, *_ = negative_log_likelihood(*batch, tags)
    log_probs = []
    parts = numpy.split(tags, numpy.cumsum(LENGTHS)[:-1])
    for of_doc, (sequences, totals) in zip(parts, all_sequences(batch)):
        chosen = (sequences == of_doc).all(axis=1)
        log_probs.append(totals[chosen].item() - numpy.log(numpy.exp(totals).sum()))
    assert_allclose(value, -sum(log_probs) / sum(LENGTHS))


def test_crf_likelihood_of_some_tags_sums_over_the_others():
    batch = make_batch(5, lengths=(3,))
    value, *_ = negative_log_likelihood(*batch, numpy.asarray([-1, 2, -1]))
    assert_allclose(value, -numpy.log(infer(*batch).marginals[1, 2]))


@pytest.mark.parametrize("scale", [1.0, 1e3])
def test_crf_likelihood_without_potentials_is_that_of_a_softmax(scale):
    scores, lengths, _ = make_batch(4, scale=scale)
    tags = numpy.random.default_rng(0).integers(N_TAGS, size=sum(LENGTHS))
    value, gradients, _ = negative_log_likelihood(scores, lengths, no_potentials(), tags)
    expected, gradient = cross_entropy(scores, tags)
    assert_allclose(value, expected)
    assert_allclose(gradients.scores, gradient, atol=1e-10)


@pytest.mark.parametrize("missing", [0.0, 0.4])
def test_crf_likelihood_gradient(missing):
    batch = make_batch(6)
    rng = numpy.random.default_rng(1)
    tags = rng.integers(N_TAGS, size=sum(LENGTHS))
    tags[rng.random(len(tags)) < missing] = -1
    _, gradients, posterior = negative_log_likelihood(*batch, tags)
    assert_array_equal(posterior.marginals, infer(*batch).marginals)
    expected = numeric_gradient(lambda *at: negative_log_likelihood(*at, tags)[0], batch)
    assert_allclose(flatten(*gradients), expected, atol=1e-8)


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("taught", [None, numpy.asarray([0, 2, 3, 9])])
def test_crf_divergence_gradient(direction, temperature, taught):
    batch = make_batch(7)
    teacher = make_teacher(2)[: None if taught is None else len(taught)]
    settings = {"taught": taught, "temperature": temperature, "direction": direction}
    _, gradients = divergence(*batch, teacher, **settings)
    expected = numeric_gradient(lambda *at: divergence(*at, teacher, **settings)[0], batch)
    assert_allclose(flatten(*gradients), expected, atol=1e-7)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_crf_divergence_without_potentials_is_that_of_a_softmax(direction):
    scores, lengths, _ = make_batch(8)
    teacher = make_teacher(3)
    value, (d_scores, _) = divergence(
        scores,
        lengths,
        no_potentials(),
        log_softmax(teacher / 2),
        temperature=2.0,
        direction=direction,
    )
    expected, gradient = softened_kl(scores, teacher, temperature=2.0, direction=direction)
    assert_allclose(value, expected)
    assert_allclose(d_scores, gradient, atol=1e-12)


@pytest.mark.parametrize("gap", [200.0, 320.0, 590.0])
def test_crf_divergence_of_very_different_scores(gap):
    """Loss and gradient are those of a softmax even if the teacher's tag is very improbable."""
    scores, lengths, _ = make_batch(8)
    scores[2, 0] += gap
    teacher = make_teacher(3)
    settings = {"temperature": 1.0, "direction": "teacher_student"}
    found = divergence(scores, lengths, no_potentials(), log_softmax(teacher), **settings)
    expected, gradient = softened_kl(scores, teacher, **settings)
    assert_allclose(found[0], expected)
    assert_allclose(found[1][0], gradient, atol=1e-10)


def test_crf_divergence_is_finite_for_tags_that_it_rules_out():
    scores, lengths, _ = make_batch(8)
    scores[2, 0] += 2000
    teacher, settings = make_teacher(3), {"temperature": 1.0, "direction": "teacher_student"}
    with numpy.errstate(all="raise", under="ignore"):
        value, gradients = divergence(scores, lengths, no_potentials(), teacher, **settings)
    assert numpy.isfinite(value) and numpy.isfinite(flatten(*gradients)).all()


def test_crf_divergence_from_its_own_marginals_is_zero():
    batch = make_batch(9)
    value, gradients = divergence(
        *batch, infer(*batch).log_marginals, temperature=1.0, direction="student_teacher"
    )
    assert_allclose(value, 0, atol=1e-12)
    assert_allclose(flatten(*gradients), 0, atol=1e-12)


def test_crf_differentiate_is_the_derivative_of_inference():
    batch = make_batch(10)
    along = numpy.random.default_rng(4).normal(size=batch.scores.shape)
    changes, counts = differentiate(infer(*batch), along)
    after, before = (infer(batch.scores + sign * 1e-5 * along, *batch[1:]) for sign in (1, -1))
    found = flatten(after.marginals, after.expected) - flatten(before.marginals, before.expected)
    assert_allclose(flatten(changes, counts), found / 2e-5, atol=1e-8)
