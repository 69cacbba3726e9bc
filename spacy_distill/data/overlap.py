"""Leave texts of the labelled, dev and test sets out of the texts that a teacher labels."""

from collections import Counter
from itertools import accumulate
from typing import Any, Callable, Dict, Iterable, Iterator, List, Mapping, Optional, Tuple

from spacy.language import Language
from spacy.tokens import Doc

from .raw_text import split_text


def find_texts(
    splits: Mapping[str, Iterable[Doc]], *, splitter: Optional[Language] = None
) -> Dict[str, str]:
    """Map the text of each document to the split that contains it: the last one, if several do.

    splits (Mapping[str, Iterable[Doc]]): The documents of each split.
    splitter (Optional[Language]): Pipeline that tokenises the documents to split them into
        sentences. Give it if the texts to compare are split into sentences: then the text of each
        sentence of a document is mapped, too.
    RETURNS (Dict[str, str]): Names of splits by the key of a text (see `text_key`).
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
    """Leave out documents whose text occurs in another split.

    docs (Iterable[Doc]): The documents.
    texts (Mapping[str, str]): The texts of the other splits, from `find_texts`.
    dropped (Counter): Counts the documents that are left out, by the split that has their text.
    advance (Callable[[int, int], Any]): Called with (1, 0) for each document that is left out.
    YIELDS (Doc): The remaining documents.
    """
    for doc in docs:
        split = texts.get(text_key(doc))
        if split is None:
            yield doc
        else:
            dropped[split] += 1
            advance(1, 0)


def text_key(doc: Doc) -> str:
    """Return the text without whitespace, so that it does not depend on the tokenisation."""
    return "".join(doc.text.split())


def entities_key(doc: Doc) -> List[Tuple[int, int, str]]:
    """Return start, end and label of the entities, as characters of `text_key`."""
    n_before = [*accumulate((not char.isspace() for char in doc.text), initial=0)]
    return [(n_before[ent.start_char], n_before[ent.end_char], ent.label_) for ent in doc.ents]
