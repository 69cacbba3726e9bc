"""What the user can mend ends a command in one line, not in a traceback."""

import sys
from contextlib import contextmanager
from typing import Iterator

from wasabi import msg


@contextmanager
def fail_in_one_line() -> Iterator[None]:
    """Around a command; each of our errors says what to do."""
    try:
        yield
    except (ValueError, OSError) as error:
        msg.fail(str(error))
        sys.exit(1)
