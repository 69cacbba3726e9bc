"""Users' data: whatever form it has, it becomes Docs, with entities where it is labelled."""

import re
from collections import Counter
from functools import partial
from itertools import chain
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

from ..docbins import load_docbin, unpack_docs
from ..errors import Errors
from ..files import is_path, list_files
from .columns import read_columns, read_lines
from .hub import is_dataset_folder, is_saved, load_splits, read_dataset, read_parquet
from .raw_text import make_docs
from .rows import read_jsonl

# Which part of a name says which split a file is: `train.conll`, `eng.testa`, `en_x-ud-dev.iob2`,
# but not `validators.jsonl`. The first that matches: `train-unlabelled.jsonl` is no training set.
SPLITS = {
    split: re.compile(rf"(^|[._-])({names})(set|data)?(?![a-z])")
    for split, names in (
        ("unlabelled", "unlabell?ed|unsupervised"),
        ("train", "train(ing)?"),
        ("dev", "dev(el(opment)?)?|val(id(at(e|ion))?)?|testa"),
        ("test", "test(ing|b)?"),
    )
}
# A .txt is a column file only if a whole part of its name says so, or nothing else is in it: not
# `developer_docs.txt`, not `training-texts.txt`.
COLUMNS_NAME = re.compile(
    r"(^|[._-])(train|dev(el)?|val(id(ation)?)?|test[ab]?)(set|data)?[._-]"
    r"|^(training|development|validate)\."
)


NamedT = TypeVar("NamedT")


class Split(NamedTuple):
    """A part of a corpus: where it comes from, and its documents."""

    source: str
    docs: Iterator[Doc]


def read_docs(
    source: Union[str, Path], *, nlp: Language, split_sentences: bool = False
) -> Iterator[Doc]:
    """Read everything a source holds, however large: no more than a part of it is held at a time.

    That part is the whole of a .spacy file. A memory zone of `nlp` may begin or end between two
    documents.

    source (Union[str, Path]): A file, a folder of files (read recursively, in order of their
        names, without what is hidden), a folder saved by `datasets`, or the id of a dataset on the
        hub.
    nlp (Language): Pipeline that tokenises text that has no tokens.
    split_sentences (bool): Text without tokens and entities becomes a document a sentence.
    YIELDS (Doc): A document a sentence or text, with entities where it is labelled; none is empty.
    RAISES (ValueError): If the source can't be read, with the file and line.
    """
    path = Path(source)
    if is_saved(path) or is_dataset_id(source):
        for rows in load_splits(str(source), streaming=True).values():
            yield from read_dataset(rows, nlp=nlp, source=source, split_sentences=split_sentences)
        return
    for file in find_files(path) if path.is_dir() else [path]:
        yield from read_file(file, nlp=nlp, split_sentences=split_sentences)


def is_dataset_id(source: Union[str, Path]) -> bool:
    """Whether a source can only be a dataset's id: there is no such path, nor was one meant."""
    return not is_path(str(source)) and find_suffix(Path(source)) not in READERS


