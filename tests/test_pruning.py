"""Tokens that are pruned from the search for a CRF's best path are `O` in it."""

import numpy
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from spacy_distill import decoding
from spacy_distill.crf import Potentials
from spacy_distill.decoding import Transitions, decode, legal_potentials
from spacy_distill.pruning import may_have_entity
from spacy_distill.tags import make_tags

LENGTHS = st.lists(st.integers(1, 9), min_size=1, max_size=6)
SEEDS = st.integers(0, 2**32 - 1)


def make_potentials(rng, n_tags, size=2.0):
    shapes = n_tags, (n_tags, n_tags), n_tags
    return Potentials(*(size * rng.normal(size=shape) for shape in shapes))


@given(
    lengths=LENGTHS,
    seed=SEEDS,
    scheme=st.sampled_from(["iob", "biluo"]),
    size=st.sampled_from([0.3, 2.0, 5.0]),
    outside=st.sampled_from([0.0, 3.0, 8.0, 30.0]),
    ruled_out=st.sampled_from([0.0, 0.2]),
)
# An entity that only gains because it begins its document.
@example(lengths=[1, 2], seed=2, scheme="iob", size=2.0, outside=3.0, ruled_out=0.0)
def test_pruning_does_not_change_the_best_path(
    viterbi, lengths, seed, scheme, size, outside, ruled_out
):
    rng = numpy.random.default_rng(seed)
    tags = make_tags(["A", "B"], scheme=scheme)
    transitions, lens = Transitions.from_tags(tags), numpy.asarray(lengths)
    scores = (size * rng.normal(size=(lens.sum(), len(tags)))).astype("f")
    scores[:, 1:][rng.random((len(scores), len(tags) - 1)) < ruled_out] = -numpy.inf
    scores[:, 0] += outside
    potentials = make_potentials(rng, len(tags))
    expected = viterbi(scores, lens, transitions, potentials)
    found = decode(scores, [0, *lengths, 0], transitions, potentials)
    assert_array_equal(found, expected)
    open_ = may_have_entity(scores, lens, legal_potentials(transitions, potentials))
    assert not expected[~open_].any()


@given(
    length=st.integers(1, 12),
    seed=SEEDS,
    scheme=st.sampled_from(["iob", "biluo"]),
    outside=st.sampled_from([0.0, 3.0]),
)
def test_pruning_leaves_few_tokens_to_a_simpler_search(viterbi, length, seed, scheme, outside):
    """A single document with few tokens that may have an entity is searched token by token."""
    rng = numpy.random.default_rng(seed)
    tags = make_tags(["A", "B"], scheme=scheme)
    transitions, lens = Transitions.from_tags(tags), numpy.asarray([length])
    scores = rng.normal(size=(length, len(tags))).astype("f")
    scores[:, 0] += outside
    potentials = make_potentials(rng, len(tags))
    expected = viterbi(scores, lens, transitions, potentials)
    legal = legal_potentials(transitions, potentials)
    tokens = numpy.flatnonzero(may_have_entity(scores, lens, legal)).tolist()
    assert decoding.search_few(scores, tokens, legal) == expected[tokens].tolist()
    assert_array_equal(decode(scores, [length], transitions, potentials), expected)


def test_pruning_is_exact_after_many_ruled_out_tokens(viterbi):
    """A ruled-out token subtracts 1000 from a sum over the batch, to which an entity adds < 1."""
    tags = make_tags(["A"], scheme="iob")
    transitions = Transitions.from_tags(tags)
    rng = numpy.random.default_rng(0)
    potentials = Potentials(
        *(part.astype("f") for part in make_potentials(rng, len(tags), size=0.0))
    )
    scores = numpy.tile(numpy.asarray([[0, -5, -5]], dtype="f"), (40_000, 1))
    scores[rng.random(len(scores)) < 0.4, 1:] = -numpy.inf
    entities = numpy.arange(10, len(scores), 40)
    # Each entity has four tokens that gain or lose, and gain a little in total.
    gains = rng.uniform(-2, 2, (len(entities), 4))
    gains[:, 3] = rng.uniform(0.1, 0.9, len(entities)) - gains[:, :3].sum(axis=1)
    for k, gain in enumerate(gains.T):
        scores[entities + k, 1 + min(k, 1)] = gain
    lengths = [len(scores)]
    found = decode(scores, lengths, transitions, potentials)
    expected = viterbi(scores, numpy.asarray(lengths), transitions, potentials)
    assert expected.any()
    assert_array_equal(found, expected)


def test_pruning_removes_most_tokens_if_entities_are_rare(monkeypatch):
    """Of three documents, only the one with an entity is searched, and only near the entity."""
    tags = make_tags(["A"], scheme="iob")
    transitions = Transitions.from_tags(tags)
    potentials = make_potentials(numpy.random.default_rng(0), len(tags), size=0.1)
    scores = numpy.tile(numpy.asarray([[8.0, 0.0, 0.0]], dtype="f"), (30, 1))
    scores[14:16] = [[0.0, 9.0, 0.0], [0.0, 0.0, 9.0]]
    searched = []
    best_paths = decoding.best_paths
    monkeypatch.setattr(
        decoding,
        "best_paths",
        lambda *args: searched.append(len(args[0])) or best_paths(*args),
    )
    ids = decode(scores, [10, 10, 10], transitions, potentials)
    assert [tags[i] for i in ids[14:16]] == ["B-A", "I-A"]
    assert not numpy.delete(ids, [14, 15]).any()
    (n_searched,) = searched
    assert 2 <= n_searched <= 6
    scores[14:16] = scores[0]
    assert not decode(scores, [10, 10, 10], transitions, potentials).any()
    assert len(searched) == 1


@pytest.mark.parametrize("size", [1e3, 1e6])
def test_pruning_does_not_depend_on_other_documents(size):
    """A document full of entities has no effect on its neighbours."""
    tags = make_tags(["A"], scheme="iob")
    transitions = Transitions.from_tags(tags)
    scores = numpy.tile(numpy.asarray([[8.0, 0.0, 0.0]], dtype="f"), (30, 1))
    scores[10:20] = [0.0, size, 0.0]
    legal = legal_potentials(transitions, make_potentials(numpy.random.default_rng(0), 3, size=0.1))
    open_ = may_have_entity(scores, numpy.asarray([10, 10, 10]), legal)
    assert open_.tolist() == [False] * 10 + [True] * 10 + [False] * 10


def test_pruning_keeps_tokens_with_nan_scores():
    tags = make_tags(["A"], scheme="iob")
    legal = legal_potentials(Transitions.from_tags(tags))
    scores = numpy.full((3, len(tags)), numpy.nan, dtype="f")
    assert may_have_entity(scores, numpy.asarray([3]), legal).all()
