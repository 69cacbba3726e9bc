"""Tables of measurements, as Markdown."""

from typing import Iterator, List, NamedTuple

# Shown instead of an unknown number.
NOT_KNOWN = "-"


class TextTable(NamedTuple):
    """A table. Its first columns contain names, the others contain numbers."""

    title: str
    header: List[str]
    rows: List[List[str]]
    n_names: int = 1

    @property
    def aligns(self) -> List[str]:
        """For each column "l" or "r": on which side its cells are aligned."""
        return ["l"] * self.n_names + ["r"] * (len(self.header) - self.n_names)


def markdown_table(table: TextTable) -> Iterator[str]:
    yield f"| {' | '.join(table.header)} |"
    rules = {"l": "---", "r": "---:"}
    yield f"| {' | '.join(rules[align] for align in table.aligns)} |"
    for row in table.rows:
        yield f"| {' | '.join(row)} |"
