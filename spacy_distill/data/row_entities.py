"""Read the entities of a row: character spans, in the formats of several annotation tools."""

from itertools import pairwise
from typing import Any, Dict, List, Optional, Sequence, Tuple

from spacy.tokens import Doc, Span

from ..errors import Errors

# Keys that may hold the entities of a row.
ENTITIES = ("entities", "spans", "ents", "label", "labels")
# Those that may instead hold labels of the text as a whole.
MAY_BE_OF_TEXT = ("label", "labels")
# Prodigy's answers for a row or span that an annotator did not accept.
NOT_ACCEPTED = ("reject", "ignore")


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


def set_entities(doc: Doc, entities: Sequence[Any], *, source: object, line: int) -> None:
    """Set a document's entities: see `make_row_docs`. RAISES (ValueError): D109, D115, D130."""
    spans = [make_span(doc, entity, source=source, line=line) for entity in entities]
    spans.sort(key=lambda span: span.start)
    for first, second in pairwise(spans):
        if second.start < first.end:
            texts = {"first": first.text, "second": second.text}
            labels = {"first_label": first.label_, "second_label": second.label_}
            raise ValueError(Errors.D130.format(source=source, line=line, **texts, **labels))
    doc.set_ents(spans, default="outside")


def make_span(doc: Doc, entity: Any, *, source: object, line: int) -> Span:
    parts = entity
    if isinstance(entity, dict):
        # doccano calls them "start_offset" and "end_offset".
        start, end = (entity.get(key, entity.get(f"{key}_offset")) for key in ("start", "end"))
        parts = [start, end, entity.get("label")]
    if not is_entity(parts, length=len(doc.text)):
        raise ValueError(
            Errors.D115.format(source=source, line=line, found=entity, length=len(doc.text))
        )
    start, end, label = parts
    label = label.strip()  # like the fields of a column file
    span = doc.char_span(*trim_space(doc.text, start, end), label=label)
    if span is None:
        nearest = doc.char_span(start, end, alignment_mode="expand") or doc[:]
        raise ValueError(
            Errors.D109.format(
                source=source,
                line=line,
                start=start,
                end=end,
                text=doc.text[start:end],
                label=label,
                nearest_start=nearest.start_char,
                nearest_end=nearest.end_char,
                nearest=nearest.text,
            )
        )
    return span


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
