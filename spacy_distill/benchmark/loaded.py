"""A loaded system, in its process."""

from typing import Any, Callable, List, NamedTuple, Optional


class Loaded(NamedTuple):
    """A system that can be timed: text in, entities or tags out."""

    # Texts and batch size -> the number of predicted entities or tags. The whole call is timed.
    run: Callable[[List[str], int], int]
    n_parameters: int
    n_bytes: int  # on disk
    # Empties what the system keeps of the words it has seen; None: it keeps nothing.
    clear_cache: Optional[Callable[[], None]] = None
    # Counts the texts that are truncated because they are too long; None if none can be.
    count_cut: Optional[Callable[[List[str]], int]] = None
    # The Language, if the system is a spaCy pipeline. It is not annotated as such, because that
    # would import spaCy, which other systems do not need.
    nlp: Any = None
