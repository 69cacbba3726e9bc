"""Annotate documents with teachers: soft targets on all, pseudo-labels where gold is missing."""

from typing import Iterable, Iterator, List, Optional, Sequence, Union

import numpy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.util import minibatch

from ..batches import split_rows
from ..decoding import Transitions, decode, forbid_tags
from ..docs import leave_out_labels
from ..entities import TokenAttributes, write_entities
from ..soft_targets import set_soft_targets
from ..teachers.choose import choose_teacher, find_undeclared, warn_of_undeclared
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
    """Annotate documents with a teacher, or with the mean of several, and keep their order.

    Gold entities and tokens that gold sets outside are kept; tokens without annotation get the
    teacher's tags as pseudo-labels. If there are several teachers, their distributions are
    averaged, and their disagreement is stored as well. A token for which no teacher has a
    distribution gets no soft targets, and neither this token nor an entity that may contain it
    gets a pseudo-label; only whitespace may be part of an entity without a distribution. W003 warns
    of components of a pipeline whose entities may not be taught.

    teacher (Union[Language, Teacher]): The teacher, or a pipeline, which `choose_teacher` turns
        into a teacher.
    docs (Iterable[Doc]): The documents. Modified in place.
    others (Sequence[Union[Language, Teacher]]): Further teachers with the same labels.
    weights (Optional[Sequence[float]]): Weights of all teachers, in their order; None: equal.
    batch_size (int): Number of documents that the teacher gets at a time; it batches them by
        length.
    YIELDS (Doc): Each document, with entities and soft targets.
    RAISES (ValueError): D808 if a pipeline sets no entities, D801 if labels differ, D804 if no
        teacher knows its labels, D007 if there are not as many weights as teachers, or a weight is
        not above 0, D809 if a teacher changes the tokens before its `ner_tagger`.
    """
    teachers = [
        choose_teacher(given) if isinstance(given, Language) else given
        for given in (teacher, *others)
    ]
    pipelines = [given for given in (teacher, *others) if isinstance(given, Language)]
    warn_of_undeclared(find_undeclared(pipelines))
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
        lengths = teacher.ner.lengths_of(docs, attributes)
        log_probs = teacher.to_log_probs(scores, lengths=lengths)
        # With a CRF, the best sequence need not be the most probable tag of each token.
        ids = teacher.ner.find_tags(scores, attributes=attributes, fixed=fixed)
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
    """Return which tokens can't have a pseudo-label.

    doc (Doc): A document with the entities that a teacher predicts.
    is_missing (ndarray): Whether each token lacks soft targets: bool (n_tokens,).
    RETURNS (ndarray): The tokens without soft targets, except whitespace within an entity, and the
        last token of each entity whose next token that is not whitespace lacks them: bool
        (n_tokens,).
    """
    unlabelled = is_missing.copy()
    for ent in doc.ents if is_missing.any() else ():
        unlabelled[[token.i for token in ent if token.is_space]] = False
        # The entity may continue in tokens without soft targets.
        after = next((token.i for token in doc[ent.end :] if not token.is_space), None)
        if after is not None and is_missing[after]:
            unlabelled[ent.end - 1] = True
    return unlabelled


def find_tags(
    log_probs: Sequence[numpy.ndarray],
    *,
    tags: Sequence[str],
    attributes: TokenAttributes,
    fixed: numpy.ndarray,
) -> numpy.ndarray:
    """Return the best legal sequence of tags of each document.

    log_probs (Sequence[ndarray]): Log-probabilities of each document, in nats (n_tokens, n_tags).
        NaN, in tokens without soft targets, means that all tags are equally good.
    tags (Sequence[str]): The tags.
    attributes (TokenAttributes): The attributes of all tokens.
    fixed (ndarray): Tokens that no new entity may cover: bool (n_tokens,).
    RETURNS (ndarray): Tag indices (n_tokens,), of one document after another.
    """
    transitions = Transitions.from_tags(tags)
    # Stock `ner` may end an entity with whitespace, which is removed from the entity later.
    possible = forbid_tags(
        numpy.nan_to_num(numpy.concatenate(log_probs), nan=0.0),
        transitions,
        fixed=fixed,
        is_space=attributes.is_space,
        sent_start=attributes.sent_start,
    )
    return decode(possible, [*map(len, log_probs)], transitions)
