"""Numbers of threads: NumPy's BLAS gets one thread where more would only wait for each other.

The matrix products of a recurrence are small, and thousands of them follow one another, so a second
thread gains little. If other processes run on the machine, however, each product waits until the
system has scheduled all threads, and the same work takes many times as long.
"""

import os
from contextlib import ContextDecorator, contextmanager
from functools import cache
from threading import Lock, local
from typing import Any, Dict, Iterator, List

from threadpoolctl import LibController, ThreadpoolController

# Each library has its own environment variable for its number of threads.
VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "RAYON_NUM_THREADS",
)


def thread_variables(number: int) -> Dict[str, str]:
    """Return the environment of a process whose libraries use `number` threads each."""
    tokenizers = {"TOKENIZERS_PARALLELISM": "false" if number == 1 else "true"}
    return {**dict.fromkeys(VARIABLES, str(number)), **tokenizers}


@contextmanager
def single_threaded_children() -> Iterator[None]:
    """Let child processes that are started in this block use one thread per library, because more
    would compete for the cores. Variables that are set in the environment take precedence."""
    ours = {name: one for name, one in thread_variables(1).items() if not os.environ.get(name)}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name in ours:
            del os.environ[name]


@cache
def find_blas() -> List[LibController]:
    """Return the BLAS libraries that are loaded; none if NumPy's has an unsupported kind."""
    libraries = ThreadpoolController().select(user_api="blas").lib_controllers
    return [library for library in libraries if library.num_threads]


class OneThread(ContextDecorator):
    """A context manager, or a function's decorator, within which BLAS uses one thread.

    Contexts may be nested, and may overlap in several threads of a process: the numbers that the
    first context found are restored when the last one ends. (threadpoolctl's own context managers
    would restore what another context has set.)
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._inside = 0
        self._before: List[int] = []
        # For each thread: `inside`, the number of contexts it is in, and `before`, the numbers of
        # BLAS threads that it found when it entered the first of them.
        self._own = local()

    def __enter__(self) -> None:
        with self._lock:
            numbers = [library.num_threads for library in find_blas()]
            if not self._inside:
                self._before = numbers
            if not self._n_own():
                self._own.before = numbers
            self._inside += 1
            self._own.inside = self._n_own() + 1
            for library in find_blas():
                library.set_num_threads(1)

    def __exit__(self, *exception: Any) -> None:
        with self._lock:
            self._inside -= 1
            self._own.inside -= 1
            for library, number, own in zip(find_blas(), self._before, self._own.before):
                if has_own_number(library):
                    if not self._own.inside:
                        give_back(library, own)
                elif not self._inside:
                    give_back(library, number)

    def renew(self) -> None:
        """End the contexts of other threads, which do not exist in a forked process."""
        self._lock = Lock()
        n_others = self._inside - self._n_own()
        self._inside = self._n_own()
        if n_others and not self._inside:
            for library, number in zip(find_blas(), self._before):
                if not has_own_number(library):
                    give_back(library, number)

    def _n_own(self) -> int:
        return getattr(self._own, "inside", 0)


def has_own_number(library: LibController) -> bool:
    """Return whether each thread of the process has its own number of BLAS threads."""
    return library.internal_api == "mkl" or getattr(library, "threading_layer", None) == "openmp"


def give_back(library: LibController, number: int) -> None:
    """Restore the number of threads. OpenBLAS only listens to the first thread that sets it."""
    give_up_control(library)
    library.set_num_threads(number)
    give_up_control(library)


def give_up_control(library: LibController) -> None:
    """Let another thread set the number of threads."""
    if hasattr(library, "clear_controlling_thread"):  # since threadpoolctl 3.8
        library.clear_controlling_thread(force=True)


ONE_THREAD = OneThread()
if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=ONE_THREAD.renew)
