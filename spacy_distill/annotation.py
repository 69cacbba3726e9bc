"""Teachers label documents: soft targets on every one, pseudo-labels where gold is missing."""

from typing import Iterable, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import numpy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.util import minibatch

from .corpus import copy_words
from .decoding import decode, forbid_tags
from .distributions import get_log_probs
from .entities import TokenAttributes, write_entities
from .errors import Errors, require
from .pipeline.ner_tagger import NERTagger
from .soft_targets import set_soft_targets
from .types import TagScores


class Teacher(NamedTuple):
    """A pipeline, and the component of it that teaches."""

    nlp: Language
    ner: NERTagger


def annotate_docs(
    nlp: Language,
    docs: Iterable[Doc],
    *,
    others: Sequence[Language] = (),
    weights: Optional[Sequence[float]] = None,
    batch_size: int = 1024,
) -> Iterator[Doc]:
    """Annotate documents with a teacher, or with the mean of several, in their order.

    Gold entities and tokens that gold sets outside stay; tokens without annotation get the
    teacher's tags as pseudo-labels. Of several teachers the distributions are averaged, and how far
    they disagree is stored beside.

    nlp (Language): The teacher: a pipeline with a `ner_tagger`.
    docs (Iterable[Doc]): Documents made with `nlp.vocab`. Modified in place.
    others (Sequence[Language]): Further teachers with the same tags, in any order.
    weights (Optional[Sequence[float]]): Of all teachers, `nlp` first; None: all the same.
    batch_size (int): Documents that the teacher gets at a time; it batches them by length.
    YIELDS (Doc): Each document, with entities and soft targets.
    RAISES (ValueError): D012 if a pipeline has no `ner_tagger`, D014 if the tags differ, D007 for
        weights that are not as many as teachers, or not above 0.
    """
    teachers = [Teacher(teacher, find_teacher(teacher)) for teacher in (nlp, *others)]
    shares = check_weights(teachers, weights)
    check_tags(teachers)
    for batch in minibatch(docs, size=batch_size):
        if others:
            annotate_batch_together(teachers, shares, batch)
        else:
            annotate_batch(teachers[0], batch)
        yield from batch


def find_teacher(nlp: Language) -> NERTagger:
    """The pipeline's first `ner_tagger`. RAISES (ValueError): D012 if there is none."""
    for _, pipe in nlp.pipeline:
        if isinstance(pipe, NERTagger):
            return pipe
    raise ValueError(Errors.D012.format(pipes=nlp.pipe_names))


def check_weights(teachers: Sequence[Teacher], weights: Optional[Sequence[float]]) -> numpy.ndarray:
    """The share of each teacher, of a sum of 1: (n_teachers,)."""
    found = numpy.ones(len(teachers)) if weights is None else numpy.asarray(weights, dtype="d")
    holds = len(found) == len(teachers) and bool((found > 0).all())
    requirement = f"{len(teachers)} numbers above 0, one for each teacher"
    require(holds, "weights", found.tolist(), requirement)
    return found / found.sum()


def check_tags(teachers: Sequence[Teacher]) -> None:
    first, *others = (teacher.ner.tags for teacher in teachers)
    for tags in others:
        if set(tags) != set(first):
            raise ValueError(Errors.D014.format(first=first, other=tags))


def annotate_batch(teacher: Teacher, docs: List[Doc]) -> None:
    """Set soft targets and pseudo-labels on a batch of documents, in place."""
    ner = teacher.ner
    scores = predict(teacher, docs)
    attributes = TokenAttributes.from_docs(docs)
    fixed = attributes.ent_iob > 0
    ids = ner.find_tags(docs, scores, attributes=attributes, fixed=fixed)
    write_entities(docs, ids, ner.tags, fixed=fixed, attributes=attributes)
    for doc, log_probs in zip(docs, get_log_probs(ner.model, scores)):
        set_soft_targets(doc, log_probs, tags=ner.tags)


def annotate_batch_together(
    teachers: Sequence[Teacher], shares: numpy.ndarray, docs: List[Doc]
) -> None:
    """Set the mean of several teachers' distributions, and the tags that follow from it.

    shares (ndarray): Weight of each teacher (n_teachers,), of a sum of 1.
    """
    lengths = [len(doc) for doc in docs]
    first = teachers[0].ner
    found = []
    for teacher in teachers:
        log_probs = get_log_probs(teacher.ner.model, predict(teacher, docs))
        columns = [teacher.ner.tags.index(tag) for tag in first.tags]
        found.append(numpy.concatenate(log_probs)[:, columns])
    mean, disagreement = average(numpy.stack(found), shares)
    attributes = TokenAttributes.from_docs(docs)
    fixed = attributes.ent_iob > 0
    possible = forbid_tags(
        mean,
        first.transitions,
        fixed=fixed,
        is_space=attributes.is_space,
        sent_start=attributes.sent_start,
    )
    ids = decode(possible, lengths, first.transitions)
    write_entities(docs, ids, first.tags, fixed=fixed, attributes=attributes)
    ends = numpy.cumsum(lengths)[:-1]
    for doc, *parts in zip(docs, numpy.split(mean, ends), numpy.split(disagreement, ends)):
        set_soft_targets(doc, parts[0], tags=first.tags, disagreement=parts[1])


def predict(teacher: Teacher, docs: Sequence[Doc]) -> List[TagScores]:
    """A teacher's scores of documents, which may be of another vocabulary."""
    nlp, ner = teacher
    # What the teacher's pipes write on the way must not stay, so they see copies of the words.
    position = [pipe for _, pipe in nlp.pipeline].index(ner)
    copies = (copy_words(doc, nlp.vocab) for doc in docs)
    return ner.predict(list(nlp.pipe(copies, disable=nlp.pipe_names[position:])))


def average(log_probs: numpy.ndarray, shares: numpy.ndarray) -> Tuple[numpy.ndarray, numpy.ndarray]:
    """The mean of distributions, and how far they are from it.

    log_probs (ndarray): In nats (n_teachers, n_tokens, n_tags).
    shares (ndarray): Their weights (n_teachers,), of a sum of 1.
    RETURNS (Tuple[ndarray, ndarray]): Logarithm of the mean (n_tokens, n_tags), float32, and
        Jensen-Shannon divergence in nats (n_tokens,), 0 where all agree (Lin 1991, section IV).
    """
    mean = numpy.logaddexp.reduce(log_probs + numpy.log(shares)[:, None, None], axis=0)
    divergences = (numpy.exp(log_probs) * (log_probs - mean)).sum(axis=2)  # (n_teachers, n_tokens)
    return mean.astype("f"), numpy.maximum(shares @ divergences, 0.0)
