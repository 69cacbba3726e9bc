"""Where the best path of a CRF can't have an entity, so that nobody has to look for one.

A stretch of tokens that are not `O` is worth its place in the best path only if it gains something
over `O` in its place. What a token can gain at most is known from its own scores and the largest
transition before each tag; a token of which no stretch gains anything, by the sum over its tokens,
is `O`. The sums are those of Kadane's algorithm, from the left and from the right.
"""

from typing import Any

import numpy

from .crf import Potentials

# A stretch that loses more than this, in nats, is out; the rest is for rounding.
MARGIN = 1e-3
# What a token that is ruled out loses, so that sums stay numbers.
LOWEST_GAIN = -1e3


def may_have_entity(
    scores: numpy.ndarray, lengths: numpy.ndarray, potentials: Potentials
) -> numpy.ndarray:
    """The tokens that may be other than `O` in the best path. All others are `O` in it.

    scores (ndarray): Tag scores (n_tokens, n_tags), of one document after another, maybe -inf.
    lengths (ndarray): Tokens of each document, at least one.
    potentials (Potentials): Scores of transitions, -inf where they are illegal; tag 0 is `O`,
        always legal.
    RETURNS (ndarray): bool (n_tokens,).
    """
    start, pairs, end = potentials
    stay = pairs[0, 0]
    enter = numpy.maximum(pairs.max(axis=0) - stay, start - start[0])[1:]
    leave = max(0.0, (pairs[1:, 0] - stay).max(), (end[1:] - end[0]).max())
    gains: Any = (scores[:, 1:] + enter).max(axis=1) - scores[:, 0]
    # In 64 bits: the sums over a batch must be exact to less than the margin.
    gains = numpy.maximum(gains, LOWEST_GAIN).astype("d")
    after = numpy.cumsum(gains)
    before = after - gains
    if len(lengths) > 1:  # each document so far below the one before it that no sum crosses
        step = 1 + 2 * numpy.abs(gains).sum()
        shift = numpy.repeat(numpy.arange(len(lengths)) * step, lengths)
        after, before = after - shift, before - shift
    lowest = numpy.minimum.accumulate(before)
    highest = numpy.maximum.accumulate(after[::-1])[::-1]
    # Written so that a gain that is not a number counts as one that may be an entity.
    return ~(highest - lowest + leave < -MARGIN)
