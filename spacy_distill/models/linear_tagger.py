"""A linear layer over any token-to-vector layer of spaCy: the teacher's model."""

from functools import partial
from typing import Any, Callable, Iterator, List, Optional, Tuple

from spacy.tokens import Doc
from thinc.api import Dropout, Linear, Model, chain, with_array
from thinc.types import Floats2d
from thinc.util import get_width

from ..batches import split_rows
from ..checks import require
from ..distributions import UNSEEN
from ..parameters import listens
from ..types import TaggerModel, TagScores

InT = List[Doc]
OutT = List[TagScores]

# Shapes are inferred from this many documents: a transformer runs over each.
N_SAMPLE = 10
# A GPU is given so many times the word pieces at once: with as few as suit a core it mostly waits.
TIMES_ON_A_GPU = 16


def build_linear_tagger_v1(
    tok2vec: Model[List[Doc], List[Floats2d]],
    *,
    dropout: float = 0.1,
    batch_pieces: Optional[int] = None,
    nO: Optional[int] = None,
) -> TaggerModel:
    """The usual head for token classification: dropout and a linear layer.

    tok2vec (Model[List[Doc], List[Floats2d]]): For example a transformer, or a listener.
    dropout (float): Dropout of the vectors. Training sets it to `training.dropout` in each update.
    batch_pieces (Optional[int]): When predicting, documents of like length go through `tok2vec`
        together, so many word pieces with padding at a time, on a GPU sixteen times as many: a
        transformer then wastes little on padding. None: all at once, in their order. So it is with
        a listener in any case.
    nO (Optional[int]): Number of tags. Inferred from the data if None.
    RETURNS (TaggerModel): Tag scores of each document: (n_tokens, nO). A token whose vector is 0,
        for it has no word pieces or lies behind the transformer's last position, is outside.
    """
    holds = batch_pieces is None or batch_pieces >= 1
    require(holds, "batch_pieces", batch_pieces, "1 or more")
    output_layer = Linear(nO, tok2vec.maybe_get_dim("nO"))
    head: Model[Floats2d, TagScores] = chain(Dropout(dropout), output_layer)
    tagger: TaggerModel = chain(tok2vec, with_array(head))
    return Model(
        "linear_tagger",
        # Not an attribute, which a trained model would bring along, whatever the config says.
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
    if listens(model):  # it must be asked about the very documents that its upstream component saw
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
    """Score documents with tokens. What `tok2vec` saw nothing of has fixed scores, not the bias."""
    tok2vec, head = model.layers[0].layers  # a model's copy has no references
    ops = model.ops
    vectors, backprop_tok2vec = tok2vec(docs, is_train)
    # All documents in one array: on a GPU every call takes time, however little there is to do.
    flat = ops.flatten(vectors)
    scores, backprop_head = head(flat, is_train)
    unseen = ~flat.any(axis=1)[:, None]  # (n_tokens, 1)
    outside = ops.xp.full(scores.shape[1], UNSEEN, dtype=scores.dtype)
    outside[0] = 0.0

    def backprop(d_scores: OutT) -> InT:
        d_seen = ops.xp.where(unseen, 0.0, ops.flatten(d_scores))
        return backprop_tok2vec(split_rows(backprop_head(d_seen), docs))

    return split_rows(ops.xp.where(unseen, outside, scores), docs), backprop


def predict_by_length(model: Model[InT, OutT], docs: InT, batch_pieces: int) -> OutT:
    """Score documents in batches of like length; the scores are in the order of the documents."""
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
    """The length of each document as the transformer sees it; its tokens where there is none.

    The words of a document tell too little: one of a tweet's addresses may be twenty pieces.
    """
    for node in model.walk():
        tokenizer = getattr(node, "tokenizer", None)  # of spacy-transformers
        if tokenizer is not None:
            return [count_text_pieces(tokenizer, doc.text) for doc in docs]
    return list(map(len, docs))


def count_text_pieces(tokenizer: Any, text: str) -> int:
    """The word pieces of a text, special ones included."""
    fast = getattr(tokenizer, "backend_tokenizer", None)
    if fast is None:
        return len(tokenizer(text, verbose=False)["input_ids"])
    # Called itself, a fast tokenizer would set how it cuts and pads, which fails while another
    # thread encodes with it. So it cuts and pads as it was last set to.
    encoding = fast.encode(text)
    return sum(sum(part.attention_mask) for part in (encoding, *encoding.overflowing))


def batch_by_length(lengths: List[int], *, batch_pieces: int) -> Iterator[List[int]]:
    """Indices of documents, shortest first, in batches of at most so many pieces with padding.

    A document that is longer is a batch of its own.
    """
    batch: List[int] = []
    for i in sorted(range(len(lengths)), key=lambda i: lengths[i]):
        if batch and (len(batch) + 1) * lengths[i] > batch_pieces:
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch


def _no_rows(model: Model[InT, OutT]) -> TagScores:
    return model.ops.alloc2f(0, model.get_dim("nO"))


def init(model: Model[InT, OutT], X: Optional[InT] = None, Y: Optional[OutT] = None) -> None:
    if Y:
        model.set_dim("nO", get_width(Y))
    if model.has_dim("nO"):
        model.get_ref("output_layer").set_dim("nO", model.get_dim("nO"))
    sample = None if X is None else [doc for doc in X if len(doc)][:N_SAMPLE]
    model.layers[0].initialize(X=sample or None)
