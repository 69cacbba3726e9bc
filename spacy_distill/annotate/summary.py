"""What was annotated, in numbers: entities, and how sure the teacher was."""

from collections import Counter
from dataclasses import dataclass
from typing import Dict, Iterable, List, Sequence, Tuple

import numpy
from spacy.tokens import Doc

from ..manifest import Record
from ..soft_targets import max_log_probs

# How finely confidences are counted, from 0 to 1.
BINS = 20
# Shares of tokens under these are shown. Each is where a bin begins.
LIMITS = (0.5, 0.7, 0.9, 0.95)


@dataclass(frozen=True)
class Summary:
    """What a folder of annotated documents holds, and what this run did of it.

    entities (Dict[str, int]): How many, by label.
    n_without_targets (int): Words without soft targets: they align with none of the teacher's
        tokens, or it did not see them.
    confidence (float): Mean probability of a token's most probable tag.
    shares (Dict[float, float]): Of tokens whose confidence is lower than each of `LIMITS`: what
        `min_confidence` of the reader would leave out.
    dropped (Dict[str, int]): Documents left out, by the file that has their text.
    new_words (int): Words annotated in this run; the others were there already.
    seconds (float): Of this run, without loading the teacher.
    """

    docs: int
    words: int
    shards: int
    entities: Dict[str, int]
    n_without_targets: int
    confidence: float
    shares: Dict[float, float]
    dropped: Dict[str, int]
    new_shards: int
    new_words: int
    seconds: float


def summarise(
    records: Sequence[Record], *, new: Sequence[Record], dropped: Dict[str, int], seconds: float
) -> Summary:
    """Add up the records of all shards, and of those that are new."""
    entities: Counter = Counter()
    for record in records:
        entities.update(record.entities)
    counts = numpy.asarray([record.confidences for record in records]).sum(axis=0)  # (BINS,)
    n_taught = int(counts.sum())
    n_tokens, n_words = max(n_taught, 1), sum(record.words for record in records)
    return Summary(
        docs=sum(record.docs for record in records),
        words=n_words,
        shards=len(records),
        entities=dict(sorted(entities.items())),
        n_without_targets=n_words - n_taught,
        confidence=sum(record.confidence for record in records) / n_tokens,
        shares={limit: float(counts[: round(limit * BINS)].sum() / n_tokens) for limit in LIMITS},
        dropped=dropped,
        new_shards=len(new),
        new_words=sum(record.words for record in new),
        seconds=seconds,
    )


def count_confidences(docs: Iterable[Doc]) -> Tuple[float, List[int]]:
    """How sure a teacher is of the tokens that it says anything about.

    docs (Iterable[Doc]): Documents with soft targets.
    RETURNS (Tuple[float, List[int]]): The sum of their most probable tags' probabilities, and how
        many tokens have one of 0 to 0.05, of 0.05 to 0.1, and so on.
    """
    parts = [max_log_probs(doc) for doc in docs if len(doc)]
    found = numpy.concatenate([numpy.zeros(0), *parts])  # (n_tokens,), float64
    found = found[~numpy.isnan(found)]
    # In logarithms, as the reader compares them.
    bins = numpy.searchsorted(numpy.log(numpy.arange(1, BINS) / BINS), found, side="right")
    return float(numpy.exp(found).sum()), numpy.bincount(bins, minlength=BINS).tolist()
