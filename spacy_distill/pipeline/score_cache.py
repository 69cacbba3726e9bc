"""A component's scores of documents, kept from annotation until evaluation."""

from typing import Any, Callable, Iterator, List, NamedTuple, Sequence, Tuple
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

    def get_or_predict(
        self, docs: Sequence[Doc], predict: Callable[[List[Doc]], List[TagScores]]
    ) -> List[ScoredDoc]:
        """Return the stored scores of documents, and predict those that are not stored.

        docs (Sequence[Doc]): The documents.
        predict (Callable[[List[Doc]], List[Floats2d]]): Scores documents that are not stored. Their
            entities are left out of the attributes, because they may be those of this component.
        RETURNS (List[ScoredDoc]): One for each document.
        """
        new = [doc for doc in docs if doc not in self]
        bare = TokenAttributes.from_docs(new)
        bare = bare._replace(ent_iob=numpy.zeros_like(bare.ent_iob))
        found = make_scored(new, predict, bare)
        return [self[doc] if doc in self else next(found) for doc in docs]


def score_docs(
    docs: Sequence[Doc], predict: Callable[[List[Doc]], List[TagScores]]
) -> List[ScoredDoc]:
    """Score documents that a component has not annotated yet."""
    return [*make_scored(docs, predict, TokenAttributes.from_docs(docs))]


def make_scored(
    docs: Sequence[Doc],
    predict: Callable[[List[Doc]], List[TagScores]],
    attributes: TokenAttributes,
) -> Iterator[ScoredDoc]:
    words = [doc.to_array(ORTH) for doc in docs]
    return map(ScoredDoc, predict([*docs]), attributes.split(docs), words)
