import pytest
from spacy.tokens import Doc, DocBin

from spacy_distill.benchmark.plan import Settings, make_plan, read_corpus

SETTINGS = Settings(repeats=3, seconds=3.0)


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
    with pytest.raises(ValueError, match=r"\[D503\].*no\.spacy"):
        read_corpus(tmp_path / "no.spacy", nlp)
    with pytest.raises(FileNotFoundError, match=r"\[D008\]"):
        read_corpus(tmp_path / "none.spacy", nlp)
