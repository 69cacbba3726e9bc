"""NumPy's BLAS kept to one thread, where more would only wait for each other.

The products of a recurrence are small, thousands of them follow each other, and a second thread
brings little. But where something else runs on the machine, each product waits until the system
has let all threads run, and the same work takes many times as long.
"""

from contextlib import ContextDecorator
from functools import cache
from threading import Lock, local
from typing import Any, List

from threadpoolctl import LibController, ThreadpoolController


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
        self._own = local()  # `inside`: how many of the contexts are this thread's
        self._before: List[int] = []

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._before = [library.num_threads for library in find_blas()]
            self._inside += 1
            self._own.inside = getattr(self._own, "inside", 0) + 1
            for library in find_blas():
                library.set_num_threads(1)

    def __exit__(self, *exception: Any) -> None:
        with self._lock:
            self._inside -= 1
            self._own.inside -= 1
            for library, number in zip(find_blas(), self._before):
                # OpenMP has a number for each thread of the process, the others one for all.
                is_openmp = getattr(library, "threading_layer", None) == "openmp"
                if not (self._own.inside if is_openmp else self._inside):
                    give_up_control(library)
                    library.set_num_threads(number)
                    give_up_control(library)


def give_up_control(library: LibController) -> None:
    """Let another thread set how many there are. OpenBLAS listens only to the first that does."""
    if hasattr(library, "clear_controlling_thread"):  # threadpoolctl 3.8
        library.clear_controlling_thread(force=True)


ONE_THREAD = OneThread()
