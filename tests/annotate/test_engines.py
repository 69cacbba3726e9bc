"""The environment of workers, and the errors that they send to the parent process."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import srsly

from spacy_distill.annotate.engines import Failure, Processes, ignored_interrupts
from spacy_distill.annotate.job import Job
from spacy_distill.threads import VARIABLES


@pytest.mark.parametrize("error", [OSError("full"), FileNotFoundError("gone"), ValueError("bad")])
def test_failure_keeps_errors_that_the_user_can_fix(error):
    again = Failure.of(error).to_error()
    assert isinstance(error, type(again)) and str(again) == str(error)


def test_failure_of_a_teacher_includes_its_traceback():
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


@pytest.mark.skipif(os.name != "posix", reason="signals are not inherited")
def test_workers_ignore_ctrl_c_from_the_start(tmp_path):
    """Ctrl-C in the parent must not end a worker with a traceback during its slow imports."""
    code, seen = tmp_path / "code.py", tmp_path / "seen.txt"
    code.write_text(
        "import pathlib, signal\n"
        f"pathlib.Path({str(seen)!r}).write_text(str(signal.getsignal(signal.SIGINT)))\n"
    )
    before = signal.getsignal(signal.SIGINT)
    with ignored_interrupts():
        subprocess.run([sys.executable, code], check=True)
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    assert signal.getsignal(signal.SIGINT) == before
    assert seen.read_text() == str(signal.SIG_IGN)
    with ThreadPoolExecutor() as pool:  # these threads can't set signal handlers
        assert pool.submit(read_handler_within_context).result() == before


def read_handler_within_context():
    with ignored_interrupts():
        return signal.getsignal(signal.SIGINT)


def test_workers_have_one_thread_each(student_path, tmp_path, monkeypatch):
    """The user's environment may set another number, and it is not changed in this process."""
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
