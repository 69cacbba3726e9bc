from typing import Any, Callable, List, Tuple

import numpy
import spacy
from numpy.testing import assert_array_equal
from spacy.tokens import Doc
from spacy.vocab import Vocab
from thinc.api import Model, Ragged

from spacy_distill.layers.word_types import distinct_words, word_types

TEXTS = ["a bb a", "", "ccc bb", "a"]


def make_docs() -> List[Doc]:
    vocab = Vocab()
    return [Doc(vocab, words=text.split()) for text in TEXTS]


def build_recorder() -> Model:
    """Build a layer that returns the length of each word and records its inputs."""
    model = Model("recorder", record, init=record_init, dims={"nO": 1})
    model.attrs.update({"words": [], "gradients": [], "initialised": None})
    return model


def record(model: Model, words: List[str], is_train: bool) -> Tuple[numpy.ndarray, Callable]:
    model.attrs["words"].append(words)

    def backprop(dY: numpy.ndarray) -> List[str]:
        model.attrs["gradients"].append(dict(zip(words, dY.ravel().tolist())))
        return []

    return numpy.asarray([[len(word)] for word in words], dtype="f"), backprop


def record_init(model: Model, X: Any = None, Y: Any = None) -> None:
    model.attrs["initialised"] = X


def test_word_types_runs_once_for_each_word() -> None:
    recorder = build_recorder()
    Y = word_types(recorder).predict(make_docs())
    assert_array_equal(Y.data.ravel(), [1, 2, 1, 3, 2, 1])
    assert_array_equal(Y.lengths, [3, 0, 2, 1])
    assert [sorted(words) for words in recorder.attrs["words"]] == [["a", "bb", "ccc"]]


def test_word_types_sums_the_gradients_of_a_word() -> None:
    recorder = build_recorder()
    Y, backprop = word_types(recorder).begin_update(make_docs())
    gradient = numpy.asarray([[1], [2], [4], [8], [16], [32]], dtype="f")
    assert backprop(Ragged(gradient, Y.lengths)) == []
    assert recorder.attrs["gradients"] == [{"a": 37.0, "bb": 18.0, "ccc": 8.0}]


def test_word_types_initialises_with_all_words() -> None:
    recorder = build_recorder()
    model = word_types(recorder)
    model.initialize(X=make_docs())
    assert recorder.attrs["initialised"] == ["a", "bb", "ccc"]
    assert model.get_dim("nO") == 1
    model.initialize()
    assert recorder.attrs["initialised"] is None


def test_word_types_of_documents_with_different_vocabs() -> None:
    docs = [Doc(Vocab(), words=words) for words in (["x", "y"], [], ["y", "z"])]
    words, which = distinct_words(docs)
    assert [words[i] for i in which] == ["x", "y", "y", "z"]


def test_word_types_works_in_memory_zones() -> None:
    nlp = spacy.blank("en")
    model = word_types(build_recorder())
    for text in ("transientword once", "otherword twice"):
        with nlp.memory_zone():
            rows = model.predict([nlp(text)]).data.ravel().tolist()
        assert rows == [len(word) for word in text.split()]
