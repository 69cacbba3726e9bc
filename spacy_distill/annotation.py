"""A teacher labels documents: soft targets on every one, pseudo-labels where gold is missing."""

from typing import Iterable, Iterator, List

from spacy.language import Language
from spacy.tokens import Doc
from spacy.util import minibatch

from .corpus import copy_words
from .distributions import get_log_probs
from .entities import TokenAttributes, write_entities
from .errors import Errors
from .pipeline.ner_tagger import NERTagger
from .soft_targets import set_soft_targets


def annotate_docs(nlp: Language, docs: Iterable[Doc], *, batch_size: int = 1024) -> Iterator[Doc]:
    """Annotate documents with a teacher, in their order.

    Gold entities and tokens that gold sets outside stay; tokens without annotation get the
    teacher's tags as pseudo-labels.

    nlp (Language): The teacher: a pipeline with a `ner_tagger`.
    docs (Iterable[Doc]): Documents made with `nlp.vocab`. Modified in place.
    batch_size (int): Documents that the teacher gets at a time; it batches them by length.
    YIELDS (Doc): Each document, with entities and soft targets.
    RAISES (ValueError): D012 if the pipeline has no `ner_tagger`.
    """
    teacher = find_teacher(nlp)
    for batch in minibatch(docs, size=batch_size):
        annotate_batch(nlp, teacher, batch)
        yield from batch


def find_teacher(nlp: Language) -> NERTagger:
    """The pipeline's first `ner_tagger`. RAISES (ValueError): D012 if there is none."""
    for _, pipe in nlp.pipeline:
        if isinstance(pipe, NERTagger):
            return pipe
    raise ValueError(Errors.D012.format(pipes=nlp.pipe_names))


def annotate_batch(nlp: Language, teacher: NERTagger, docs: List[Doc]) -> None:
    """Set soft targets and pseudo-labels on a batch of documents, in place."""
    # What the teacher's pipes write on the way must not stay, so they see copies of the words.
    position = [pipe for _, pipe in nlp.pipeline].index(teacher)
    copies = list(nlp.pipe(map(copy_words, docs), disable=nlp.pipe_names[position:]))
    scores = teacher.predict(copies)
    attributes = TokenAttributes.from_docs(docs)
    fixed = attributes.ent_iob > 0
    ids = teacher.find_tags(docs, scores, attributes=attributes, fixed=fixed)
    write_entities(docs, ids, teacher.tags, fixed=fixed, attributes=attributes)
    for doc, log_probs in zip(docs, get_log_probs(teacher.model, scores)):
        set_soft_targets(doc, log_probs, tags=teacher.tags)
