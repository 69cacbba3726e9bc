"""Whether confidences can be believed: of entities found with 0.8, are 80% right?"""

from math import ceil
from typing import List, NamedTuple, Optional, Sequence

from .predictions import Entity, Sentence


class Bin(NamedTuple):
    """Entities of like confidence."""

    n: int
    confidence: float  # their mean, from 0 to 1
    accuracy: float  # the share that is right


class Calibration(NamedTuple):
    """A reliability diagram in numbers."""

    bins: List[Optional[Bin]]  # of equal width, from confidence 0 to 1; None where there is nothing
    n: int
    confidence: float  # mean of all
    accuracy: float
    error: float  # expected calibration error, from 0 to 1


def calibrate(
    sentences: Sequence[Sentence], found: Sequence[Sequence[Entity]], *, n_bins: int = 10
) -> Optional[Calibration]:
    """Compare the confidences of entities with how often they are right.

    sentences (Sequence[Sentence]): The test set.
    found (Sequence[Sequence[Entity]]): What a system found in each sentence.
    n_bins (int): Bins of equal width.
    RETURNS (Optional[Calibration]): None if the system found nothing, or gives no confidences.
    """
    confidences: List[float] = []
    correct: List[bool] = []
    for sentence, entities in zip(sentences, found):
        gold = {ent.key for ent in sentence.gold}
        for ent in entities:
            if ent.confidence is not None:
                confidences.append(ent.confidence)
                correct.append(ent.key in gold)
    return fill_bins(confidences, correct, n_bins=n_bins)


def fill_bins(
    confidences: Sequence[float], correct: Sequence[bool], *, n_bins: int = 10
) -> Optional[Calibration]:
    """Sort confidences into bins, and sum up how far they are off.

    The expected calibration error is the mean of |accuracy - confidence| over bins, weighted by
    their entities: Guo, Pleiss, Sun and Weinberger, On Calibration of Modern Neural Networks
    (2017), equation 3. Bin m of M holds confidences in ((m - 1) / M, m / M].

    confidences (Sequence[float]): From 0 to 1.
    correct (Sequence[bool]): Whether each was right.
    n_bins (int): Bins of equal width.
    RETURNS (Optional[Calibration]): None without any confidence.
    """
    n = len(confidences)
    if not n:
        return None
    members: List[List[int]] = [[] for _ in range(n_bins)]
    for i, confidence in enumerate(confidences):
        members[find_bin(confidence, n_bins)].append(i)
    bins = [
        Bin(
            n=len(of_bin),
            confidence=sum(confidences[i] for i in of_bin) / len(of_bin),
            accuracy=sum(correct[i] for i in of_bin) / len(of_bin),
        )
        if of_bin
        else None
        for of_bin in members
    ]
    error = sum(one.n / n * abs(one.accuracy - one.confidence) for one in bins if one)
    return Calibration(bins, n, sum(confidences) / n, sum(correct) / n, error)


def find_bin(confidence: float, n_bins: int) -> int:
    return min(max(ceil(confidence * n_bins) - 1, 0), n_bins - 1)
