import warnings
from itertools import combinations
from typing import List

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from thinc.api import Model

from spacy_distill.layers.char_cnn import (
    END,
    PRINTABLE_ASCII,
    UNKNOWN,
    build_char_cnn_v1,
    char_ids,
    make_vocabulary,
)


def initialised(words: List[str], **settings: int) -> Model:
    numpy.random.seed(0)
    return build_char_cnn_v1(**settings).initialize(X=words)


def test_char_cnn_distinguishes_words() -> None:
    words = ["a", "A", "aa", "1999", "1998", "19-99", "é", "e", "да", "нет", "日本", "日木", "🙂"]
    words += ["x" * 500 + "y", "x" * 500 + "z", "y" + "x" * 500, "-", "_", "."]
    model = initialised([word + suffix for word in words for suffix in ("", "q")])
    rows = model.predict(words)
    for one, other in combinations(range(len(words)), 2):
        assert numpy.abs(rows[one] - rows[other]).max() > 1e-3, (words[one], words[other])


def test_char_cnn_gradient_counts_repeated_characters() -> None:
    model = initialised([], width=2, filters=1)
    E = model.get_param("E")
    E[:] = 1.0
    model.get_param("W")[:] = 1.0
    # The maximum is at the middle character, whose window has the row of "a" three times.
    Y, backprop = model.begin_update(["aaa"])
    assert_allclose(Y, [[6.0]])
    backprop(numpy.ones((1, 1), dtype="f"))
    expected = numpy.zeros_like(E)
    expected[1 + PRINTABLE_ASCII.index("a")] = 3.0
    assert_array_equal(model.get_grad("E"), expected)


@pytest.mark.parametrize("window", [0, 1, 2])
def test_char_cnn_sees_a_window_of_characters(window: int) -> None:
    model = initialised([], width=2, filters=1, window=window)
    model.get_param("E")[:] = 1.0
    model.get_param("W")[:] = 1.0
    assert_allclose(model.predict(["a" * 7]), [[2.0 * (2 * window + 1)]])


# Words whose characters occur in no other word.
SINGLES = [char * 2 for char in "ABCDEFGHIJ"]


def test_char_cnn_vocabulary_excludes_characters_of_a_single_word() -> None:
    words = ["bab", "bab", "cab", "dd", *SINGLES]
    assert make_vocabulary(words) == "ab"
    assert initialised(words).attrs["chars"] == "ab"


def test_char_cnn_vocabulary_of_few_words_includes_ascii() -> None:
    """For example, `nlp.initialize()` without examples passes only the words "x", "y" and "z"."""
    assert build_char_cnn_v1().initialize().attrs["chars"] == PRINTABLE_ASCII
    assert initialised(["x", "y", "z"]).attrs["chars"] == PRINTABLE_ASCII
    assert initialised(["они", "оно"]).attrs["chars"] == PRINTABLE_ASCII + "но"


def test_char_cnn_vocabulary_of_words_of_one_character() -> None:
    """Words of one character, as in spaCy's tokenisation of Chinese, are all included."""
    assert make_vocabulary([*"我爱你们的北京天安门", "UN"]) == "".join(
        sorted("我爱你们的北京天安门UN")
    )


def test_char_cnn_rare_characters_train_the_unknown_row() -> None:
    model = initialised(["ab", "ba", "aq", *SINGLES])
    assert model.attrs["chars"] == "ab"
    _, backprop = model.begin_update(["aq"])
    backprop(numpy.ones((1, 60), dtype="f"))
    gradient = numpy.abs(model.get_grad("E")).max(axis=1)
    assert gradient[UNKNOWN] > 0
    assert gradient[2] == 0
    assert_array_equal(model.predict(["aq"]), model.predict(["aж"]))


def test_char_cnn_ids_of_words() -> None:
    ids, lengths = char_ids(["cab", "", "Я-b"], "-bcЯ")
    assert_array_equal(ids, [3, UNKNOWN, 2, UNKNOWN, 4, 1, 2])
    assert_array_equal(lengths, [3, 1, 3])


def test_char_cnn_ids_with_an_empty_vocabulary() -> None:
    ids, _ = char_ids(["ab", "\0"], "")
    assert_array_equal(ids, [UNKNOWN] * 3)


def test_char_cnn_empty_word_has_the_unknown_row() -> None:
    model = initialised(["ab", "ba", "", "\0", "\0\0"])
    assert_array_equal(model.predict([""]), model.predict(["ж"]))


@given(words=st.lists(st.text(max_size=6)), chars=st.text(max_size=20))
def test_char_cnn_ids_agree_with_a_dictionary(words: List[str], chars: str) -> None:
    chars = "".join(sorted(set(chars) - {"\0"}))
    rows = {char: row for row, char in enumerate(chars, start=1)}
    ids, lengths = char_ids(words, chars)
    expected = [rows.get(char, UNKNOWN) for word in words for char in word or "\0"]
    assert_array_equal(ids, expected)
    assert_array_equal(lengths, [max(1, len(word)) for word in words])


@pytest.mark.parametrize("settings", [{"width": 0}, {"filters": 0}, {"window": -1}])
def test_char_cnn_refuses_bad_settings(settings: dict) -> None:
    with pytest.raises(ValueError, match="D007"):
        build_char_cnn_v1(**settings)


def test_char_cnn_reads_only_the_ends_of_a_long_word() -> None:
    """The rest of a long word, such as an encoded image, is not read, which limits the memory."""
    model = initialised(["abc", "abd"])
    ends = "ab" * (END // 2)
    long, short = ends + "c" * 1_000_000 + ends, ends + ends
    ids, lengths = char_ids([long, "a"], model.attrs["chars"])
    assert lengths.tolist() == [2 * END, 1] and len(ids) == 2 * END + 1
    assert_array_equal(*model.predict([long, short]))


def test_char_cnn_warns_if_there_are_few_words() -> None:
    with pytest.warns(UserWarning, match=r"\[W001\].* 3 different words"):
        initialised(["x", "y", "z"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        initialised([f"word{i}" for i in range(10)])
