"""The texts that a measurement reads: all of them, or a sample if a system is too slow for that."""

import random
from typing import List, Sequence


def draw_texts(n_words: Sequence[int], *, wanted: float, at_least: int, seed: int) -> List[int]:
    """Draw texts at random, without replacement.

    n_words (Sequence[int]): Number of words of each text.
    wanted (float): Number of words to draw, approximately.
    at_least (int): Minimum number of texts to draw, if there are as many.
    seed (int): Seed of the random numbers.
    RETURNS (List[int]): Indices of the texts, ascending; all if there are no more words than
        wanted.
    """
    order = list(range(len(n_words)))
    random.Random(seed).shuffle(order)
    drawn: List[int] = []
    n_drawn = 0
    for i in order:
        if n_drawn >= wanted and len(drawn) >= at_least:
            break
        drawn.append(i)
        n_drawn += n_words[i]
    return sorted(drawn)


def draw_batches(n_words: Sequence[int], *, wanted: float, batch_size: int) -> List[int]:
    """Draw full batches of texts of similar length, evenly spaced in the order of lengths.

    These are like the batches in which a system that sorts texts by length reads a whole corpus.
    Texts drawn at random would be so few that their lengths differ, and need more padding. A single
    batch drawn at random, if there is time for only one, might have only long texts, or only short
    ones.

    n_words (Sequence[int]): Number of words of each text.
    wanted (float): Number of words to draw, approximately; at least one batch is drawn.
    batch_size (int): Number of texts in a batch.
    RETURNS (List[int]): Indices of the texts, ascending; all if there are no more words than
        wanted, or no more texts than a batch.
    """
    n_texts, total = len(n_words), sum(n_words)
    if wanted >= total or batch_size >= n_texts:
        return list(range(n_texts))
    n_batches = round(wanted / total * n_texts / batch_size)
    n_batches = min(max(n_batches, 1), n_texts // batch_size)
    order = sorted(range(n_texts), key=lambda i: n_words[i])
    stride = n_texts / n_batches  # at least a batch, so that batches do not overlap
    starts = [int((i + 0.5) * stride - 0.5 * batch_size) for i in range(n_batches)]
    return sorted(i for start in starts for i in order[start : start + batch_size])
