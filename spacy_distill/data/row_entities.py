"""The entities of a row: spans in characters, whatever an annotation tool calls their parts."""

from itertools import pairwise
from typing import Any, Dict, List, Optional, Sequence, Tuple

from spacy.tokens import Doc, Span

from ..errors import Errors

# What a row may have them in.
ENTITIES = ("entities", "spans", "ents", "label", "labels")
# Of these, which may also label the text as a whole.
MAY_BE_OF_TEXT = ("label", "labels")
# What Prodigy says of a row, or of a span, that somebody has not accepted.
NOT_ACCEPTED = ("reject", "ignore")


def is_accepted(value: Any) -> bool:
    """Whether nobody has rejected a row or an entity; elsewhere an answer may be any text."""
    return not isinstance(value, dict) or value.get("answer") not in NOT_ACCEPTED


def read_entities(row: Dict[str, Any]) -> Optional[Sequence[Any]]:
    """The entities of a labelled row; `label` or `labels` that are none label the text as a whole.

    Of several lists, the first that is not empty, without what was rejected of it.
    """
    found = {key: row[key] for key in ENTITIES if isinstance(row.get(key), list)}
    for key in MAY_BE_OF_TEXT:
        labels = found.get(key)
        if labels and not any(isinstance(label, (list, dict)) for label in labels):
            del found[key]
    entities: Optional[List[Any]] = next(filter(None, found.values()), [] if found else None)
    return entities and [entity for entity in entities if is_accepted(entity)]


def set_entities(doc: Doc, entities: Sequence[Any], *, source: object, line: int) -> None:
    """Give a document its entities: see `make_row_docs`. RAISES (ValueError): D109, D115, D130."""
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
        # doccano says "offset".
        start, end = (entity.get(key, entity.get(f"{key}_offset")) for key in ("start", "end"))
        parts = [start, end, entity.get("label")]
    if not is_entity(parts, length=len(doc.text)):
        raise ValueError(
            Errors.D115.format(source=source, line=line, found=entity, length=len(doc.text))
        )
    start, end, label = parts
    label = label.strip()  # as the fields of a column file are
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
    """A part of a text without white space at its edges, unless it is nothing else."""
    part = text[start:end]
    if not part.strip():
        return start, end
    return end - len(part.lstrip()), start + len(part.rstrip())


def is_entity(entity: Any, *, length: int) -> bool:
    """Whether a value is `[start, end, label]` of a text of this length."""
    if not isinstance(entity, (list, tuple)) or len(entity) != 3:
        return False
    start, end, label = entity
    if not (isinstance(start, int) and isinstance(end, int) and isinstance(label, str)):
        return False
    return 0 <= start < end <= length and label.strip() != ""
