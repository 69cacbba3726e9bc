"""A component's scores of documents, kept from their annotation until they are evaluated."""

from typing import Any, Callable, List, NamedTuple, Sequence, Tuple
from weakref import WeakKeyDictionary

import numpy
from spacy.tokens import Doc

from ..entities import TokenAttributes
from ..types import TagScores


class ScoredDoc(NamedTuple):
    """A document's tag scores (n_tokens, n_tags), and its tokens as they were when it got them."""

    scores: TagScores
    attributes: TokenAttributes


class ScoreCache(WeakKeyDictionary[Doc, ScoredDoc]):
    """The scores of documents, for as long as these exist. A copy by pickle is empty."""

    def __reduce__(self) -> Tuple[Callable[[], Any], Tuple[()]]:
        return ScoreCache, ()

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
            self[doc] = ScoredDoc(part.copy(), own)

    def get_or_predict(
        self, docs: Sequence[Doc], predict: Callable[[List[Doc]], List[TagScores]]
    ) -> List[ScoredDoc]:
        """The scores of documents: those that are kept, and new ones of the others.

        docs (Sequence[Doc]): The documents.
        predict (Callable[[List[Doc]], List[Floats2d]]): Scores those that are not kept. Their
            entities are left out of the attributes, for they may be the component's own.
        RETURNS (List[ScoredDoc]): One for each document.
        """
        # A later component may have merged tokens.
        is_kept = [doc in self and len(self[doc].scores) == len(doc) for doc in docs]
        new = [doc for doc, known in zip(docs, is_kept) if not known]
        bare = TokenAttributes.from_docs(new)
        bare = bare._replace(ent_iob=numpy.zeros_like(bare.ent_iob))
        found = map(ScoredDoc, predict(new), bare.split(new))
        return [self[doc] if known else next(found) for doc, known in zip(docs, is_kept)]


def score_docs(
    docs: Sequence[Doc], predict: Callable[[List[Doc]], List[TagScores]]
) -> List[ScoredDoc]:
    """Score documents that a component has not annotated yet."""
    attributes = TokenAttributes.from_docs(docs)
    return [*map(ScoredDoc, predict([*docs]), attributes.split(docs))]
