import pytest
from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import Doc, DocBin

from spacy_distill.benchmark.plan import (
    Settings,
    draw_batches,
    draw_texts,
    make_plan,
    read_corpus,
)

SETTINGS = Settings(repeats=3, seconds=3.0)
N_WORDS = st.lists(st.integers(1, 40), min_size=1, max_size=60)


def plan(n_words, **changes):
    settings = {"batch_size": 10, "sorts": False, "settings": SETTINGS, **changes}
    return make_plan(n_words, **settings)


@pytest.mark.parametrize("sorts", [False, True])
def test_plan_of_a_fast_system_reads_everything(sorts):
    found = plan([10] * 100, speed=500.0, sorts=sorts)
    assert found.texts == list(range(100))
    assert (found.passes, found.repeats) == (1, 3)
    assert found.seconds == pytest.approx(2.0)


def test_plan_of_a_very_fast_system_reads_it_more_than_once():
    found = plan([10] * 100, speed=10_000.0)
    assert (found.passes, found.repeats) == (5, 3)
    assert found.seconds == pytest.approx(0.5)


def test_plan_is_as_short_as_requested():
    found = plan([10] * 100, speed=10_000.0, settings=SETTINGS._replace(seconds=0.2))
    assert (found.passes, found.seconds) == (2, pytest.approx(0.2))


@pytest.mark.parametrize("sorts", [False, True])
def test_plan_of_a_slow_system_reads_as_much_as_time_allows(sorts):
    found = plan([10] * 1000, speed=100.0, sorts=sorts)
    assert (found.passes, found.repeats) == (1, 3)
    assert len(found.texts) == 30


@pytest.mark.parametrize("speed, repeats", [(100.0, 3), (50.0, 2), (20.0, 1), (1.0, 1)])
@pytest.mark.parametrize("sorts", [False, True])
def test_plan_of_a_very_slow_system_has_a_full_batch_and_fewer_repeats(speed, repeats, sorts):
    found = plan([10] * 1000, speed=speed, batch_size=25, sorts=sorts)
    assert len(found.texts) >= 25
    assert found.repeats == repeats
    # The total time of the repeats is limited, too, except that there must be at least one.
    assert repeats == 1 or found.repeats * found.seconds <= 3 * 3.0 * 1.2


def test_plan_sorts_only_in_batches():
    n_words = [*range(1, 101)]
    alone = plan(n_words, speed=100.0, batch_size=1, sorts=True)
    assert alone.texts == plan(n_words, speed=100.0, batch_size=1, sorts=False).texts
    batched = plan(n_words, speed=100.0, batch_size=5, sorts=True)
    assert batched.texts != plan(n_words, speed=100.0, batch_size=5, sorts=False).texts


def test_plan_reads_texts_and_counts_the_students_tokens(tmp_path, nlp):
    (tmp_path / "more").mkdir()
    docs = [Doc(nlp.vocab, words=["Ann", "can't", "go"]), Doc(nlp.vocab, words=[" "])]
    DocBin(docs=docs).to_disk(tmp_path / "0.spacy")
    DocBin(docs=[Doc(nlp.vocab, words=["Rome"])]).to_disk(tmp_path / "more" / "1.spacy")
    corpus = read_corpus(tmp_path, nlp)
    assert corpus.texts == ["Ann can't go ", "Rome "]
    assert corpus.n_words == [4, 1]  # ca n't


def test_plan_needs_texts(tmp_path, nlp):
    DocBin(docs=[Doc(nlp.vocab), Doc(nlp.vocab, words=["\n"])]).to_disk(tmp_path / "no.spacy")
    with pytest.raises(ValueError, match=r"\[D009\].*no\.spacy"):
        read_corpus(tmp_path / "no.spacy", nlp)
    with pytest.raises(FileNotFoundError, match=r"\[D008\]"):
        read_corpus(tmp_path / "none.spacy", nlp)


@given(N_WORDS, st.floats(0, 2000), st.integers(1, 80), st.integers(0, 3))
def test_plan_sample_of_texts_is_as_large_as_wanted(n_words, wanted, at_least, seed):
    drawn = draw_texts(n_words, wanted=wanted, at_least=at_least, seed=seed)
    assert drawn == sorted(set(drawn))
    assert len(drawn) >= min(at_least, len(n_words))
    total = sum(n_words[i] for i in drawn)
    assert total >= min(wanted, sum(n_words))
    if len(drawn) > at_least:  # no more texts than necessary
        assert total - max(n_words[i] for i in drawn) < wanted


def test_plan_sample_of_texts_is_drawn_at_random():
    n_words = [1] * 1000
    first, again, other = (
        draw_texts(n_words, wanted=100, at_least=1, seed=seed) for seed in (0, 0, 1)
    )
    assert first == again
    assert first != other
    assert 350 < sum(first) / len(first) < 650


@given(N_WORDS, st.floats(0, 2000), st.integers(1, 80))
def test_plan_sample_of_batches_is_of_full_batches(n_words, wanted, batch_size):
    drawn = draw_batches(n_words, wanted=wanted, batch_size=batch_size)
    assert drawn == sorted(set(drawn))
    assert len(drawn) >= min(batch_size, len(n_words))
    assert len(drawn) % batch_size == 0 or len(drawn) == len(n_words)


@pytest.mark.parametrize("wanted, expected", [(0, 1), (64, 1), (320, 5), (630, 10), (640, 10)])
def test_plan_sample_of_batches_is_as_large_as_wanted(wanted, expected):
    drawn = draw_batches([4, 12] * 40, wanted=wanted, batch_size=8)
    assert len(drawn) == 8 * expected


def test_plan_sample_of_one_batch_is_of_medium_lengths():
    n_words = [*range(100, 0, -1)]
    drawn = draw_batches(n_words, wanted=1, batch_size=10)
    assert sorted(n_words[i] for i in drawn) == [*range(46, 56)]


def test_plan_sample_of_batches_is_of_all_lengths():
    """Lengths are similar within a batch, and batches are drawn from all lengths."""
    n_words = [*range(1, 401)]
    drawn = draw_batches(n_words, wanted=0.25 * sum(n_words), batch_size=20)
    assert len(drawn) == 100
    batches = [[n_words[i] for i in drawn[start : start + 20]] for start in range(0, 100, 20)]
    assert all(batch[-1] - batch[0] == 19 for batch in batches)
    mean = sum(n_words[i] for i in drawn) / len(drawn)
    assert mean == pytest.approx(sum(n_words) / len(n_words), rel=0.01)
