"""Where shards are annotated: in this process, or in several.

Every engine gives the same bytes, and holds at most two shards a worker.
"""

import os
import signal
import traceback
from collections import deque
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from pathlib import Path
from threading import Thread, current_thread, main_thread
from typing import Any, Deque, Dict, Iterator, List, NamedTuple, Optional, Protocol

from ..errors import Errors
from ..manifest import Record
from ..threads import single_threaded_children
from .job import Job
from .shards import Advance, Annotator, InputShard

# Seconds that a worker has to end in.
SHUTDOWN_TIMEOUT = 10


class Engine(Protocol):
    """Annotates shards, in any order."""

    def start(self, job: Job, output: Path) -> List[str]:
        """Load the teacher. RETURNS (List[str]): Its tags."""

    def run(self, shards: Iterator[InputShard], *, advance: Advance) -> Iterator[Record]:
        """Annotate and write shards, and yield the record of each once it is on the disk."""

    def stop(self) -> None:
        """End what was started, whatever state it is in."""


class Failure(NamedTuple):
    """What went wrong in a worker, as it can be sent."""

    kind: str
    message: str

    @classmethod
    def of(cls, error: Exception) -> "Failure":
        """What the user can fix is told in a line, all else with its traceback."""
        for kind in (OSError, ValueError):
            if isinstance(error, kind):
                return cls(kind.__name__, str(error))
        return cls("ChildProcessError", Errors.D908.format(traceback=traceback.format_exc()))

    def to_error(self) -> Exception:
        kinds = {kind.__name__: kind for kind in (OSError, ValueError, ChildProcessError)}
        return kinds[self.kind](self.message)


class ThisProcess:
    """One shard after the other, here."""

    annotator: Annotator

    def start(self, job: Job, output: Path) -> List[str]:
        self.annotator = Annotator(job, output)
        return self.annotator.tags

    def run(self, shards: Iterator[InputShard], *, advance: Advance) -> Iterator[Record]:
        for shard in shards:
            yield self.annotator.annotate(shard, advance=advance)

    def stop(self) -> None:
        pass


class Processes:
    """Several processes, each with a teacher of its own.

    They are spawned, so a script that uses them needs `if __name__ == "__main__"`.

    n_process (int): How many.
    """

    def __init__(self, n_process: int) -> None:
        self.n_process = n_process
        self.workers: Dict[Connection, Any] = {}
        self.loading: List[Connection] = []
        self.busy: List[Connection] = []

    def start(self, job: Job, output: Path) -> List[str]:
        # The others begin when there is something to do.
        self.task = (job, output)
        tags = self.receive(first := self.add_worker())
        self.loading.remove(first)
        return tags

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
            self.receive(connection)  # says why
            raise

    def receive(self, connection: Any) -> Any:
        """What a worker says. RAISES (OSError): D907 if it has ended. What it raised itself."""
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
    """Child processes that are started in this block ignore Ctrl-C, which is for their parent.

    Only the main thread can set signals: children of others ignore Ctrl-C once they `serve`.
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
    """Be a worker: annotate what comes, until nothing can come any more."""
    # Ctrl-C is meant for the parent, and its end must not be survived.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=end_with_parent, daemon=True).start()
    try:
        annotator = Annotator(job, output)
        connection.send(annotator.tags)
        while True:
            shard = connection.recv()
            record = annotator.annotate(shard, advance=lambda *done: connection.send(done))
            connection.send(record)
    except EOFError:
        pass
    except Exception as error:
        connection.send(Failure.of(error))


def end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
