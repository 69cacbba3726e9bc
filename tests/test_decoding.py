import itertools
import re

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from spacy_distill import decoding
from spacy_distill.crf import Potentials
from spacy_distill.decoding import Transitions, decode, decode_words, forbid_tags
from spacy_distill.tags import make_tags

IOB = make_tags(["A", "B"], scheme="iob")
BILUO = make_tags(["A", "B"], scheme="biluo")
# An independent definition of legal sequences: a regular expression for the tags of an entity.
ENTITY = {
    "iob": r"B-{0} (?:I-{0} )*",
    "biluo": r"U-{0} |B-{0} (?:I-{0} )*L-{0} ",
}


def is_legal(ids, tags):
    scheme = "biluo" if "L-A" in tags else "iob"
    one = "|".join(ENTITY[scheme].format(label) for label in "AB")
    return re.fullmatch(f"(?:O |{one})*", "".join(f"{tags[i]} " for i in ids)) is not None


def best_by_brute_force(scores, tags):
    sequences = [
        ids
        for ids in itertools.product(range(len(tags)), repeat=len(scores))
        if is_legal(ids, tags)
    ]
    totals = scores[numpy.arange(len(scores)), numpy.asarray(sequences)].sum(axis=1)
    return totals.max()


def make_scores(lengths, tags, seed, *, forbid=0.0):
    rng = numpy.random.default_rng(seed)
    scores = rng.normal(size=(sum(lengths), len(tags))).astype("f")
    scores[:, 1:][rng.random((sum(lengths), len(tags) - 1)) < forbid] = -numpy.inf
    return scores


def make_flags(n_tokens, **true):
    flags = {
        name: numpy.zeros(n_tokens, dtype=bool) for name in ("fixed", "is_space", "sent_start")
    }
    for name, tokens in true.items():
        flags[name][tokens] = True
    return flags


all_tags = st.sampled_from([IOB, BILUO])
all_lengths = st.lists(st.integers(0, 7), max_size=5)
seeds = st.integers(0, 2**32 - 1)


@given(tags=all_tags, lengths=all_lengths, seed=seeds, forbid=st.sampled_from([0.0, 0.3, 1.0]))
@settings(max_examples=150)
def test_decoding_is_always_legal(tags, lengths, seed, forbid):
    scores = make_scores(lengths, tags, seed, forbid=forbid)
    ids = decode(scores, lengths, Transitions.from_tags(tags))
    assert ids.shape == (sum(lengths),)
    for doc_ids in numpy.split(ids, numpy.cumsum(lengths)[:-1]) if lengths else []:
        assert is_legal(doc_ids, tags)
    assert numpy.isfinite(scores[numpy.arange(len(ids)), ids]).all()


@given(tags=all_tags, length=st.integers(1, 4), seed=seeds, forbid=st.sampled_from([0.0, 0.4]))
@settings(max_examples=40)
def test_decoding_finds_the_best_of_all_sequences(viterbi, tags, length, seed, forbid):
    scores = make_scores([length], tags, seed, forbid=forbid)
    transitions = Transitions.from_tags(tags)
    best = best_by_brute_force(scores.astype("d"), tags)
    for ids in (
        decode(scores, [length], transitions),
        viterbi(scores, numpy.asarray([length]), transitions),
    ):
        assert_allclose(scores[numpy.arange(length), ids].sum(dtype="d"), best, rtol=1e-6)


@given(tags=all_tags, lengths=all_lengths, seed=seeds)
@settings(max_examples=60)
def test_decoding_keeps_a_legal_argmax(tags, lengths, seed):
    scores = make_scores(lengths, tags, seed)
    start = numpy.cumsum([0, *lengths])
    ids = decode(scores, lengths, Transitions.from_tags(tags))
    for first, after in itertools.pairwise(start):
        arg_max = scores[first:after].argmax(axis=1)
        if is_legal(arg_max, tags):
            assert_array_equal(ids[first:after], arg_max)


@given(tags=all_tags, lengths=all_lengths, seed=seeds, outside=st.sampled_from([0.0, 2.0, 8.0]))
@settings(max_examples=100)
def test_decoding_repairs_agree_with_a_full_search(viterbi, tags, lengths, seed, outside):
    scores = make_scores(lengths, tags, seed, forbid=0.2)
    scores[:, 0] += outside
    transitions = Transitions.from_tags(tags)
    lens = numpy.asarray([length for length in lengths if length], dtype="i")
    expected = viterbi(scores, lens, transitions) if len(lens) else []
    assert_array_equal(decode(scores, lengths, transitions), expected)


