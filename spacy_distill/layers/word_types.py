"""Run a layer once for each distinct word of a batch, however often the word occurs."""

from typing import Callable, List, Optional, Tuple, cast

import numpy
from spacy.attrs import ORTH
from spacy.tokens import Doc
from thinc.api import Model
from thinc.types import Floats2d, Ragged

InT = List[Doc]
OutT = Ragged


def word_types(layer: Model[List[str], Floats2d]) -> Model[InT, OutT]:
    """Give each token the row that `layer` computes for its text.

    layer (Model[List[str], Floats2d]): Computes one row per word, independently of its context.
    RETURNS (Model[List[Doc], Ragged]): One row per token: (n_tokens, nO).
    """
    return Model(
        f"word_types({layer.name})",
        forward,
        init=init,
        layers=[layer],
        dims={"nO": layer.maybe_get_dim("nO")},
    )


def forward(model: Model[InT, OutT], docs: InT, is_train: bool) -> Tuple[OutT, Callable]:
    ops = model.ops
    lengths = ops.asarray1i([len(doc) for doc in docs])
    words, indices = distinct_words(docs)
    which = ops.xp.asarray(indices)
    Y, backprop_words = model.layers[0](words, is_train)
    n_words, width = Y.shape

    def backprop(dY: OutT) -> InT:
        # (n_tokens, nO) -> (n_words, nO): the sum over a word's occurrences
        d_words = ops.xp.zeros((n_words, width), dtype=Y.dtype)
        ops.scatter_add(d_words, which, cast(Floats2d, dY.dataXd))
        backprop_words(d_words)
        return []

    return Ragged(Y.take(which, axis=0), lengths), backprop


def distinct_words(docs: InT) -> Tuple[List[str], numpy.ndarray]:
    """Return the distinct words of a batch, and the index of each token's word.

    docs (List[Doc]): A batch of documents.
    RETURNS (Tuple[List[str], numpy.ndarray]): The words (n_words,) and their indices (n_tokens,).
    """
    orths, first, which = numpy.unique(token_hashes(docs), return_index=True, return_inverse=True)
    return find_words(docs, orths, first), which.astype("i")


def token_hashes(docs: InT) -> numpy.ndarray:
    """Return the hash of each token's text: uint64 (n_tokens,), documents concatenated."""
    return numpy.concatenate([numpy.zeros(0, "uint64"), *(doc.to_array(ORTH) for doc in docs)])


def find_words(docs: List[Doc], hashes: numpy.ndarray, tokens: numpy.ndarray) -> List[str]:
    """Return the texts of words, from the string store of a document that contains them.

    This is safe within memory zones, and for documents that do not share a vocabulary.

    docs (List[Doc]): A batch of documents.
    hashes (ndarray): Hashes of words, (n_words,).
    tokens (ndarray): For each word, the index of a token of the batch that has this text:
        (n_words,).
    RETURNS (List[str]): The words.
    """
    ends = numpy.cumsum([len(doc) for doc in docs], dtype="i")
    owners = ends.searchsorted(tokens, side="right").tolist()
    return [docs[doc].vocab.strings[orth] for doc, orth in zip(owners, hashes.tolist())]


def init(model: Model[InT, OutT], X: Optional[InT] = None, Y: Optional[OutT] = None) -> None:
    layer = model.layers[0]
    layer.initialize(X=None if X is None else sorted(distinct_words(X)[0]))
    if layer.has_dim("nO"):
        model.set_dim("nO", layer.get_dim("nO"))
