"""Engines, which annotate shards: in this process, or in several.

Every engine writes the same bytes, and holds at most two shards per worker in memory.
"""

import os
import signal
import traceback
from collections import deque
from contextlib import contextmanager, suppress
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from pathlib import Path
from threading import Thread, current_thread, main_thread
from typing import Any, Deque, Dict, Iterator, List, NamedTuple, Optional, Protocol

from ..errors import Errors
from ..manifest import Record
from ..threads import single_threaded_children
from .job import Job
from .shards import Advance, Annotator, InputShard, Ready

# Seconds that a worker has to exit before it is killed.
SHUTDOWN_TIMEOUT = 10


class Engine(Protocol):
    """Annotates shards, in any order."""

    def start(self, job: Job, output: Path) -> Ready:
        """Load the teacher. RETURNS (Ready): Its tags, and what to warn of."""

    def run(self, shards: Iterator[InputShard], *, advance: Advance) -> Iterator[Record]:
        """Annotate and write shards, and yield the record of each once it is on the disk."""

    def stop(self) -> None:
        """Stop all workers, whatever their state."""


class Failure(NamedTuple):
    """An error in a worker, in a form that can be sent to the parent."""

    kind: str
    message: str

    @classmethod
    def of(cls, error: Exception) -> "Failure":
        """Describe an error: by its message if the user can fix it, otherwise with its traceback
        (D908)."""
        for kind in (OSError, ValueError):
            if isinstance(error, kind):
                return cls(kind.__name__, str(error))
        return cls("ChildProcessError", Errors.D908.format(traceback=traceback.format_exc()))

    def to_error(self) -> Exception:
        kinds = {kind.__name__: kind for kind in (OSError, ValueError, ChildProcessError)}
        return kinds[self.kind](self.message)


class ThisProcess:
    """Engine that annotates one shard after another in this process."""

    annotator: Annotator

    def start(self, job: Job, output: Path) -> Ready:
        self.annotator = Annotator(job, output)
        return self.annotator.ready

    def run(self, shards: Iterator[InputShard], *, advance: Advance) -> Iterator[Record]:
        for shard in shards:
            yield self.annotator.annotate(shard, advance=advance)

    def stop(self) -> None:
        pass


class Processes:
    """Engine with several processes, each with its own teacher.

    The processes are spawned, so a script that uses them needs `if __name__ == "__main__"`.

    n_process (int): The number of processes.
    """

    def __init__(self, n_process: int) -> None:
        self.n_process = n_process
        self.workers: Dict[Connection, Any] = {}
        self.loading: List[Connection] = []
        self.busy: List[Connection] = []

    def start(self, job: Job, output: Path) -> Ready:
        # The other processes are started once there are shards for them.
        self.task = (job, output)
        ready = self.receive(first := self.add_worker())
        self.loading.remove(first)
        return ready

    def add_worker(self) -> Connection:
        context = get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=serve, args=(theirs, *self.task), daemon=True)
        with single_threaded_children(), ignored_interrupts():
            process.start()
        theirs.close()
        self.workers[ours] = process
        self.loading.append(ours)
        return ours

    def run(self, shards: Iterator[InputShard], *, advance: Advance) -> Iterator[Record]:
        waiting: Deque[InputShard] = deque()
        left: Optional[Iterator[InputShard]] = shards
        idle = list(self.workers)
        while True:
            if waiting and not idle and len(self.workers) < self.n_process:
                self.add_worker()
            if waiting and idle:
                connection = idle.pop()
                self.send(connection, waiting.popleft())
                self.busy.append(connection)
            elif left is not None and len(waiting) < self.n_process:
                # Read on while the workers work.
                if (shard := next(left, None)) is None:
                    left = None
                else:
                    waiting.append(shard)
            elif self.busy or waiting:
                ready: Any
                for ready in wait([*self.busy, *self.loading]):
                    found = self.receive(ready)
                    if isinstance(found, tuple):
                        advance(*found)
                        continue
                    (self.loading if ready in self.loading else self.busy).remove(ready)
                    idle.append(ready)
                    if isinstance(found, Record):
                        yield found
            else:
                return

    def send(self, connection: Connection, shard: InputShard) -> None:
        try:
            connection.send(shard)
        except OSError:
            self.receive(connection)  # raises an error that gives the reason
            raise

    def receive(self, connection: Any) -> Any:
        """Return the next message of a worker.

        RAISES (OSError): D907 if the worker has ended, D908 if it failed unexpectedly. An OSError
            or a ValueError of the worker is raised again.
        """
        try:
            found = connection.recv()
        except (EOFError, OSError) as error:
            process = self.workers[connection]
            process.join()
            raise ChildProcessError(Errors.D907.format(code=process.exitcode)) from error
        if isinstance(found, Failure):
            raise found.to_error()
        return found

    def stop(self) -> None:
        for connection, process in self.workers.items():
            if connection in (*self.busy, *self.loading):
                process.terminate()
            connection.close()
        for process in self.workers.values():
            process.join(SHUTDOWN_TIMEOUT)
            process.kill()
            process.join()
        for those in (self.workers, self.busy, self.loading):
            those.clear()


@contextmanager
def ignored_interrupts() -> Iterator[None]:
    """Let child processes that are started in this block ignore Ctrl-C, which their parent handles.

    Only the main thread can set signal handlers: the children of other threads ignore Ctrl-C only
    from the beginning of `serve`.
    """
    if current_thread() is not main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def serve(connection: Connection, job: Job, output: Path) -> None:
    """Run a worker: annotate the shards that the parent sends, until it closes the connection."""
    # The parent handles Ctrl-C, and a worker must not outlive its parent.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=end_with_parent, daemon=True).start()
    try:
        annotator = Annotator(job, output)
        connection.send(annotator.ready)
        while True:
            shard = connection.recv()
            record = annotator.annotate(shard, advance=lambda *done: connection.send(done))
            connection.send(record)
    except EOFError:
        pass
    except Exception as error:
        with suppress(OSError):  # the parent has ended the work
            connection.send(Failure.of(error))


def end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
