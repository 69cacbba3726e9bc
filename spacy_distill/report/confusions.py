"""Which mistakes a system makes: wrong label, wrong boundary, missed, spurious."""

from collections import Counter
from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from .predictions import Entity, Sentence

# Kinds of pairs, what is right first, and how the page explains them.
KINDS = {
    "correct": "same words, same label",
    "label": "same words, another label",
    "boundary": "same label, other words that overlap",
    "both": "another label, and other words that overlap",
    "missed": "no entity predicted",
    "spurious": "no entity in gold",
}
# Label of a gold or found entity that is not there.
NONE = ""


class Pair(NamedTuple):
    """A gold entity and what was found in its place. One of them may be None."""

    gold: Optional[Entity]
    found: Optional[Entity]


class Mistake(NamedTuple):
    """What pairs are counted by. A label is '' where there is no entity."""

    kind: str
    gold: str
    found: str


def count_mistakes(
    sentences: Sequence[Sentence], found: Sequence[Sequence[Entity]]
) -> "Counter[Mistake]":
    """Count the pairs of a test set by kind and labels; those that are right, too."""
    return Counter(
        Mistake(
            kind_of(pair),
            pair.gold.label if pair.gold else NONE,
            pair.found.label if pair.found else NONE,
        )
        for sentence, entities in zip(sentences, found)
        for pair in match(sentence.gold, entities)
    )


def match(gold: Sequence[Entity], found: Sequence[Entity]) -> List[Pair]:
    """Pair gold with found entities, each at most once.

    Those of the same words come first, then overlapping ones of the same label, then overlapping
    ones of another; among them those that share most words, then the first.

    gold (Sequence[Entity]): Gold entities of a sentence, none overlapping another.
    found (Sequence[Entity]): Found entities of the sentence, none overlapping another.
    RETURNS (List[Pair]): Every entity is in one pair, alone if nothing overlaps it.
    """
    candidates = sorted(
        (one.span != other.span, one.label != other.label, -overlap(one, other), i, j)
        for i, one in enumerate(gold)
        for j, other in enumerate(found)
        if overlap(one, other) > 0
    )
    partners: Dict[int, int] = {}
    taken = set()
    for *_, i, j in candidates:
        if i not in partners and j not in taken:
            partners[i] = j
            taken.add(j)
    pairs = [Pair(one, found[partners[i]] if i in partners else None) for i, one in enumerate(gold)]
    return pairs + [Pair(None, other) for j, other in enumerate(found) if j not in taken]


def overlap(one: Entity, other: Entity) -> int:
    """How many tokens two entities share."""
    return max(0, min(one.end, other.end) - max(one.start, other.start))


def kind_of(pair: Pair) -> str:
    """Which of KINDS a pair is."""
    gold, found = pair
    if found is None:
        return "missed"
    if gold is None:
        return "spurious"
    if gold.span == found.span:
        return "correct" if gold.label == found.label else "label"
    return "boundary" if gold.label == found.label else "both"


def rank_mistakes(
    counts: Dict[str, "Counter[Mistake]"], *, by: str, limit: int = 12
) -> List[Mistake]:
    """The most frequent mistakes.

    counts (Dict[str, Counter[Mistake]]): Of each system.
    by (str): The system whose counts come first; where they are equal, all together.
    limit (int): How many.
    """
    total: Counter = sum(counts.values(), Counter())
    wrong = [mistake for mistake in total if mistake.kind != "correct"]
    return sorted(wrong, key=lambda one: (-counts[by][one], -total[one], one))[:limit]


def count_kinds(counts: "Counter[Mistake]") -> Dict[str, int]:
    """How many pairs there are of each of KINDS."""
    return {kind: sum(n for mistake, n in counts.items() if mistake.kind == kind) for kind in KINDS}


def make_matrix(
    counts: "Counter[Mistake]", labels: Sequence[str]
) -> Iterator[Tuple[str, List[int]]]:
    """Gold against found labels, whatever the boundaries; the last row and column are NONE.

    YIELDS (Tuple[str, List[int]]): A gold label, and its counts by found label.
    """
    cells: Counter = Counter()
    for mistake, n in counts.items():
        cells[mistake.gold, mistake.found] += n
    for gold in [*labels, NONE]:
        yield gold, [cells[gold, found] for found in [*labels, NONE]]
