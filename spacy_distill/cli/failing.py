"""How a command ends: what the user can mend in a message, not in a traceback, Ctrl-C with what
comes next, and a signal after what was begun is ended, too."""

import signal
import sys
from contextlib import contextmanager
from types import FrameType
from typing import Iterator, Optional

from wasabi import msg

from ..errors import Errors

# What typer ends with after Ctrl-C, as a shell has it.
INTERRUPTED = 128 + signal.SIGINT


@contextmanager
def fail_in_one_line() -> Iterator[None]:
    """Around a command; each of our errors says what to do. Its first line is marked."""
    try:
        yield
    except (ValueError, OSError) as error:
        first, *more = explain(error).split("\n")
        msg.fail(first)
        for line in more:  # wasabi would join them
            print(line)
        sys.exit(1)
    except SystemExit as end_of_typer:
        if end_of_typer.code == INTERRUPTED:
            msg.warn("Interrupted. The same command goes on with what was not finished.")
        raise


def explain(error: Exception) -> str:
    """What an error says; what the system refuses, with a remedy in place of its number."""
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return Errors.D919.format(path=error.filename, reason=error.strerror)
    return str(error)


def end_on_signals() -> None:
    """Let what ends a process, as Ctrl-C does, end what it has started and hold nothing back.

    For the main thread of a command. A signal that is ignored, as by `nohup`, stays so.
    """
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, end)


def end(number: int, frame: Optional[FrameType]) -> None:
    sys.exit(128 + number)  # as a shell has it
