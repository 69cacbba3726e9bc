from types import SimpleNamespace
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from spacy.ml.models.tok2vec import build_hash_embed_cnn_tok2vec
from spacy.pipeline.tok2vec import Tok2Vec, Tok2VecListener
from spacy.tokens import Doc
from spacy.vocab import Vocab
from thinc.api import Model

from spacy_distill.distributions import find_unseen
from spacy_distill.models.linear_tagger import N_SAMPLE, build_linear_tagger_v1, count_pieces

N_TAGS = 5
# Numbers of tokens of documents: not sorted, some equal, and one 0.
LENGTHS = (7, 2, 0, 12, 2, 1, 7, 3)


def make_docs(n: int) -> List[Doc]:
    vocab = Vocab()
    texts = ["Anna saw Berlin", "", "Berlin"] * n
    return [Doc(vocab, words=text.split()) for text in texts[:n]]


def make_targets(docs: List[Doc]) -> List[numpy.ndarray]:
    return [numpy.zeros((len(doc), N_TAGS), dtype="f") for doc in docs]


def build_tok2vec() -> Model:
    return build_hash_embed_cnn_tok2vec(
        width=8,
        depth=1,
        embed_size=50,
        window_size=1,
        maxout_pieces=2,
        subword_features=True,
        pretrained_vectors=False,
    )


def count(model: Model, docs: List[Doc], is_train: bool) -> Tuple[Any, Callable]:
    model.attrs["n_docs"] = max(model.attrs["n_docs"], len(docs))
    return [model.ops.alloc2f(len(doc), 8) for doc in docs], lambda d_vectors: []


def test_linear_tagger_scores_documents_with_and_without_tokens() -> None:
    docs = make_docs(3)
    model = build_linear_tagger_v1(build_tok2vec()).initialize(X=docs, Y=make_targets(docs))
    scores, backprop = model.begin_update(docs)
    assert [rows.shape for rows in scores] == [(3, N_TAGS), (0, N_TAGS), (1, N_TAGS)]
    assert backprop(scores) == []
    assert model.get_ref("output_layer").has_grad("W")
    assert [rows.shape for rows in model.predict(docs[1:2])] == [(0, N_TAGS)]


def refuse_empty(model: Model, docs: List[Doc], is_train: bool) -> Tuple[Any, Callable]:
    assert all(len(doc) for doc in docs)

    def backprop(d_vectors: List[numpy.ndarray]) -> List[Doc]:
        assert [len(rows) for rows in d_vectors] == [len(doc) for doc in docs]
        return []

    return [numpy.ones((len(doc), 8), dtype="f") for doc in docs], backprop


def test_linear_tagger_does_not_pass_empty_documents_to_tok2vec() -> None:
    docs = make_docs(6)
    model = build_linear_tagger_v1(Model("strict", refuse_empty, dims={"nO": 8}))
    model.initialize(X=docs, Y=make_targets(docs))
    scores, backprop = model.begin_update(docs)
    assert [rows.shape for rows in scores] == [(len(doc), N_TAGS) for doc in docs]
    assert backprop(scores) == []


def test_linear_tagger_initialises_tok2vec_with_few_documents() -> None:
    tok2vec: Model = Model("counter", count, attrs={"n_docs": 0}, dims={"nO": None})
    docs = make_docs(60)
    build_linear_tagger_v1(tok2vec).initialize(X=docs, Y=make_targets(docs))
    assert tok2vec.attrs["n_docs"] == N_SAMPLE


def test_linear_tagger_number_of_tags_may_be_given() -> None:
    docs = make_docs(2)
    model = build_linear_tagger_v1(build_tok2vec(), nO=4).initialize(X=docs)
    assert model.predict(docs)[0].shape == (3, 4)
    later = build_linear_tagger_v1(build_tok2vec())
    later.set_dim("nO", 6)
    assert later.initialize(X=docs).predict(docs)[0].shape == (3, 6)
    with pytest.raises(ValueError, match="nO"):
        build_linear_tagger_v1(build_tok2vec()).initialize(X=docs)


def test_linear_tagger_uses_dropout_in_training_only() -> None:
    docs = make_docs(1)
    model = build_linear_tagger_v1(build_tok2vec(), dropout=0.5)
    model.initialize(X=docs, Y=make_targets(docs))
    assert_array_equal(model.predict(docs)[0], model.predict(docs)[0])
    first, again = model.begin_update(docs)[0], model.begin_update(docs)[0]
    assert not numpy.allclose(first[0], again[0])


