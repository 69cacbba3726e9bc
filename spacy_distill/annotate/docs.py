"""Teachers label documents: soft targets on every one, pseudo-labels where gold is missing."""

from dataclasses import replace
from typing import Iterable, Iterator, List, Optional, Sequence, Union

import numpy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.util import minibatch

from ..batches import split_rows
from ..corpus import leave_out_labels
from ..decoding import Transitions, decode, forbid_tags
from ..entities import TokenAttributes, write_entities
from ..soft_targets import set_soft_targets
from ..teachers.choose import choose_teacher
from ..teachers.ensemble import Ensemble, join_teachers
from ..teachers.ner_tagger import NERTaggerTeacher
from ..types import Teacher


def annotate_docs(
    teacher: Union[Language, Teacher],
    docs: Iterable[Doc],
    *,
    others: Sequence[Union[Language, Teacher]] = (),
    weights: Optional[Sequence[float]] = None,
    batch_size: int = 1024,
) -> Iterator[Doc]:
    """Annotate documents with a teacher, or with the mean of several, in their order.

    Gold entities and tokens that gold sets outside stay; tokens without annotation get the
    teacher's tags as pseudo-labels. Of several teachers the distributions are averaged, and how far
    they disagree is stored beside. A token that no teacher says anything about has no soft targets,
    and neither it nor an entity that it is in has a pseudo-label.

    teacher (Union[Language, Teacher]): The teacher, or a pipeline, which is chosen from by
        `choose_teacher`.
    docs (Iterable[Doc]): Documents. Modified in place.
    others (Sequence[Union[Language, Teacher]]): Further teachers with the same labels.
    weights (Optional[Sequence[float]]): Of all teachers, in their order; None: all the same.
    batch_size (int): Documents that the teacher gets at a time; it batches them by length.
    YIELDS (Doc): Each document, with entities and soft targets.
    RAISES (ValueError): D808 if a pipeline sets no entities, D801 if labels differ, D007 for
        weights that are not as many as teachers, or not above 0.
    """
    teachers = [
        choose_teacher(given) if isinstance(given, Language) else given
        for given in (teacher, *others)
    ]
    joined = join_teachers(teachers, weights=weights)
    for batch in minibatch(docs, size=batch_size):
        annotate_batch(joined, batch)
        yield from batch


def annotate_batch(teacher: Teacher, docs: List[Doc]) -> None:
    """Set soft targets and pseudo-labels on a batch of documents, in place."""
    attributes = TokenAttributes.from_docs(docs)
    fixed = attributes.ent_iob > 0
    disagreements: List[Optional[numpy.ndarray]] = [None] * len(docs)
    if isinstance(teacher, NERTaggerTeacher):
        scores = teacher.score(docs)
        log_probs = teacher.to_log_probs(scores)
        # With a CRF, the best sequence need not be the most probable tag of each token.
        ids = teacher.ner.find_tags(docs, scores, attributes=attributes, fixed=fixed)
    else:
        if isinstance(teacher, Ensemble):
            agreements = teacher.agree(docs)
            log_probs = [found.log_probs for found in agreements]
            disagreements = [found.disagreement for found in agreements]
        else:
            log_probs = teacher.predict(docs)
        ids = find_tags(log_probs, tags=teacher.tags, attributes=attributes, fixed=fixed)
    write_entities(docs, ids, teacher.tags, fixed=fixed, attributes=attributes)
    parts = zip(docs, log_probs, disagreements, split_rows(fixed, docs))
    for doc, rows, disagreement, is_fixed in parts:
        set_soft_targets(doc, rows, tags=teacher.tags, disagreement=disagreement)
        leave_out_labels(doc, find_unlabelled(doc, numpy.isnan(rows[:, 0])) & ~is_fixed)


def find_unlabelled(doc: Doc, is_missing: numpy.ndarray) -> numpy.ndarray:
    """Tokens that have no pseudo-label: bool (n_tokens,).

    doc (Doc): A document with the entities that a teacher finds.
    is_missing (ndarray): Tokens that have no soft targets: bool (n_tokens,).
    """
    unlabelled = is_missing.copy()
    for ent in doc.ents if is_missing.any() else ():
        # It may go on where there are no soft targets, unless that is white space.
        if ent.end < len(doc) and is_missing[ent.end] and not doc[ent.end].is_space:
            unlabelled[ent.end - 1] = True
    return unlabelled


def find_tags(
    log_probs: Sequence[numpy.ndarray],
    *,
    tags: Sequence[str],
    attributes: TokenAttributes,
    fixed: numpy.ndarray,
) -> numpy.ndarray:
    """The best legal tags of each document: (n_tokens,). Where there are no soft
    targets, any will do.

    log_probs (Sequence[ndarray]): Of each document, in nats (n_tokens, n_tags).
    fixed (ndarray): Tokens that no new entity may cover: bool (n_tokens,).
    """
    transitions = Transitions.from_tags(tags)
    # Stock `ner` ends entities with white space, which is left out of them later.
    may_close = replace(transitions, closes=numpy.zeros_like(transitions.closes))
    possible = forbid_tags(
        numpy.nan_to_num(numpy.concatenate(log_probs), nan=0.0),
        may_close,
        fixed=fixed,
        is_space=attributes.is_space,
        sent_start=attributes.sent_start,
    )
    return decode(possible, [*map(len, log_probs)], transitions)
