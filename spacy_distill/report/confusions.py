"""Count the mistakes of a system: wrong label, wrong boundary, missed, spurious."""

from collections import Counter
from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from .predictions import Entity, Sentence

# Kinds of pairs, the correct one first, and how the page explains them.
KINDS = {
    "correct": "same words, same label",
    "label": "same words, another label",
    "boundary": "same label, other words that overlap",
    "both": "another label, and other words that overlap",
    "missed": "no entity predicted",
    "spurious": "no entity in gold",
}
# Stands for the label of a gold or predicted entity that does not exist.
NONE = ""


class Pair(NamedTuple):
    """A gold entity and the predicted entity that is matched with it. One of them may be None."""

    gold: Optional[Entity]
    found: Optional[Entity]


class Mistake(NamedTuple):
    """The kind and labels by which pairs are counted. A label is '' if there is no entity."""

    kind: str
    gold: str
    found: str


def count_mistakes(
    sentences: Sequence[Sentence], found: Sequence[Sequence[Entity]]
) -> "Counter[Mistake]":
    """Count the pairs of a test set by kind and labels, including the correct ones."""
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
    """Match gold with predicted entities, each at most once.

    Entities with the same span are matched first, then overlapping ones with the same label, then
    overlapping ones with different labels. Within each group, pairs that share more tokens have
    priority, then those that come first.

    gold (Sequence[Entity]): Gold entities of a sentence, which do not overlap each other.
    found (Sequence[Entity]): Predicted entities of the sentence, which do not overlap each other.
    RETURNS (List[Pair]): Every entity is in one pair, alone if it has no match.
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
    """Count the tokens that two entities share."""
    return max(0, min(one.end, other.end) - max(one.start, other.start))


def kind_of(pair: Pair) -> str:
    """Return the kind of a pair, one of `KINDS`."""
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
    """Return the most frequent mistakes.

    counts (Dict[str, Counter[Mistake]]): The counts of each system.
    by (str): The system whose counts decide. If they are equal, the sum over all systems decides.
    limit (int): The largest number of mistakes to return.
    RETURNS (List[Mistake]): The mistakes, most frequent first.
    """
    total: Counter = sum(counts.values(), Counter())
    wrong = [mistake for mistake in total if mistake.kind != "correct"]
    return sorted(wrong, key=lambda one: (-counts[by][one], -total[one], one))[:limit]


def count_kinds(counts: "Counter[Mistake]") -> Dict[str, int]:
    """Count the pairs of each kind."""
    return {kind: sum(n for mistake, n in counts.items() if mistake.kind == kind) for kind in KINDS}


def make_matrix(
    counts: "Counter[Mistake]", labels: Sequence[str]
) -> Iterator[Tuple[str, List[int]]]:
    """Make the rows of a confusion matrix of labels, whatever the boundaries of the entities.

    counts (Counter[Mistake]): The counts of a system.
    labels (Sequence[str]): The labels of rows and columns. The last row and column are NONE.
    YIELDS (Tuple[str, List[int]]): A gold label, and its counts by predicted label.
    """
    cells: Counter = Counter()
    for mistake, n in counts.items():
        cells[mistake.gold, mistake.found] += n
    for gold in [*labels, NONE]:
        yield gold, [cells[gold, found] for found in [*labels, NONE]]
