"""Starts the process of a system, in which `worker` runs, and communicates with it."""

import json
import os
import re
import subprocess
import sys
from contextlib import contextmanager, suppress
from tempfile import TemporaryFile
from textwrap import shorten
from typing import IO, Any, Dict, Iterator

from ..errors import Errors, last_lines
from ..threads import thread_variables

COMMAND = (sys.executable, "-m", "spacy_distill.benchmark.worker")
SECONDS_TO_END = 10
# The line of a traceback with an error, of which the first is the cause of the others, and how many
# of its characters are shown as the reason.
RAISED = re.compile(r"^[\w.]*\w(?:Error|Exception)(?:: .*)?$", flags=re.MULTILINE)
REASON_WIDTH = 200


class WorkerEnded(ValueError):
    """D502: a process ended unexpectedly.

    reason (str): Its exit code and its error, in one line, as the reason to leave it out.
    """

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class Worker:
    """A process that holds one system. It is idle except during a request.

    name (str): The name of the system in messages.
    process (subprocess.Popen): The process.
    errors (IO[str]): The file that its stderr is written to.
    """

    def __init__(self, name: str, process: subprocess.Popen, errors: IO[str]) -> None:
        self.name = name
        self._process = process
        self._errors = errors

    def ask(self, request: str, **settings: Any) -> Dict[str, Any]:
        """Send a request, and wait for the answer.

        request (str): Name of a method of `worker.Served`.
        **settings: Its arguments, of types that JSON can represent.
        RETURNS (Dict[str, Any]): The answer, with the `peak_memory_bytes` of the process so far.
        RAISES (WorkerEnded): If the process ends before it has answered.
        """
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps({"do": request, **settings}) + "\n")
            self._process.stdin.flush()
        except OSError:  # a broken pipe, which is not always a BrokenPipeError on Windows
            raise self._ended(request) from None
        line = self._process.stdout.readline()
        if not line:
            raise self._ended(request)
        return json.loads(line)

    def _ended(self, request: str) -> WorkerEnded:
        code = self._process.wait(SECONDS_TO_END)
        self._errors.seek(0)
        text = self._errors.read()
        lines = last_lines(text)
        message = Errors.D502.format(name=self.name, request=request, code=code, lines=lines)
        # The message of an error may have several lines, and a process may be killed without one.
        line = [*RAISED.findall(text), last_lines(text.rstrip()).splitlines()[-1]][0]
        short = shorten(line, REASON_WIDTH, placeholder=" …").rstrip(".")
        return WorkerEnded(message, reason=f"its process ended with code {code}: {short}")


@contextmanager
def start_worker(name: str, *, threads: int) -> Iterator[Worker]:
    """Start a process, and end it at the end of the block.

    name (str): The name of its system in messages.
    threads (int): Number of threads that its libraries may use.
    YIELDS (Worker): The process.
    """
    with (
        TemporaryFile("w+", encoding="utf-8", errors="replace") as errors,
        subprocess.Popen(
            COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=make_environment(threads),
            encoding="utf-8",
        ) as process,
    ):
        try:
            yield Worker(name, process, errors)
        finally:
            process.kill()  # it has nothing to save
            with suppress(OSError):  # closing flushes what the process has not read
                assert process.stdin is not None
                process.stdin.close()


def make_environment(threads: int) -> Dict[str, str]:
    """Return this process's environment, but with the given number of threads and no GPU."""
    return {
        **os.environ,
        **thread_variables(threads),
        "CUDA_VISIBLE_DEVICES": "",
    }
