"""Workers: what they have, and that what goes wrong in one reaches whoever asked it."""

import os

import pytest
import srsly

from spacy_distill.annotate.engines import Failure, Processes
from spacy_distill.annotate.job import Job
from spacy_distill.threads import VARIABLES


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


def test_workers_have_one_thread_each(student_path, tmp_path, monkeypatch):
    """Unless the environment says how many. Ours stays as it is."""
    code, environ = tmp_path / "code.py", tmp_path / "environ.json"
    code.write_text(
        "import json, os, pathlib\n"
        f"pathlib.Path({str(environ)!r}).write_text(json.dumps(dict(os.environ)))\n"
    )
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    engine = Processes(2)
    try:
        engine.start(Job([str(student_path)], code=str(code)), tmp_path)
        assert not os.environ.keys() & {*VARIABLES} - {"OMP_NUM_THREADS"}
    finally:
        engine.stop()
    environment = srsly.read_json(environ)
    expected = {**dict.fromkeys(VARIABLES, "1"), "OMP_NUM_THREADS": "3"}
    assert {name: environment[name] for name in VARIABLES} == expected
