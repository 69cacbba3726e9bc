"""Users' data: whatever form it has, it becomes Docs, with entities where it is labelled."""

import re
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Union

from spacy.language import Language
from spacy.tokens import Doc

from .columns import read_columns, read_lines
from .corpus import read_docbins
from .errors import Errors
from .hub import is_dataset, load_splits, read_dataset
from .rows import read_jsonl

# Which part of a name says which split a file is: `train.conll`, `eng.testa`, `en_x-ud-dev.iob2`.
SPLITS = {
    "train": re.compile(r"(^|[._-])train"),
    "dev": re.compile(r"(^|[._-])(dev|val|testa)"),
    "test": re.compile(r"(^|[._-])test(?!a)"),
}


def read_docs(source: Union[str, Path], *, nlp: Language) -> Iterator[Doc]:
    """Read everything a source holds.

    source (Union[str, Path]): A file, a folder of files (read recursively, in order of their
        names), a folder saved by `datasets`, or the id of a data set on the hub.
    nlp (Language): Pipeline that tokenises text that has no tokens.
    YIELDS (Doc): A document a sentence or text, with entities where it is labelled; none is empty.
    RAISES (ValueError): If the source can't be read, with the file and line.
    """
    path = Path(source)
    if is_dataset(path) or is_on_hub(source):
        for rows in load_splits(str(source)).values():
            yield from read_dataset(rows, nlp=nlp, source=source)
    elif path.is_dir():
        for file in find_files(path):
            yield from read_file(file, nlp=nlp)
    else:
        yield from read_file(path, nlp=nlp)


def is_on_hub(source: Union[str, Path]) -> bool:
    """Whether a source can only be a data set's id: there is no such path, nor was one meant."""
    return not Path(source).exists() and Path(source).suffix not in READERS


def find_splits(source: str, *, nlp: Language) -> Dict[str, Iterator[Doc]]:
    """Find the training, development and test data of a source.

    source (str): A folder with one file, or folder, a split (`train*`; `dev*`, `val*` or `testa*`;
        `test*`), a folder saved by `datasets`, or the id of a data set on the hub.
    nlp (Language): Pipeline that tokenises text that has no tokens.
    RETURNS (Dict[str, Iterator[Doc]]): The documents of each of `train`, `dev` and `test` found.
    RAISES (ValueError): If two files claim to be the same split.
    """
    path = Path(source)
    if path.is_file():
        raise ValueError(Errors.D111.format(source=path))
    if path.is_dir() and not is_dataset(path):
        files = [
            file
            for file in sorted(path.iterdir())
            if not file.name.startswith(".") and (file.is_dir() or file.suffix in READERS)
        ]
        named = [(file.name, read_docs(file, nlp=nlp)) for file in files]
    else:
        splits = load_splits(source)
        named = [(name, read_dataset(splits[name], nlp=nlp, source=source)) for name in splits]
    found: Dict[str, Iterator[Doc]] = {}
    for split, pattern in SPLITS.items():
        matches = [(name, docs) for name, docs in named if pattern.search(name.lower())]
        if len(matches) > 1:
            names = [name for name, _ in matches]
            raise ValueError(Errors.D112.format(source=source, split=split, names=names))
        if matches:
            found[split] = matches[0][1]
    return found


def find_files(folder: Path) -> List[Path]:
    """The files in a folder and below that can be read, in order; others are passed over."""
    files = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix in READERS and not path.name.startswith(".")
    ]
    if not files:
        raise ValueError(Errors.D113.format(source=folder, known=sorted(READERS)))
    return files


def read_file(path: Path, *, nlp: Language) -> Iterator[Doc]:
    """Read one file by the reader of its suffix."""
    if not path.exists():
        raise FileNotFoundError(Errors.D110.format(source=path))
    if path.suffix not in READERS:
        raise ValueError(Errors.D113.format(source=path, known=sorted(READERS)))
    return READERS[path.suffix](path, nlp=nlp)


def read_text(path: Path, *, nlp: Language) -> Iterator[Doc]:
    """Read one unlabelled text a line; a split's name (`train.txt`) means a column file."""
    if any(pattern.search(path.name.lower()) for pattern in SPLITS.values()):
        yield from read_columns(path, nlp=nlp)
        return
    for _, line in read_lines(path):
        if line.strip():
            yield nlp.make_doc(line.strip())


def read_docbin(path: Path, *, nlp: Language) -> Iterator[Doc]:
    """Read spaCy's own format."""
    return (doc for doc in read_docbins(path, nlp.vocab) if doc.text.strip())


READERS: Dict[str, Callable[..., Iterator[Doc]]] = {
    ".spacy": read_docbin,
    ".jsonl": read_jsonl,
    ".txt": read_text,
    # CoNLL-2003 names its files eng.train, eng.testa and eng.testb.
    **dict.fromkeys((".conll", ".iob", ".iob2", ".bio", ".tsv"), read_columns),
    **dict.fromkeys((".train", ".testa", ".testb"), read_columns),
}
