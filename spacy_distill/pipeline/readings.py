"""How documents were read: what a component scored, and what it found on them."""

from typing import Any, Callable, List, NamedTuple, Sequence, Tuple
from weakref import WeakKeyDictionary

import numpy
from spacy.tokens import Doc

from ..entities import TokenAttributes
from ..types import TagScores


class Reading(NamedTuple):
    """A document as a component met it: its tag scores (n_tokens, n_tags), and its tokens."""

    scores: TagScores
    attributes: TokenAttributes


class Readings(WeakKeyDictionary[Doc, Reading]):
    """The readings of documents, for as long as these are there. A copy by pickle has none."""

    def __reduce__(self) -> Tuple[Callable[[], Any], Tuple[()]]:
        return Readings, ()

    def keep(
        self, docs: Sequence[Doc], scores: Sequence[TagScores], attributes: TokenAttributes
    ) -> None:
        """Keep what is about to be annotated: copies, so that no document keeps its whole batch.

        docs (Sequence[Doc]): The documents.
        scores (Sequence[Floats2d]): Of each, (n_tokens, n_tags).
        attributes (TokenAttributes): Of their tokens, of one document after another.
        """
        for doc, part, columns in zip(docs, scores, attributes.split(docs)):
            own = TokenAttributes(*(column.copy() for column in columns))
            self[doc] = Reading(part.copy(), own)

    def find(
        self, docs: Sequence[Doc], predict: Callable[[List[Doc]], List[TagScores]]
    ) -> List[Reading]:
        """The readings of documents. One that is not kept is read now, its entities unseen, for
        they may be the component's own."""
        # A later component may have merged tokens.
        is_kept = [doc in self and len(self[doc].scores) == len(doc) for doc in docs]
        new = [doc for doc, known in zip(docs, is_kept) if not known]
        bare = TokenAttributes.from_docs(new)
        bare = bare._replace(ent_iob=numpy.zeros_like(bare.ent_iob))
        found = map(Reading, predict(new), bare.split(new))
        return [self[doc] if known else next(found) for doc, known in zip(docs, is_kept)]


def read_anew(
    docs: Sequence[Doc], predict: Callable[[List[Doc]], List[TagScores]]
) -> List[Reading]:
    """Read documents that a component has not annotated yet."""
    attributes = TokenAttributes.from_docs(docs)
    return [*map(Reading, predict([*docs]), attributes.split(docs))]
