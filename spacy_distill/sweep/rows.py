"""The rows of a sweep: one line of JSON a run, in the order that they ended."""

import json
import os
from pathlib import Path
from typing import Any, Dict, List, Sequence, Tuple

from ..errors import Errors
from ..files import make_folder, write_whole

# As JSON has it.
Row = Dict[str, Any]
Key = Tuple[str, int, int, int]


def row_key(row: Row) -> Key:
    """What a row is of: system, size, seed, limit. The same as a run's."""
    return row["system"], row["size"], row["seed"], row["limit"]


def read_rows(path: Path) -> Dict[Key, Row]:
    """Rows by key; none if there is no file.

    path (Path): A .jsonl file. A last line without an end, of a write that was interrupted, is
        passed over: its run is not there.
    RAISES (ValueError): D611 for another line that is no row.
    """
    rows = {}
    for i, line in enumerate(whole_lines(path)):
        try:
            row = json.loads(line)
            rows[row_key(row)] = row
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(Errors.D611.format(path=path, line=i + 1, reason=error)) from error
    return rows


def append_row(path: Path, row: Row) -> None:
    """Add a row, so that it is on the disk whole once this returns.

    path (Path): The file. Half a line at its end is removed.
    row (Row): What JSON can hold.
    """
    make_folder(path.parent)
    with path.open("ab") as file:
        file.truncate(sum(map(len, whole_lines(path))))
        file.write(to_line(row))
        file.flush()
        os.fsync(file.fileno())


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    """Put rows in place of all that the file holds, or leave it as it is."""
    write_whole(path, b"".join(map(to_line, rows)))


def to_line(row: Row) -> bytes:
    return (json.dumps(row, ensure_ascii=False) + "\n").encode("utf-8")


def whole_lines(path: Path) -> List[bytes]:
    """The lines of a file that have an end."""
    if not path.exists():
        return []
    return [line for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
