"""What the columns of a dataset hold, by their types: class labels, JSON, labels of whole texts."""

from typing import Any, Dict, List, Optional, Sequence

from ..errors import Errors
from .row_entities import ENTITIES, MAY_BE_OF_TEXT
from .rows import TAGS


def find_features(schema: Any, *, source: object) -> Any:
    """Find the features of the columns that may hold class labels or JSON.

    schema (pyarrow.Schema): The schema of the file.
    source (object): The file, for errors.
    RETURNS (datasets.Features): Features by name of the column.
    RAISES (ValueError): D132 if `datasets` does not know a type that the file names.
    """
    from datasets import Features
    from pyarrow import schema as make_schema
    from pyarrow import types

    columns = [field for field in schema if field.name in (*TAGS, *ENTITIES)]
    # A single number is a label of the whole text. The types of all other columns don't matter.
    nested = [field for field in columns if not types.is_integer(field.type)]
    fields = [field for field in nested if may_be_encoded(field.type)]
    if not fields:
        return Features()
    try:
        return Features.from_arrow_schema(make_schema(fields, metadata=schema.metadata))
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(Errors.D132.format(source=source, reason=error)) from error


def may_be_encoded(kind: Any) -> bool:
    """Whether an Arrow type may be one of class labels or JSON, or of lists or entities of them."""
    from pyarrow import BaseExtensionType, types

    if is_list(kind):
        return may_be_encoded(kind.value_type)
    if types.is_struct(kind):
        return any(may_be_encoded(field.type) for field in kind if field.name == "label")
    return types.is_integer(kind) or isinstance(kind, BaseExtensionType)


def decode_row(row: Dict[str, Any], features: Any) -> Dict[str, Any]:
    """Decode the JSON in a row of a Parquet file, as `datasets` does when it reads the file.

    row (Dict[str, Any]): The row.
    features (datasets.Features): See `find_features`.
    """
    return {**row, **features.decode_example({column: row[column] for column in features})}


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

    return types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)


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


def name_entities(value: Any, feature: Any) -> Any:
    """Return a row's entities as a list of objects, with the names of class labels.

    value (Any): The value of one of the columns `ENTITIES`.
    feature (Any): The feature of the column, None if it is unknown.
    RETURNS (Any): The entities, or the value itself if it has another form.
    """
    if is_object_of_lists(value):
        value = [dict(zip(value, parts)) for parts in zip(*value.values())]
    fields = getattr(feature, "feature", feature)  # of a list of objects, or an object of lists
    label = fields.get("label") if isinstance(fields, dict) else None
    names = getattr(label, "names", None) or find_names(label)
    if not names or not isinstance(value, list):
        return value
    return [name_label(entity, names) for entity in value]


def is_object_of_lists(value: Any) -> bool:
    """Whether a value is entities as `datasets.Sequence` stores objects: a list for each key."""
    if not isinstance(value, dict) or "label" not in value:
        return False
    parts = value.values()
    return all(isinstance(part, list) for part in parts) and len({*map(len, parts)}) == 1


def name_label(entity: Any, names: Sequence[str]) -> Any:
    """Replace the class label of an entity by its name, if it has one."""
    label = entity.get("label") if isinstance(entity, dict) else None
    if isinstance(label, int) and 0 <= label < len(names):
        return {**entity, "label": names[label]}
    return entity
