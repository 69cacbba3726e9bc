from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_distill.report.confusions import (
    Mistake,
    Pair,
    count_kinds,
    count_mistakes,
    kind_of,
    make_matrix,
    match,
    rank_mistakes,
)
from spacy_distill.report.predictions import Entity, Sentence


def entities(text):
    """Make entities: `entities("0-2:PER 3-4:LOC")`."""
    parts = [part.replace("-", ":").split(":") for part in text.split()]
    return [Entity(int(start), int(end), label) for start, end, label in parts]


def make_sentence(gold):
    return Sentence("", [], entities(gold))


@pytest.mark.parametrize(
    "gold, found, expected",
    [
        ("0-2:A", "0-2:A", ["correct"]),
        ("0-2:A", "0-2:B", ["label"]),
        ("0-2:A", "0-1:A", ["boundary"]),
        ("0-2:A", "1-3:B", ["both"]),
        ("0-2:A", "", ["missed"]),
        ("", "0-2:A", ["spurious"]),
        ("0-2:A", "2-4:A", ["missed", "spurious"]),
        # Two predictions in one entity: of equal overlaps, the first is the partner.
        ("0-4:A", "0-2:A 2-4:A", ["boundary", "spurious"]),
        # The label counts for more than the overlap.
        ("0-4:A", "0-3:B 3-4:A", ["boundary", "spurious"]),
        # The same words count more than everything else.
        ("0-1:A 1-3:B", "0-1:B 1-3:B", ["label", "correct"]),
        ("0-1:A 1-4:A", "0-4:A", ["missed", "boundary"]),
    ],
)
def test_confusions_kinds(gold, found, expected):
    assert [kind_of(pair) for pair in match(entities(gold), entities(found))] == expected


def test_confusions_are_counted_by_hand():
    sentences = [make_sentence("0-1:A 2-3:B"), make_sentence("0-2:A"), make_sentence("")]
    found = [entities("0-1:B 2-3:B"), entities("0-1:A"), entities("4-5:B")]
    counts = count_mistakes(sentences, found)
    assert counts == {
        Mistake("label", "A", "B"): 1,
        Mistake("correct", "B", "B"): 1,
        Mistake("boundary", "A", "A"): 1,
        Mistake("spurious", "", "B"): 1,
    }
    assert count_kinds(counts) == {
        **{"correct": 1, "label": 1, "boundary": 1, "both": 0, "missed": 0, "spurious": 1}
    }
    assert dict(make_matrix(counts, ["A", "B"])) == {
        "A": [1, 1, 0],
        "B": [0, 1, 0],
        "": [0, 1, 0],
    }


def test_confusions_are_ranked_by_the_student():
    often, seldom = Mistake("missed", "A", ""), Mistake("spurious", "", "A")
    right, other = Mistake("correct", "A", "A"), Mistake("missed", "B", "")
    counts = {
        "teacher": Counter({seldom: 9, other: 4, right: 50}),
        "student": Counter({often: 3, seldom: 1, other: 1, right: 60}),
    }
    assert rank_mistakes(counts, by="student") == [often, seldom, other]
    assert rank_mistakes(counts, by="student", limit=1) == [often]


@st.composite
def disjoint_entities(draw):
    """Entities that do not overlap."""
    edges = sorted(draw(st.sets(st.integers(0, 8), max_size=6)))
    pairs = list(zip(edges[::2], edges[1::2]))
    return [Entity(start, end, draw(st.sampled_from("AB"))) for start, end in pairs]


@given(disjoint_entities(), disjoint_entities())
def test_confusions_pair_every_entity_once(gold, found):
    pairs = match(gold, found)
    assert sorted(pair.gold for pair in pairs if pair.gold) == gold
    assert sorted(pair.found for pair in pairs if pair.found) == found
    assert Pair(None, None) not in pairs
    right = {ent.key for ent in gold} & {ent.key for ent in found}
    assert sum(kind_of(pair) == "correct" for pair in pairs) == len(right)
    # No entity counts as missed if a spurious one overlaps it.
    for one in pairs:
        for other in pairs:
            if one.found is None and other.gold is None:
                assert one.gold.end <= other.found.start or other.found.end <= one.gold.start
