import numpy
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from spacy_distill.steps import plan_steps


def test_steps_of_two_documents() -> None:
    # Tokens 0 and 1 are the first document, 2 to 4 the second; it is longer, so it comes first.
    steps = plan_steps(numpy.asarray([2, 3]))
    assert steps.starts == [0, 2, 4, 5]
    assert_array_equal(steps.tokens, [[2, 0, 3, 1, 4], [4, 1, 3, 0, 2]])
    assert_array_equal(steps.previous, [0, 1, 2])
    assert [*steps.after_first()] == [(0, 2, 4), (2, 4, 5)]


@given(st.lists(st.integers(1, 9), min_size=1, max_size=8))
def test_steps_have_each_token_once_and_after_its_predecessor(lengths: list) -> None:
    steps = plan_steps(numpy.asarray(lengths))
    forwards, backwards = steps.tokens
    assert sorted(forwards) == sorted(backwards) == list(range(sum(lengths)))
    n_first = steps.starts[1]
    assert n_first == len(lengths) and steps.starts[-1] == sum(lengths)
    assert_array_equal(forwards[n_first:], forwards[steps.previous] + 1)
    assert_array_equal(backwards[n_first:], backwards[steps.previous] - 1)
