"""Tables of measurements, as Markdown."""

from typing import Iterator, List, NamedTuple

# Shown instead of an unknown number.
NOT_KNOWN = "-"


class TextTable(NamedTuple):
    """A table. Its first column contains names, the others contain numbers."""

    title: str
    header: List[str]
    rows: List[List[str]]


def markdown_table(table: TextTable) -> Iterator[str]:
    yield f"| {' | '.join(table.header)} |"
    yield f"| --- |{' ---: |' * (len(table.header) - 1)}"
    for row in table.rows:
        yield f"| {' | '.join(row)} |"
