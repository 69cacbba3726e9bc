"""Decode tag scores: the best legal sequence of tags of each document, all documents at once.

If tags are independent given their scores, the best sequence consists of the argmax of each token,
wherever that is legal. The few documents in which it is illegal are decoded by the Viterbi
algorithm, in which transitions are allowed (0) or forbidden (-inf). With a CRF, allowed transitions
have its scores, and the algorithm runs over all tokens that may be part of an entity.
"""

from dataclasses import dataclass
from typing import Dict, List, Optional, Sequence

import numpy

from .batches import count_rows
from .crf import Potentials
from .pruning import may_have_entity
from .steps import plan_steps
from .tags import is_biluo, split_tag

# Number of paths that are compared at a time, so that memory does not grow with documents times
# tags^2.
MAX_PATHS = 1 << 20
# Up to so many tokens of a single document are searched one after the other, which takes a third to
# three quarters of the time of a search in parallel.
FEW_TOKENS = 16


@dataclass(frozen=True)
class Transitions:
    """Which tags may follow which, and which tags begin an entity: bool, except for `before`."""

    start: numpy.ndarray  # (n_tags,): may begin a document: all tags but I and L
    follows: numpy.ndarray  # (n_tags, n_tags): the tag of the column may follow that of the row
    end: numpy.ndarray  # (n_tags,): may end a document
    begins: numpy.ndarray  # (n_tags,): B and U
    # (n_tags,) int: the tag of whitespace before a token with this tag, I within an entity, else O
    before: numpy.ndarray

    @classmethod
    def from_tags(cls, tags: Sequence[str]) -> "Transitions":
        """Create the transitions of a component's tags, of either scheme."""
        prefixes, labels = numpy.asarray([split_tag(tag) for tag in tags]).T
        begins = numpy.isin(prefixes, ["B", "U"])
        continues, opens = numpy.isin(prefixes, ["I", "L"]), numpy.isin(prefixes, ["B", "I"])
        # In BILUO, an entity must be closed.
        end = ~opens if is_biluo(tags) else numpy.ones_like(opens)
        same_entity = opens[:, None] & continues & (labels[:, None] == labels)
        follows = same_entity | (end[:, None] & ~continues)
        inside = (prefixes == "I")[:, None] & continues & (labels[:, None] == labels)
        return cls(~continues, follows, end, begins, inside.argmax(axis=0))


def forbid_tags(
    scores: numpy.ndarray,
    transitions: Transitions,
    *,
    fixed: numpy.ndarray,
    is_space: numpy.ndarray,
    sent_start: numpy.ndarray,
) -> numpy.ndarray:
    """Set the scores of tags that a document rules out to -inf. `O` is possible everywhere.

    scores (ndarray): Tag scores (n_tokens, n_tags). Not changed.
    transitions (Transitions): The transitions of the tags.
    fixed (ndarray): Tokens that no new entity may cover, bool (n_tokens,).
    is_space (ndarray): Whitespace tokens, which can't begin an entity, bool (n_tokens,).
    sent_start (ndarray): Tokens annotated as sentence starts, which no entity may cross, bool
        (n_tokens,).
    RETURNS (ndarray): The scores themselves if nothing is ruled out, else a changed copy.
    """
    if not (fixed.any() or is_space.any() or sent_start.any()):
        return scores
    forbidden = sent_start[:, None] & ~transitions.start
    forbidden |= is_space[:, None] & transitions.begins
    forbidden[:, 1:] |= fixed[:, None]
    return numpy.where(forbidden, numpy.float32(-numpy.inf), scores)


