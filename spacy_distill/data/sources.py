"""Read users' data, in any supported format, as Docs that have entities if they are labelled."""

import re
import warnings
from collections import Counter
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import (
    Callable,
    Dict,
    Iterable,
    Iterator,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    TypeVar,
    Union,
)

from spacy.language import Language
from spacy.tokens import Doc

from ..docbins import load_docbin, make_vocab, unpack_docs
from ..errors import Errors, Warnings
from ..files import list_files
from ..hub_ids import is_path
from .columns import read_columns, read_lines
from .hub import is_dataset_folder, is_saved, load_splits, read_dataset, read_parquet
from .raw_text import are_wrapped, make_docs
from .rows import read_jsonl

# Number of lines of a .txt from which it is judged whether they are wrapped.
LINES_CHECKED = 200
# Patterns that tell from a file's name which split it is: `train.conll`, `eng.testa`,
# `en_x-ud-dev.iob2`, but not `validators.jsonl`. The first match counts, so that
# `train-unlabelled.jsonl` is not a training set.
SPLITS = {
    split: re.compile(rf"(^|[._-])({names})(set|data)?(?![a-z])")
    for split, names in (
        ("unlabelled", "unlabell?ed|unsupervised"),
        ("train", "train(ing)?"),
        ("dev", "dev(el(opment)?)?|val(id(at(e|ion))?)?|testa"),
        ("test", "test(ing|b)?"),
    )
}
# A .txt file is read as columns only if a whole part of its name names a split, such as `train`;
# `training`, `development` and `validate` must be the whole name. This excludes
# `developer_docs.txt` and `training-texts.txt`.
COLUMNS_NAME = re.compile(
    r"(^|[._-])(train|dev(el)?|val(id(ation)?)?|test[ab]?)(set|data)?[._-]"
    r"|^(training|development|validate)\."
)


NamedT = TypeVar("NamedT")


class Split(NamedTuple):
    """A split of a corpus: where it comes from, and its documents."""

    source: str
    docs: Iterator[Doc]


def read_docs(
    source: Union[str, Path], *, nlp: Language, split_sentences: bool = False
) -> Iterator[Doc]:
    """Read all documents of a source, of which only a part is held in memory at a time.

    A .spacy file is held in memory as a whole, and its documents have a vocabulary of their own. A
    memory zone of `nlp` may begin or end between two documents.

    source (Union[str, Path]): A file, a folder of files (read recursively, in order of their
        names, without hidden ones), a folder saved by `datasets`, or the id of a dataset on the
        hub.
    nlp (Language): Pipeline that tokenises text that has no tokens.
    split_sentences (bool): Make one document per sentence of text without tokens and entities.
    YIELDS (Doc): One document per sentence or text, with entities if it is labelled; none is empty.
    RAISES (FileNotFoundError): D110 if the path does not exist. (ValueError): D113 if no reader
        knows the file, or any file of the folder, D024 or D116 for a dataset that can't be loaded,
        or an error of a reader, with the file and line.
    """
    path = Path(source)
    if is_saved(path) or is_dataset_id(source):
        for rows in load_splits(str(source), streaming=True).values():
            yield from read_dataset(rows, nlp=nlp, source=source, split_sentences=split_sentences)
        return
    for file in find_files(path) if path.is_dir() else [path]:
        yield from read_file(file, nlp=nlp, split_sentences=split_sentences)


def is_dataset_id(source: Union[str, Path]) -> bool:
    """Whether a source is the id of a dataset: it is not a path, and does not look like one."""
    return not is_path(str(source)) and find_suffix(Path(source)) not in READERS


def find_splits(source: str, *, nlp: Language, split_sentences: bool = False) -> Dict[str, Split]:
    """Find the training, development, test and unlabelled data of a source.

    source (str): A folder with one file or folder per split (`train*`; `dev*`, `val*` or `testa*`;
        `test*`; `unlabelled*`) or several Parquet files per split; a folder saved by `datasets` or
        with the files of a dataset; or the id of a dataset on the hub.
    nlp (Language): Pipeline that tokenises text that has no tokens.
    split_sentences (bool): Make one document per sentence of text without tokens and entities.
    RETURNS (Dict[str, Split]): Those of `train`, `dev`, `test` and `unlabelled` that were found.
    RAISES (FileNotFoundError): D110 for a path that does not exist. (ValueError): D111 for a file,
        D112 if several files claim to be the same split, D024 or D116 for a dataset that can't be
        loaded.
    """
    path = Path(source)
    if path.is_file():
        raise ValueError(Errors.D111.format(source=path))
    if not path.exists() and not is_dataset_id(source):
        raise FileNotFoundError(Errors.D110.format(source=path))
    read = partial(read_docs, nlp=nlp, split_sentences=split_sentences)
    if path.is_dir() and not is_saved(path):
        files = group_by_split(list_readable(path), name_of=lambda file: file.name)
        if files or not is_dataset_folder(path):
            return {split: join_files(of_split, split, read) for split, of_split in files.items()}
    found: Dict[str, Split] = {}
    loaded = load_splits(source)
    for split, names in group_by_split(loaded, name_of=str).items():
        # If there are `train` and `train_2021`, choose the exact name.
        exact = [name for name in names if SPLITS[split].fullmatch(name.lower())]
        if len(names) > 1 and len(exact) != 1:
            raise ValueError(Errors.D112.format(source=source, split=split, names=names))
        (name,) = exact if len(names) > 1 else names
        where = f"{source} ({name})"
        docs = read_dataset(loaded[name], nlp=nlp, source=where, split_sentences=split_sentences)
        found[split] = Split(where, docs)
    return found


