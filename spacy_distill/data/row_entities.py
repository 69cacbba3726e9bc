"""Read the entities of a row: character spans, in the formats of several annotation tools."""

import warnings
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Dict, Iterator, List, Optional, Sequence, Set, Tuple

from spacy.tokens import Doc, Span

from ..errors import Errors, Warnings

# Keys that may hold the entities of a row.
ENTITIES = ("entities", "spans", "ents", "label", "labels")
# Those that may instead hold labels of the text as a whole.
MAY_BE_OF_TEXT = ("label", "labels")
# Prodigy's answers for a row or span that an annotator did not accept.
NOT_ACCEPTED = ("reject", "ignore")
# Above this share of entities that begin or end inside a token, something else must be wrong. After
# so many entities this is clear, and the rest of a large source need not be read.
MAX_MISALIGNED, ENOUGH = 0.2, 1000


@dataclass
class Boundaries:
    """A source, how many entities it has, and how many begin or end inside a token."""

    source: object
    n_entities: int = 0
    n_misaligned: int = 0
    first: Dict[str, Any] = field(default_factory=dict)  # the first of these, for messages

    def count(self, n_entities: int, misaligned: Sequence[Dict[str, Any]]) -> None:
        """Count the entities of a row."""
        self.n_entities += n_entities
        self.n_misaligned += len(misaligned)
        self.first = self.first or next(iter(misaligned), {})

    def check(self, *, at_least: int = 0) -> None:
        """Check the counts, if there are so many. RAISES (ValueError): D109 if too many begin or
        end inside a token."""
        is_enough = self.n_entities >= at_least
        if is_enough and self.n_misaligned > MAX_MISALIGNED * self.n_entities:
            raise ValueError(self.describe(Errors.D109))

    def describe(self, message: str) -> str:
        counts = {"found": self.n_misaligned, "total": self.n_entities}
        return message.format(source=self.source, **counts, **self.first)


@contextmanager
def check_boundaries(source: object) -> Iterator[Boundaries]:
    """Read a source in this context: W004 warns of entities that begin or end inside a token.

    RAISES (ValueError): D109 if these are more than a few.
    """
    found = Boundaries(source)
    yield found
    found.check()
    if found.n_misaligned:
        warnings.warn(found.describe(Warnings.W004), stacklevel=2)


def is_accepted(value: Any) -> bool:
    """Whether a row or entity was not rejected or ignored. Other tools' answers are not checked."""
    return not isinstance(value, dict) or value.get("answer") not in NOT_ACCEPTED


def read_entities(row: Dict[str, Any]) -> Optional[Sequence[Any]]:
    """Return the entities of a row: the first list of `ENTITIES` that is not empty.

    A non-empty `label` or `labels` without any span is ignored, because it labels the whole text.

    row (Dict[str, Any]): The row.
    RETURNS (Optional[Sequence[Any]]): The entities, without those that were rejected or ignored.
        None if the row is unlabelled.
    """
    found = {key: row[key] for key in ENTITIES if isinstance(row.get(key), list)}
    for key in MAY_BE_OF_TEXT:
        labels = found.get(key)
        if labels and not any(isinstance(label, (list, dict)) for label in labels):
            del found[key]
    entities: Optional[List[Any]] = next(filter(None, found.values()), [] if found else None)
    return entities and [entity for entity in entities if is_accepted(entity)]


def set_entities(doc: Doc, entities: Sequence[Any], *, line: int, boundaries: Boundaries) -> None:
    """Set a document's entities: see `make_row_docs`.

    Tokens inside which an entity begins or ends, as 'Siemens' does in 'Siemens-Chef', count as not
    annotated. RAISES (ValueError): D115, D130.
    """
    source = boundaries.source
    spans = [read_span(doc.text, entity, source=source, line=line) for entity in entities]
    spans.sort(key=lambda span: span[0])
    for (start, end, label), (next_start, next_end, next_label) in pairwise(spans):
        if next_start < end:
            texts = {"first": doc.text[start:end], "second": doc.text[next_start:next_end]}
            labels = {"first_label": label, "second_label": next_label}
            raise ValueError(Errors.D130.format(source=source, line=line, **texts, **labels))
    ents: List[Span] = []
    missing: Set[int] = set()  # two entities may touch the same token
    misaligned: List[Dict[str, Any]] = []
    for start, end, label in spans:
        if (ent := doc.char_span(start, end, label=label)) is not None:
            ents.append(ent)
            continue
        touched = doc.char_span(start, end, alignment_mode="expand") or doc[:0]  # a space
        missing.update(range(touched.start, touched.end))
        values = {"line": line, "start": start, "end": end, "label": label}
        misaligned.append({**values, "text": doc.text[start:end], "tokens": touched.text})
    boundaries.count(len(spans), misaligned)
    doc.set_ents(ents, missing=[doc[i : i + 1] for i in missing], default="outside")


def read_span(text: str, entity: Any, *, source: object, line: int) -> Tuple[int, int, str]:
    """Read the start, end and label of an entity, without whitespace at its edges.

    RAISES (ValueError): D115 if it is none.
    """
    parts = entity
    if isinstance(entity, dict):
        # doccano calls them "start_offset" and "end_offset".
        start, end = (entity.get(key, entity.get(f"{key}_offset")) for key in ("start", "end"))
        parts = [start, end, entity.get("label")]
    if not is_entity(parts, length=len(text)):
        raise ValueError(
            Errors.D115.format(source=source, line=line, found=entity, length=len(text))
        )
    start, end, label = parts
    return *trim_space(text, start, end), label.strip()  # like the fields of a column file


def trim_space(text: str, start: int, end: int) -> Tuple[int, int]:
    """Move the ends of a span inwards past whitespace, unless it is all whitespace."""
    part = text[start:end]
    if not part.strip():
        return start, end
    return end - len(part.lstrip()), start + len(part.rstrip())


def is_entity(entity: Any, *, length: int) -> bool:
    """Whether a value is a valid `[start, end, label]` in a text of this length."""
    if not isinstance(entity, (list, tuple)) or len(entity) != 3:
        return False
    start, end, label = entity
    if not (isinstance(start, int) and isinstance(end, int) and isinstance(label, str)):
        return False
    return 0 <= start < end <= length and label.strip() != ""
