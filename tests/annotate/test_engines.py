"""What goes wrong in a worker reaches whoever asked it."""

import pytest

from spacy_distill.annotate.engines import Failure


@pytest.mark.parametrize("error", [OSError("full"), FileNotFoundError("gone"), ValueError("bad")])
def test_failure_is_told_in_a_line_if_the_user_can_fix_it(error):
    again = Failure.of(error).to_error()
    assert isinstance(error, type(again)) and str(again) == str(error)


def test_failure_of_a_teacher_has_its_traceback():
    def predict():
        raise KeyError("unknown entity")

    try:
        predict()
    except KeyError as error:
        failure = Failure.of(error)
    again = failure.to_error()
    assert isinstance(again, ChildProcessError)
    assert "[D908]" in str(again) and "in predict" in str(again)
    assert "KeyError: 'unknown entity'" in str(again)