@given(tags=all_tags, lengths=all_lengths, seed=seeds)
@settings(max_examples=60)
def test_decoding_does_not_depend_on_the_batch(tags, lengths, seed):
    scores = make_scores(lengths, tags, seed)
    transitions = Transitions.from_tags(tags)
    together = decode(scores, lengths, transitions)
    ends = numpy.cumsum(lengths)
    for length, end in zip(lengths, ends):
        alone = decode(scores[end - length : end], [length], transitions)
        assert_array_equal(together[end - length : end], alone)


def test_decoding_memory_does_not_grow_with_documents(viterbi, monkeypatch):
    """Paths are compared in parts of limited size, of at least one row."""
    tags = make_tags(["A", "B"], scheme="biluo")
    lengths = [3, 1, 7, 5, 5, 2]
    scores = make_scores(lengths, tags, seed=0)
    transitions = Transitions.from_tags(tags)
    together = viterbi(scores, numpy.asarray(lengths), transitions)
    for n in (1, 2 * len(tags) ** 2):
        monkeypatch.setattr(decoding, "MAX_PATHS", n)
        assert_array_equal(viterbi(scores, numpy.asarray(lengths), transitions), together)


def test_decoding_repairs_by_score():
    """I-A can't begin a document. (O, B-A) scores 1 + 2, and (B-A, I-A) 2 + 4."""
    tags = make_tags(["A"], scheme="iob")
    transitions = Transitions.from_tags(tags)
    scores = numpy.asarray([[1.0, 2.0, 3.0], [0.0, 2.0, 4.0]], dtype="f")
    assert [tags[i] for i in decode(scores, [2], transitions)] == ["B-A", "I-A"]
    scores[0, 0] = 4.5  # now (O, B-A) scores 6.5
    scores[0, 2] = 5.0
    assert [tags[i] for i in decode(scores, [2], transitions)] == ["O", "B-A"]


def test_decoding_closes_entities_at_the_end_of_each_document():
    tags = make_tags(["A"], scheme="biluo")
    scores = numpy.zeros((6, 5), dtype="f")
    scores[:, tags.index("I-A")] = 5.0
    ids = decode(scores, [3, 3], Transitions.from_tags(tags))
    assert [tags[i] for i in ids] == ["B-A", "I-A", "L-A"] * 2


def test_decoding_transitions_of_iob():
    legal = Transitions.from_tags(["O", "B-A", "I-A", "B-B", "I-B"])
    assert_array_equal(legal.start, [1, 1, 0, 1, 0])
    assert_array_equal(legal.end, [1, 1, 1, 1, 1])
    after_a = [1, 1, 1, 1, 0]
    after_b = [1, 1, 0, 1, 1]
    assert_array_equal(legal.follows, [[1, 1, 0, 1, 0], after_a, after_a, after_b, after_b])


def test_decoding_transitions_of_biluo():
    legal = Transitions.from_tags(["O", "B-A", "I-A", "L-A", "U-A"])
    assert_array_equal(legal.start, [1, 1, 0, 0, 1])
    assert_array_equal(legal.end, [1, 0, 0, 1, 1])
    outside, inside = [1, 1, 0, 0, 1], [0, 0, 1, 1, 0]
    assert_array_equal(legal.follows, [outside, inside, inside, outside, outside])


def test_decoding_transitions_distinguish_labels():
    tags = make_tags(["A", "A-A"], scheme="biluo")
    follows = Transitions.from_tags(tags).follows
    assert follows[tags.index("B-A"), tags.index("L-A")]
    assert not follows[tags.index("B-A"), tags.index("L-A-A")]


def test_decoding_accepts_no_documents_and_empty_ones():
    transitions = Transitions.from_tags(IOB)
    nothing = numpy.zeros((0, 5), dtype="f")
    assert decode(nothing, [], transitions).shape == (0,)
    assert decode(nothing, [0, 0], transitions).shape == (0,)


def test_decoding_forbids_nothing_without_flags():
    scores = make_scores([3], IOB, 0)
    assert forbid_tags(scores, Transitions.from_tags(IOB), **make_flags(3)) is scores


