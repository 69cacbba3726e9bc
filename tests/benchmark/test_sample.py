import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_distill.benchmark.sample import draw_batches, draw_texts

N_WORDS = st.lists(st.integers(1, 40), min_size=1, max_size=60)


@given(N_WORDS, st.floats(0, 2000), st.integers(1, 80), st.integers(0, 3))
def test_sample_of_texts_is_as_large_as_wanted(n_words, wanted, at_least, seed):
    drawn = draw_texts(n_words, wanted=wanted, at_least=at_least, seed=seed)
    assert drawn == sorted(set(drawn))
    assert len(drawn) >= min(at_least, len(n_words))
    total = sum(n_words[i] for i in drawn)
    assert total >= min(wanted, sum(n_words))
    if len(drawn) > at_least:  # no more texts than necessary
        assert total - max(n_words[i] for i in drawn) < wanted


def test_sample_of_texts_is_drawn_at_random():
    n_words = [1] * 1000
    first, again, other = (
        draw_texts(n_words, wanted=100, at_least=1, seed=seed) for seed in (0, 0, 1)
    )
    assert first == again
    assert first != other
    assert 350 < sum(first) / len(first) < 650


@given(N_WORDS, st.floats(0, 2000), st.integers(1, 80))
def test_sample_of_batches_is_of_full_batches(n_words, wanted, batch_size):
    drawn = draw_batches(n_words, wanted=wanted, batch_size=batch_size)
    assert drawn == sorted(set(drawn))
    assert len(drawn) >= min(batch_size, len(n_words))
    assert len(drawn) % batch_size == 0 or len(drawn) == len(n_words)


@pytest.mark.parametrize("wanted, expected", [(0, 1), (64, 1), (320, 5), (630, 10), (640, 10)])
def test_sample_of_batches_is_as_large_as_wanted(wanted, expected):
    drawn = draw_batches([4, 12] * 40, wanted=wanted, batch_size=8)
    assert len(drawn) == 8 * expected


def test_sample_of_one_batch_is_of_medium_lengths():
    n_words = [*range(100, 0, -1)]
    drawn = draw_batches(n_words, wanted=1, batch_size=10)
    assert sorted(n_words[i] for i in drawn) == [*range(46, 56)]


def test_sample_of_batches_is_of_all_lengths():
    """Lengths are similar within a batch, and batches are drawn from all lengths."""
    n_words = [*range(1, 401)]
    drawn = draw_batches(n_words, wanted=0.25 * sum(n_words), batch_size=20)
    assert len(drawn) == 100
    batches = [[n_words[i] for i in drawn[start : start + 20]] for start in range(0, 100, 20)]
    assert all(batch[-1] - batch[0] == 19 for batch in batches)
    mean = sum(n_words[i] for i in drawn) / len(drawn)
    assert mean == pytest.approx(sum(n_words) / len(n_words), rel=0.01)
