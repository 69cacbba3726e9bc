import numpy
import pytest
from numpy.testing import assert_allclose

from spacy_distill.sweep.bootstrap import compare, micro_f1, resample_f1


def draw(rng, n_sentences, recall):
    """Draw counts: two entities per sentence, found with a probability, and 0 or 1 wrong one."""
    right = rng.binomial(2, recall, n_sentences)
    return numpy.stack([right, rng.binomial(1, 0.5, n_sentences), 2 - right], axis=1)


def test_bootstrap_f1_by_hand():
    counts = numpy.array([[[1, 0, 2], [0, 0, 0]], [[2, 1, 0], [0, 0, 0]]])
    # precision 3/4, recall 3/5
    assert_allclose(micro_f1(counts), [2 * 0.75 * 0.6 / 1.35, 0.0])


def test_bootstrap_resamples_as_a_loop_does():
    rng = numpy.random.default_rng(1)
    counts = numpy.stack([draw(rng, 7, 0.5), draw(rng, 7, 0.7)], axis=1)
    found = resample_f1(counts, n_resamples=5, seed=3)
    drawn = numpy.random.default_rng(3).integers(7, size=(5, 7))
    assert_allclose(found, [micro_f1(counts[places]) for places in drawn])


def test_bootstrap_does_not_depend_on_the_chunk_size(monkeypatch):
    rng = numpy.random.default_rng(1)
    counts = draw(rng, 50, 0.5)[:, None]
    whole = resample_f1(counts, n_resamples=40, seed=0)
    monkeypatch.setattr("spacy_distill.sweep.bootstrap.CHUNK", 150)
    assert_allclose(resample_f1(counts, n_resamples=40, seed=0), whole)
    assert len(numpy.unique(whole)) > 20


def test_bootstrap_is_the_same_each_time():
    counts = draw(numpy.random.default_rng(1), 50, 0.5)[:, None]
    assert_allclose(resample_f1(counts, n_resamples=9), resample_f1(counts, n_resamples=9))


def test_bootstrap_shows_the_central_95_percent():
    ours = numpy.linspace(0, 1, 1001)
    resampled = numpy.stack([ours, numpy.zeros_like(ours)], axis=1)
    found = compare(resampled[-1], resampled, ours=[0], theirs=[1])
    assert [found.low, found.high] == pytest.approx([0.025, 0.975])


def test_bootstrap_of_three_sentences_by_hand():
    """All 27 test sets that can be drawn from three sentences are equally likely."""
    counts = numpy.array([[[1, 0, 0], [0, 0, 1]], [[1, 0, 0], [1, 0, 0]], [[0, 0, 1], [1, 0, 0]]])
    sets = numpy.indices((3, 3, 3)).reshape(3, 27).T
    ours, theirs = numpy.array([micro_f1(counts[places]) for places in sets]).T
    exact = ((ours - theirs) <= 0).mean()
    resampled = resample_f1(counts, n_resamples=20_000)
    found = compare(micro_f1(counts), resampled, ours=[0], theirs=[1])
    assert found.difference == 0.0
    assert found.p == pytest.approx(exact, abs=0.01)
    assert_allclose(resampled.mean(axis=0), [ours.mean(), theirs.mean()], atol=0.01)


def test_bootstrap_finds_a_true_difference():
    rng = numpy.random.default_rng(0)
    runs = [draw(rng, 2000, 0.7) for _ in range(3)] + [draw(rng, 2000, 0.6) for _ in range(3)]
    counts = numpy.stack(runs, axis=1)
    f1, resampled = micro_f1(counts), resample_f1(counts, n_resamples=2000)
    found = compare(f1, resampled, ours=[0, 1, 2], theirs=[3, 4, 5])
    # Of two entities 2 r are found, and half a wrong one: 2 * 2 r / (2 + 2 r + 0.5).
    expected = 2.8 / 3.9 - 2.4 / 3.7
    assert found.low < expected < found.high
    assert found.difference == pytest.approx(f1[:3].mean() - f1[3:].mean())
    assert found.p == 0.0
    # Exchanging the systems mirrors everything.
    other = compare(f1, resampled, ours=[3, 4, 5], theirs=[0, 1, 2])
    assert_allclose([other.difference, other.low, other.high], [-found[0], -found[2], -found[1]])
    assert other.p == 1.0


def test_bootstrap_has_the_nominal_error_rate():
    """For equal systems, p is below 0.05 in about 5% of cases, and 95% of intervals contain 0."""
    rng = numpy.random.default_rng(0)
    below, covered = 0, 0
    for seed in range(200):
        counts = numpy.stack([draw(rng, 150, 0.6), draw(rng, 150, 0.6)], axis=1)
        resampled = resample_f1(counts, n_resamples=400, seed=seed)
        found = compare(micro_f1(counts), resampled, ours=[0], theirs=[1])
        below += found.p < 0.05
        covered += found.low <= 0 <= found.high
    assert 2 <= below <= 22
    assert 180 <= covered <= 198
