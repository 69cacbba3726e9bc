"""Tables of measurements, as Markdown."""

from typing import List, Literal, NamedTuple

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
