"""The training loss, from gold tags, pseudo-labels and a teacher's distributions.

`L = task_weight * CE + distillation_weight * T^2 * KL`, the loss of Izsak, Guskin and Wasserblat
(2019), section 3, with the factor of Hinton, Vinyals and Dean (2015), section 2, that keeps the
size of the gradient when the temperature `T` changes.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple, Optional, Tuple

import numpy
from thinc.api import get_array_module
from thinc.types import Floats2d

from .checks import require, require_one_of
from .crf import Gradients, Posterior, Potentials, infer, marginal_kl, negative_log_likelihood
from .distributions import log_softmax
from .types import CRFDistribution, Direction, TagIds


@dataclass(frozen=True)
class LossParts:
    """A loss and the parts of which it is the weighted sum, in nats per token.

    Means over several batches weight each batch by the number of all its tokens.

    total (float): The loss that is minimised.
    task (float): Cross-entropy, mean over the tokens that have a tag.
    distillation (float): T^2 * KL, mean over the tokens that have soft targets.
    n_tokens (int): Number of tokens in the batch, for a mean over batches.
    """

    total: float
    task: float
    distillation: float
    n_tokens: int


class CRFInputs(NamedTuple):
    """The inputs of a CRF's loss, besides the scores of tokens.

    lengths (ndarray): Number of tokens of each document, or of each of its lines, at least one:
        (n_sequences,).
    potentials (Potentials): In nats.
    """

    lengths: numpy.ndarray
    potentials: Potentials


@dataclass(frozen=True)
class DistillationLoss:
    """Cross-entropy plus softened KL divergence. See `build_distillation_loss_v1`."""

    temperature: float
    task_weight: float
    distillation_weight: float
    direction: Direction
    crf_distribution: CRFDistribution = "marginals"

    def __call__(
        self,
        scores: Any,
        *,
        tags: Any,
        teacher_scores: Any,
        taught: Any,
        crf: Optional[CRFInputs] = None,
    ) -> Tuple[LossParts, Gradients]:
        """Compute the loss of a batch and its gradients.

        For a CRF, the cross-entropy is that of whole sequences, in nats per token.

        scores (Floats2d): The student's tag scores (n_tokens, n_tags); with a CRF, on the CPU.
        tags (TagIds): Gold tags or pseudo-labels (n_tokens,), -1 for tokens without one.
        teacher_scores (Floats2d): The teacher's logits or log-probabilities, which have the same
            softmax: (n_taught, n_tags).
        taught (Ints1d): Indices of the tokens that these rows belong to (n_taught,).
        crf (Optional[CRFInputs]): The CRF that predicts the tags; None for a softmax.
        RETURNS (Tuple[LossParts, Gradients]): The loss, and its exact gradients with respect to
            `scores` and the CRF's potentials.
        """
        task = distillation = 0.0
        gradients, posterior = no_gradients(scores, crf), None
        if self.task_weight and (tags >= 0).any():
            task, found, posterior = task_loss(scores, tags, crf)
            gradients = gradients.plus(found, weight=self.task_weight)
        if self.distillation_weight and len(taught):
            distillation, found = self.compare(
                scores, teacher_scores, taught=taught, crf=crf, posterior=posterior
            )
            gradients = gradients.plus(found, weight=self.distillation_weight)
        total = self.task_weight * task + self.distillation_weight * distillation
        return LossParts(total, task, distillation, n_tokens=len(scores)), gradients

    def compare(
        self,
        scores: Any,
        teacher_scores: Any,
        *,
        taught: Any,
        crf: Optional[CRFInputs],
        posterior: Optional[Posterior] = None,
    ) -> Tuple[float, Gradients]:
        """Compute the divergence alone, without its weight: see `softened_kl` and `marginal_kl`.

        scores, teacher_scores, taught, crf: As in `__call__`, with at least one taught token.
        posterior (Optional[Posterior]): The result of `infer` for these scores at temperature 1, if
            known.
        """
        settings: Any = {"temperature": self.temperature, "direction": self.direction}
        if crf is not None and self.crf_distribution == "marginals":
            if posterior is None or self.temperature != 1:
                posterior = infer(scores, *crf, temperature=self.temperature)
            softened = log_softmax(teacher_scores / self.temperature)
            return marginal_kl(posterior, softened, taught=taught, **settings)
        d_scores, d_potentials = no_gradients(scores, crf)
        value, d_scores[taught] = softened_kl(scores[taught], teacher_scores, **settings)
        return value, Gradients(d_scores, d_potentials)


def build_distillation_loss_v1(
    *,
    temperature: float = 1.0,
    task_weight: float = 1.0,
    distillation_weight: float = 1.0,
    direction: Direction = "teacher_student",
    crf_distribution: CRFDistribution = "marginals",
) -> DistillationLoss:
    """Create the loss `spacy-distill.DistillationLoss.v1`.

    temperature (float): Softens both distributions; above 0.
    task_weight (float): Weight of the cross-entropy against gold tags and pseudo-labels; at least
        0.
    distillation_weight (float): Weight of the divergence from the teacher; at least 0.
    direction (Direction): "student_teacher" for KL(student || teacher), as in Izsak et al. (2019);
        "teacher_student" for KL(teacher || student), as in Hinton et al. (2015).
    crf_distribution (CRFDistribution): Which distribution of a CRF is compared with the teacher's:
        its posterior "marginals", or the softmax of its scores alone, "emissions".
    RAISES (ValueError): D007 for a setting out of its range.
    """
    require(temperature > 0, "temperature", temperature, "above 0")
    require(task_weight >= 0, "task_weight", task_weight, "0 or more")
    require(distillation_weight >= 0, "distillation_weight", distillation_weight, "0 or more")
    require_one_of(Direction, "direction", direction)
    require_one_of(CRFDistribution, "crf_distribution", crf_distribution)
    return DistillationLoss(
        temperature, task_weight, distillation_weight, direction, crf_distribution
    )


def task_loss(
    scores: Any, tags: Any, crf: Optional[CRFInputs]
) -> Tuple[float, Gradients, Optional[Posterior]]:
    """Compute the loss of the task, if at least one token has a tag.

    With a CRF, this is `negative_log_likelihood`, and its posterior is returned as well. Otherwise
    it is the `cross_entropy` of the tokens that have a tag.
    """
    if crf is not None:
        return negative_log_likelihood(scores, *crf, tags)
    tagged = get_array_module(scores).flatnonzero(tags >= 0)
    d_scores, _ = no_gradients(scores, crf)
    value, d_scores[tagged] = cross_entropy(scores[tagged], tags[tagged])
    return value, Gradients(d_scores), None


def no_gradients(scores: Any, crf: Optional[CRFInputs]) -> Gradients:
    """Return gradients of zero; in float64 with a CRF, which is computed in float64."""
    if crf is not None:
        return Gradients(numpy.zeros(scores.shape, dtype="d"), crf.potentials.zeros())
    return Gradients(get_array_module(scores).zeros_like(scores))


def cross_entropy(scores: Floats2d, tags: TagIds) -> Tuple[float, Floats2d]:
    """Compute the mean negative log-probability of the tags, and its gradient.

    scores (Floats2d): Logits (n_tokens, n_tags).
    tags (TagIds): One tag per token (n_tokens,).
    RETURNS (Tuple[float, Floats2d]): Nats per token; gradient (n_tokens, n_tags).
    """
    xp = get_array_module(scores)
    log_probs = log_softmax(scores)
    rows = xp.arange(len(scores))
    d_scores = xp.exp(log_probs)
    d_scores[rows, tags] -= 1
    return -float(log_probs[rows, tags].mean()), d_scores / len(scores)


def softened_kl(
    student_scores: Floats2d,
    teacher_scores: Floats2d,
    *,
    temperature: float,
    direction: Direction,
) -> Tuple[float, Floats2d]:
    """Compute T^2 times the mean divergence of two softened distributions, and its gradient.

    student_scores (Floats2d): Logits (n_tokens, n_tags).
    teacher_scores (Floats2d): Logits or log-probabilities (n_tokens, n_tags).
    temperature (float): T, by which both scores are divided.
    direction (Direction): Which distribution the logarithms are weighted by.
    RETURNS (Tuple[float, Floats2d]): T^2 * nats per token; gradient with respect to the
        student's scores (n_tokens, n_tags).
    """
    xp = get_array_module(student_scores)
    log_q = log_softmax(student_scores / temperature)
    log_p = log_softmax(teacher_scores / temperature)
    q = xp.exp(log_q)
    if direction == "student_teacher":
        terms = q * (log_q - log_p)  # (n_tokens, n_tags)
        # d KL(q || p) / d z = q * (log q - log p - KL) / T
        gradient = terms - q * terms.sum(axis=1, keepdims=True)
    else:
        p = xp.exp(log_p)
        terms = p * (log_p - log_q)
        gradient = q - p
    n_tokens = len(student_scores)
    value = temperature**2 * float(terms.sum()) / n_tokens
    return value, gradient * (temperature / n_tokens)
