"""What the columns of a dataset hold, by their types: class labels, or labels of a whole text."""

from typing import Any, List, Mapping, Optional, Sequence

from ..errors import Errors
from .row_entities import MAY_BE_OF_TEXT
from .rows import TAGS


def find_features(schema: Any, *, source: object) -> Mapping[str, Any]:
    """Find the features of the columns that may hold class labels. The others may have any type.

    schema (pyarrow.Schema): The schema of the file.
    source (object): The file, for errors.
    RETURNS (Mapping[str, Any]): Features by name of the column.
    RAISES (ValueError): D132 if `datasets` does not know a type that the file names.
    """
    from datasets import Features
    from pyarrow import schema as make_schema
    from pyarrow import types

    def may_be_ids(kind: Any) -> bool:
        return is_list(kind) and types.is_integer(kind.value_type)

    fields = [field for field in schema if field.name in TAGS and may_be_ids(field.type)]
    if not fields:
        return {}  # the types of the other columns don't matter
    try:
        return Features.from_arrow_schema(make_schema(fields, metadata=schema.metadata))
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(Errors.D132.format(source=source, reason=error)) from error


def find_text_labels(schema: Any) -> List[str]:
    """List those columns of `MAY_BE_OF_TEXT` that hold lists of numbers or of strings.

    They can't hold entities, so an empty list does not mean that a text has none.

    schema (pyarrow.Schema): The schema of the dataset.
    """
    from pyarrow import BaseExtensionType, types

    def may_hold_entities(kind: Any) -> bool:
        return types.is_nested(kind) or types.is_null(kind) or isinstance(kind, BaseExtensionType)

    fields = [field for field in schema if field.name in MAY_BE_OF_TEXT and is_list(field.type)]
    return [field.name for field in fields if not may_hold_entities(field.type.value_type)]


def is_list(kind: Any) -> bool:
    """Whether an Arrow type is one of lists."""
    from pyarrow import types

    return types.is_list(kind) or types.is_large_list(kind)


def find_names(feature: Any) -> List[str]:
    """List the names of the classes if a column holds lists of class labels; otherwise none."""
    return list(getattr(getattr(feature, "feature", None), "names", None) or [])


def name_tags(
    ids: Sequence[Optional[int]], *, names: Sequence[str], source: object, line: int
) -> Optional[List[str]]:
    """Return the tags that class labels stand for.

    RETURNS (Optional[List[str]]): The tags. None for an unlabelled row, in which all class labels
        are missing or negative.
    RAISES (ValueError): D108 if only some are, or if a class label has no name.
    """
    if ids and all(i is None or i < 0 for i in ids):
        return None
    tags = [names[i] for i in ids if i is not None and 0 <= i < len(names)]
    if len(tags) < len(ids):
        found = f"class labels {str(ids)[:80]}, which are not all from 0 to {len(names) - 1}"
        raise ValueError(Errors.D108.format(source=source, line=line, found=found))
    return tags
