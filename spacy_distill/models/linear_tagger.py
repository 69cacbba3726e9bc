"""The teacher's model: a linear layer over any token-to-vector layer of spaCy."""

from functools import partial
from typing import Any, Callable, List, Optional, Tuple

from spacy.tokens import Doc
from thinc.api import Dropout, Linear, Model, chain, with_array
from thinc.types import Floats2d
from thinc.util import get_width

from ..batches import batch_by_length, split_rows
from ..checks import require
from ..distributions import unseen_row
from ..parameters import listens
from ..types import TaggerModel, TagScores

InT = List[Doc]
OutT = List[TagScores]

# Shapes are inferred from this many documents only, because a transformer runs over each.
N_SAMPLE = 10
# On a GPU, batches have this many times as many word pieces: with as few as suit a CPU core, it
# would mostly wait.
TIMES_ON_A_GPU = 16


def build_linear_tagger_v1(
    tok2vec: Model[List[Doc], List[Floats2d]],
    *,
    dropout: float = 0.1,
    batch_pieces: Optional[int] = None,
    nO: Optional[int] = None,
) -> TaggerModel:
    """Build the usual head for token classification: dropout and a linear layer.

    tok2vec (Model[List[Doc], List[Floats2d]]): For example a transformer, or a listener.
    dropout (float): Dropout of the vectors. Training sets it to `training.dropout` in each update.
    batch_pieces (Optional[int]): When predicting, pass documents of similar length to `tok2vec`
        together, at most this many word pieces at a time, including padding, and sixteen times as
        many on a GPU. A transformer then wastes little time on padding. None: pass all documents at
        once, in their order. A listener always gets all documents at once.
    nO (Optional[int]): Number of tags. Inferred from the data if None.
    RETURNS (TaggerModel): Tag scores of each document: (n_tokens, nO). A token whose vector is 0,
        because it has no word pieces or is beyond the transformer's last position, is outside.
    RAISES (ValueError): D007 if `batch_pieces` is below 1.
    """
    holds = batch_pieces is None or batch_pieces >= 1
    require(holds, "batch_pieces", batch_pieces, "1 or more")
    output_layer = Linear(nO, tok2vec.maybe_get_dim("nO"))
    head: Model[Floats2d, TagScores] = chain(Dropout(dropout), output_layer)
    tagger: TaggerModel = chain(tok2vec, with_array(head))
    return Model(
        "linear_tagger",
        # Not an attribute: it would be loaded with a trained model and override the config.
        partial(forward, batch_pieces=batch_pieces),
        init=init,
        dims={"nO": nO},
        layers=[tagger],
        refs={"tok2vec": tok2vec, "output_layer": output_layer},
    )


def forward(
    model: Model[InT, OutT], docs: InT, is_train: bool, *, batch_pieces: Optional[int]
) -> Tuple[OutT, Callable]:
    if not any(len(doc) for doc in docs):
        return [_no_rows(model) for _ in docs], lambda d_scores: []
    if listens(model):  # a listener must get the same documents as its upstream component
        return score_docs(model, docs, is_train)
    if not is_train and batch_pieces is not None:
        return predict_by_length(model, docs, batch_pieces), lambda d_scores: []
    # A transformer may fail on a document without tokens.
    scores, backprop_tagger = score_docs(model, [doc for doc in docs if len(doc)], is_train)
    found = iter(scores)

    def backprop(d_scores: OutT) -> InT:
        return backprop_tagger([rows for doc, rows in zip(docs, d_scores) if len(doc)])

    return [next(found) if len(doc) else _no_rows(model) for doc in docs], backprop


def score_docs(model: Model[InT, OutT], docs: InT, is_train: bool) -> Tuple[OutT, Callable]:
    """Score documents. Tokens without a vector get fixed scores, independent of the bias."""
    tok2vec, head = model.layers[0].layers  # a model's copy has no references
    ops = model.ops
    vectors, backprop_tok2vec = tok2vec(docs, is_train)
    # Concatenate all documents: on a GPU, each call takes time even if there is little to compute.
    flat = ops.flatten(vectors)
    scores, backprop_head = head(flat, is_train)
    unseen = ~flat.any(axis=1)[:, None]  # (n_tokens, 1)
    outside = unseen_row(ops, scores.shape[1])

    def backprop(d_scores: OutT) -> InT:
        d_seen = ops.xp.where(unseen, 0.0, ops.flatten(d_scores))
        return backprop_tok2vec(split_rows(backprop_head(d_seen), docs))

    return split_rows(ops.xp.where(unseen, outside, scores), docs), backprop


def predict_by_length(model: Model[InT, OutT], docs: InT, batch_pieces: int) -> OutT:
    """Score documents in batches of similar length, and return the scores in the original order."""
    scores: OutT = [_no_rows(model)] * len(docs)
    with_tokens = [i for i, doc in enumerate(docs) if len(doc)]
    lengths = count_pieces(model, [docs[i] for i in with_tokens])
    times = TIMES_ON_A_GPU if model.ops.device_type == "gpu" else 1
    for batch in batch_by_length(lengths, batch_pieces=batch_pieces * times):
        chosen = [with_tokens[k] for k in batch]
        for i, rows in zip(chosen, score_docs(model, [docs[i] for i in chosen], False)[0]):
            scores[i] = rows
    return scores


def count_pieces(model: Model, docs: InT) -> List[int]:
    """Count the word pieces of each document, or its tokens if there is no transformer.

    The number of words is a poor estimate: a single URL in a tweet may have twenty pieces.
    """
    for node in model.walk():
        tokenizer = getattr(node, "tokenizer", None)  # a layer of spacy-transformers has one
        if tokenizer is not None:
            return [count_text_pieces(tokenizer, doc.text) for doc in docs]
    return list(map(len, docs))


def count_text_pieces(tokenizer: Any, text: str) -> int:
    """Count the word pieces of a text, including special ones."""
    fast = getattr(tokenizer, "backend_tokenizer", None)
    if fast is None:
        return len(tokenizer(text, verbose=False)["input_ids"])
    # Calling a fast tokenizer sets its truncation and padding, which fails while another thread
    # encodes with it. So its backend is called, with the truncation and padding that were set last.
    encoding = fast.encode(text)
    return sum(sum(part.attention_mask) for part in (encoding, *encoding.overflowing))


def _no_rows(model: Model[InT, OutT]) -> TagScores:
    return model.ops.alloc2f(0, model.get_dim("nO"))


def init(model: Model[InT, OutT], X: Optional[InT] = None, Y: Optional[OutT] = None) -> None:
    if Y:
        model.set_dim("nO", get_width(Y))
    if model.has_dim("nO"):
        model.get_ref("output_layer").set_dim("nO", model.get_dim("nO"))
    sample = None if X is None else [doc for doc in X if len(doc)][:N_SAMPLE]
    model.layers[0].initialize(X=sample or None)