def decode_words(
    scores: numpy.ndarray,
    lengths: Sequence[int],
    transitions: Transitions,
    potentials: Optional[Potentials] = None,
    *,
    fixed: numpy.ndarray,
    is_space: numpy.ndarray,
    sent_start: numpy.ndarray,
) -> numpy.ndarray:
    """Find the best legal sequence of tags of each document, without regard to whitespace tokens.

    These are inside the entity that the words around them belong to, if it is the same, else
    outside.

    scores, lengths, transitions, potentials: As for `decode`.
    fixed (ndarray): Tokens that no new entity may cover: bool (n_tokens,).
    is_space (ndarray): Whitespace tokens: bool (n_tokens,).
    sent_start (ndarray): Tokens that no entity may cross the start of: bool (n_tokens,).
    RETURNS (ndarray): Tag indices (n_tokens,).
    """
    if not is_space.any():
        possible = forbid_tags(
            scores, transitions, fixed=fixed, is_space=is_space, sent_start=sent_start
        )
        return decode(possible, lengths, transitions, potentials)
    words = numpy.flatnonzero(~is_space)
    ids = numpy.zeros(len(scores) + 1, dtype="i")
    # An entity can't cross whitespace that it may not cover.
    barriers = numpy.cumsum(sent_start | (is_space & fixed))[words]
    ids[words] = decode_words(
        scores[words],
        count_rows(~is_space, lengths).tolist(),
        transitions,
        potentials,
        fixed=fixed[words],
        is_space=is_space[words],
        sent_start=numpy.diff(barriers, prepend=0) > 0,
    )
    spaces = numpy.flatnonzero(is_space)
    following = numpy.append(words, len(scores))[words.searchsorted(spaces)]
    ids[spaces] = transitions.before[ids[following]]
    return ids[:-1]


def decode(
    scores: numpy.ndarray,
    lengths: Sequence[int],
    transitions: Transitions,
    potentials: Optional[Potentials] = None,
) -> numpy.ndarray:
    """Find the best legal sequence of tags of each document.

    scores (ndarray): Tag scores (n_tokens, n_tags), documents concatenated, -inf for tags that are
        ruled out.
    lengths (Sequence[int]): Number of tokens of each document; their sum is n_tokens.
    transitions (Transitions): Which sequences are legal.
    potentials (Optional[Potentials]): A CRF's; None if tags are independent given their scores.
    RETURNS (ndarray): Tag indices (n_tokens,).
    """
    lens = numpy.asarray(lengths, dtype="i")
    lens = lens[lens > 0]
    if not len(lens):
        return numpy.zeros(0, dtype="i")
    if potentials is not None:
        return search(scores, lens, legal_potentials(transitions, potentials))
    ids = scores.argmax(axis=1)
    ends = numpy.cumsum(lens)
    starts = ends - lens
    legal = numpy.ones(len(ids), dtype=bool)
    legal[1:] = transitions.follows[ids[:-1], ids[1:]]
    legal[starts] = transitions.start[ids[starts]]
    legal[ends - 1] &= transitions.end[ids[ends - 1]]
    illegal = ~numpy.logical_and.reduceat(legal, starts)
    if illegal.any():
        tokens = numpy.repeat(illegal, lens)
        ids[tokens] = search(scores[tokens], lens[illegal], legal_potentials(transitions))
    return ids


def legal_potentials(
    transitions: Transitions, potentials: Optional[Potentials] = None
) -> Potentials:
    """Return the scores of transitions: a CRF's, or 0, and -inf if they are illegal."""
    start, pairs, end = potentials or (0.0, 0.0, 0.0)
    return Potentials(
        numpy.where(transitions.start, start, -numpy.inf),
        numpy.where(transitions.follows, pairs, -numpy.inf),
        numpy.where(transitions.end, end, -numpy.inf),
    )


