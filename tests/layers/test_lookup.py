from dataclasses import replace
from typing import List

import numpy
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from thinc.api import Model

from spacy_distill import segmentation
from spacy_distill.layers.lookup import build_lookup_v1, set_table
from spacy_distill.segmentation import Segmenter

PIECES = Segmenter(
    entries=("[UNK]", "play", "##ing", "##s"),
    kind="pieces",
    unknown=0,
    lowercase=True,
    strip_accents=False,
    continuing_mark="##",
)
WORDS = Segmenter(
    entries=("the", "", "May", "may"),
    kind="words",
    unknown=1,
    lowercase=True,
    strip_accents=False,
)
ROWS = numpy.arange(8, dtype="d").reshape(4, 2)
# "play" can also be split into letters.
LETTERS = replace(PIECES, entries=("[UNK]", "play", "p", "##l", "##a", "##y"))


def with_table(segmenter: Segmenter, **settings: float) -> Model:
    model = build_lookup_v1(width=2, **{"unknown_rate": 0.0, **settings})
    set_table(model, segmenter=segmenter, rows=ROWS)
    return model


def test_lookup_gives_a_word_the_mean_of_its_pieces() -> None:
    rows = with_table(PIECES).predict(["Playing", "plays", "play", "xyz"])
    assert_allclose(rows, [[3, 4], [4, 5], [2, 3], [0, 1]])


def test_lookup_finds_a_word_then_its_normalised_form() -> None:
    rows = with_table(WORDS).predict(["May", "MAY", "The", "unheard-of"])
    assert_allclose(rows, [[4, 5], [6, 7], [0, 1], [2, 3]])


def test_lookup_replaces_words_by_unknown_in_training_only() -> None:
    numpy.random.seed(0)
    model = with_table(WORDS, unknown_rate=0.25)
    words = ["the"] * 4000
    assert_array_equal(model.predict(words)[:, 0], 0)
    Y, backprop = model.begin_update(words)
    unknown = (Y[:, 0] == 2).mean()
    assert 0.22 < unknown < 0.28
    backprop(numpy.ones_like(Y))
    assert_allclose(model.get_grad("E")[:, 0], [4000 * (1 - unknown), 4000 * unknown, 0, 0])


def test_lookup_does_not_replace_pieces_by_unknown() -> None:
    model = with_table(PIECES, unknown_rate=0.9)
    assert_array_equal(model.begin_update(["play"] * 100)[0], [[2, 3]] * 100)


def test_lookup_splits_words_into_shorter_pieces_in_training_only() -> None:
    model = build_lookup_v1(width=1, piece_dropout=0.25)
    set_table(model, segmenter=LETTERS, rows=numpy.asarray([[0], [1], [3], [3], [3], [3]]))
    words = ["play"] * 4000
    Y, backprop = model.begin_update(words)
    assert set(Y[:, 0].tolist()) == {1, 3}
    whole = (Y[:, 0] == 1).sum()
    assert 0.72 < whole / 4000 < 0.78
    backprop(numpy.ones_like(Y))
    assert_allclose(model.get_grad("E")[:2, 0], [0, whole])
    assert_allclose(model.get_grad("E")[2:, 0], (4000 - whole) / 4)
    assert_array_equal(model.predict(words), 1)


@pytest.mark.parametrize("limit, is_dropped", [(0, True), (2, True), (1, False)])
def test_lookup_skips_no_pieces_if_the_data_have_many_words(limit: int, is_dropped: bool) -> None:
    settings = {"width": 1, "piece_dropout": 0.5, "piece_dropout_limit": limit}
    model = build_lookup_v1(**settings)
    set_table(model, segmenter=LETTERS, rows=numpy.arange(6).reshape(6, 1))
    model.initialize(X=["plays", "playing", "plays"])
    # Training that continues remembers the number of words.
    for one in (model, build_lookup_v1(**settings).from_bytes(model.to_bytes())):
        Y, _ = one.begin_update(["play"] * 100)
        assert (Y != 1).any() == is_dropped


def test_lookup_does_not_load_its_rates_from_a_trained_model() -> None:
    saved = with_table(WORDS, unknown_rate=0.5)
    model = build_lookup_v1(width=2, unknown_rate=0.0).from_bytes(saved.to_bytes())
    assert_array_equal(model.begin_update(["the"] * 100)[0], [[0, 1]] * 100)