def find_splits(source: str, *, nlp: Language, split_sentences: bool = False) -> Dict[str, Split]:
    """Find the training, development, test and unlabelled data of a source.

    source (str): A folder with one file, or folder, a split (`train*`; `dev*`, `val*` or `testa*`;
        `test*`; `unlabelled*`; of Parquet files, several), one saved by `datasets` or with the
        files of a dataset, or the id of a dataset on the hub.
    nlp (Language): Pipeline that tokenises text that has no tokens.
    split_sentences (bool): Text without tokens and entities becomes a document a sentence.
    RETURNS (Dict[str, Split]): Each of `train`, `dev`, `test` and `unlabelled` that is found.
    RAISES (ValueError): If two files claim to be the same split. (FileNotFoundError): D110 for a
        path that does not exist.
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
        # Of `train` and `train_2021` the first is meant.
        exact = [name for name in names if SPLITS[split].fullmatch(name.lower())]
        if len(names) > 1 and len(exact) != 1:
            raise ValueError(Errors.D112.format(source=source, split=split, names=names))
        (name,) = exact if len(names) > 1 else names
        where = f"{source} ({name})"
        docs = read_dataset(loaded[name], nlp=nlp, source=where, split_sentences=split_sentences)
        found[split] = Split(where, docs)
    return found


def group_by_split(named: Iterable[NamedT], *, name_of: Callable) -> Dict[str, List[NamedT]]:
    """What has the name of a split, by the split."""
    found = [(find_split(name_of(one)), one) for one in named]
    splits = {split: [one for of, one in found if of == split] for split in SPLITS}
    return {split: those for split, those in splits.items() if those}


def join_files(files: Sequence[Path], split: str, read: Callable[[Path], Iterator[Doc]]) -> Split:
    """The file of a split, or its Parquet files, in which datasets are cut into parts.

    RAISES (ValueError): D112 for several of another form.
    """
    if len(files) == 1:
        return Split(str(files[0]), read(files[0]))
    if any(find_suffix(file) != ".parquet" for file in files):
        names = [file.name for file in files]
        raise ValueError(Errors.D112.format(source=files[0].parent, split=split, names=names))
    return Split(f"{files[0]} and {len(files) - 1} more", chain.from_iterable(map(read, files)))


def list_others(source: str, found: Mapping[str, Split]) -> List[str]:
    """The names of what lies in a folder beside the splits that `find_splits` found in it."""
    folder = Path(source)
    if not folder.is_dir():
        return []
    splits = {file for file in list_readable(folder) if find_split(file.name) in found}
    files = [file for file in sorted(folder.iterdir()) if not file.name.startswith(".")]
    return [file.name for file in files if file not in splits]


def list_readable(folder: Path) -> List[Path]:
    """What lies directly in a folder and may be a split: folders, and files of a known form."""
    return [
        file
        for file in sorted(folder.iterdir())
        if not file.name.startswith(".") and (file.is_dir() or find_suffix(file) in READERS)
    ]


def find_split(name: str) -> Optional[str]:
    """Which split the name of a file says that it is; None if it says nothing."""
    return next((split for split, pattern in SPLITS.items() if pattern.search(name.lower())), None)


def find_files(folder: Path) -> List[Path]:
    """The files in a folder and below that can be read, in order; others are passed over."""
    files = [path for path in list_files(folder) if find_suffix(path) in READERS]
    if not files:
        raise ValueError(Errors.D113.format(source=folder, known=sorted(READERS)))
    return files


def count_passed_over(source: Union[str, Path]) -> Counter:
    """The files of a folder that `read_docs` passes over: how many of each suffix."""
    path = Path(source)
    files = list_files(path) if path.is_dir() and not is_saved(path) else []
    suffixes = map(find_suffix, files)
    return Counter(suffix or "without suffix" for suffix in suffixes if suffix not in READERS)


def find_suffix(path: Path) -> str:
    """What tells a file's form, in lower case: its name's end, the one before it if it is `.gz`."""
    suffix, inner = path.suffix.lower(), Path(path.stem).suffix.lower()
    return inner if suffix == ".gz" and inner not in NEVER_GZIPPED else suffix


def read_file(path: Path, *, nlp: Language, split_sentences: bool) -> Iterator[Doc]:
    """Read one file by the reader of its suffix."""
    if not path.exists():
        raise FileNotFoundError(Errors.D110.format(source=path))
    suffix = find_suffix(path)
    if suffix not in READERS:
        raise ValueError(Errors.D113.format(source=path, known=sorted(READERS)))
    if suffix in TEXT_READERS:
        return TEXT_READERS[suffix](path, nlp=nlp, split_sentences=split_sentences)
    return READERS[suffix](path, nlp=nlp)


def read_text(path: Path, *, nlp: Language, split_sentences: bool = False) -> Iterator[Doc]:
    """Read one unlabelled text a line; a split's name (`train.txt`) means a column file."""
    if COLUMNS_NAME.search(path.name.lower()) and find_split(path.name) != "unlabelled":
        yield from read_columns(path, nlp=nlp)
        return
    for number, line in read_lines(path):
        if text := line.strip():
            yield from make_docs(
                text, nlp=nlp, split_sentences=split_sentences, source=path, line=number
            )


def read_docbin(path: Path, *, nlp: Language) -> Iterator[Doc]:
    """Read spaCy's own format."""
    return (doc for doc in unpack_docs(load_docbin(path), nlp.vocab) if doc.text.strip())


# What may hold text without tokens.
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
# Forms that are never read from a .gz, for their files are compressed as they are.
NEVER_GZIPPED = (".parquet", ".spacy")