def search(scores: numpy.ndarray, lengths: numpy.ndarray, potentials: Potentials) -> numpy.ndarray:
    """Find the highest-scoring sequence of each document, searching only where an entity may be.

    scores (ndarray): Tag scores (n_tokens, n_tags), documents concatenated.
    lengths (ndarray): Number of tokens of each document, at least one.
    potentials (Potentials): The scores of transitions.
    RETURNS (ndarray): Tag indices (n_tokens,).
    """
    ids = numpy.zeros(len(scores), dtype="i")
    tokens = numpy.flatnonzero(may_have_entity(scores, lengths, potentials))
    if not len(tokens):
        return ids
    if len(lengths) == 1 and len(tokens) <= FEW_TOKENS:
        ids[tokens] = search_few(scores, tokens.tolist(), potentials)
        return ids
    begins = numpy.zeros(len(scores) + 1, dtype=bool)
    begins[numpy.cumsum(lengths)] = begins[0] = True
    is_first, is_last = begins[tokens], begins[tokens + 1]
    # Runs of adjacent tokens within a document. Each borders on O, or on the edge of the document.
    firsts = numpy.flatnonzero(numpy.append(True, (numpy.diff(tokens) > 1) | is_first[1:]))
    lasts = numpy.append(firsts[1:], len(tokens)) - 1
    found = scores[tokens].astype("d")
    found[firsts] += numpy.where(is_first[firsts, None], potentials.start, potentials.pairs[0])
    found[lasts] += numpy.where(is_last[lasts, None], potentials.end, potentials.pairs[:, 0])
    ids[tokens] = best_paths(found, lasts - firsts + 1, potentials.pairs)
    return ids


def search_few(scores: numpy.ndarray, tokens: Sequence[int], potentials: Potentials) -> List[int]:
    """Find the best tags of a few tokens of one document, all other tokens of which are `O`.

    scores (ndarray): Tag scores of the document (n_tokens, n_tags).
    tokens (Sequence[int]): The tokens, in ascending order.
    potentials (Potentials): The scores of transitions.
    RETURNS (List[int]): Tag indices of these tokens.
    """
    start, pairs, end = potentials
    before_tag = numpy.ascontiguousarray(pairs.T)
    # For each tag of a token, the score of the best path that ends in it.
    best: Dict[int, numpy.ndarray] = {}
    for token, of_token in zip(tokens, scores[tokens].astype("d")):
        if token - 1 in best:
            of_token += (best[token - 1] + before_tag).max(axis=1)
        else:
            of_token += pairs[0] if token else start
        best[token] = of_token
    # Trace back, as in `best_paths`.
    ids: Dict[int, int] = {}
    for token in reversed(tokens):
        if token + 1 in best:
            after = before_tag[ids[token + 1]]
        else:
            after = pairs[:, 0] if token + 1 < len(scores) else end
        ids[token] = int((best[token] + after).argmax())
    return [ids[token] for token in tokens]


def best_paths(
    scores: numpy.ndarray, lengths: numpy.ndarray, pairs: numpy.ndarray
) -> numpy.ndarray:
    """Find the best path through each sequence, by the algorithm of Viterbi (1967).

    All sequences are processed in parallel.

    scores (ndarray): (n_tokens, n_tags), sequences concatenated, including the scores of their
        edges.
    lengths (ndarray): Number of tokens of each sequence, at least one.
    pairs (ndarray): Score of a tag (row) before another (column): (n_tags, n_tags).
    RETURNS (ndarray): Tag indices (n_tokens,).
    """
    steps = plan_steps(lengths)
    rows = steps.tokens[0]
    # best[k, tag]: score of the best path that ends in this tag at row k.
    best = scores[rows]
    for before, first, last in steps.after_first():
        best[first:last] += best_before(best[before : before + last - first], pairs)
    # Trace back from the tag of each sequence's last token to the best previous tags.
    found = best.argmax(axis=1)
    before_tag = numpy.ascontiguousarray(pairs.T)
    for before, first, last in reversed([*steps.after_first()]):
        n = last - first
        paths = best[before : before + n] + before_tag[found[first:last]]
        found[before : before + n] = paths.argmax(axis=1)
    ids = numpy.empty_like(found)
    ids[rows] = found
    return ids


def best_before(best: numpy.ndarray, pairs: numpy.ndarray) -> numpy.ndarray:
    """Return the score of the best path before each tag, with the transition to it: (n, n_tags)."""
    found = numpy.empty_like(best)
    n = max(MAX_PATHS // pairs.size, 1)
    for start in range(0, len(best), n):
        paths = best[start : start + n, :, None] + pairs  # (n, tag before, tag)
        found[start : start + n] = paths.max(axis=1)
    return found
