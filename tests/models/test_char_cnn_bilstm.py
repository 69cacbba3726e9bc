import subprocess
import sys
from pathlib import Path
from typing import Any, List

import numpy
import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from spacy.tokens import Doc, Token
from spacy.vocab import Vocab
from thinc.api import LSTM, Adam, Linear, Model, chain, set_dropout_rate, with_array, with_padded

from spacy_distill.batches import split_rows
from spacy_distill.distributions import find_unseen
from spacy_distill.layers.bilstm import build_bilstm_v1
from spacy_distill.layers.char_cnn import build_char_cnn_v1
from spacy_distill.layers.lookup import build_lookup_v1, set_table
from spacy_distill.models.char_cnn_bilstm import build_char_cnn_bilstm_v1
from spacy_distill.segmentation import Segmenter
from spacy_distill.types import TaggerModel

N_TAGS = 5
# Loads the model and prints its scores, in a process in which torch and transformers can't be
# imported. Inspecting sys.modules is not enough, because Thinc imports torch if it is installed.
LOAD = """
import sys
sys.modules.update({"torch": None, "transformers": None})
from pathlib import Path
from spacy.tokens import Doc
from spacy.vocab import Vocab
from spacy_distill.layers.bilstm import build_bilstm_v1
from spacy_distill.layers.char_cnn import build_char_cnn_v1
from spacy_distill.layers.lookup import build_lookup_v1
from spacy_distill.models.char_cnn_bilstm import build_char_cnn_bilstm_v1
model = build_char_cnn_bilstm_v1(build_lookup_v1(), build_char_cnn_v1(), build_bilstm_v1())
model.from_disk(Path(sys.argv[1]))
for row in model.predict([Doc(Vocab(), words=["Anna", "saw", "unheard-of", "Berlin"])])[0]:
    print(*row)
"""


def build_student(**settings: Any) -> TaggerModel:
    return build_char_cnn_bilstm_v1(
        build_lookup_v1(), build_char_cnn_v1(), build_bilstm_v1(), **settings
    )


def make_docs(texts: List[str]) -> List[Doc]:
    vocab = Vocab()
    return [Doc(vocab, words=text.split()) for text in texts]


def initialised(docs: List[Doc]) -> TaggerModel:
    numpy.random.seed(0)
    targets = [numpy.zeros((len(doc), N_TAGS), dtype="f") for doc in docs]
    return build_student().initialize(X=docs, Y=targets)


def test_student_scores_documents_with_and_without_tokens() -> None:
    docs = make_docs(["Anna saw Berlin", "", "Berlin"])
    model = initialised(docs)
    scores = model.predict(docs)
    assert [rows.shape for rows in scores] == [(3, N_TAGS), (0, N_TAGS), (1, N_TAGS)]
    none, backprop = model.begin_update(docs[1:2])
    assert none[0].shape == (0, N_TAGS)
    assert backprop(none) == []


def test_student_vocabulary_comes_from_all_documents() -> None:
    docs = make_docs([f"w{i}" for i in range(100)] + ["Last Last"])
    model = initialised(docs)
    entries = model.get_ref("lookup").attrs["segmenter"].entries
    assert len(entries) == 102
    assert "Last" in entries
    assert set("0123456789w") <= set(model.get_ref("char_cnn").attrs["chars"])


def test_student_number_of_tags_is_given_or_inferred() -> None:
    docs = make_docs(["Anna saw Berlin"])
    assert build_student(nO=4).initialize(X=docs).predict(docs)[0].shape == (3, 4)
    later = build_student()
    later.set_dim("nO", 6)
    later.initialize(X=docs)
    assert later.predict(docs)[0].shape == (3, 6)
    assert later.get_ref("output_layer").get_dim("nO") == 6
    with pytest.raises(ValueError, match="nO"):
        build_student().initialize(X=docs)


def test_student_keeps_a_table_that_is_set_before_initialisation() -> None:
    segmenter = Segmenter(
        entries=("[UNK]", "anna"), kind="pieces", unknown=0, lowercase=True, strip_accents=True
    )
    model = build_student(nO=2)
    set_table(model.get_ref("lookup"), segmenter=segmenter, rows=numpy.ones((2, 100), dtype="f"))
    docs = make_docs(["Anna saw"])
    model.initialize(X=docs)
    assert model.get_ref("lookup").get_param("E").shape == (2, 100)
    assert model.predict(docs)[0].shape == (2, 2)


def test_student_uses_dropout_in_training_only() -> None:
    docs = make_docs(["Anna saw Berlin", "Berlin"])
    model = initialised(docs)
    first, again = model.predict(docs), model.predict(docs)
    assert_array_equal(first[0], again[0])
    first, again = model.begin_update(docs)[0], model.begin_update(docs)[0]
    assert not numpy.allclose(first[0], again[0])


