import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_distill.report.calibration import Bin, calibrate, fill_bins, find_bin
from spacy_distill.report.predictions import Entity, Sentence


def test_calibration_by_hand():
    confidences = [0.95, 0.91, 0.99, 0.35, 0.5]
    found = fill_bins(confidences, [True, True, False, False, True])
    expected = [None] * 10
    expected[9] = Bin(3, pytest.approx(0.95), pytest.approx(2 / 3))
    expected[3] = Bin(1, pytest.approx(0.35), 0.0)
    expected[4] = Bin(1, pytest.approx(0.5), 1.0)
    assert found.bins == expected
    # 3/5 |2/3 - 0.95| + 1/5 |0 - 0.35| + 1/5 |1 - 0.5|
    assert found.error == pytest.approx(0.17 + 0.07 + 0.1)
    assert (found.n, found.accuracy) == (5, 0.6)
    assert found.confidence == pytest.approx(3.7 / 5)


@pytest.mark.parametrize(
    "confidence, expected", [(0.0, 0), (0.1, 0), (0.11, 1), (0.9, 8), (0.901, 9), (1.0, 9)]
)
def test_calibration_bins_include_their_upper_edge(confidence, expected):
    assert find_bin(confidence, 10) == expected


def test_calibration_of_entities_compares_span_and_label():
    sentence = Sentence("a b c", [(0, 1), (2, 3), (4, 5)], [Entity(0, 1, "A")])
    found = [Entity(0, 1, "A", 0.75), Entity(1, 2, "A", 0.75), Entity(2, 3, "B", None)]
    one = calibrate([sentence, sentence], [found, [Entity(0, 1, "B", 0.75)]])
    assert (one.n, one.accuracy) == (3, pytest.approx(1 / 3))
    assert one.error == pytest.approx(0.75 - 1 / 3)


def test_calibration_of_nothing_is_none():
    sentence = Sentence("a", [(0, 1)], [Entity(0, 1, "A")])
    assert calibrate([sentence], [[]]) is None
    assert calibrate([sentence], [[Entity(0, 1, "A")]]) is None


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1), st.integers(1, 20))
def test_calibration_counts_each_confidence_once(judged, n_bins):
    found = fill_bins(*zip(*judged), n_bins=n_bins)
    assert sum(one.n for one in found.bins if one) == len(judged)
    assert 0 <= found.error <= 1
    # The error of many bins is at least that of a single one.
    assert found.error >= abs(found.accuracy - found.confidence) - 1e-9
