"""Show measurements in the terminal."""

from typing import Iterable

from wasabi import msg

from ..text_tables import TextTable


def show_tables(tables: Iterable[TextTable], notes: Iterable[str]) -> None:
    """Print tables, and the notes that explain them."""
    for table in tables:
        msg.text(f"\n{table.title}")
        msg.table(table.rows, header=table.header, divider=True, aligns=table.aligns)
    for note in notes:
        msg.text(f"- {note}")
