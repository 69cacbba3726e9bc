import copy
import os
import pickle
import random
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any, Callable, List

import numpy
import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from spacy.tokens import Doc
from spacy.vocab import Vocab
from thinc.api import SGD, Adam, Optimizer

from spacy_distill.layers.bilstm import build_bilstm_v1
from spacy_distill.layers.char_cnn import build_char_cnn_v1
from spacy_distill.layers.lookup import build_lookup_v1
from spacy_distill.layers.word_cache import WordCache, find_words
from spacy_distill.models.char_cnn_bilstm import build_char_cnn_bilstm_v1
from spacy_distill.optimizers import build_lazy_adam_v1
from spacy_distill.types import TaggerModel

N_TAGS = 3
TEXTS = ["Anna saw Anna", "ananas", "", "x-1 is an Ωmega x-1", "nana , unheard-of"]
N_WORDS = 10  # distinct words in TEXTS


class User:
    """Uses a cache of rows that identify a word, times a weight, and records what it computes."""

    def __init__(self, max_words: int) -> None:
        self.cache = WordCache(max_words)
        self.weights = [numpy.ones(1), numpy.zeros(2)]
        self.computed: List[str] = []
        self.n_prepared = 0

    def prepare(self) -> float:
        self.n_prepared += 1
        return float(self.weights[0][0])

    def compute(self, words: List[str], prepared: float) -> Any:
        assert prepared == self.weights[0][0]
        self.computed += words
        return self.rows_of(words)

    def rows_of(self, words: List[str]) -> numpy.ndarray:
        """Return the rows of words, in two planes: (2, n_words, 4)."""
        letters = [[len(word), *word.encode()[:3].ljust(3)] for word in words]
        rows = numpy.asarray(letters, dtype="f").reshape(-1, 4) * self.weights[0]
        return numpy.stack([rows, -rows])

    def look_up(self, docs: List[Doc]) -> Any:
        return self.cache.look_up(docs, self.weights, prepare=self.prepare, compute=self.compute)

    def check(self, docs: List[Doc]) -> None:
        rows, which, prepared = self.look_up(docs)
        words = [token.text for doc in docs for token in doc]
        assert_array_equal(rows[:, which], self.rows_of(words))
        assert prepared == self.weights[0][0]


def make_docs(texts: List[str]) -> List[Doc]:
    vocab = Vocab()
    return [Doc(vocab, words=text.split(" ") if text else []) for text in texts]


# Batches of documents, with at least one token in each batch. There are 26 different words.
documents = st.text("abcdefghijklmnopqrstuvwxyz", max_size=8).map(list)
batches = st.lists(st.lists(documents, min_size=1, max_size=3).filter(any), max_size=8)


@given(max_words=st.integers(1, 12), batches=batches)
@settings(max_examples=200)
def test_word_cache_returns_what_is_computed(max_words: int, batches: List) -> None:
    """Rows are correct for any number of words, and those that were returned never change."""
    user = User(max_words)
    given_before = []
    bound = max_words
    for batch in batches:
        docs = [Doc(Vocab(), words=words) for words in batch]
        words = [word for doc_words in batch for word in doc_words]
        known = len(user.computed)
        user.check(docs)
        assert len(set(user.computed[known:])) == len(user.computed[known:])
        rows, which, _ = user.look_up(docs)
        # Neither words nor allocated rows exceed `max_words`, or the largest batch if it has more.
        bound = max(bound, len(set(words)))
        assert len(user.cache) <= rows.shape[1] <= bound
        given_before.append((rows, which, words))
    for rows, which, words in given_before:
        assert_array_equal(rows[:, which], user.rows_of(words))
    assert user.n_prepared == (1 if batches else 0)


def test_word_cache_computes_a_word_once() -> None:
    user = User(100)
    user.check(make_docs(["b a b", "", "c a"]))
    assert sorted(user.computed) == ["a", "b", "c"]
    user.check(make_docs(["a c", "b"]))
    assert len(user.computed) == 3
    user.check(make_docs(["a d", "d e"]))
    assert sorted(user.computed[3:]) == ["d", "e"]
    assert len(user.cache) == 5
    assert user.n_prepared == 1


