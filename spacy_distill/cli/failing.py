"""How commands exit: errors that the user can fix become a message instead of a traceback, Ctrl-C
says how to resume, and SIGTERM or SIGHUP first stop the child processes."""

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
    """Run a command in this context. The first line of an error message is marked."""
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
            msg.warn("Interrupted. Run the same command again to resume.")
        raise


def explain(error: Exception) -> str:
    """The message of an error; if it is of the operating system, with a remedy (D919)."""
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return Errors.D919.format(path=error.filename, reason=error.strerror)
    return str(error)


def end_on_signals() -> None:
    """Let SIGTERM and SIGHUP raise SystemExit, so that child processes stop and files are closed.

    For the main thread of a command. A signal that is ignored, as by `nohup`, stays ignored.
    """
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, end)


def end(number: int, frame: Optional[FrameType]) -> None:
    sys.exit(128 + number)  # as a shell has it
