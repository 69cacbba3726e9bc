"""The scores that documents were annotated from."""

from typing import Any, Callable, Tuple
from weakref import WeakKeyDictionary

from spacy.tokens import Doc

from ..types import TagScores


class KeptScores(WeakKeyDictionary[Doc, TagScores]):
    """The scores of documents, for as long as these are there. A copy by pickle has none."""

    def __reduce__(self) -> Tuple[Callable[[], Any], Tuple[()]]:
        return KeptScores, ()
