"""Data sets of the library `datasets`: from the hub by their id, or from a folder it has saved."""

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, List, Optional, Tuple

from spacy.language import Language
from spacy.tokens import Doc

from .errors import Errors
from .rows import make_row_doc

SAVED = ("dataset_dict.json", "state.json")
# How an id on the hub may look: name, name@revision, name:config, name:config@revision.
ID = re.compile(r"(?P<name>[^:@]+)(:(?P<config>[^@]+))?(@(?P<revision>.+))?")


def is_dataset(path: Path) -> bool:
    """Whether a folder was saved by `datasets`, or holds the parquet files of a data set."""
    if not path.is_dir():
        return False
    return any((path / name).exists() for name in SAVED) or any(path.rglob("*.parquet"))


def split_id(source: str) -> Tuple[str, Optional[str], Optional[str]]:
    """`name:config@revision` -> its three parts, the latter two None where they are absent."""
    found = ID.fullmatch(source)
    return (found["name"], found["config"], found["revision"]) if found else (source, None, None)


def load_splits(source: str) -> Dict[str, Any]:
    """Load a data set.

    source (str): A folder, or an id on the hub: `name`, `name@revision`, `name:config@revision`.
    RETURNS (Dict[str, Any]): The splits, each a `datasets.Dataset`.
    RAISES (ValueError): If `datasets` is not installed or can't load it.
    """
    if find_spec("datasets") is None:
        raise ValueError(Errors.D118.format(source=source))
    import datasets

    name, config, revision = split_id(source)
    try:
        if any((Path(source) / saved).exists() for saved in SAVED):
            loaded = datasets.load_from_disk(source)
        elif Path(source).is_dir():
            loaded = datasets.load_dataset(source)
        else:
            loaded = datasets.load_dataset(name, config, revision=revision)
    except (OSError, ValueError, RuntimeError) as error:
        raise ValueError(Errors.D116.format(source=source, reason=error)) from error
    return dict(loaded) if isinstance(loaded, dict) else {"train": loaded}


def read_dataset(rows: Any, *, nlp: Language, source: object) -> Iterator[Doc]:
    """Read one split.

    rows (datasets.Dataset): With columns `tokens`, and if labelled `ner_tags` or `tags` (names or
        class labels), or with a column `text`.
    nlp (Language): Pipeline that tokenises text that has no tokens.
    source (object): The data set's name, for errors.
    YIELDS (Doc): A document a row, with entities where it is labelled; none is empty.
    RAISES (ValueError): If it has none of these columns, or a row is malformed.
    """
    if not {"tokens", "text"} & set(rows.column_names):
        raise ValueError(Errors.D117.format(source=source, found=rows.column_names))
    names = {column: find_names(rows.features[column]) for column in rows.column_names}
    for number, row in enumerate(rows, start=1):
        for column in ("ner_tags", "tags"):
            if names.get(column) and row[column] is not None:
                row[column] = name_tags(row[column], names=names[column])
        doc = make_row_doc(row, nlp=nlp, source=source, line=number)
        if doc.text.strip():
            yield doc


def find_names(feature: Any) -> List[str]:
    """The names of a column of lists of class labels; none for other columns."""
    return list(getattr(getattr(feature, "feature", None), "names", None) or [])


def name_tags(ids: Iterable[int], *, names: List[str]) -> List[str]:
    return [names[i] for i in ids]
