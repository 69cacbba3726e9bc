"""Texts that a labelled, dev or test set has must not be among those that a teacher labels."""

from collections import Counter
from typing import Any, Callable, Dict, Iterable, Iterator, Mapping, Optional

from spacy.language import Language
from spacy.tokens import Doc

from .raw_text import split_text


def find_texts(
    splits: Mapping[str, Iterable[Doc]], *, splitter: Optional[Language] = None
) -> Dict[str, str]:
    """The text of each document, and the split that has it: the last, if several have.

    splits (Mapping[str, Iterable[Doc]]): The documents of each split.
    splitter (Optional[Language]): Where the texts that are compared with these are split into
        sentences, what tokenises them: each sentence of a document then counts as its text does.
    RETURNS (Dict[str, str]): Names of splits, by what `text_key` gives.
    """
    return {
        key: name
        for name, docs in splits.items()
        for doc in docs
        for key in list_keys(doc, splitter=splitter)
    }


def list_keys(doc: Doc, *, splitter: Optional[Language]) -> Iterator[str]:
    yield text_key(doc)
    if splitter is not None:
        yield from map(text_key, split_text(doc.text, nlp=splitter))


def leave_out_texts(
    docs: Iterable[Doc],
    texts: Mapping[str, str],
    dropped: Counter,
    *,
    advance: Callable[[int, int], Any] = lambda *_: None,
) -> Iterator[Doc]:
    """Leave out documents whose text is known.

    docs (Iterable[Doc]): The documents.
    texts (Mapping[str, str]): What `find_texts` found.
    dropped (Counter): Counts what is left out, by the split that has it.
    advance (Callable[[int, int], Any]): Called with (1, 0) for each document that is left out.
    YIELDS (Doc): The other documents.
    """
    for doc in docs:
        split = texts.get(text_key(doc))
        if split is None:
            yield doc
        else:
            dropped[split] += 1
            advance(1, 0)


def text_key(doc: Doc) -> str:
    """The text without white space, so that it is the same however it was tokenised."""
    return "".join(doc.text.split())
