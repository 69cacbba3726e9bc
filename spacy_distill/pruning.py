"""Find where the best path of a CRF can't have an entity, so that it need not be searched there.

A run of tokens that are not `O` is part of the best path only if it gains something over `O` in its
place. An upper bound of a token's gain is known from its own scores and the largest transition to
each tag. A token is `O` if no run that contains it has a positive sum of these gains. The sums are
computed as in Kadane's algorithm, from the left and from the right.
"""

from typing import Any

import numpy

from .crf import Potentials

# A run that loses more than this, in nats, is ruled out. The margin allows for rounding errors.
MARGIN = 1e-3
# Gain of a token that can only be `O`, so that sums stay finite.
LOWEST_GAIN = -1e3


def may_have_entity(
    scores: numpy.ndarray, lengths: numpy.ndarray, potentials: Potentials
) -> numpy.ndarray:
    """Find the tokens that may be other than `O` in the best path. All others are `O` in it.

    scores (ndarray): Tag scores (n_tokens, n_tags), documents concatenated, possibly -inf.
    lengths (ndarray): Number of tokens of each document, at least one.
    potentials (Potentials): Scores of transitions, -inf if they are illegal; tag 0 is `O`, always
        legal.
    RETURNS (ndarray): bool (n_tokens,).
    """
    start, pairs, end = potentials
    stay = pairs[0, 0]
    enter = numpy.maximum(pairs.max(axis=0) - stay, start - start[0])[1:]
    leave = max(0.0, (pairs[1:, 0] - stay).max(), (end[1:] - end[0]).max())
    gains: Any = (scores[:, 1:] + enter).max(axis=1) - scores[:, 0]
    # In float64, because sums over a batch must be exact to less than the margin.
    gains = numpy.maximum(gains, LOWEST_GAIN).astype("d")
    after = numpy.cumsum(gains)
    before = after - gains
    if len(lengths) > 1:  # shift each document so far down that no sum crosses its edges
        step = 1 + 2 * numpy.abs(gains).sum()
        shift = numpy.repeat(numpy.arange(len(lengths)) * step, lengths)
        after, before = after - shift, before - shift
    lowest = numpy.minimum.accumulate(before)
    highest = numpy.maximum.accumulate(after[::-1])[::-1]
    # Negated, so that a gain of NaN counts as a possible entity.
    return ~(highest - lowest + leave < -MARGIN)
