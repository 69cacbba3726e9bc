"""How many threads there are: NumPy's BLAS has one, where more would only wait for each other.

The products of a recurrence are small, thousands of them follow each other, and a second thread
brings little. But where something else runs on the machine, each product waits until the system
has let all threads run, and the same work takes many times as long.
"""

import os
from contextlib import ContextDecorator, contextmanager
from functools import cache
from threading import Lock, local
from typing import Any, Dict, Iterator, List

from threadpoolctl import LibController, ThreadpoolController

# Each library has a variable of its own for the number of its threads.
VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "RAYON_NUM_THREADS",
)


def thread_variables(number: int) -> Dict[str, str]:
    """The environment of a process whose libraries have so many threads each."""
    tokenizers = {"TOKENIZERS_PARALLELISM": "false" if number == 1 else "true"}
    return {**dict.fromkeys(VARIABLES, str(number)), **tokenizers}


@contextmanager
def single_threaded_children() -> Iterator[None]:
    """Child processes started in this block get one thread per library, unless the environment says
    otherwise: more would get in each other's way."""
    ours = {name: one for name, one in thread_variables(1).items() if not os.environ.get(name)}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name in ours:
            del os.environ[name]


@cache
def find_blas() -> List[LibController]:
    """The BLAS libraries that are loaded; none if NumPy's is of a kind that can't be set."""
    libraries = ThreadpoolController().select(user_api="blas").lib_controllers
    return [library for library in libraries if library.num_threads]


class OneThread(ContextDecorator):
    """A context in which BLAS has one thread, or a function's decorator.

    Contexts may be nested, and overlap in several threads of a process: what the first has found
    is given back when the last ends. (threadpoolctl's own would give back what another has set.)
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._inside = 0
        self._before: List[int] = []
        # Of each thread by itself: `inside`, how many contexts it is in, and `before`, the numbers
        # of threads that it found when it entered the first of them.
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
        """End the contexts of other threads: a process that was forked does not have these."""
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
    """Whether each thread of the process has a number of its own; else there is one for all."""
    return library.internal_api == "mkl" or getattr(library, "threading_layer", None) == "openmp"


def give_back(library: LibController, number: int) -> None:
    """Let it have so many threads. OpenBLAS listens only to the first thread that sets them."""
    give_up_control(library)
    library.set_num_threads(number)
    give_up_control(library)


def give_up_control(library: LibController) -> None:
    """Let another thread set how many there are."""
    if hasattr(library, "clear_controlling_thread"):  # threadpoolctl 3.8
        library.clear_controlling_thread(force=True)


ONE_THREAD = OneThread()
if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=ONE_THREAD.renew)
