"""Texts that a labelled, dev or test set has must not be among those that a teacher labels."""

from collections import Counter
from typing import Dict, Iterable, Iterator, Mapping

from spacy.tokens import Doc


def find_texts(splits: Mapping[str, Iterable[Doc]]) -> Dict[str, str]:
    """The text of each document, and the split that has it: the last, if several have."""
    return {text_key(doc): name for name, docs in splits.items() for doc in docs}


def leave_out_texts(
    docs: Iterable[Doc], texts: Mapping[str, str], dropped: Counter
) -> Iterator[Doc]:
    """Leave out documents whose text is known.

    docs (Iterable[Doc]): The documents.
    texts (Mapping[str, str]): What `find_texts` found.
    dropped (Counter): Counts what is left out, by the split that has it.
    YIELDS (Doc): The other documents.
    """
    for doc in docs:
        split = texts.get(text_key(doc))
        if split is None:
            yield doc
        else:
            dropped[split] += 1


def text_key(doc: Doc) -> str:
    """The text without white space, so that it is the same however it was tokenised."""
    return "".join(doc.text.split())