def test_linear_tagger_with_a_listener() -> None:
    listener = Tok2VecListener("tok2vec", width=8)
    model = build_linear_tagger_v1(listener)
    assert model.get_ref("tok2vec") is listener
    docs = make_docs(3)
    upstream = Tok2Vec(docs[0].vocab, build_tok2vec())
    upstream.find_listeners(SimpleNamespace(name="ner", model=model))
    assert upstream.listening_components == ["ner"]
    upstream.model.initialize(X=docs)
    model.initialize(X=docs, Y=make_targets(docs))
    upstream.set_annotations(docs, upstream.predict(docs))
    assert [rows.shape for rows in model.predict(docs)] == [(3, N_TAGS), (0, N_TAGS), (1, N_TAGS)]
    # What spaCy does when it replaces a listener by a copy of the layer it listens to.
    model.replace_node(listener, upstream.model)
    assert model.get_ref("tok2vec") is upstream.model


def make_docs_of(lengths: Sequence[int]) -> List[Doc]:
    """Documents of different words, so that no two have the same scores."""
    vocab = Vocab()
    return [Doc(vocab, words=[f"w{i}.{j}" for j in range(n)]) for i, n in enumerate(lengths)]


def record(model: Model, docs: List[Doc], is_train: bool) -> Tuple[Any, Callable]:
    """Record the lengths of each batch, and return vectors filled with the document's index + 1."""
    model.attrs["batches"].append([len(doc) for doc in docs])
    numbers = [int(doc[0].text[1:].partition(".")[0]) for doc in docs]
    vectors = [numpy.full((len(doc), 8), i + 1, dtype="f") for doc, i in zip(docs, numbers)]
    return vectors, lambda d_vectors: []


def leave_out(model: Model, docs: List[Doc], is_train: bool) -> Tuple[Any, Callable]:
    """Return zeros for "saw", as a transformer does for a token without word pieces."""
    vectors = [
        numpy.asarray([[token.text != "saw"] * 8 for token in doc], dtype="f").reshape(-1, 8)
        for doc in docs
    ]

    def backprop(d_vectors: List[numpy.ndarray]) -> List[Doc]:
        model.attrs["gradients"] = d_vectors
        return []

    return vectors, backprop


@pytest.mark.parametrize("batch_pieces", [None, 8])
def test_linear_tagger_tokens_without_a_vector_are_outside(batch_pieces: Optional[int]) -> None:
    """The bias, which tuning moves towards entities, is not added to tokens without a vector."""
    docs = make_docs(3)
    tok2vec = Model("blinking", leave_out, dims={"nO": 8})
    model = build_linear_tagger_v1(tok2vec, batch_pieces=batch_pieces)
    model.initialize(X=docs, Y=make_targets(docs))
    bias = model.get_ref("output_layer")
    bias.set_param("b", numpy.asarray([-5, 1, 2, 3, 4], dtype="f"))
    scores = model.predict(docs)
    assert find_unseen(scores[0]).tolist() == [False, True, False]
    assert find_unseen(scores[2]).tolist() == [False]
    assert scores[0].argmax(axis=1).tolist() == [4, 0, 4]
    # Such a token has no gradient.
    _, backprop = model.begin_update(docs)
    gradients = [numpy.ones_like(rows) for rows in scores]
    backprop(gradients)
    assert_array_equal(bias.get_grad("b"), numpy.full(N_TAGS, 3.0))
    assert_array_equal(tok2vec.attrs["gradients"][0][1], numpy.zeros(8))
    assert all((rows == 1).all() for rows in gradients)


def make_recorder() -> Model:
    return Model("recorder", record, attrs={"batches": []}, dims={"nO": 8})


def test_linear_tagger_batches_by_length_and_restores_the_order() -> None:
    recorder = make_recorder()
    docs = make_docs_of(LENGTHS)
    model = build_linear_tagger_v1(recorder, batch_pieces=8)
    model.initialize(X=docs, Y=make_targets(docs))
    recorder.attrs["batches"].clear()
    scores = model.predict(docs)
    assert recorder.attrs["batches"] == [[1, 2, 2], [3], [7], [7], [12]]
    output_layer = model.get_ref("output_layer")
    for i, (doc, rows) in enumerate(zip(docs, scores)):
        expected = output_layer.predict(numpy.full((len(doc), 8), i + 1, dtype="f"))
        assert_allclose(rows, expected, atol=1e-5)