def test_word_cache_is_emptied_when_full() -> None:
    user = User(4)
    user.check(make_docs(["a b c"]))
    user.check(make_docs(["d a"]))
    assert len(user.cache) == 4
    user.check(make_docs(["d e"]))
    assert sorted(user.computed[4:]) == ["d", "e"]
    assert len(user.cache) == 2
    user.check(make_docs(["a"]))
    assert user.computed[6:] == ["a"]


def test_word_cache_with_a_batch_of_more_than_max_words() -> None:
    user = User(2)
    for _ in range(2):
        user.check(make_docs(["a b c", "d a"]))
        assert sorted(user.computed) == ["a", "b", "c", "d"]
    user.check(make_docs(["e"]))
    assert len(user.cache) == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda weights: [2 * weights[0], weights[1]],
        lambda weights: [weights[0], weights[1] + 1],
        lambda weights: [weights[0].copy(), weights[1]],
        lambda weights: weights[:1],
        lambda weights: [*weights, numpy.ones(1)],
    ],
)
def test_word_cache_is_emptied_if_weights_are_replaced(change: Callable[[List], List]) -> None:
    user = User(100)
    docs = make_docs(["a b a", "c"])
    user.check(docs)
    user.weights = change(user.weights)
    user.check(docs[:1])
    assert sorted(user.computed[3:]) == ["a", "b"]
    assert len(user.cache) == 2
    assert user.n_prepared == 2


def test_word_cache_is_emptied_if_weights_are_updated_in_place() -> None:
    user = User(100)
    docs = make_docs(["a b a", "c"])
    user.check(docs)
    user.cache.finish_update(Adam(0.1))
    user.weights[0] *= 3
    assert len(user.cache) == 0
    user.check(docs)
    assert user.n_prepared == 2


@pytest.mark.parametrize(
    "make_copy",
    [
        lambda cache: cache.copy(),
        copy.copy,
        copy.deepcopy,
        lambda cache: pickle.loads(pickle.dumps(cache)),
        lambda cache: cache.from_bytes(cache.to_bytes()),
    ],
    ids=["method", "copy", "deepcopy", "pickle", "bytes"],
)
def test_word_cache_is_copied_and_saved_empty(make_copy: Callable[[WordCache], WordCache]) -> None:
    user = User(3)
    size = len(pickle.dumps(user.cache))
    user.check(make_docs(["a b c"]))
    assert len(pickle.dumps(user.cache)) == size
    assert user.cache.to_bytes() == b""
    cache = make_copy(user.cache)
    assert len(cache) == 0
    assert cache.max_words == 3
    if cache is not user.cache:
        assert len(user.cache) == 3
    user.cache = cache
    user.check(make_docs(["a b", "d e"]))
    assert len(user.cache) == 4


def test_word_cache_of_documents_with_different_vocabs() -> None:
    user = User(100)
    docs = [Doc(Vocab(), words=words) for words in (["x", "y"], [], ["y", "z"], ["w"])]
    user.check(docs)
    assert sorted(user.computed) == ["w", "x", "y", "z"]
    user.check([Doc(Vocab(), words=["z", "v"])])
    assert user.computed[4:] == ["v"]


def test_word_cache_find_words_by_hash_and_position() -> None:
    docs = [Doc(Vocab(), words=words) for words in ([], ["x", "y"], [], ["z"], [])]
    hashes = [docs[doc][token].orth for doc, token in ((3, 0), (1, 1), (1, 0))]
    words = find_words(docs, numpy.asarray(hashes, dtype="uint64"), numpy.asarray([2, 1, 0]))
    assert words == ["z", "y", "x"]


@pytest.mark.parametrize("max_words", [9, 40, 1000])
def test_word_cache_is_thread_safe(max_words: int) -> None:
    """No thread overwrites rows that another one got. `compute` lets other threads run."""
    user = User(max_words)
    rng = random.Random(0)
    vocab = Vocab()
    words = [f"{letter}{i}" for letter in "abcdefghij" for i in range(20)]
    docs = [Doc(vocab, words=rng.choices(words, k=rng.randint(1, 4))) for _ in range(300)]

    def compute(some: List[str], prepared: float) -> Any:
        time.sleep(1e-4)
        return user.compute(some, prepared)

    def look_up(doc: Doc) -> Any:
        return user.cache.look_up([doc], user.weights, prepare=user.prepare, compute=compute)

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(look_up, docs))
    for doc, (rows, which, prepared) in zip(docs, results):
        assert_array_equal(rows[:, which], user.rows_of([token.text for token in doc]))
        assert prepared == 1.0
    assert 0 < len(user.cache) <= max_words


