"""Tag scores become tags: the best legal sequence of each document, all documents at once.

Tags are independent given their scores, so the best sequence is the arg max of each token wherever
that is legal; the few documents where it is not go through Viterbi's algorithm, whose transitions
are allowed (0) or forbidden (-inf).
"""

from dataclasses import dataclass
from typing import List, Sequence, TypeVar

import numpy
from thinc.api import get_array_module
from thinc.types import Floats2d

from .tags import make_transitions, split_tag

# Scores where the model left them, maybe on a GPU, or on the CPU.
ScoresT = TypeVar("ScoresT", Floats2d, numpy.ndarray)


@dataclass(frozen=True)
class Transitions:
    """Which tag may come where: `start` and `end` (n_tags,), `follows` (n_tags, n_tags), bool."""

    start: numpy.ndarray
    follows: numpy.ndarray
    end: numpy.ndarray
    begins: numpy.ndarray  # (n_tags,): B and U, with which an entity begins
    continues: numpy.ndarray  # (n_tags,): I and L, which need an entity before them
    closes: numpy.ndarray  # (n_tags,): L and U

    @classmethod
    def from_tags(cls, tags: Sequence[str]) -> "Transitions":
        start, follows, end = make_transitions(tags)
        prefixes = numpy.asarray([split_tag(tag)[0] for tag in tags])
        return cls(
            start,
            follows,
            end,
            begins=numpy.isin(prefixes, ["B", "U"]),
            continues=numpy.isin(prefixes, ["I", "L"]),
            closes=numpy.isin(prefixes, ["L", "U"]),
        )


def log_softmax(scores: ScoresT) -> ScoresT:
    """Log-probabilities of each row, in nats: (n_tokens, n_tags) -> (n_tokens, n_tags)."""
    xp = get_array_module(scores)
    shifted = scores - xp.max(scores, axis=-1, keepdims=True)
    return shifted - xp.log(xp.exp(shifted).sum(axis=-1, keepdims=True))


def forbid_tags(
    scores: numpy.ndarray,
    transitions: Transitions,
    *,
    fixed: numpy.ndarray,
    is_space: numpy.ndarray,
    sent_start: numpy.ndarray,
) -> numpy.ndarray:
    """Scores with -inf for what a document rules out. `O` stays possible everywhere.

    scores (ndarray): Tag scores (n_tokens, n_tags). Not changed.
    transitions (Transitions): Of the tags.
    fixed (ndarray): Tokens that no new entity may cover, bool (n_tokens,).
    is_space (ndarray): Whitespace tokens, with which no entity begins or ends, bool (n_tokens,).
    sent_start (ndarray): Tokens that are set to begin a sentence, which no entity crosses.
    RETURNS (ndarray): The scores themselves where nothing is ruled out, else a changed copy.
    """
    if not (fixed.any() or is_space.any() or sent_start.any()):
        return scores
    forbidden = sent_start[:, None] & transitions.continues
    forbidden |= is_space[:, None] & (transitions.begins | transitions.closes)
    entity_tags = transitions.begins | transitions.continues
    forbidden |= fixed[:, None] & entity_tags
    return numpy.where(forbidden, numpy.float32(-numpy.inf), scores)


def decode(
    scores: numpy.ndarray, lengths: Sequence[int], transitions: Transitions
) -> numpy.ndarray:
    """The best legal sequence of tags of each document.

    scores (ndarray): Tag scores (n_tokens, n_tags), one document after another, -inf where a
        tag is ruled out.
    lengths (Sequence[int]): Tokens of each document; their sum is n_tokens.
    transitions (Transitions): Which sequences are legal.
    RETURNS (ndarray): Tag indices (n_tokens,).
    """
    ids = scores.argmax(axis=1)
    lens = numpy.asarray(lengths, dtype="i")
    lens = lens[lens > 0]
    if not len(lens):
        return ids
    ends = numpy.cumsum(lens)
    starts = ends - lens
    legal = numpy.ones(len(ids), dtype=bool)
    legal[1:] = transitions.follows[ids[:-1], ids[1:]]
    legal[starts] = transitions.start[ids[starts]]
    legal[ends - 1] &= transitions.end[ids[ends - 1]]
    illegal = numpy.flatnonzero(~numpy.logical_and.reduceat(legal, starts))
    if len(illegal):
        rows = [numpy.arange(starts[i], ends[i]) for i in illegal]
        for row, best in zip(rows, viterbi([scores[row] for row in rows], transitions)):
            ids[row] = best
    return ids


def viterbi(scores: List[numpy.ndarray], transitions: Transitions) -> List[numpy.ndarray]:
    """The highest-scoring legal sequence of each document (Viterbi 1967), longest first in step.

    scores (List[ndarray]): Tag scores of each document, (n_tokens, n_tags), at least one token.
    RETURNS (List[ndarray]): Tag indices of each document (n_tokens,).
    """
    order = sorted(range(len(scores)), key=lambda i: -len(scores[i]))
    lens = numpy.asarray([len(scores[i]) for i in order])
    n_tags = scores[0].shape[1]
    allowed = numpy.where(transitions.follows, 0.0, -numpy.inf)
    # best[d, tag]: score of the best legal path of document d that ends in the tag.
    best = numpy.stack([scores[i][0] for i in order]).astype("float64")
    best += numpy.where(transitions.start, 0.0, -numpy.inf)
    came_from = numpy.zeros((lens[0], len(order), n_tags), dtype="i")
    for t in range(1, lens[0]):
        n_active = int((lens > t).sum())
        paths = best[:n_active, :, None] + allowed  # (n_active, tag before, tag)
        came_from[t, :n_active] = paths.argmax(axis=1)
        emitted = numpy.stack([scores[i][t] for i in order[:n_active]])
        best[:n_active] = paths.max(axis=1) + emitted
    last = (best + numpy.where(transitions.end, 0.0, -numpy.inf)).argmax(axis=1)
    found: List[numpy.ndarray] = [numpy.zeros(0, dtype="i")] * len(order)
    for d, i in enumerate(order):
        ids = numpy.empty(lens[d], dtype="i")
        ids[-1] = last[d]
        for t in range(lens[d] - 1, 0, -1):
            ids[t - 1] = came_from[t, d, ids[t]]
        found[i] = ids
    return found
