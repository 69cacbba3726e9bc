"""Counts of annotated documents: words, entities, and the confidence of the teacher."""

from collections import Counter
from dataclasses import dataclass
from typing import Dict, Iterable, List, Sequence, Tuple

import numpy
from spacy.attrs import IS_SPACE
from spacy.tokens import Doc

from ..manifest import Record
from ..soft_targets import max_log_probs

# Number of bins for confidences from 0 to 1.
BINS = 20
# The shares of words below these confidences are shown. Each is the lower edge of a bin.
LIMITS = (0.5, 0.7, 0.9, 0.95)


@dataclass(frozen=True)
class Summary:
    """The content of a folder of annotated documents, and what this run added to it.

    docs, words, shards (int): Number of documents, words (without whitespace tokens) and files.
    entities (Dict[str, int]): Number of entities by label.
    n_without_targets (int): Words without soft targets: they align with none of the teacher's
        tokens, or lie beyond its maximum length.
    confidence (float): Mean probability of a word's most probable tag.
    shares (Dict[float, float]): Share of words whose confidence is below each of `LIMITS`: what
        the reader's `min_confidence` would leave out.
    dropped (Dict[str, int]): Number of documents left out, by the source that has their text.
    new_shards, new_words (int): Files and words annotated in this run; the others existed already.
    seconds (float): Duration of this run, without loading the teacher.
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
    """Add up the records of all shards, and of the new ones."""
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


def count_words(docs: Iterable[Doc]) -> int:
    """Count the tokens of documents that are not whitespace."""
    return sum(int(are_words(doc).sum()) for doc in docs)


def are_words(doc: Doc) -> numpy.ndarray:
    """Return which tokens are not whitespace: bool (n_tokens,)."""
    return doc.to_array(IS_SPACE) == 0


def count_confidences(docs: Iterable[Doc]) -> Tuple[float, List[int]]:
    """Count the confidences of a teacher in the words that have soft targets.

    docs (Iterable[Doc]): Documents with soft targets.
    RETURNS (Tuple[float, List[int]]): The sum of the probabilities of the words' most probable
        tags, and the number of words whose probability is from 0 to 0.05, from 0.05 to 0.1, and
        so on.
    """
    parts = [max_log_probs(doc)[are_words(doc)] for doc in docs if len(doc)]
    found = numpy.concatenate([numpy.zeros(0), *parts])  # (n_words,), float64
    found = found[~numpy.isnan(found)]
    # Logarithms are compared, as in the reader, so that both treat a word in the same way.
    bins = numpy.searchsorted(numpy.log(numpy.arange(1, BINS) / BINS), found, side="right")
    return float(numpy.exp(found).sum()), numpy.bincount(bins, minlength=BINS).tolist()