# Tests of the cache of a model


def build_student(cached_words: int = 1000) -> TaggerModel:
    lookup = build_lookup_v1(width=4, unknown_rate=0.0)
    char_cnn = build_char_cnn_v1(width=3, filters=3)
    bilstm = build_bilstm_v1(width=4)
    settings: Any = {"classifier": "softmax", "dropout": 0.0, "cached_words": cached_words}
    return build_char_cnn_bilstm_v1(lookup, char_cnn, bilstm, **settings)


def make_student(cached_words: int = 1000, *, seed: int = 0) -> TaggerModel:
    numpy.random.seed(seed)
    docs = make_docs(TEXTS)
    targets: Any = [numpy.zeros((len(doc), N_TAGS), dtype="f") for doc in docs]
    return build_student(cached_words).initialize(X=docs, Y=targets)


def cache_of(model: TaggerModel) -> WordCache:
    (cache,) = model.shims
    assert isinstance(cache, WordCache)
    return cache


def flat(scores: Any) -> numpy.ndarray:
    return numpy.concatenate(scores)


def expected_scores(model: TaggerModel, docs: List[Doc]) -> numpy.ndarray:
    """Return the scores of a model with the same parameters and an empty cache."""
    return flat(build_student().from_bytes(model.to_bytes()).predict(docs))


def update(model: TaggerModel, docs: List[Doc], optimizer: Optimizer) -> None:
    scores, backprop = model.begin_update(docs)
    backprop([model.ops.xp.cos(rows) for rows in scores])
    model.finish_update(optimizer)


@pytest.fixture(params=["adam", "lazy_adam", "sgd"])
def optimizer(request: pytest.FixtureRequest) -> Optimizer:
    """Adam sets new array objects with the same memory. The others change arrays in place."""
    if request.param == "lazy_adam":
        return build_lazy_adam_v1(0.05, min_rows=1)
    return Adam(0.05) if request.param == "adam" else SGD(0.5)


def test_word_cache_of_a_model_follows_its_updates(optimizer: Optimizer) -> None:
    model, docs = make_student(), make_docs(TEXTS)
    for _ in range(3):
        before = flat(model.predict(docs))
        assert len(cache_of(model)) == N_WORDS
        update(model, docs, optimizer)
        assert len(cache_of(model)) == 0
        after = flat(model.predict(docs))
        assert numpy.abs(after - before).max() > 1e-2
        assert_allclose(after, expected_scores(model, docs), atol=1e-6)
        assert_allclose(after, flat(model.begin_update(docs)[0]), atol=1e-5)


def test_word_cache_of_a_model_follows_averages(optimizer: Optimizer) -> None:
    """`spacy train` evaluates with averages, which each update changes in place."""
    model, docs = make_student(), make_docs(TEXTS)
    for _ in range(3):
        update(model, docs, optimizer)
        averages: Any = optimizer.averages
        with model.use_params(averages):
            averaged = flat(model.predict(docs))
            assert_allclose(averaged, expected_scores(model, docs), atol=1e-6)
    plain = flat(model.predict(docs))
    assert_allclose(plain, expected_scores(model, docs), atol=1e-6)
    assert numpy.abs(plain - averaged).max() > 1e-3
    with model.use_params(averages):
        assert_allclose(flat(model.predict(docs)), averaged, atol=1e-6)
    assert_allclose(flat(model.predict(docs)), plain, atol=1e-6)


def test_word_cache_of_a_model_follows_new_parameters() -> None:
    model, docs = make_student(), make_docs(TEXTS)
    for node in list(model.walk()):
        for name in node.param_names:
            before = flat(model.predict(docs))
            node.set_param(name, node.get_param(name) * -1.5 + 0.1)
            after = flat(model.predict(docs))
            assert numpy.abs(after - before).max() > 1e-4, (node.name, name)
            assert_allclose(after, expected_scores(model, docs), atol=1e-6)


def test_word_cache_of_a_model_is_not_saved() -> None:
    model, docs = make_student(), make_docs(TEXTS)
    before = model.to_bytes()
    model.predict(docs)
    assert model.to_bytes() == before


