"""The student: characters and a lookup table under a BiLSTM (Ma and Hovy 2016)."""

from typing import Callable, List, Optional, Tuple

from spacy.tokens import Doc
from thinc.api import Dropout, Linear, Model, chain, concatenate, ragged2list, with_array
from thinc.types import Floats2d, Ragged
from thinc.util import get_width

from ..layers.word_types import word_types
from ..types import TaggerModel, TagScores

InT = List[Doc]
OutT = List[TagScores]


def build_char_cnn_bilstm_v1(
    lookup: Model[List[str], Floats2d],
    char_cnn: Model[List[str], Floats2d],
    bilstm: Model[Ragged, Ragged],
    *,
    dropout: float = 0.5,
    nO: Optional[int] = None,
) -> TaggerModel:
    """A tagger that is small and fast on CPUs.

    lookup (Model[List[str], Floats2d]): A word's vector from a table.
    char_cnn (Model[List[str], Floats2d]): A word's vector from its characters.
    bilstm (Model[Ragged, Ragged]): A token's vector from those of its document.
    dropout (float): Dropout of what enters and leaves the BiLSTM.
    nO (Optional[int]): Number of tags. Inferred from the data if None.
    RETURNS (TaggerModel): Tag scores of each document: (n_tokens, nO).
    """
    embed = word_types(concatenate(lookup, char_cnn))
    output_layer = Linear(nO)
    head: Model[Floats2d, TagScores] = chain(Dropout(dropout), output_layer)
    encode: Model[Ragged, OutT] = chain(Dropout(dropout), bilstm, with_array(head), ragged2list())
    return Model(
        "char_cnn_bilstm",
        forward,
        init=init,
        dims={"nO": nO},
        layers=[embed, encode],
        refs={"lookup": lookup, "char_cnn": char_cnn, "output_layer": output_layer},
    )


def forward(model: Model[InT, OutT], docs: InT, is_train: bool) -> Tuple[OutT, Callable]:
    if not any(len(doc) for doc in docs):
        return [model.ops.alloc2f(0, model.get_dim("nO")) for _ in docs], lambda d_scores: []
    embed, encode = model.layers
    vectors, backprop_embed = embed(docs, is_train)
    scores, backprop_encode = encode(vectors, is_train)

    def backprop(d_scores: OutT) -> InT:
        return backprop_embed(backprop_encode(d_scores))

    return scores, backprop


def init(model: Model[InT, OutT], X: Optional[InT] = None, Y: Optional[OutT] = None) -> None:
    """The vocabulary comes from all of X; one token of zeros tells all shapes but the last."""
    embed, encode = model.layers
    embed.initialize(X=X)
    if Y:
        model.set_dim("nO", get_width(Y))
    token = Ragged(model.ops.alloc2f(1, embed.get_dim("nO")), model.ops.asarray1i([1]))
    encode.initialize(X=token, Y=[model.ops.alloc2f(1, model.get_dim("nO"))])