def test_linear_tagger_uses_larger_batches_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = make_recorder()
    docs = make_docs_of(LENGTHS)
    model = build_linear_tagger_v1(recorder, batch_pieces=1)
    model.initialize(X=docs, Y=make_targets(docs))
    recorder.attrs["batches"].clear()
    monkeypatch.setattr(model.ops, "device_type", "gpu")  # the model reads nothing else
    assert [rows.shape for rows in model.predict(docs)] == [(n, N_TAGS) for n in LENGTHS]
    assert recorder.attrs["batches"] == [[1, 2, 2, 3], [7, 7], [12]]


@pytest.mark.parametrize("batch_pieces", [1, 8, 1000])
def test_linear_tagger_scores_do_not_depend_on_batch_pieces(batch_pieces: int) -> None:
    docs = make_docs_of(LENGTHS)
    model = build_linear_tagger_v1(build_tok2vec()).initialize(X=docs, Y=make_targets(docs))
    expected = model.predict(docs)
    # `batch_pieces` is not saved with the weights.
    saved = model.to_bytes()
    model = build_linear_tagger_v1(build_tok2vec(), batch_pieces=batch_pieces).from_bytes(saved)
    for rows, expected_rows in zip(model.predict(docs), expected):
        assert rows.shape == expected_rows.shape
        assert_allclose(rows, expected_rows, atol=1e-5)
    assert [rows.shape for rows in model.predict(docs[2:3])] == [(0, N_TAGS)]


def test_linear_tagger_does_not_load_batch_pieces() -> None:
    """`batch_pieces` comes from the config, not from the model that the weights were saved with."""
    docs = make_docs_of(LENGTHS)
    saved = build_linear_tagger_v1(make_recorder(), batch_pieces=8)
    saved.initialize(X=docs, Y=make_targets(docs))
    recorder = make_recorder()
    model = build_linear_tagger_v1(recorder, batch_pieces=1000).from_bytes(saved.to_bytes())
    recorder.attrs["batches"].clear()
    model.predict(docs)
    assert len(recorder.attrs["batches"]) == 1


def test_linear_tagger_copy_predicts_the_same() -> None:
    docs = make_docs(3)
    model = build_linear_tagger_v1(build_tok2vec()).initialize(X=docs, Y=make_targets(docs))
    for rows, expected in zip(model.copy().predict(docs), model.predict(docs)):
        assert_array_equal(rows, expected)


def tokenize(text: str, *, verbose: bool) -> Dict[str, List[int]]:
    """Return one piece per letter, and two special ones."""
    return {"input_ids": [0, *map(ord, text.replace(" ", "")), 0]}


class TransformerStandIn(Model):
    @property
    def tokenizer(self) -> Any:
        return tokenize


def test_linear_tagger_counts_word_pieces() -> None:
    docs = make_docs(3)
    model = build_linear_tagger_v1(TransformerStandIn("transformer", record, dims={"nO": 8}))
    assert count_pieces(model, docs) == [15, 2, 8]
    assert count_pieces(build_linear_tagger_v1(make_recorder()), docs) == [3, 0, 1]


def test_linear_tagger_does_not_split_batches_in_training() -> None:
    docs = make_docs_of(LENGTHS)
    recorder = make_recorder()
    model = build_linear_tagger_v1(recorder, batch_pieces=8)
    model.initialize(X=docs, Y=make_targets(docs))
    recorder.attrs["batches"].clear()
    scores, backprop = model.begin_update(docs)
    assert recorder.attrs["batches"] == [[n for n in LENGTHS if n]]
    assert [rows.shape for rows in scores] == [(n, N_TAGS) for n in LENGTHS]
    backprop(scores)
    assert model.get_ref("output_layer").has_grad("W")


def test_linear_tagger_passes_all_documents_to_a_listener_at_once() -> None:
    asked = []

    def spy(model: Model, docs: List[Doc], is_train: bool) -> Tuple[Any, Callable]:
        asked.append([id(doc) for doc in docs])
        return [model.ops.alloc2f(len(doc), 8) for doc in docs], lambda d_vectors: []

    listener = Tok2VecListener("tok2vec", width=8)
    listener._func = spy
    docs = make_docs_of(LENGTHS)
    model = build_linear_tagger_v1(listener, batch_pieces=8)
    model.initialize(X=docs, Y=make_targets(docs))
    asked.clear()
    scores = model.predict(docs)
    assert asked == [[id(doc) for doc in docs]]
    assert [rows.shape for rows in scores] == [(n, N_TAGS) for n in LENGTHS]


@pytest.mark.parametrize("batch_pieces", [0, -1])
def test_linear_tagger_refuses_bad_settings(batch_pieces: int) -> None:
    with pytest.raises(ValueError, match=r"\[D007\] batch_pieces is"):
        build_linear_tagger_v1(build_tok2vec(), batch_pieces=batch_pieces)