@pytest.mark.parametrize(
    "make_copy",
    [
        lambda model: model.copy(),
        lambda model: pickle.loads(pickle.dumps(model)),
        lambda model: build_student().from_bytes(model.to_bytes()),
    ],
    ids=["copy", "pickle", "bytes"],
)
def test_word_cache_of_a_model_is_not_shared(
    make_copy: Callable[[TaggerModel], TaggerModel],
) -> None:
    model, docs = make_student(), make_docs(TEXTS)
    before = flat(model.predict(docs))
    other = make_copy(model)
    assert len(cache_of(other)) == 0
    assert_allclose(flat(other.predict(docs)), before, atol=1e-6)
    update(other, docs, SGD(0.5))
    assert_allclose(flat(model.predict(docs)), before, atol=1e-6)
    assert_allclose(flat(other.predict(docs)), expected_scores(other, docs), atol=1e-6)


def test_word_cache_of_a_model_is_emptied_by_loading() -> None:
    model, other = make_student(seed=0), make_student(seed=1)
    docs = make_docs(TEXTS)
    before = flat(model.predict(docs))
    model.from_bytes(other.to_bytes())
    assert len(cache_of(model)) == 0
    assert_allclose(flat(model.predict(docs)), flat(other.predict(docs)), atol=1e-6)
    assert numpy.abs(before - flat(model.predict(docs))).max() > 1e-2


def test_word_cache_of_a_model_is_emptied_by_a_move() -> None:
    model, docs = make_student(), make_docs(TEXTS)
    before = flat(model.predict(docs))
    model.to_cpu()
    assert len(cache_of(model)) == 0
    assert_allclose(flat(model.predict(docs)), before, atol=1e-6)


def test_word_cache_of_a_model_works_in_memory_zones() -> None:
    """Cached rows stay valid when the strings of their words are removed with the zone."""
    nlp = spacy.blank("en")
    model = make_student()
    texts = ["transientword once Anna", "otherword transientword twice", "once more"]
    expected = [expected_scores(model, [doc]) for doc in make_docs(texts)]
    for _ in range(2):  # the second time, the words are cached, but their strings are gone
        for text, scores in zip(texts, expected):
            with nlp.memory_zone():
                assert_allclose(flat(model.predict([nlp(text)])), scores, atol=1e-6)
        assert len(cache_of(model)) == 6
    assert "transientword" not in nlp.vocab.strings
    for text, scores in zip(texts, expected):
        assert_allclose(flat(model.predict([nlp(text)])), scores, atol=1e-6)


@pytest.mark.parametrize("cached_words", [9, 40, 1000])
def test_word_cache_of_a_model_is_thread_safe(cached_words: int) -> None:
    """Threads predict at the same time and share words, even if the cache can't hold them all."""
    model = make_student(cached_words)
    rng = random.Random(0)
    vocab = Vocab()
    words = [f"word{i}" for i in range(80)]
    docs = [Doc(vocab, words=rng.choices(words, k=rng.randint(1, 6))) for _ in range(200)]
    expected: Any = make_student(0).predict(docs)
    batches = [[rng.randrange(len(docs)) for _ in range(rng.randint(1, 4))] for _ in range(600)]

    def predict(batch: List[int]) -> Any:
        return model.predict([docs[i] for i in batch])

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            results = list(pool.map(predict, batches))
    finally:
        sys.setswitchinterval(interval)
    for batch, scores in zip(batches, results):
        for i, rows in zip(batch, scores):
            assert_allclose(rows, expected[i], atol=1e-5)
    assert 0 < len(cache_of(model)) <= max(cached_words, 24)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on Windows")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_word_cache_works_in_a_fork_while_a_thread_predicts() -> None:
    """A lock that the thread holds during the fork would never be released in the child."""
    user, docs, computes, may_continue = User(100), make_docs(TEXTS), Event(), Event()

    def compute(words: List[str], prepared: float) -> Any:
        computes.set()
        assert may_continue.wait(60)
        return user.rows_of(words)

    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(
            user.cache.look_up, docs, user.weights, prepare=user.prepare, compute=compute
        )
        assert computes.wait(60)
        child = os.fork()
        if child == 0:
            signal.alarm(20)  # ends the child if it hangs
            try:
                user.check(docs)
                os._exit(0)
            finally:
                os._exit(1)
        _, status = os.waitpid(child, 0)
        may_continue.set()
        assert status == 0
        assert len(found.result()[0][0]) == N_WORDS
