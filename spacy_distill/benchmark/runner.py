"""What the process of a system has once it is loaded."""

from typing import Any, Callable, List, NamedTuple, Optional


class Runner(NamedTuple):
    """A system that can be timed: text in, entities or tags out."""

    # Texts and batch size -> how many entities, or tags, were found. All of it is timed.
    run: Callable[[List[str], int], int]
    n_parameters: int
    n_bytes: int  # on disk
    # Empties what the system keeps of the words it has seen; None: it keeps nothing.
    clear_cache: Optional[Callable[[], None]] = None
    # How many of some texts are cut, for they are too long; None: none is.
    count_cut: Optional[Callable[[List[str]], int]] = None
    # The Language, of a spaCy pipeline. Its type would import spaCy, which others do without.
    nlp: Any = None