def group_by_split(named: Iterable[NamedT], *, name_of: Callable) -> Dict[str, List[NamedT]]:
    """Group items by the split that their name tells. Others are left out."""
    found = [(find_split(name_of(one)), one) for one in named]
    splits = {split: [one for of, one in found if of == split] for split in SPLITS}
    return {split: those for split, those in splits.items() if those}


def join_files(files: Sequence[Path], split: str, read: Callable[[Path], Iterator[Doc]]) -> Split:
    """Make a split of its file, or of several Parquet files, which are shards of a dataset.

    RAISES (ValueError): D112 for several files in another format.
    """
    if len(files) == 1:
        return Split(str(files[0]), read(files[0]))
    if any(find_suffix(file) != ".parquet" for file in files):
        names = [file.name for file in files]
        raise ValueError(Errors.D112.format(source=files[0].parent, split=split, names=names))
    return Split(f"{files[0]} and {len(files) - 1} more", chain.from_iterable(map(read, files)))


def list_others(source: str, found: Mapping[str, Split]) -> List[str]:
    """List the names of files and folders in a folder that `find_splits` did not use as splits."""
    folder = Path(source)
    if not folder.is_dir():
        return []
    splits = {file for file in list_readable(folder) if find_split(file.name) in found}
    files = [file for file in sorted(folder.iterdir()) if not file.name.startswith(".")]
    return [file.name for file in files if file not in splits]


def list_readable(folder: Path) -> List[Path]:
    """List the entries of a folder that may be splits: folders, and files in a known format."""
    return [
        file
        for file in sorted(folder.iterdir())
        if not file.name.startswith(".") and (file.is_dir() or find_suffix(file) in READERS)
    ]


def find_split(name: str) -> Optional[str]:
    """Tell from the name of a file which split it is; None if it does not match any."""
    return next((split for split, pattern in SPLITS.items() if pattern.search(name.lower())), None)


def find_files(folder: Path) -> List[Path]:
    """List the readable files in a folder and its subfolders, in order. Others are ignored.

    RAISES (ValueError): D113 if there are none.
    """
    files = [path for path in list_files(folder) if find_suffix(path) in READERS]
    if not files:
        raise ValueError(Errors.D113.format(source=folder, known=sorted(READERS)))
    return files


def count_passed_over(source: Union[str, Path]) -> Counter:
    """Count the files of a folder that `read_docs` ignores, by suffix."""
    path = Path(source)
    files = list_files(path) if path.is_dir() and not is_saved(path) else []
    suffixes = map(find_suffix, files)
    return Counter(suffix or "without suffix" for suffix in suffixes if suffix not in READERS)


def find_suffix(path: Path) -> str:
    """Return the suffix that tells a file's format, in lower case and without any `.gz`."""
    suffix, inner = path.suffix.lower(), Path(path.stem).suffix.lower()
    return inner if suffix == ".gz" and inner not in NEVER_GZIPPED else suffix


def read_file(path: Path, *, nlp: Language, split_sentences: bool) -> Iterator[Doc]:
    """Read one file with the reader for its suffix.

    RAISES (FileNotFoundError): D110. (ValueError): D113 if there is no such reader.
    """
    if not path.exists():
        raise FileNotFoundError(Errors.D110.format(source=path))
    suffix = find_suffix(path)
    if suffix not in READERS:
        raise ValueError(Errors.D113.format(source=path, known=sorted(READERS)))
    if suffix in TEXT_READERS:
        return TEXT_READERS[suffix](path, nlp=nlp, split_sentences=split_sentences)
    return READERS[suffix](path, nlp=nlp)


def read_text(path: Path, *, nlp: Language, split_sentences: bool = False) -> Iterator[Doc]:
    """Read one unlabelled text per line, or columns if the file is named after a split.

    W005 warns of documents that are wrapped into lines.
    """
    if COLUMNS_NAME.search(path.name.lower()) and find_split(path.name) != "unlabelled":
        yield from read_columns(path, nlp=nlp)
        return
    lines = read_lines(path)
    first = [*islice(lines, LINES_CHECKED)]
    if are_wrapped([line for _, line in first], nlp=nlp):
        warnings.warn(Warnings.W005.format(folder=path.parent), stacklevel=2)
    for number, line in chain(first, lines):
        if text := line.strip():
            yield from make_docs(
                text, nlp=nlp, split_sentences=split_sentences, source=path, line=number
            )


def read_docbin(path: Path, *, nlp: Language) -> Iterator[Doc]:
    """Read spaCy's own format. RAISES (ValueError): D114 for a damaged file."""
    # A vocabulary of its own is not emptied when a memory zone of the pipeline ends.
    docs = unpack_docs(load_docbin(path), make_vocab(nlp))
    return (doc for doc in docs if doc.text.strip())


# Readers of files that may hold text without tokens.
TEXT_READERS: Dict[str, Callable[..., Iterator[Doc]]] = {
    ".jsonl": read_jsonl,
    ".parquet": read_parquet,
    ".txt": read_text,
}
READERS: Dict[str, Callable[..., Iterator[Doc]]] = {
    **TEXT_READERS,
    ".spacy": read_docbin,
    # CoNLL-2003 names its files eng.train, eng.testa and eng.testb.
    **dict.fromkeys((".conll", ".iob", ".iob2", ".bio", ".tsv"), read_columns),
    **dict.fromkeys((".train", ".testa", ".testb"), read_columns),
}
# Formats that are never read from a .gz, because they are compressed already.
NEVER_GZIPPED = (".parquet", ".spacy")
