"""The student's model: characters and a lookup table under a BiLSTM (Ma and Hovy 2016)."""

from typing import Any, Callable, List, NamedTuple, Optional, Tuple, cast

import numpy
from spacy.tokens import Doc
from thinc.api import Dropout, Linear, Model, NumpyOps, chain, concatenate, ragged2list, with_array
from thinc.types import Floats2d, Ragged
from thinc.util import get_width

from ..batches import split_rows
from ..checks import require, require_one_of
from ..distributions import unseen_row
from ..layers.bilstm import find_layers
from ..layers.crf import crf
from ..layers.recurrence import LayerWeights, project, run_layers
from ..layers.word_cache import WordCache
from ..layers.word_types import word_types
from ..lines import cut_lines
from ..steps import plan_steps
from ..threads import ONE_THREAD
from ..types import Array, Classifier, TaggerModel, TagScores

InT = List[Doc]
OutT = List[TagScores]


def build_char_cnn_bilstm_v1(
    lookup: Model[List[str], Floats2d],
    char_cnn: Model[List[str], Floats2d],
    bilstm: Model[Ragged, Ragged],
    *,
    classifier: Classifier = "crf",
    dropout: float = 0.5,
    cached_words: int = 20_000,
    nO: Optional[int] = None,
) -> TaggerModel:
    """Build a tagger that is small and fast on CPUs.

    Whitespace tokens are left out, and documents are cut where line breaks separate text (unless
    the attribute `separate_lines` is false): the BiLSTM sees lines of words, as in training.
    Whitespace gets the scores of a token that the model saw nothing of, and it is outside.

    During prediction, everything that depends on a word's form alone is computed once per word: its
    vector, and the product of the vector with the BiLSTM's input weights. The product is cached,
    which takes 3.2 kB per word at a width of 100.

    lookup (Model[List[str], Floats2d]): A word's vector from a table.
    char_cnn (Model[List[str], Floats2d]): A word's vector from its characters.
    bilstm (Model[Ragged, Ragged]): A token's vector from those of its document.
    classifier (Classifier): "softmax": tags are independent given their scores; "crf": a
        linear-chain CRF also models which tag follows which.
    dropout (float): Dropout before and after the BiLSTM. Training sets it to `training.dropout` in
        each update.
    cached_words (int): Number of words to cache; 0: none.
    nO (Optional[int]): Number of tags. Inferred from the data if None.
    RETURNS (TaggerModel): Tag scores of each document: (n_tokens, nO).
    RAISES (ValueError): D007 for another `classifier`, or if `cached_words` is below 0.
    """
    require_one_of(Classifier, "classifier", classifier)
    require(cached_words >= 0, "cached_words", cached_words, "0 or more")
    embed = word_types(concatenate(lookup, char_cnn))
    output_layer = Linear(nO)
    head: Model[Floats2d, TagScores] = chain(Dropout(dropout), output_layer)
    steps: List[Model] = [Dropout(dropout), bilstm, with_array(head), ragged2list()]
    if classifier == "crf":
        steps.append(crf(nO))
    encode: Model[Ragged, OutT] = chain(*steps)
    return Model(
        "char_cnn_bilstm",
        forward,
        init=init,
        dims={"nO": nO},
        layers=[embed, encode],
        refs={
            "lookup": lookup,
            "char_cnn": char_cnn,
            "bilstm": bilstm,
            "output_layer": output_layer,
        },
        attrs={"separate_lines": True},
        shims=[WordCache(cached_words)],
    )


@ONE_THREAD
def forward(model: Model[InT, OutT], docs: InT, is_train: bool) -> Tuple[OutT, Callable]:
    lines = cut_lines(docs, are_separate=model.attrs["separate_lines"])
    if lines is None:
        return score_words(model, docs, is_train)
    ops = model.ops
    words: Any = ops.xp.asarray(lines.places)
    of_lines, backprop_lines = score_words(model, lines.docs, is_train)
    scores: Array = ops.xp.tile(unseen_row(ops, model.get_dim("nO")), (sum(map(len, docs)), 1))
    if lines.docs:
        scores[words] = ops.flatten(of_lines)

    @ONE_THREAD
    def backprop(d_scores: OutT) -> InT:
        return backprop_lines(split_rows(ops.flatten(d_scores)[words], lines.docs))

    return split_rows(scores, docs), backprop


