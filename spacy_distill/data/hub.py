"""Read datasets: from the hub by id, from a folder saved by `datasets`, or from Parquet files."""

from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, List, Mapping, Sequence, Tuple

from spacy.language import Language
from spacy.tokens import Doc

from ..checks import require_installed
from ..errors import Errors
from ..files import list_files
from ..hub_ids import split_dataset_id
from .features import (
    decode_row,
    find_features,
    find_names,
    find_text_labels,
    name_entities,
    name_tags,
)
from .row_entities import ENOUGH, ENTITIES, check_boundaries
from .rows import COLUMNS, TAGS, make_row_docs

SAVED = ("dataset_dict.json", "state.json")
# Rows of a Parquet file that are unpacked at a time, and bytes of a column that are read at a time.
ROWS_TOGETHER = 1000
BUFFER_SIZE = 1 << 20


def is_saved(path: Path) -> bool:
    """Whether a folder was saved by `datasets`."""
    return any((path / name).exists() for name in SAVED)


def is_dataset_folder(path: Path) -> bool:
    """Whether a folder was saved by `datasets`, or holds the Parquet files of a dataset."""
    return path.is_dir() and (
        is_saved(path) or any(file.suffix == ".parquet" for file in list_files(path))
    )


def load_splits(source: str, *, streaming: bool = False) -> Dict[str, Any]:
    """Load a dataset.

    source (str): A folder, or an id on the hub: `name`, `name@revision`, `name:config`,
        `name:config@revision`.
    streaming (bool): Stream the rows of a dataset on the hub instead of storing a copy. Rows of a
        folder are never copied.
    RETURNS (Dict[str, Any]): The splits, each a `datasets.Dataset` or `datasets.IterableDataset`.
    RAISES (ValueError): D024 if `datasets` is not installed, D116 if it can't load the dataset.
    """
    require_installed("datasets", purpose=f"Reading '{source}'", extra="train")
    import datasets

    name, config, revision = split_dataset_id(source)
    try:
        if is_saved(Path(source)):
            loaded = datasets.load_from_disk(source)
        elif Path(source).is_dir():
            loaded = datasets.load_dataset(source, streaming=True)
        else:
            loaded = datasets.load_dataset(name, config, revision=revision, streaming=streaming)
    except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        raise ValueError(Errors.D116.format(source=source, reason=error)) from error
    return dict(loaded) if isinstance(loaded, dict) else {"train": loaded}


def read_dataset(
    rows: Any, *, nlp: Language, source: object, split_sentences: bool = False
) -> Iterator[Doc]:
    """Read one split of a dataset.

    rows (Union[datasets.Dataset, datasets.IterableDataset]): The rows, with a column `tokens` and,
        if labelled, one of `TAGS` (names or class labels); or with `text` and, if labelled, one of
        `ENTITIES`: see `make_row_docs`. Labels of entities may be class labels, and a list of
        objects may be stored as an object of lists.
    nlp (Language): Pipeline that tokenises text that has no tokens.
    source (object): The dataset's name, for errors.
    split_sentences (bool): Make one document per sentence of unlabelled text.
    YIELDS (Doc): One document per row or sentence, with entities if it is labelled; none is empty.
    RAISES (ValueError): D117 for other columns, D126 if a row can't be read, D108 for a class label
        without a name, or an error of `make_row_docs`.
    """
    if rows.column_names is not None:  # they may be unknown in a stream
        rows = rows.select_columns(find_columns(rows.column_names, source=source))
    yield from read_table(
        rows,
        features=rows.features or {},
        text_labels=find_text_labels(rows.features.arrow_schema) if rows.features else [],
        nlp=nlp,
        source=source,
        split_sentences=split_sentences,
    )


def read_parquet(path: Path, *, nlp: Language, split_sentences: bool = False) -> Iterator[Doc]:
    """Read a Parquet file, some rows at a time. The columns are those of `read_dataset`.

    path (Path): The file.
    nlp (Language): Pipeline that tokenises text that has no tokens.
    split_sentences (bool): Make one document per sentence of unlabelled text.
    YIELDS (Doc): One document per row or sentence, with entities if it is labelled; none is empty.
    RAISES (ValueError): D024 if `datasets`, which installs PyArrow, is missing, D126 for a damaged
        file, D117 for other columns, D132 for an unknown type of class labels, D108 for a class
        label without a name, or an error of `make_row_docs`.
    """
    require_installed("datasets", purpose=f"Reading '{path}'", extra="train")
    from pyarrow.parquet import ParquetFile

    try:
        # By default PyArrow fetches everything that will be read, and keeps it in memory.
        file = ParquetFile(path, pre_buffer=False, buffer_size=BUFFER_SIZE)
    except (OSError, ValueError) as error:
        raise ValueError(Errors.D126.format(source=path, line=0, reason=error)) from error
    with file:
        columns = find_columns(file.schema_arrow.names, source=path)
        features = find_features(file.schema_arrow, source=path)
        batches = file.iter_batches(batch_size=ROWS_TOGETHER, columns=columns)
        yield from read_table(
            (decode_row(row, features) for batch in batches for row in batch.to_pylist()),
            features=features,
            text_labels=find_text_labels(file.schema_arrow),
            nlp=nlp,
            source=path,
            split_sentences=split_sentences,
        )


def find_columns(names: Iterable[str], *, source: object) -> List[str]:
    """List the columns to read. RAISES (ValueError): D117 if there is no text or tokens."""
    names = list(names)
    if not {"tokens", "text"} & set(names):
        raise ValueError(Errors.D117.format(source=source, found=names))
    return [name for name in names if name in COLUMNS]


def read_table(
    rows: Iterable[Dict[str, Any]],
    *,
    features: Mapping[str, Any],
    text_labels: Sequence[str],
    nlp: Language,
    source: object,
    split_sentences: bool,
) -> Iterator[Doc]:
    """Make the documents of a dataset's rows.

    features (Mapping[str, Any]): Features of columns, with the names of class labels.
    text_labels (Sequence[str]): Columns that can't hold entities: see `find_text_labels`.
    """
    names = {column: find_names(feature) for column, feature in features.items()}
    with check_boundaries(source) as boundaries:
        for number, row in number_rows(rows, source=source):
            boundaries.check(at_least=ENOUGH)
            for column in TAGS:
                if names.get(column) and row[column] is not None:
                    row[column] = name_tags(
                        row[column], names=names[column], source=source, line=number
                    )
            for column in ENTITIES:
                if row.get(column):
                    row[column] = name_entities(row[column], features.get(column))
            for column in text_labels:
                row[column] = row[column] or None  # none of the labels, not none of the entities
            yield from make_row_docs(
                row, nlp=nlp, split_sentences=split_sentences, line=number, boundaries=boundaries
            )


def number_rows(
    rows: Iterable[Dict[str, Any]], *, source: object
) -> Iterator[Tuple[int, Dict[str, Any]]]:
    """Number the rows from 1. RAISES (ValueError): D126 if the next row can't be read."""
    number = 0
    try:
        for number, row in enumerate(rows, start=1):
            yield number, row
    except Exception as error:  # any error of Arrow, the file system or the network
        raise ValueError(Errors.D126.format(source=source, line=number, reason=error)) from error
