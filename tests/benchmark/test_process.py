import os
import sys
import time

import pytest

from spacy_distill.benchmark import process, worker
from spacy_distill.benchmark.loaded import Loaded
from spacy_distill.benchmark.process import make_environment, start_worker
from spacy_distill.threads import VARIABLES

# The real protocol, with a fake system that the requests control.
FAKE = """
import os
import sys

from spacy_distill.benchmark import worker

class Fake:
    def load(self, *, noise=0, **settings):
        print("noise " * noise)
        os.system("echo more noise")
        return {**settings, "noise": noise}

    def threads(self, names):
        return {name: os.environ[name] for name in names}

    def grow(self, n_bytes):
        bytearray(n_bytes)
        return {}

    def fail(self):
        raise RuntimeError("the model is broken")

    def die(self):
        print(*(f"line {i}" for i in range(100)), sep="\\n", file=sys.stderr, flush=True)
        os._exit(7)

worker.Served = Fake
worker.main()
"""


@pytest.fixture
def start(monkeypatch):
    """Start a process that serves `Fake`."""
    monkeypatch.setattr(process, "COMMAND", (sys.executable, "-c", FAKE))

    def start(threads=1):
        return start_worker("bert-huge", threads=threads)

    return start


def test_process_answers_each_request(start):
    with start() as worker:
        for text in ("a", "é\n", "x" * 100_000):
            answer = worker.ask("load", text=text, more=[1, 2.5, None, {"a": True}])
            assert answer.pop("peak_memory_bytes") > 1e6
            assert answer == {"text": text, "more": [1, 2.5, None, {"a": True}], "noise": 0}


def test_process_may_print(start):
    """A process may print more than fits into the buffer of a pipe that is not read."""
    with start() as worker:
        assert worker.ask("load", noise=100_000)["noise"] == 100_000
        assert worker.ask("load", noise=1)["noise"] == 1


def test_process_times_a_run_and_the_cpu():
    """The cache of words is cleared before. A system that waits needs no CPU."""
    calls = []

    def work(texts, batch_size):
        calls.append((texts, batch_size))
        time.sleep(0.1)

    served = worker.Served()
    served.texts = ["one", "two", "three"]
    served.loaded = Loaded(work, 1, 1, clear_cache=lambda: calls.append("clear"))
    found = served.run(texts=[0, 2], batch_size=7, passes=2, cold=True)
    assert calls == ["clear", *[(["one", "three"], 7)] * 2]
    assert 0 <= found["cpu_seconds"] < 0.1 < found["seconds"]
    calls.clear()
    served.run(texts=[0], batch_size=1)
    assert "clear" not in calls


def test_process_sees_no_gpu(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert make_environment(1)["CUDA_VISIBLE_DEVICES"] == ""


def test_process_has_its_own_threads_and_memory(start, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    with start(threads=3) as worker, start() as other:
        numbers = worker.ask("threads", names=VARIABLES)
        assert {numbers[name] for name in VARIABLES} == {"3"}
        assert other.ask("threads", names=["OMP_NUM_THREADS"])["OMP_NUM_THREADS"] == "1"
        before = worker.ask("load")["peak_memory_bytes"]
        assert 0 < worker.ask("grow", n_bytes=50_000_000)["peak_memory_bytes"] - before < 60e6
        assert worker.ask("load")["peak_memory_bytes"] - before > 40e6
        assert other.ask("load")["peak_memory_bytes"] < before + 10e6
    assert os.environ["OMP_NUM_THREADS"] == "7"


def test_process_does_not_count_the_memory_of_its_parent(start):
    here = bytearray(300_000_000)
    here[::4096] = b"1" * len(here[::4096])
    with start() as worker:
        assert worker.ask("load")["peak_memory_bytes"] < 100e6


@pytest.mark.parametrize(
    "request_, code, line",
    [("fail", 1, "RuntimeError: the model is broken"), ("die", 7, "line 99")],
)
def test_process_that_ends_shows_its_last_lines(start, request_, code, line):
    with start() as worker:
        worker.ask("load")
        with pytest.raises(ValueError, match=r"\[D502\]") as info:
            worker.ask(request_)
        message = str(info.value)
        assert info.value.reason == f"its process ended with code {code}: {line}"
        assert "'bert-huge'" in message
        assert f"code {code} when asked to {request_}" in message
        assert line in message
        assert "line 50\n" not in message
        with pytest.raises(ValueError, match=r"\[D502\]"):  # and at every later request
            worker.ask("load")


def test_process_ends_with_its_context(start):
    with pytest.raises(KeyboardInterrupt), start() as worker:
        worker.ask("load")
        raise KeyboardInterrupt
    assert worker._process.returncode is not None
