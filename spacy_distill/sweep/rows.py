"""Read and write the rows of a sweep: one line of JSON per run, in the order of their end."""

import json
from pathlib import Path
from typing import Any, Dict, Sequence, Tuple

from ..errors import Errors
from ..files import append_line, make_folder, read_whole_lines, write_whole

# A row as it is stored in JSON.
Row = Dict[str, Any]
Key = Tuple[str, int, int, int]


def row_key(row: Row) -> Key:
    """Return the key of a row: system, size, seed and limit, like the key of its run."""
    return row["system"], row["size"], row["seed"], row["limit"]


def read_rows(path: Path) -> Dict[Key, Row]:
    """Read a file of rows.

    path (Path): A .jsonl file. A last line without a line ending, left by an interrupted write, is
        ignored.
    RETURNS (Dict[Key, Row]): Rows by key; empty if there is no file.
    RAISES (ValueError): D611 for any other line that is not a row.
    """
    rows = {}
    for i, line in enumerate(read_whole_lines(path)):
        try:
            row = json.loads(line)
            rows[row_key(row)] = row
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(Errors.D611.format(path=path, line=i + 1, reason=error)) from error
    return rows


def append_row(path: Path, row: Row) -> None:
    """Append a row to a file. It is completely on the disk when this returns.

    path (Path): The file. An incomplete line at its end is removed.
    row (Row): The row, of values that JSON can hold.
    RAISES (OSError): D901 if the file can't be written.
    """
    make_folder(path.parent)
    append_line(path, to_line(row))


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    """Replace all rows of a file. If that fails, the file stays as it is.

    RAISES (OSError): D901 if the file can't be written.
    """
    write_whole(path, "".join(f"{to_line(row)}\n" for row in rows).encode())


def to_line(row: Row) -> str:
    return json.dumps(row, ensure_ascii=False)