def test_lookup_piece_dropout_does_not_change_words() -> None:
    model = with_table(WORDS, piece_dropout=0.9)
    assert_array_equal(model.begin_update(["the"] * 100)[0], [[0, 1]] * 100)


def test_lookup_adds_to_its_gradient_in_place() -> None:
    model = with_table(PIECES)
    for expected in (1.0, 2.0):
        Y, backprop = model.begin_update(["playing", "plays"])
        backprop(numpy.ones_like(Y))
        gradient = model.get_grad("E")
        assert_allclose(gradient[:, 0], [0, expected, expected / 2, expected / 2])
    backprop(numpy.ones_like(Y))
    assert model.get_grad("E") is gradient


def test_lookup_initialises_a_table_of_the_given_words() -> None:
    model = build_lookup_v1(width=3).initialize(X=["b", "a", "b", ""])
    assert model.attrs["segmenter"].entries == ("", "a", "b")
    assert model.get_param("E").shape == (3, 3)
    a, b, unknown, capital = model.predict(["a", "b", "c", "A"])
    assert not numpy.allclose(a, b)
    assert_array_equal(unknown, capital)
    model.initialize(X=["c"])
    assert model.attrs["segmenter"].entries == ("", "c")
    model.initialize()
    assert model.predict(["a"]).shape == (1, 3)


@pytest.mark.parametrize("before", [True, False])
def test_lookup_table_is_set_before_or_after_initialize(before: bool) -> None:
    model = build_lookup_v1(width=2)
    if not before:
        model.initialize(X=["b", "a"])
    set_table(model, segmenter=PIECES, rows=ROWS)
    model.initialize(X=["b", "a"])
    E = model.get_param("E")
    assert E.dtype == numpy.float32
    assert not numpy.shares_memory(E, ROWS)
    assert_array_equal(E, ROWS)
    assert model.attrs["segmenter"] == PIECES


def test_lookup_copies_a_table_that_is_float32_already() -> None:
    rows = ROWS.astype("f")
    model = build_lookup_v1(width=2)
    set_table(model, segmenter=PIECES, rows=rows)
    assert not numpy.shares_memory(model.get_param("E"), rows)


@pytest.mark.parametrize("shape", [(3, 2), (4, 3), (8,)])
def test_lookup_refuses_a_table_that_does_not_fit(shape: tuple) -> None:
    with pytest.raises(ValueError, match=r"D201.*4 entries and width 2"):
        set_table(build_lookup_v1(width=2), segmenter=PIECES, rows=numpy.zeros(shape, dtype="f"))


def test_lookup_from_bytes_replaces_another_table() -> None:
    model = with_table(PIECES)
    loaded = build_lookup_v1(width=2).initialize(X=["playing"])
    loaded.predict(["playing"])
    loaded.from_bytes(model.to_bytes())
    assert loaded.attrs["segmenter"] == PIECES
    assert loaded.attrs["preset"]
    assert_array_equal(loaded.predict(["playing"]), model.predict(["playing"]))


def test_lookup_memory_is_cleared_with_another_segmenter() -> None:
    model = with_table(WORDS)
    assert_array_equal(model.predict(["play"]), [[2, 3]])
    set_table(model, segmenter=PIECES, rows=ROWS + 10)
    assert_array_equal(model.predict(["play"]), [[12, 13]])
    copied = model.copy()
    assert_array_equal(copied.predict(["play"]), [[12, 13]])


def test_lookup_memory_is_bounded_and_not_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segmentation, "MAX_REMEMBERED", 10)
    model = with_table(PIECES)
    size = len(model.to_bytes())
    batches: List[List[str]] = [[f"word{i}" for i in range(k, k + 7)] for k in range(0, 70, 7)]
    for batch in batches:
        model.predict([*batch, "x" * 1000])
        assert max(map(len, model.attrs["segmenter"]._seen)) < 100
        assert len(model.attrs["segmenter"]._seen) <= 10 + 7
    assert len(model.to_bytes()) == size


@pytest.mark.parametrize(
    "settings",
    [
        {"width": 0},
        {"unknown_rate": 1.0},
        {"unknown_rate": -0.1},
        {"piece_dropout": 1.0},
        {"piece_dropout": -0.1},
        {"piece_dropout_limit": -1},
    ],
)
def test_lookup_refuses_bad_settings(settings: dict) -> None:
    with pytest.raises(ValueError, match="D007"):
        build_lookup_v1(**settings)
