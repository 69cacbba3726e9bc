"""Which texts a measurement reads: all of them, or a sample where a system is too slow for that."""

import random
from typing import List, Sequence


def draw_texts(n_words: Sequence[int], *, wanted: float, at_least: int, seed: int) -> List[int]:
    """Draw texts at random, without replacement.

    n_words (Sequence[int]): Words of each text.
    wanted (float): Draw about so many words,
    at_least (int): and no fewer texts than this, if there are as many.
    seed (int): Of the random numbers.
    RETURNS (List[int]): Indices of texts, in order; all of them if that is what is wanted.
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
    """Draw full batches of texts of like length, of evenly spaced lengths.

    A system that reads texts of like length together reads such batches of a whole corpus. Texts
    drawn at random would make it pad few texts of unlike lengths; a batch drawn at random, when
    there is time for one only, would be of long texts, or of short ones.

    n_words (Sequence[int]): Words of each text.
    wanted (float): Draw about so many words, at least one batch.
    batch_size (int): Texts in a batch.
    RETURNS (List[int]): Indices of texts, in order; all of them if that is what is wanted, or if
        they are no more than a batch.
    """
    n_texts, total = len(n_words), sum(n_words)
    if wanted >= total or batch_size >= n_texts:
        return list(range(n_texts))
    n_batches = round(wanted / total * n_texts / batch_size)
    n_batches = min(max(n_batches, 1), n_texts // batch_size)
    order = sorted(range(n_texts), key=lambda i: n_words[i])
    stride = n_texts / n_batches  # no less than a batch, so that none overlap
    starts = [int((i + 0.5) * stride - 0.5 * batch_size) for i in range(n_batches)]
    return sorted(i for start in starts for i in order[start : start + batch_size])