def test_student_learns() -> None:
    docs = make_docs(["Anna saw Berlin", "Anna", "Berlin saw Anna"])
    ids = {"Anna": 1, "saw": 0, "Berlin": 2}
    gold = [numpy.eye(N_TAGS, dtype="f")[[ids[token.text] for token in doc]] for doc in docs]
    model = initialised(docs)
    optimizer = Adam(0.01)
    for _ in range(30):
        scores, backprop = model.begin_update(docs)
        odds = [numpy.exp(rows) for rows in scores]
        backprop([e / e.sum(axis=1, keepdims=True) - y for e, y in zip(odds, gold)])
        model.finish_update(optimizer)
    for rows, y in zip(model.predict(docs), gold):
        assert_array_equal(rows.argmax(axis=1), y.argmax(axis=1))


def test_student_loads_without_torch(tmp_path: Path) -> None:
    model = initialised(make_docs(["Anna saw Berlin", "Berlin"]))
    model.to_disk(tmp_path / "model")
    command = [sys.executable, "-c", LOAD, str(tmp_path / "model")]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    scores = model.predict(make_docs(["Anna saw unheard-of Berlin"]))[0]
    loaded = [[float(score) for score in row.split()] for row in output.splitlines()]
    assert_allclose(loaded, scores, atol=1e-5)


# Prediction is not computed as in training, but with cached rows of words.

ALPHABET = ["a", "bb", "Anna", "x-1", "Ωmega", "unheard-of", "nana", "z" * 20]
BILSTMS = {
    "ours": lambda: build_bilstm_v1(width=5),
    "deep": lambda: build_bilstm_v1(width=5, depth=2),
    "deeper": lambda: build_bilstm_v1(width=5, depth=3),
    "ours and more": lambda: chain(build_bilstm_v1(width=5), with_array(Linear(10))),
    "thinc": lambda: with_padded(LSTM(10, bi=True)),
    "none": lambda: with_array(Linear(10)),
}


def build_small(bilstm: Model, *, cached_words: int = 20_000) -> TaggerModel:
    """Build a small model without dropout, so that training and prediction must agree."""
    lookup = build_lookup_v1(width=4, unknown_rate=0.0)
    char_cnn = build_char_cnn_v1(width=3, filters=3)
    return build_char_cnn_bilstm_v1(
        lookup, char_cnn, bilstm, dropout=0.0, cached_words=cached_words, nO=N_TAGS
    )


def make_small(kind: str, *, cached_words: int = 20_000) -> TaggerModel:
    numpy.random.seed(0)
    model = build_small(BILSTMS[kind](), cached_words=cached_words)
    model.initialize(X=make_docs([" ".join(ALPHABET[:5])]))
    # The initial bias is 0, which would not show whether it is used.
    b: Any = numpy.arange(N_TAGS, dtype="f")
    model.get_ref("output_layer").set_param("b", b)
    return model


def flat(scores: Any) -> numpy.ndarray:
    return numpy.concatenate(scores)


def count_kept(model: TaggerModel) -> int:
    cache: Any = model.shims[0]
    return len(cache)


documents = st.lists(st.lists(st.sampled_from(ALPHABET), max_size=12), min_size=1, max_size=8)


@pytest.mark.parametrize("kind", BILSTMS)
@pytest.mark.parametrize("cached_words", [0, 3, 20_000])
@given(batches=st.lists(documents, min_size=1, max_size=3))
@settings(max_examples=20)
def test_student_predicts_the_same_as_in_training(
    kind: str, cached_words: int, batches: List[List[List[str]]]
) -> None:
    model = make_small(kind, cached_words=cached_words)
    vocab = Vocab()
    for batch in batches:
        docs = [Doc(vocab, words=words) for words in batch]
        expected, _ = model.begin_update(docs)
        scores = model.predict(docs)
        assert [rows.shape for rows in scores] == [(len(doc), N_TAGS) for doc in docs]
        assert all(rows.dtype == numpy.float32 for rows in scores)
        assert_allclose(flat(scores), flat(expected), atol=1e-5)


@pytest.mark.parametrize(
    "kind, cached_words",
    [("ours", 0), ("deep", 0), ("ours and more", 9), ("thinc", 9), ("none", 9)],
)
def test_student_cache_stays_empty_if_it_cannot_be_used(kind: str, cached_words: int) -> None:
    model = make_small(kind, cached_words=cached_words)
    model.predict(make_docs(["Anna saw Anna"]))
    assert count_kept(model) == 0