def score_words(model: Model[InT, OutT], docs: InT, is_train: bool) -> Tuple[OutT, Callable]:
    """Score documents without whitespace tokens."""
    if not any(len(doc) for doc in docs):
        return [model.ops.alloc2f(0, model.get_dim("nO")) for _ in docs], lambda d_scores: []
    if not is_train and can_keep_words(model):
        return predict(model, docs), lambda d_scores: []
    embed, encode = model.layers
    vectors, backprop_embed = embed(docs, is_train)
    scores, backprop_encode = encode(vectors, is_train)
    return scores, ONE_THREAD(lambda d_scores: backprop_embed(backprop_encode(d_scores)))


def can_keep_words(model: Model[InT, OutT]) -> bool:
    """Return whether `predict` can be used: with our BiLSTM and a cache, on a CPU."""
    _, bilstm, _, cache = parts_of(model)
    return bool(bilstm) and isinstance(model.ops, NumpyOps) and cache.max_words > 0


class Parts(NamedTuple):
    """The layers that `predict` uses, found by position: a model's copy has no references."""

    embed_words: Model[List[str], Floats2d]
    bilstm: List[Model[Ragged, Ragged]]  # its layers; [] if it is another model
    output_layer: Model[Floats2d, Floats2d]
    cache: WordCache


def parts_of(model: Model[InT, OutT]) -> Parts:
    embed, encode = model.layers
    _, bilstm, head, *_ = encode.layers
    (cache,) = model.shims
    return Parts(
        embed.layers[0], find_layers(bilstm), head.layers[0].layers[1], cast(WordCache, cache)
    )


def predict(model: Model[InT, OutT], docs: InT) -> OutT:
    """Compute the same scores as the layers, with the results that depend on words alone cached."""
    embed_words, bilstm, output_layer, cache = parts_of(model)
    nodes = [*embed_words.walk(), *bilstm]
    rows, which, weights = cache.look_up(
        docs,
        weights=[node.get_param(name) for node in nodes for name in node.param_names],
        prepare=lambda: [LayerWeights.of(layer) for layer in bilstm],
        compute=lambda words, weights: project(weights[0], embed_words.predict(words)),
    )
    lengths = numpy.asarray([len(doc) for doc in docs])
    steps = plan_steps(lengths)
    hidden = run_layers(weights, rows, which, steps)
    W: Any = output_layer.get_param("W")  # (nO, 2 * width)
    b: Any = output_layer.get_param("b")
    # Contribution of each direction: (n_tokens, width) -> (n_tokens, nO). The weights are halved
    # because the hidden states are doubled.
    from_left, from_right = numpy.matmul(hidden, 0.5 * W.reshape(len(W), 2, -1).transpose(1, 2, 0))
    scores: Array = numpy.empty_like(from_left)
    scores[steps.tokens[0]] = from_left + b
    scores[steps.tokens[1]] += from_right
    return split_rows(scores, docs)


def init(model: Model[InT, OutT], X: Optional[InT] = None, Y: Optional[OutT] = None) -> None:
    """Initialise the layers.

    The vocabulary comes from all of X, and the number of tags from Y. All other shapes are inferred
    from one token of zeros.
    """
    embed, encode = model.layers
    embed.initialize(X=X)
    if Y:
        model.set_dim("nO", get_width(Y))
    token = Ragged(model.ops.alloc2f(1, embed.get_dim("nO")), model.ops.asarray1i([1]))
    encode.initialize(X=token, Y=[model.ops.alloc2f(1, model.get_dim("nO"))])
