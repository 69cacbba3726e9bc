"""An ensemble of teachers: the mean of their distributions, and how far they disagree."""

from dataclasses import dataclass
from typing import List, NamedTuple, Optional, Sequence, Tuple

import numpy
from spacy.tokens import Doc

from ..batches import split_rows
from ..checks import require
from ..errors import Errors
from ..tags import is_biluo, make_tags
from ..types import Teacher
from .doc_ents import DocEntsTeacher
from .label_map import NO_MAP, LabelMap, check_labels, check_map, list_labels, map_tags
from .whole_pipeline import WholePipelineTeacher

# The lowest log-probability, in nats: in float64 its exponential is still above 0.
LOWEST = -700.0


class Agreement(NamedTuple):
    """The joint prediction of several teachers for a document."""

    log_probs: numpy.ndarray  # in nats, float32 (n_tokens, n_tags)
    disagreement: numpy.ndarray  # Jensen-Shannon divergence in nats (n_tokens,)


@dataclass(frozen=True)
class Ensemble:
    """Teachers with the same tags, and their shares (n_teachers,), which sum to 1."""

    teachers: Sequence[Teacher]
    shares: numpy.ndarray

    @property
    def name(self) -> str:
        return " + ".join(teacher.name for teacher in self.teachers)

    @property
    def tags(self) -> List[str]:
        return self.teachers[0].tags

    def predict(self, docs: Sequence[Doc]) -> List[numpy.ndarray]:
        """See `Teacher`."""
        return [found.log_probs for found in self.agree(docs)]

    def agree(self, docs: Sequence[Doc]) -> List[Agreement]:
        """Return the mean of the teachers' distributions, and their disagreement, per document."""
        if not docs:
            return []
        found = [numpy.concatenate(teacher.predict(docs)) for teacher in self.teachers]
        mean, disagreement = average(numpy.stack(found).astype("d"), self.shares)
        return list(map(Agreement, split_rows(mean, docs), split_rows(disagreement, docs)))


def average(log_probs: numpy.ndarray, shares: numpy.ndarray) -> Tuple[numpy.ndarray, numpy.ndarray]:
    """Return the mean of distributions, and how far they diverge from it.

    log_probs (ndarray): In nats (n_teachers, n_tokens, n_tags). Rows with NaN are ignored.
    shares (ndarray): Their weights (n_teachers,), which sum to 1.
    RETURNS (Tuple[ndarray, ndarray]): Logarithm of the mean (n_tokens, n_tags), float32, and
        Jensen-Shannon divergence in nats (n_tokens,), 0 if all agree (Lin 1991, section IV). NaN
        and 0 for a token that no teacher has a distribution for.
    """
    has_targets = ~numpy.isnan(log_probs).any(axis=2)  # (n_teachers, n_tokens)
    weights = shares[:, None] * has_targets
    total = weights.sum(axis=0)
    weights = weights / numpy.where(total > 0, total, 1.0)
    # Nothing is quite impossible, for 0 has no logarithm.
    log_probs = numpy.where(has_targets[..., None], numpy.maximum(log_probs, LOWEST), LOWEST)
    probs = numpy.exp(log_probs)  # (n_teachers, n_tokens, n_tags)
    mean = (weights[..., None] * probs).sum(axis=0)
    log_mean = numpy.log(numpy.where(total[:, None] > 0, mean, numpy.nan))
    surplus = numpy.where(has_targets[..., None], probs * (log_probs - log_mean), 0.0)
    disagreement = (weights * surplus.sum(axis=2)).sum(axis=0)
    return log_mean.astype("f"), numpy.maximum(disagreement, 0.0)


def join_teachers(
    teachers: Sequence[Teacher],
    *,
    weights: Optional[Sequence[float]] = None,
    labels: Optional[Sequence[str]] = None,
    label_map: LabelMap = NO_MAP,
    may_lack: bool = False,
) -> Teacher:
    """Combine one or several teachers into one that has the student's labels.

    teachers (Sequence[Teacher]): The teachers. Their tags are converted to BILUO if all of them
        are, else to IOB.
    weights (Optional[Sequence[float]]): Weight of each teacher; None: equal weights.
    labels (Optional[Sequence[str]]): The student's labels; None: those of the first teacher that
        declares any, after mapping.
    label_map (LabelMap): Map of the teachers' labels.
    may_lack (bool): Whether a teacher may lack some of the labels. It then gives them almost no
        probability.
    RETURNS (Teacher): The only teacher, or an `Ensemble`.
    RAISES (ValueError): D007 if there is not one weight above 0 for each teacher, D801 for labels
        that remain unmatched, D802 for a map of unknown labels, D804 if no labels are known.
    """
    shares = find_shares(teachers, weights)
    with_labels = [teacher for teacher in teachers if len(teacher.tags) > 1]
    if not (with_labels or labels):
        raise ValueError(Errors.D804.format(teacher=teachers[0].name))
    own = dict.fromkeys(label for one in with_labels for label in list_labels(one.tags, NO_MAP))
    is_any_open = len(with_labels) < len(teachers) or any(map(is_open, teachers))
    check_map(label_map, None if is_any_open else [*own])
    first = list_labels(with_labels[0].tags, label_map) if with_labels else []
    if with_labels and is_open(with_labels[0]):
        # It may set the labels that are renamed although it does not declare them.
        first += [label for label in label_map.renamed.values() if label not in first]
    wanted = first if labels is None or set(labels) == set(first) else list(labels)
    for teacher in with_labels:
        check_labels(teacher, wanted, label_map, may_lack=may_lack or is_open(teacher))
    closes = all(is_biluo(teacher.tags) for teacher in teachers)
    tags = make_tags(wanted, scheme="biluo" if closes else "iob")
    fitted = [fit(teacher, tags, wanted, label_map) for teacher in teachers]
    return fitted[0] if len(fitted) == 1 else Ensemble(fitted, shares)


def fit(
    teacher: Teacher, tags: Sequence[str], labels: Sequence[str], label_map: LabelMap
) -> Teacher:
    """Convert a teacher to the student's tags."""
    is_fitted = list(teacher.tags) == list(tags) and label_map == NO_MAP
    if isinstance(teacher, (DocEntsTeacher, WholePipelineTeacher)) and not is_fitted:
        # Smooth only over those of the student's tags that the teacher knows.
        known = [] if teacher.is_open else list_labels(teacher.tags, label_map)
        own = [label for label in labels if label in (known or labels)]
        return map_tags(teacher.with_labels(own, label_map), tags, NO_MAP)
    return map_tags(teacher, tags, label_map)


def is_open(teacher: Teacher) -> bool:
    """Return whether a teacher may set labels that it does not declare."""
    return getattr(teacher, "is_open", False)


def find_shares(teachers: Sequence[Teacher], weights: Optional[Sequence[float]]) -> numpy.ndarray:
    """Normalise the teachers' weights to a sum of 1: (n_teachers,). RAISES (ValueError): D007."""
    found = numpy.ones(len(teachers)) if weights is None else numpy.asarray(weights, dtype="d")
    holds = len(found) == len(teachers) and bool(((found > 0) & numpy.isfinite(found)).all())
    requirement = f"{len(teachers)} numbers above 0, one for each teacher"
    require(holds, "weights", found.tolist(), requirement)
    return found / found.sum()
