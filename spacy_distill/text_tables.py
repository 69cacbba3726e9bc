"""Tables of measurements, as Markdown."""

from typing import Iterable, List, Literal, NamedTuple, Sequence

from wasabi import MarkdownRenderer

# Shown instead of an unknown number.
NOT_KNOWN = "-"


class TextTable(NamedTuple):
    """A table. Its first columns contain names, the others contain numbers."""

    title: str
    header: List[str]
    rows: List[List[str]]
    n_names: int = 1

    @property
    def aligns(self) -> List[Literal["l", "r"]]:
        """On which side the cells of each column are aligned."""
        return ["l" if i < self.n_names else "r" for i in range(len(self.header))]

    @property
    def markdown(self) -> str:
        return MarkdownRenderer().table(self.rows, self.header, self.aligns)


def make_page(
    title: str, begin: Iterable[str], *, tables: Iterable[TextTable], notes: Sequence[str]
) -> str:
    """Return a page of tables as Markdown.

    title (str): Its heading.
    begin (Iterable[str]): What comes before the tables, in Markdown.
    tables (Iterable[TextTable]): The tables, each under its own heading.
    notes (Sequence[str]): The items of a list after the tables.
    """
    page = MarkdownRenderer()
    page.add(page.title(1, title))
    for block in begin:
        page.add(block)
    for table in tables:
        page.add(page.title(2, table.title))
        page.add(table.markdown)
    page.add(page.title(2, "Notes"))
    page.add(page.list(notes))
    return f"{page.text}\n"
