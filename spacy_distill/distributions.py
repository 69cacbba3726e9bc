"""Distributions from the scores of a model: the log-probabilities of each token's tags."""

from itertools import zip_longest
from typing import Any, List, Sequence, TypeVar

import numpy
from thinc.api import Ops, get_array_module
from thinc.types import Floats2d

from .batches import count_rows, split_rows
from .crf import infer
from .layers.crf import find_potentials
from .types import TaggerModel, TagScores

# Probability of a tag that a teacher rules out. It can't be 0, which has no logarithm, and the
# smaller it is, the larger KL(student || teacher) becomes.
LEAST_PROBABILITY = 1e-5
# Score of every tag but O, for a token that a model saw nothing of. The score of O is 0.
UNSEEN = -10.0
# Scores on the model's device, possibly a GPU, or on the CPU.
ScoresT = TypeVar("ScoresT", Floats2d, numpy.ndarray)


def log_softmax(scores: ScoresT) -> ScoresT:
    """Return the log-probabilities of each row, in nats: (n_tokens, n_tags), as the scores."""
    xp = get_array_module(scores)
    shifted = scores - xp.max(scores, axis=-1, keepdims=True)
    return shifted - xp.log(xp.exp(shifted).sum(axis=-1, keepdims=True))


def get_log_probs(
    model: TaggerModel, scores: Sequence[TagScores], *, lengths: Sequence[int]
) -> List[numpy.ndarray]:
    """Return the log-probabilities of tags: by softmax, or the marginals of the model's CRF.

    model (Model[List[Doc], List[Floats2d]]): The model.
    scores (Sequence[Floats2d]): What it predicted for each document, (n_tokens, n_tags).
    lengths (Sequence[int]): Numbers of tokens of the sequences that a CRF covers: those of lines.
    RETURNS (List[ndarray]): For each document, in nats, on the CPU: float32 (n_tokens, n_tags).
    """
    flat = join_scores(model, scores)
    return split_rows(normalise(model, flat, lengths), scores)


def get_teacher_log_probs(
    model: TaggerModel, scores: Sequence[TagScores], *, lengths: Sequence[int]
) -> List[numpy.ndarray]:
    """Return what a model can teach: log-probabilities, NaN for tokens that it saw nothing of.

    The arguments and shapes are those of `get_log_probs`.
    """
    flat = join_scores(model, scores)
    found = normalise(model, flat, lengths)
    found[find_unseen(flat)] = numpy.nan
    return split_rows(found, scores)


def join_scores(model: TaggerModel, scores: Sequence[TagScores]) -> numpy.ndarray:
    """Concatenate the scores of all documents, on the CPU: (n_tokens, n_tags)."""
    return model.ops.to_numpy(model.ops.flatten(scores))


def normalise(model: TaggerModel, scores: numpy.ndarray, lengths: Sequence[int]) -> numpy.ndarray:
    """Return the log-probabilities of concatenated scores: (n_tokens, n_tags).

    The scores are not modified. A CRF does not cover tokens that the model saw nothing of.

    lengths (Sequence[int]): Number of tokens of each document, or of each line.
    """
    if not scores.size:
        return scores.copy()
    potentials = find_potentials(model)
    found = log_softmax(scores)
    if potentials is not None:
        seen = ~find_unseen(scores)
        if seen.any():
            posterior = infer(scores[seen], count_rows(seen, lengths), potentials)
            found[seen] = posterior.log_marginals
    return found


def find_unseen(scores: Any) -> Any:
    """Find tokens that a model saw nothing of, by their scores: bool (n_tokens,)."""
    return (scores[:, :1] == 0.0).all(axis=1) & (scores[:, 1:] == UNSEEN).all(axis=1)


def unseen_row(ops: Ops, n_tags: int) -> Any:
    """Return the scores of a token that a model saw nothing of: float32 (n_tags,)."""
    row = ops.xp.full(n_tags, UNSEEN, dtype="f")
    row[0] = 0.0
    return row


def add_columns(log_probs: numpy.ndarray, columns: Sequence[Sequence[int]]) -> numpy.ndarray:
    """Add up the probabilities of tags that are one tag in another set of tags.

    log_probs (ndarray): In nats (n_tokens, n_tags); NaN stays NaN.
    columns (Sequence[Sequence[int]]): For each new tag, the indices of the old tags that it
        combines.
    RETURNS (ndarray): (n_tokens, n_new_tags); -inf for a new tag that combines none.
    """
    # Tags that combine fewer columns than others are padded with the last column, of probability 0.
    impossible = numpy.full((len(log_probs), 1), -numpy.inf, dtype=log_probs.dtype)
    padded = numpy.hstack([log_probs, impossible])
    first, *others = zip_longest(*columns, fillvalue=log_probs.shape[1])
    added = padded.take(first, axis=1)
    with numpy.errstate(invalid="ignore"):
        for more in others:
            added = numpy.logaddexp(added, padded.take(more, axis=1))
    return added


def floor_probs(probs: numpy.ndarray) -> numpy.ndarray:
    """Return log-probabilities in nats, float32, none lower than about `LEAST_PROBABILITY`.

    probs (ndarray): Probabilities (n_tokens, n_tags); NaN stays NaN.
    """
    raised = numpy.maximum(probs, LEAST_PROBABILITY)
    return numpy.log(raised / raised.sum(axis=1, keepdims=True)).astype("f")
