"""A student's matrix products use one thread, and restore the number of threads."""

import os
import signal
from contextlib import nullcontext
from threading import Barrier, Thread, local

import numpy
import pytest
from threadpoolctl import threadpool_limits

from spacy_distill import threads
from spacy_distill.models import char_cnn_bilstm
from spacy_distill.soft_targets import set_soft_targets
from spacy_distill.threads import ONE_THREAD, find_blas


def count_threads():
    return {library.num_threads for library in find_blas()}


@pytest.fixture(autouse=True)
def two_threads():
    """Two threads, whatever the environment sets."""
    if not find_blas():
        pytest.skip("NumPy's BLAS is of a kind whose threads can't be set")
    with threadpool_limits(2, user_api="blas"):
        assert count_threads() == {2}
        yield


def test_threads_are_restored():
    with ONE_THREAD:
        assert count_threads() == {1}
        with ONE_THREAD:
            assert count_threads() == {1}
        assert count_threads() == {1}
    assert count_threads() == {2}
    with pytest.raises(ZeroDivisionError), ONE_THREAD:
        1 / 0  # noqa: B018
    assert count_threads() == {2}


def test_threads_are_restored_after_the_last_context():
    """The second context begins during the first, and ends after it."""
    begun, ended = Barrier(2), Barrier(2)
    seen = []

    def overlap():
        with ONE_THREAD:
            begun.wait(10)
            ended.wait(10)
            seen.append(count_threads())

    thread = Thread(target=overlap)
    with ONE_THREAD:
        thread.start()
        begun.wait(10)
    assert count_threads() == {1}
    ended.wait(10)
    thread.join()
    assert seen == [{1}]
    assert count_threads() == {2}


class OfEachThread:
    """A BLAS with a separate number of threads for each thread of the process."""

    def __init__(self, internal_api, threading_layer):
        self.internal_api, self.threading_layer = internal_api, threading_layer
        self._own = local()

    @property
    def num_threads(self):
        return getattr(self._own, "number", 4)

    def set_num_threads(self, number):
        self._own.number = number


@pytest.mark.parametrize("kind", [("openblas", "openmp"), ("mkl", "gnu")])
def test_threads_of_each_thread_are_restored(monkeypatch, kind):
    """A thread's own number is restored at the end of its outermost context, whatever others do."""
    library = OfEachThread(*kind)
    monkeypatch.setattr(threads, "find_blas", lambda: [library])
    begun, ended = Barrier(2), Barrier(2)
    seen = []

    def overlap():
        library.set_num_threads(3)
        with ONE_THREAD:
            begun.wait(10)
            ended.wait(10)
        seen.append(library.num_threads)

    thread = Thread(target=overlap)
    thread.start()
    begun.wait(10)
    with ONE_THREAD:
        with ONE_THREAD:
            assert library.num_threads == 1
        assert library.num_threads == 1
    assert library.num_threads == 4
    ended.wait(10)
    thread.join()
    assert seen == [3]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on Windows")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("is_held", [False, True])
def test_threads_are_restored_in_a_fork(is_held):
    """The child lacks the other thread, which is in a context, or just entering it."""
    begun, ended = Barrier(2), Barrier(2)

    def overlap():
        with ONE_THREAD, ONE_THREAD._lock if is_held else nullcontext():
            begun.wait(10)
            ended.wait(10)

    thread = Thread(target=overlap)
    thread.start()
    begun.wait(10)
    child = os.fork()
    if child == 0:
        signal.alarm(20)  # ends the child if it hangs
        try:
            assert count_threads() == {2}
            with ONE_THREAD:
                assert count_threads() == {1}
            assert count_threads() == {2}
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    ended.wait(10)
    thread.join()
    assert status == 0
    assert count_threads() == {2}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on Windows")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_threads_of_a_fork_within_a_context_are_restored():
    with ONE_THREAD:
        child = os.fork()
    if child == 0:
        os._exit(count_threads() != {2} or ONE_THREAD._inside != 0)
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize("classifier", ["softmax", "crf"])
def test_threads_of_a_student(make_student, tiny, examples, monkeypatch, classifier):
    """The student uses one thread in prediction and in both passes of training."""
    student = make_student(model={**tiny["model"], "classifier": classifier})
    tags, seen = student.get_pipe("ner").tags, {}
    for eg in examples:
        uniform = numpy.full((len(eg.reference), len(tags)), 1 / len(tags))
        set_soft_targets(eg.reference, numpy.log(uniform), tags=tags)

    def spy(module, name):
        function = getattr(module, name)

        def call(*args, **options):
            seen.setdefault(name, []).append(count_threads())
            return function(*args, **options)

        monkeypatch.setattr(module, name, call)

    spy(char_cnn_bilstm, "run_layers")
    spy(numpy, "matmul")
    student("Ann met Bob in Oslo")
    assert seen == {"run_layers": [{1}], "matmul": [{1}] * len(seen["matmul"])}
    before = len(seen["matmul"])
    student.update(examples)
    assert seen["matmul"] == [{1}] * len(seen["matmul"])
    assert len(seen["matmul"]) > before + 2
    assert count_threads() == {2}
