"""What the scores of a model say: the log-probabilities of each token's tags."""

from itertools import zip_longest
from typing import List, Sequence

import numpy

from .batches import split_rows
from .crf import infer
from .decoding import log_softmax
from .layers.crf import find_potentials
from .types import TaggerModel, TagScores

# Of a tag that a teacher rules out: 0 has no logarithm, and KL(student || teacher) grows with it.
LEAST_PROBABILITY = 1e-5
# The score of every tag but O, whose is 0, of a token that a model saw nothing of.
UNSEEN = -10.0


def get_log_probs(model: TaggerModel, scores: Sequence[TagScores]) -> List[numpy.ndarray]:
    """Log-probabilities of tags: by softmax, or the posterior marginals of the model's CRF.

    model (Model[List[Doc], List[Floats2d]]): The model.
    scores (Sequence[Floats2d]): What it predicted for each document, (n_tokens, n_tags).
    RETURNS (List[ndarray]): Of each document, in nats, on the CPU: float32 (n_tokens, n_tags).
    """
    return split_rows(normalise(model, join_scores(model, scores), [*map(len, scores)]), scores)


def get_teacher_log_probs(model: TaggerModel, scores: Sequence[TagScores]) -> List[numpy.ndarray]:
    """What a model can teach: its log-probabilities, NaN where it saw nothing of a token.

    The arguments are those of `get_log_probs`, and the shapes.
    """
    flat = join_scores(model, scores)
    found = normalise(model, flat, [*map(len, scores)])
    found[find_unseen(flat)] = numpy.nan
    return split_rows(found, scores)


def join_scores(model: TaggerModel, scores: Sequence[TagScores]) -> numpy.ndarray:
    """The scores of all documents, one after another, on the CPU: (n_tokens, n_tags)."""
    return model.ops.to_numpy(model.ops.flatten(scores))


def normalise(model: TaggerModel, scores: numpy.ndarray, lengths: Sequence[int]) -> numpy.ndarray:
    """Log-probabilities of joined scores, which are not changed: (n_tokens, n_tags).

    lengths (Sequence[int]): Tokens of each document.
    """
    if not scores.size:
        return scores.copy()
    potentials = find_potentials(model)
    if potentials is None:
        return log_softmax(scores)
    with_tokens = numpy.asarray([length for length in lengths if length])
    return infer(scores, with_tokens, potentials).log_marginals.astype("f")


def find_unseen(scores: numpy.ndarray) -> numpy.ndarray:
    """Tokens that a model saw nothing of, from their scores: bool (n_tokens,)."""
    return (scores[:, :1] == 0.0).all(axis=1) & (scores[:, 1:] == UNSEEN).all(axis=1)


def add_columns(log_probs: numpy.ndarray, columns: Sequence[Sequence[int]]) -> numpy.ndarray:
    """Sum the probabilities of tags between which another set of tags makes no difference.

    log_probs (ndarray): In nats (n_tokens, n_tags); NaN stays.
    columns (Sequence[Sequence[int]]): For each of the new tags, which of the old ones it is.
    RETURNS (ndarray): (n_tokens, n_new_tags); -inf for a tag that is none of the old.
    """
    # A tag that is made of fewer columns than others has the last one, of probability 0, besides.
    impossible = numpy.full((len(log_probs), 1), -numpy.inf, dtype=log_probs.dtype)
    padded = numpy.hstack([log_probs, impossible])
    first, *others = zip_longest(*columns, fillvalue=log_probs.shape[1])
    added = padded.take(first, axis=1)
    with numpy.errstate(invalid="ignore"):
        for more in others:
            added = numpy.logaddexp(added, padded.take(more, axis=1))
    return added


def floor_probs(probs: numpy.ndarray) -> numpy.ndarray:
    """Log-probabilities in nats, float32, of which none is lower than about `LEAST_PROBABILITY`.

    probs (ndarray): Probabilities (n_tokens, n_tags); NaN stays.
    """
    raised = numpy.maximum(probs, LEAST_PROBABILITY)
    return numpy.log(raised / raised.sum(axis=1, keepdims=True)).astype("f")
