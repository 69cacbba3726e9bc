"""A component's scores of documents, kept from annotation until evaluation."""

from typing import Any, Callable, List, NamedTuple, Sequence, Tuple
from weakref import WeakKeyDictionary

import numpy
from spacy.attrs import ORTH
from spacy.tokens import Doc

from ..entities import TokenAttributes
from ..types import TagScores


class ScoredDoc(NamedTuple):
    """A document as a component saw it. Later components may change its tokens and attributes."""

    scores: TagScores  # (n_tokens, n_tags)
    attributes: TokenAttributes
    words: numpy.ndarray  # hashes of the tokens' texts: uint64 (n_tokens,)


class ScoreCache(WeakKeyDictionary[Doc, ScoredDoc]):
    """Scores of documents, kept as long as the documents exist. A pickled copy is empty."""

    def __reduce__(self) -> Tuple[Callable[[], Any], Tuple[()]]:
        return ScoreCache, ()

    def keep(
        self, docs: Sequence[Doc], scores: Sequence[TagScores], attributes: TokenAttributes
    ) -> None:
        """Store the scores of documents that are about to be annotated.

        Everything is copied, so that a document does not keep the arrays of its whole batch alive.

        docs (Sequence[Doc]): The documents.
        scores (Sequence[Floats2d]): The scores of each document, (n_tokens, n_tags).
        attributes (TokenAttributes): The attributes of their tokens, documents concatenated.
        """
        for doc, part, columns in zip(docs, scores, attributes.split(docs)):
            own = TokenAttributes(*(column.copy() for column in columns))
            self[doc] = ScoredDoc(part.copy(), own, doc.to_array(ORTH))

    def find(self, docs: Sequence[Doc]) -> List[ScoredDoc]:
        """Return the scores of documents, all of which must be stored."""
        return [self[doc] for doc in docs]


def score_docs(
    docs: Sequence[Doc], predict: Callable[[List[Doc]], List[TagScores]]
) -> List[ScoredDoc]:
    """Score documents that a component has not annotated yet."""
    words = [doc.to_array(ORTH) for doc in docs]
    attributes = TokenAttributes.from_docs(docs).split(docs)
    return [*map(ScoredDoc, predict([*docs]), attributes, words)]
