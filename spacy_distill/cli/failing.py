"""How commands warn and exit: warnings and errors that are meant for users become a message, Ctrl-C
says how to resume, and SIGTERM or SIGHUP first stop the child processes."""

import re
import signal
import sys
import warnings
from contextlib import contextmanager
from threading import current_thread, main_thread
from types import FrameType
from typing import Any, Iterator, Optional, Union

from wasabi import msg

from ..errors import Errors

# The exit code of typer after Ctrl-C, as in a shell.
INTERRUPTED = 128 + signal.SIGINT
# The code of a warning of spaCy or of this package, such as [W003].
CODE = re.compile(r"\[W\d+\]")


@contextmanager
def warn_in_one_line() -> Iterator[None]:
    """Run a command in this context: warnings with a code are printed without the line of code that
    issued them."""
    with warnings.catch_warnings():  # restores `showwarning`
        show_others = warnings.showwarning

        def show(message: Union[Warning, str], *details: Any, **settings: Any) -> None:
            if CODE.match(str(message)):
                msg.warn(str(message))
            else:
                show_others(message, *details, **settings)

        warnings.showwarning = show
        yield


@contextmanager
def fail_in_one_line() -> Iterator[None]:
    """Run a command in this context: errors that the user can fix are printed and exit with code 1.

    Only the first line of a message is marked as an error.
    """
    try:
        yield
    except (ValueError, OSError) as error:
        first, *more = explain(error).split("\n")
        msg.fail(first)
        for line in more:  # wasabi would join them
            print(line)
        sys.exit(1)
    except (SystemExit, KeyboardInterrupt) as end:
        # After Ctrl-C, typer exits; within a command of typer, there is only the interrupt.
        if isinstance(end, KeyboardInterrupt) or end.code == INTERRUPTED:
            msg.warn("Interrupted. Run the same command again to resume.")
        raise


def explain(error: Exception) -> str:
    """Return the message of an error; of an error of the operating system, with a remedy (D919)."""
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return Errors.D919.format(path=error.filename, reason=error.strerror)
    return str(error)


@contextmanager
def end_on_signals() -> Iterator[None]:
    """Run a command in this context: SIGTERM and SIGHUP raise SystemExit, so that child processes
    stop and files are closed.

    A signal that is ignored, for example because of `nohup`, stays ignored. Only the main thread
    can handle signals, so that nothing changes in others.
    """
    if current_thread() is not main_thread():
        yield
        return
    numbers = [getattr(signal, name, None) for name in ("SIGTERM", "SIGHUP")]
    handled = [n for n in numbers if n is not None and signal.getsignal(n) == signal.SIG_DFL]
    for number in handled:
        signal.signal(number, exit_on_signal)
    try:
        yield
    finally:
        for number in handled:
            if signal.getsignal(number) == exit_on_signal:
                signal.signal(number, signal.SIG_DFL)


def exit_on_signal(number: int, frame: Optional[FrameType]) -> None:
    sys.exit(128 + number)  # as in a shell


@contextmanager
def as_command() -> Iterator[None]:
    """Run a command in this context: signals, warnings and errors are handled as for users."""
    with end_on_signals(), warn_in_one_line(), fail_in_one_line():
        yield
