"""Calibration of confidences: of the entities predicted with confidence 0.8, are 80% correct?"""

from math import ceil
from typing import List, NamedTuple, Optional, Sequence

from .predictions import Entity, Sentence


class Bin(NamedTuple):
    """Entities of similar confidence."""

    n: int
    confidence: float  # their mean, from 0 to 1
    accuracy: float  # the share that is correct


class Calibration(NamedTuple):
    """The numbers of a reliability diagram."""

    bins: List[Optional[Bin]]  # of equal width, from confidence 0 to 1; None if a bin is empty
    n: int
    confidence: float  # mean over all entities
    accuracy: float
    error: float  # expected calibration error, from 0 to 1


def calibrate(
    sentences: Sequence[Sentence], found: Sequence[Sequence[Entity]]
) -> Optional[Calibration]:
    """Compare the confidences of entities with how often they are correct.

    sentences (Sequence[Sentence]): The test set.
    found (Sequence[Sequence[Entity]]): The entities that a system predicts in each sentence.
    RETURNS (Optional[Calibration]): None if the system predicts no entities or no confidences.
    """
    confidences: List[float] = []
    correct: List[bool] = []
    for sentence, entities in zip(sentences, found):
        gold = {ent.key for ent in sentence.gold}
        for ent in entities:
            if ent.confidence is not None:
                confidences.append(ent.confidence)
                correct.append(ent.key in gold)
    return fill_bins(confidences, correct)


def fill_bins(
    confidences: Sequence[float], correct: Sequence[bool], *, n_bins: int = 10
) -> Optional[Calibration]:
    """Sort confidences into bins and compute the expected calibration error.

    The expected calibration error is the mean of |accuracy - confidence| over bins, weighted by
    their number of entities: Guo, Pleiss, Sun and Weinberger, On Calibration of Modern Neural
    Networks (2017), equation 3. Bin m of M holds confidences in ((m - 1) / M, m / M], and the first
    one also 0.

    confidences (Sequence[float]): The confidence of each entity, from 0 to 1.
    correct (Sequence[bool]): Whether each entity is correct.
    n_bins (int): Number of bins, which have equal width.
    RETURNS (Optional[Calibration]): None if there are no confidences.
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
