"""The layout in which documents of different lengths are processed in parallel, without padding."""

from typing import Iterator, List, NamedTuple, Tuple

import numpy


class Steps(NamedTuple):
    """The time-major layout of documents that are processed in parallel, longest first.

    Step t consists of rows starts[t]:starts[t + 1] of a time-major array, and its row k belongs to
    the k-th longest document.
    """

    starts: List[int]  # (n_steps + 1,)
    tokens: numpy.ndarray  # (2, n_tokens): the token at each row, read forwards and backwards
    # (n_tokens - starts[1],): the row one step before, for rows after step 0
    previous: numpy.ndarray

    def after_first(self) -> Iterator[Tuple[int, int, int]]:
        """Yield (before, start, end) for each step but the first.

        Its rows are start:end; the same documents have the rows before:before + end - start in the
        step before it.
        """
        return zip(self.starts, self.starts[1:], self.starts[2:])


def plan_steps(lengths: numpy.ndarray) -> Steps:
    """Lay out concatenated documents of the given lengths by time."""
    if len(lengths) == 1:  # the same result, ten times faster
        tokens = numpy.arange(lengths[0])
        both = numpy.empty((2, len(tokens)), dtype=tokens.dtype)
        both[0], both[1] = tokens, tokens[::-1]
        return Steps([*range(len(tokens) + 1)], both, previous=tokens[:-1])
    order = numpy.argsort(-lengths, kind="stable")
    longest = lengths[order]
    first_token = (numpy.cumsum(lengths) - lengths)[order]
    times = numpy.arange(longest[0])
    running = numpy.searchsorted(-longest, -times, side="left")  # number of documents longer than t
    starts = numpy.concatenate(([0], numpy.cumsum(running)))
    time = numpy.repeat(times, running)
    doc = numpy.arange(starts[-1]) - starts[time]
    forwards = first_token[doc] + time
    backwards = first_token[doc] + longest[doc] - 1 - time
    previous = starts[time - 1] + doc
    return Steps(starts.tolist(), numpy.stack([forwards, backwards]), previous[running[0] :])