@pytest.mark.parametrize("kind", ["ours", "deep"])
def test_student_embeds_a_word_once(kind: str) -> None:
    model = make_small(kind)
    embedded = []
    lookup = model.get_ref("lookup")
    look_up = lookup._func

    def record(lookup: Model, words: List[str], is_train: bool) -> Any:
        embedded.extend(words)
        return look_up(lookup, words, is_train)

    lookup._func = record
    first = flat(model.predict(make_docs(["Anna saw Anna", "", "Anna"])))
    assert sorted(embedded) == ["Anna", "saw"]
    assert count_kept(model) == 2
    again = flat(model.predict(make_docs(["Anna saw Anna", "Anna"])))
    assert_array_equal(again, first)
    model.predict(make_docs(["saw Berlin"]))
    assert embedded[2:] == ["Berlin"]
    model.begin_update(make_docs(["Anna"]))
    assert embedded[3:] == ["Anna"]


@pytest.mark.parametrize("kind", ["ours", "deep"])
def test_student_predicts_with_its_current_weights(kind: str) -> None:
    """Rows are not taken from the cache if any weight has changed since."""
    model = make_small(kind)
    docs = make_docs(["Anna saw Anna", "saw Berlin"])
    scores = flat(model.predict(docs))
    parts = [model.get_ref(name) for name in ("lookup", "char_cnn", "bilstm", "output_layer")]
    for node in (node for part in parts for node in part.walk()):
        for name in node.param_names:
            weights: Any = node.get_param(name)
            node.set_param(name, weights + numpy.float32(0.5))
            before, scores = scores, flat(model.predict(docs))
            assert not numpy.allclose(scores, before), (node.name, name)
            assert_allclose(scores, flat(model.begin_update(docs)[0]), atol=1e-5)


@pytest.mark.parametrize("kind", ["ours", "deep"])
def test_student_scores_can_be_modified(kind: str) -> None:
    """Modifying the returned scores does not change the cache."""
    model = make_small(kind)
    docs = make_docs(["Anna saw Anna", "Anna"])
    scores = model.predict(docs)
    expected = flat(scores)
    for rows in scores:
        rows[:] = 7
    assert_array_equal(flat(model.predict(docs)), expected)


def test_student_refuses_a_negative_cache_size() -> None:
    with pytest.raises(ValueError, match=r"\[D007\].*cached_words.*-1"):
        build_small(build_bilstm_v1(), cached_words=-1)


WIDE = "the board of the company that Anna Berlin saw in New"


def make_spaced(texts: List[str]) -> List[Doc]:
    """Make documents with line breaks, `_`, and blank lines, `__`."""
    vocab = spacy.blank("en").vocab
    words = [text.replace("_", "\n").split(" ") for text in texts]
    return [Doc(vocab, words=[word for word in own if word]) for own in words]


@pytest.mark.parametrize("is_train", [False, True])
def test_student_scores_lines_without_their_whitespace(is_train: bool) -> None:
    """A wrapped line goes on; a blank line, or a short one, begins a new text."""
    docs = make_spaced([f"{WIDE} _ York _ Anna", "_ _", "", "Anna __ saw Berlin _"])
    plain = make_spaced([f"{WIDE} York", "Anna", "Anna", "saw Berlin"])
    model = initialised(plain)
    set_dropout_rate(model, 0.0)
    found = []
    for batch in (docs, plain):
        numpy.random.seed(1)  # in training, some words are replaced by the unknown word
        found.append(flat(model(batch, is_train)[0]))
    scores, expected = found
    words = [i for i, token in enumerate(chain_tokens(docs)) if not token.is_space]
    assert_allclose(scores[words], expected, rtol=1e-5, atol=1e-6)
    assert find_unseen(scores).tolist() == [token.is_space for token in chain_tokens(docs)]


def chain_tokens(docs: List[Doc]) -> List[Token]:
    return [token for doc in docs for token in doc]


def test_student_learns_from_lines_without_their_whitespace() -> None:
    """The gradient is that of the same lines as documents, whatever that of whitespace is."""
    docs = make_spaced([f"{WIDE} _ York _ Anna", "_", "Anna __ saw Berlin"])
    plain = make_spaced([f"{WIDE} York", "Anna", "Anna", "saw Berlin"])
    rng = numpy.random.default_rng(0)
    d_spaced = [rng.normal(size=(len(doc), N_TAGS)).astype("f") for doc in docs]
    words = [i for i, token in enumerate(chain_tokens(docs)) if not token.is_space]
    d_plain = split_rows(numpy.concatenate(d_spaced)[words], plain)
    gradients = []
    for batch, d_scores in ((docs, d_spaced), (plain, d_plain)):
        model = initialised(plain)
        set_dropout_rate(model, 0.0)
        _, backprop = model.begin_update(batch)
        backprop(d_scores)
        gradients.append([node.get_grad(name) for node in model.walk() for name in node.grad_names])
    assert len(gradients[0]) == len(gradients[1]) > 5
    for found, expected in zip(*gradients):
        assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
