"""Base class of components that learn from a teacher's scores, or from their own earlier ones."""

from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Optional, Sequence, Sized, Tuple

import numpy
from spacy.errors import Errors as SpacyErrors
from spacy.pipeline import TrainablePipe
from spacy.tokens import Doc
from spacy.training import Example, validate_examples
from thinc.api import Model, Optimizer, get_array_module, set_dropout_rate

from ..crf import Potentials
from ..distributions import get_teacher_log_probs
from ..entities import TokenAttributes
from ..errors import Errors
from ..layers.crf import inc_gradient
from ..lines import line_lengths
from ..losses import DistillationLoss, LossParts, no_gradients
from ..parameters import listens
from ..soft_targets import change_tags, have_same_labels
from ..targets import has_same_tokens
from ..types import TaggerModel, TagScores
from .flat_scores import FlatScores


class LossAndGradients(NamedTuple):
    """The loss of a batch, and its gradients for the scores and for the CRF, if there is one."""

    parts: LossParts
    d_scores: List[TagScores]
    d_potentials: Optional[Potentials] = None


class DistillablePipe(TrainablePipe):
    """How `NERTagger` learns: the training step, distillation and rehearsal.

    `distill`, `get_teacher_student_loss` and `is_distillable` have the names of spaCy v4's
    `TrainablePipe`.

    A subclass must define `predict` and the attributes below.

    model (Model[List[Doc], List[Floats2d]]): Scores the tags: one row of logits per token.
    tags (List[str]): The tags, in the order of the model's outputs.
    loss (DistillationLoss): Measures how far two distributions are apart.
    """

    name: str
    model: TaggerModel
    tags: List[str]
    loss: DistillationLoss
    # Whether there has been a training step since the component was loaded.
    has_learnt: bool = False
    # A copy of the model, set by `nlp.resume_training()`.
    _rehearsal_model: Optional[Model] = None

    @property
    def is_distillable(self) -> bool:
        """Whether the component can be taught by another."""
        return True

    def find_lengths(self, docs: Sequence[Doc]) -> List[int]:
        """Return the numbers of tokens of the sequences that a CRF covers: lines, or documents.

        docs (Sequence[Doc]): The documents.
        """
        return self.lengths_of(docs, TokenAttributes.from_docs(docs))

    def lengths_of(self, docs: Sequence[Sized], attributes: TokenAttributes) -> List[int]:
        """Return what `find_lengths` does, if the attributes of the tokens are already known.

        docs (Sequence[Sized]): The documents, or other objects of the same lengths.
        attributes (TokenAttributes): The attributes of their tokens.
        """
        return line_lengths(docs, attributes.line_start & separates_lines(self.model))

    def _separate_lines(self, value: bool) -> None:
        """Set whether line breaks may separate texts, in the model and in layers that need it."""
        for node in self.model.walk():
            if node is self.model or "separate_lines" in node.attrs:
                node.attrs["separate_lines"] = value

    def distill(
        self,
        teacher_pipe: TrainablePipe,
        examples: Iterable[Example],
        *,
        drop: float = 0.0,
        sgd: Optional[Optimizer] = None,
        losses: Optional[Dict[str, float]] = None,
    ) -> Dict[str, float]:
        """Learn from a teacher's distributions on a batch, for the tokens that the teacher saw.

        teacher_pipe (DistillablePipe): The teacher. It gets `eg.reference`, and the student gets
            `eg.predicted`; both must have the same tokens. The teacher's tags may have the other
            scheme. If it listens to other components, such as a shared transformer, run these over
            the references first.
        examples (Iterable[Example]): The batch. Its annotation is not used.
        drop (float): Dropout rate.
        sgd (Optional[Optimizer]): Applied if given.
        losses (Optional[Dict[str, float]]): Updated with means in nats per token since the dict was
            empty: the loss under the component's name, and its parts under `NAME_task` and
            `NAME_distillation`. `NAME_tokens` is the number of tokens that they are means of.
        RETURNS (Dict[str, float]): The updated losses.
        RAISES (ValueError): D010 if the teacher's labels are not the student's, D015 if an
            example's documents have different tokens, D021 if the teacher listens and saw no token,
            D022 if it is not a `DistillablePipe`, D011 if the loss is not finite.
        """
        examples = list(examples)
        validate_examples(examples, "DistillablePipe.distill")
        names = {"teacher": getattr(teacher_pipe, "name", teacher_pipe), "student": self.name}
        if not isinstance(teacher_pipe, DistillablePipe):
            raise ValueError(Errors.D022.format(**names, found=type(teacher_pipe).__name__))
        if not have_same_labels(tuple(teacher_pipe.tags), tuple(self.tags)):
            tags = {"teacher_tags": teacher_pipe.tags, "student_tags": self.tags}
            raise ValueError(Errors.D010.format(**names, **tags))
        for i, eg in enumerate(examples):
            if not has_same_tokens(eg.predicted, eg.reference):
                raise ValueError(Errors.D015.format(**names, index=i))

        predicted = [eg.predicted for eg in examples]

        def compare(scores: List[TagScores]) -> LossAndGradients:
            teacher_scores = teacher_pipe.predict([eg.reference for eg in examples])
            teacher_log_probs = get_teacher_log_probs(
                teacher_pipe.model,
                teacher_scores,
                lengths=teacher_pipe.find_lengths([eg.reference for eg in examples]),
            )
            if listens_in_vain(teacher_pipe.model, teacher_log_probs):
                raise ValueError(Errors.D021.format(**names))
            log_probs: Any = [
                change_tags(rows, teacher_pipe.tags, wanted=self.tags) for rows in teacher_log_probs
            ]
            return self._compare(log_probs, scores, lengths=self.find_lengths(predicted))

        return self._train_step(examples, compare, drop=drop, sgd=sgd, losses=losses)

    def rehearse(
        self,
        examples: Iterable[Example],
        *,
        drop: float = 0.0,
        sgd: Optional[Optimizer] = None,
        losses: Optional[Dict[str, float]] = None,
        **config: Any,
    ) -> Dict[str, float]:
        """Stay close to the model as it was at `nlp.resume_training()`, by KL divergence.

        Do nothing if `nlp.resume_training()` was not called before.

        examples, drop, sgd, losses: As in `distill`.
        RETURNS (Dict[str, float]): The updated losses.
        RAISES (ValueError): D011 if the loss is not finite, D027 if the model listens to another
            component that has not annotated `eg.predicted`, spaCy's E109 before `initialize`.
        """
        examples = list(examples)
        validate_examples(examples, "DistillablePipe.rehearse")
        earlier = self._rehearsal_model
        if earlier is None:
            return {} if losses is None else losses

        docs = [eg.predicted for eg in examples]
        lengths = self.find_lengths(docs)
        log_probs: Any = []
        if len(self.tags) > 1 and any(map(len, docs)):
            log_probs = get_teacher_log_probs(earlier, earlier.predict(docs), lengths=lengths)
            if listens_in_vain(earlier, log_probs):
                raise ValueError(Errors.D027.format(name=self.name))

        def compare(scores: List[TagScores]) -> LossAndGradients:
            return self._compare(log_probs, scores, lengths=lengths)

        return self._train_step(examples, compare, drop=drop, sgd=sgd, losses=losses)

    def get_teacher_student_loss(
        self, teacher_scores: List[TagScores], student_scores: List[TagScores]
    ) -> Tuple[float, List[TagScores]]:
        """Return the divergence from a teacher in nats per token, and its gradient.

        Without the documents, a CRF covers each as a whole, whether or not it has several lines.

        teacher_scores (List[Floats2d]): The teacher's scores for the student's tags; their softmax
            is the teacher's distribution. For a CRF, pass its log-probabilities. Tokens with NaN
            are ignored.
        student_scores (List[Floats2d]): The student's scores.
        RETURNS (Tuple[float, List[Floats2d]]): The loss and the gradient of the student's scores.
        """
        found = self._compare(teacher_scores, student_scores)
        return found.parts.total, found.d_scores

    def _compare(
        self,
        teacher_scores: List[TagScores],
        student_scores: List[TagScores],
        *,
        lengths: Optional[Sequence[int]] = None,
    ) -> LossAndGradients:
        if not any(map(len, student_scores)):
            return no_loss(student_scores)
        batch = FlatScores.of(self.model, student_scores, lengths=lengths)
        flat, crf = batch.rows, batch.crf
        xp, ops = get_array_module(flat), self.model.ops
        teacher = ops.xp.concatenate([*map(ops.xp.asarray, teacher_scores)])
        teacher = teacher[ops.xp.asarray(batch.seen)]
        if crf is not None:
            teacher = ops.to_numpy(teacher)
        taught = xp.flatnonzero(~xp.isnan(teacher).any(axis=1))
        value, (d_scores, d_potentials) = 0.0, no_gradients(flat, crf)
        if len(taught):
            value, (d_scores, d_potentials) = self.loss.compare(
                flat, teacher[taught], taught=taught, crf=crf
            )
        parts = LossParts(total=value, task=0.0, distillation=value, n_tokens=len(flat))
        return LossAndGradients(parts, batch.split(d_scores), d_potentials)

    def _train_step(
        self,
        examples: List[Example],
        get_loss: Callable[[List[TagScores]], LossAndGradients],
        *,
        drop: float,
        sgd: Optional[Optimizer],
        losses: Optional[Dict[str, float]],
    ) -> Dict[str, float]:
        """Run one training step: forward, loss, backward, and the optimizer if there is one.

        get_loss (Callable): Called with the scores of `eg.predicted`. For a batch without tokens,
            neither this nor the model is called, because a model may not support that.
        RAISES (ValueError): D011 if the loss is not finite, spaCy's E109 before `initialize`.
        """
        if len(self.tags) == 1:  # O alone
            raise ValueError(SpacyErrors.E109.format(name=self.name))
        self.has_learnt = True
        losses = {} if losses is None else losses
        losses.setdefault(self.name, 0.0)
        if not any(len(eg.predicted) for eg in examples):
            return losses
        set_dropout_rate(self.model, drop)
        scores, backprop = self.model.begin_update([eg.predicted for eg in examples])
        parts, d_scores, d_potentials = get_loss(scores)
        if not numpy.isfinite(parts.total):
            raise ValueError(Errors.D011.format(name=self.name, loss=parts.total))
        if listens(self.model):
            # The upstream component also learns from other components, whose losses are sums over
            # tokens, as spaCy's are. The gradient of a mean would be negligible next to these.
            d_scores = [part * parts.n_tokens for part in d_scores]
            if d_potentials is not None:
                d_potentials = d_potentials.scaled(parts.n_tokens)
        backprop(d_scores)
        if d_potentials is not None:
            inc_gradient(self.model, d_potentials)
        if sgd not in (None, False):
            self.finish_update(sgd)
        self._record(parts, losses)
        return losses

    def _record(self, parts: LossParts, losses: Dict[str, float]) -> None:
        """Update the means over tokens, so that a logger can show nats per token."""
        key = f"{self.name}_tokens"
        losses[key] = losses.get(key, 0) + parts.n_tokens
        share = parts.n_tokens / max(losses[key], 1)
        for name, value in (
            (self.name, parts.total),
            (f"{self.name}_task", parts.task),
            (f"{self.name}_distillation", parts.distillation),
        ):
            losses[name] = losses.get(name, 0.0) * (1 - share) + value * share


def no_loss(scores: List[TagScores]) -> LossAndGradients:
    """Return the loss of a batch without tokens. scores (List[Floats2d]): Its scores, all empty."""
    return LossAndGradients(LossParts(0.0, 0.0, 0.0, n_tokens=0), scores)


def separates_lines(model: Model) -> bool:
    """Return whether line breaks may separate texts for a model: see `lines`."""
    return model.attrs.get("separate_lines", True)


def listens_in_vain(model: TaggerModel, log_probs: List[numpy.ndarray]) -> bool:
    """Return whether a model saw no token at all, because what it listens to has not run."""
    return listens(model) and all(numpy.isnan(rows).all() for rows in log_probs)


def reset_gradients(model: Model) -> None:
    """Reset the gradients of a model whose parameters are new.

    Thinc adds new gradients to existing ones, beyond their end if a shape has changed.
    """
    for node in model.walk():
        for name in node.param_names:
            if node.has_param(name) and node.has_grad(name):
                node.set_grad(name, node.ops.xp.zeros_like(node.get_param(name)))
