"""What a student learns from: gold tags, pseudo-labels and its teacher's distributions.

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
from .decoding import log_softmax
from .types import CRFDistribution, Direction, TagIds


@dataclass(frozen=True)
class LossParts:
    """A loss and what it is the weighted sum of, in nats per token.

    Means over several batches count each batch by all of its tokens.

    total (float): What is minimised.
    task (float): Cross-entropy, mean over the tokens that have a tag.
    distillation (float): T^2 * KL, mean over the tokens that have soft targets.
    n_tokens (int): All tokens of the batch, its weight in a mean over batches.
    """

    total: float
    task: float
    distillation: float
    n_tokens: int


class CRFInputs(NamedTuple):
    """What the loss of a CRF depends on beside the scores of tokens.

    lengths (ndarray): Tokens of each document, at least one (n_docs,).
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
        scores: Floats2d,
        *,
        tags: TagIds,
        teacher_scores: Optional[Floats2d] = None,
        taught: Optional[TagIds] = None,
    ) -> Tuple[LossParts, Floats2d]:
        """The loss of a batch and its gradient.

        scores (Floats2d): The student's tag scores (n_tokens, n_tags).
        tags (TagIds): Gold tags or pseudo-labels (n_tokens,), -1 where there are none.
        teacher_scores (Optional[Floats2d]): The teacher's logits or log-probabilities, for
            the softmax does not tell them apart: (n_taught, n_tags).
        taught (Optional[TagIds]): Which tokens these rows belong to (n_taught,); None: all.
        RETURNS (Tuple[LossParts, Floats2d]): The loss, and its exact gradient with respect to
            `scores`, (n_tokens, n_tags).
        """
        xp = get_array_module(scores)
        d_scores = xp.zeros_like(scores)
        task = distillation = 0.0
        tagged = xp.flatnonzero(tags >= 0)
        if len(tagged) and self.task_weight:
            task, d_task = cross_entropy(scores[tagged], tags[tagged])
            d_scores[tagged] += self.task_weight * d_task
        if teacher_scores is not None and len(teacher_scores) and self.distillation_weight:
            rows = xp.arange(len(scores)) if taught is None else taught
            distillation, d_distillation = self.compare(scores[rows], teacher_scores)
            d_scores[rows] += self.distillation_weight * d_distillation
        return self._sum_up(task, distillation, n_tokens=len(scores)), d_scores

    def of_crf(
        self,
        scores: numpy.ndarray,
        crf: CRFInputs,
        *,
        tags: numpy.ndarray,
        teacher_scores: Optional[numpy.ndarray] = None,
        taught: Optional[numpy.ndarray] = None,
    ) -> Tuple[LossParts, Gradients]:
        """The loss of a batch whose tags a CRF predicts, and its gradients.

        The cross-entropy is that of whole sequences, in nats per token. The arguments are those
        of `__call__`, and `crf` (CRFInputs).

        RETURNS (Tuple[LossParts, Gradients]): The loss, and its exact gradients with respect to
            `scores` and the CRF's potentials.
        """
        d_scores = numpy.zeros(scores.shape, dtype="d")
        d_potentials = crf.potentials.scaled(0.0)
        task = distillation = 0.0
        posterior = infer(scores, *crf)
        if (tags >= 0).any() and self.task_weight:
            task, gradients = negative_log_likelihood(scores, *crf, tags, posterior=posterior)
            d_scores += self.task_weight * gradients[0]
            d_potentials = d_potentials.plus(gradients[1].scaled(self.task_weight))
        if teacher_scores is not None and len(teacher_scores) and self.distillation_weight:
            distillation, gradients = self.compare_crf(
                scores, crf, teacher_scores, taught=taught, posterior=posterior
            )
            d_scores += self.distillation_weight * gradients[0]
            d_potentials = d_potentials.plus(gradients[1].scaled(self.distillation_weight))
        return self._sum_up(task, distillation, n_tokens=len(scores)), (d_scores, d_potentials)

    def compare(self, scores: Any, teacher_scores: Any) -> Tuple[float, Floats2d]:
        """The divergence alone, without its weight: see `softened_kl`."""
        return softened_kl(
            scores, teacher_scores, temperature=self.temperature, direction=self.direction
        )

    def compare_crf(
        self,
        scores: numpy.ndarray,
        crf: CRFInputs,
        teacher_scores: numpy.ndarray,
        *,
        taught: Optional[numpy.ndarray] = None,
        posterior: Optional[Posterior] = None,
    ) -> Tuple[float, Gradients]:
        """The divergence of a CRF from the teacher, without its weight: see `marginal_kl`.

        posterior (Optional[Posterior]): Of the CRF as it is, not softened, if it is known.
        """
        if self.crf_distribution == "marginals":
            return marginal_kl(
                scores,
                *crf,
                log_softmax(teacher_scores / self.temperature),
                taught=taught,
                temperature=self.temperature,
                direction=self.direction,
                posterior=posterior if self.temperature == 1 else None,
            )
        d_scores = numpy.zeros(scores.shape, dtype="d")
        rows = numpy.arange(len(scores)) if taught is None else taught
        value, d_scores[rows] = self.compare(scores[rows], teacher_scores)
        return value, (d_scores, crf.potentials.scaled(0.0))

    def _sum_up(self, task: float, distillation: float, *, n_tokens: int) -> LossParts:
        total = self.task_weight * task + self.distillation_weight * distillation
        return LossParts(total, task, distillation, n_tokens)


def build_distillation_loss_v1(
    *,
    temperature: float = 1.0,
    task_weight: float = 1.0,
    distillation_weight: float = 1.0,
    direction: Direction = "teacher_student",
    crf_distribution: CRFDistribution = "marginals",
) -> DistillationLoss:
    """The loss `spacy-distill.DistillationLoss.v1`.

    temperature (float): Softens both distributions; above 0.
    task_weight (float): Of the cross-entropy against gold tags and pseudo-labels; at least 0.
    distillation_weight (float): Of the divergence from the teacher; at least 0.
    direction (Direction): "student_teacher" for KL(student || teacher), the paper's;
        "teacher_student" for KL(teacher || student), Hinton's.
    crf_distribution (CRFDistribution): What of a CRF is compared with the teacher's distributions:
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


def cross_entropy(scores: Floats2d, tags: TagIds) -> Tuple[float, Floats2d]:
    """Mean negative log-probability of the tags, and its gradient.

    scores (Floats2d): Logits (n_tokens, n_tags).
    tags (TagIds): One tag a token (n_tokens,).
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
    """T^2 times the mean divergence between two softened distributions, and its gradient.

    student_scores (Floats2d): Logits (n_tokens, n_tags).
    teacher_scores (Floats2d): Logits or log-probabilities (n_tokens, n_tags).
    temperature (float): T, by which both are divided.
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