@pytest.mark.parametrize(
    "flag, forbidden",
    [
        ("fixed", {"B-A", "I-A", "L-A", "U-A"}),
        ("is_space", {"B-A", "U-A"}),
        ("sent_start", {"I-A", "L-A"}),
    ],
)
@pytest.mark.parametrize("scheme", ["iob", "biluo"])
def test_decoding_forbids_tags(scheme, flag, forbidden):
    tags = make_tags(["A"], scheme=scheme)
    scores = make_scores([3], tags, 0)
    before = scores.copy()
    possible = forbid_tags(scores, Transitions.from_tags(tags), **make_flags(3, **{flag: [1]}))
    assert possible.dtype == scores.dtype
    assert_array_equal(scores, before)
    assert_array_equal(possible[[0, 2]], scores[[0, 2]])
    assert {tags[i] for i in numpy.flatnonzero(possible[1] == -numpy.inf)} == forbidden & set(tags)


@given(tags=all_tags, length=st.integers(1, 8), seed=seeds)
@settings(max_examples=60)
def test_decoding_stays_legal_where_tags_are_forbidden(tags, length, seed):
    rng = numpy.random.default_rng(seed)
    flags = {name: rng.random(length) < 0.4 for name in ("fixed", "is_space", "sent_start")}
    transitions = Transitions.from_tags(tags)
    possible = forbid_tags(make_scores([length], tags, seed), transitions, **flags)
    ids = decode(possible, [length], transitions)
    assert is_legal(ids, tags)
    assert not ids[flags["fixed"]].any()


@given(tags=all_tags, lengths=all_lengths, seed=seeds, has_crf=st.booleans())
@settings(max_examples=60)
def test_decoding_words_ignores_whitespace(tags, lengths, seed, has_crf):
    """The tags of words are those without whitespace, which is inside an entity or outside."""
    rng = numpy.random.default_rng(seed)
    n_tokens = sum(lengths)
    scores = make_scores(lengths, tags, seed)
    fixed, is_space, starts = rng.random((3, n_tokens)) < [[0.2], [0.4], [0.2]]
    transitions = Transitions.from_tags(tags)
    shapes = (len(tags),), (len(tags),) * 2, (len(tags),)
    potentials = Potentials(*(rng.normal(size=shape) for shape in shapes)) if has_crf else None
    flags = {"fixed": fixed, "is_space": is_space, "sent_start": starts}
    found = decode_words(scores, lengths, transitions, potentials, **flags)
    expected, start = [], 0
    for length in lengths:
        own = range(start, start + length)
        words = [i for i in own if not is_space[i]]
        # Whitespace that can't be part of an entity, or starts a sentence, starts the next word.
        barriers = [
            any(starts[k] or (is_space[k] and fixed[k]) for k in range(last, word + 1))
            for last, word in zip([start, *(i + 1 for i in words)], words)
        ]
        possible = forbid_tags(
            scores[words],
            transitions,
            fixed=fixed[words],
            is_space=is_space[words],
            sent_start=numpy.asarray(barriers, dtype=bool),
        )
        of_words = dict(zip(words, decode(possible, [len(words)], transitions, potentials)))
        for i in own:
            following = of_words.get(next((k for k in words if k > i), None), 0)
            prefix, _, label = tags[following].partition("-")
            between = f"I-{label}" if prefix in ("I", "L") else "O"
            expected.append(of_words.get(i, tags.index(between)))
        start += length
    assert found.tolist() == expected


def test_decoding_does_not_continue_an_entity_after_whitespace_that_is_fixed():
    tags = make_tags(["A"], scheme="iob")
    scores = numpy.asarray([[0, 5, 0], [0, 0, 0], [0, 1, 5]], dtype="f")
    flags = make_flags(3, fixed=[1], is_space=[1])
    ids = decode_words(scores, [3], Transitions.from_tags(tags), **flags)
    assert [tags[i] for i in ids] == ["B-A", "O", "B-A"]


@pytest.mark.parametrize("scheme", ["iob", "biluo"])
def test_decoding_tag_of_whitespace_before_a_tag(scheme):
    tags = make_tags(["A", "B"], scheme=scheme)
    before = [tags[i] for i in Transitions.from_tags(tags).before]
    within = {"I-A": "I-A", "L-A": "I-A", "I-B": "I-B", "L-B": "I-B"}
    assert before == [within.get(tag, "O") for tag in tags]
