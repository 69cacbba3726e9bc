"""A cache for everything that depends on a word's form alone, kept between batches."""

import os
from contextlib import contextmanager
from threading import Lock
from typing import Any, Callable, Iterator, List, NamedTuple, Sequence, Tuple
from weakref import WeakSet

import numpy
from spacy.language import Language
from spacy.tokens import Doc
from thinc.api import Optimizer, Shim

from ..parameters import find_nodes
from ..types import Array
from .word_types import find_words, token_hashes


class Kept(NamedTuple):
    """The rows of recently seen words. It is replaced, never modified, so threads can share it."""

    weights: Tuple[Any, ...]  # the array objects that the rows were computed with
    prepared: Any  # what `prepare` returned for them
    hashes: numpy.ndarray  # uint64 (n_words,), sorted
    places: numpy.ndarray  # (n_words,): where the row of each hash is
    rows: Array  # (n_planes, capacity, width)

    def find(self, hashes: numpy.ndarray) -> Tuple[numpy.ndarray, numpy.ndarray]:
        """Return the row indices of words, and whether each word is kept: (n_tokens,) each."""
        at = self.hashes.searchsorted(hashes)
        at[at == len(self.hashes)] = 0
        return self.places[at], self.hashes[at] == hashes


NOTHING = Kept((), None, numpy.zeros(0, "uint64"), numpy.zeros(0, "intp"), None)


class WordCache(Shim):
    """A cache of rows by the hash of a word's text, valid as long as the weights stay the same.

    Thinc notifies shims when weights are updated in place. Other changes are recognised because the
    array objects differ. Any other code that changes an array in place must call `empty`, and no
    thread may predict during an update. The cache is local to a process and never written to disk.
    It is not affected by memory zones, because it holds hashes, neither strings nor lexemes.

    max_words (int): Number of words to keep. If there would be more, all words but those of the
        current batch are forgotten.
    """

    def __init__(self, max_words: int) -> None:
        super().__init__(None)
        self.max_words = max_words
        self._kept = NOTHING
        self._lock = Lock()
        CACHES.add(self)

    def empty(self) -> None:
        """Forget all words."""
        self._kept = NOTHING

    def __len__(self) -> int:
        return len(self._kept.hashes)

    def look_up(
        self,
        docs: List[Doc],
        weights: Sequence[Any],
        *,
        prepare: Callable[[], Any],
        compute: Callable[[List[str], Any], Array],
    ) -> Tuple[Array, numpy.ndarray, Any]:
        """Return the rows of all tokens.

        docs (List[Doc]): A batch of documents with at least one token.
        weights (Sequence[ndarray]): All arrays that the rows depend on, besides the word.
        prepare (Callable): Called when the weights have changed, to derive from them what else is
            needed.
        compute (Callable): Computes the rows of words, (n_planes, n_words, width), from the words
            and what `prepare` returned.
        RETURNS (Tuple[Floats3d, ndarray, Any]): Rows (n_planes, n_rows, width), the row index of
            each token (n_tokens,), and what `prepare` returned.
        """
        hashes = token_hashes(docs)
        kept = self._kept
        if len(kept.hashes) and same_arrays(kept.weights, weights):
            places, found = kept.find(hashes)
            if found.all():
                return kept.rows, places, kept.prepared
        with self._lock:
            kept = self._kept
            if not same_arrays(kept.weights, weights):
                kept = Kept(tuple(weights), prepare(), kept.hashes[:0], kept.places[:0], None)
            kept = self._kept = self._add(kept, docs, hashes, compute)
        return kept.rows, kept.find(hashes)[0], kept.prepared

    def _add(
        self,
        kept: Kept,
        docs: List[Doc],
        hashes: numpy.ndarray,
        compute: Callable[[List[str], Any], Array],
    ) -> Kept:
        """Return a cache with a batch's words added, or with these alone if there are too many."""
        distinct, first = numpy.unique(hashes, return_index=True)
        if len(kept.hashes):
            known = kept.find(distinct)[1]
            if len(kept.hashes) + len(distinct) - known.sum() > self.max_words:
                kept = kept._replace(hashes=distinct[:0], places=kept.places[:0], rows=None)
            else:
                distinct, first = distinct[~known], first[~known]
        if not len(distinct):
            return kept
        values = compute(find_words(docs, distinct, first), kept.prepared)
        n_kept, n_all = len(kept.hashes), len(kept.hashes) + len(distinct)
        rows = kept.rows
        if rows is None:
            rows = values
        else:
            if n_all > rows.shape[1]:
                capacity = max(n_all, min(2 * n_all, self.max_words))
                larger = numpy.empty((rows.shape[0], capacity, rows.shape[2]), rows.dtype)
                larger[:, :n_kept] = rows[:, :n_kept]
                rows = larger
            # No other thread reads these rows yet: its `places` do not refer to them.
            rows[:, n_kept:n_all] = values
        at = kept.hashes.searchsorted(distinct)
        return kept._replace(
            hashes=numpy.insert(kept.hashes, at, distinct),
            places=numpy.insert(kept.places, at, numpy.arange(n_kept, n_all)),
            rows=rows,
        )

    # Thinc calls the following methods of every shim of a model.

    def finish_update(self, optimizer: Optimizer) -> None:
        self.empty()

    @contextmanager
    def use_params(self, params: Any) -> Iterator[None]:
        yield  # these parameters are different array objects

    def to_device(self, device_type: str, device_id: int) -> None:
        self.empty()

    def to_bytes(self) -> bytes:
        return b""

    def from_bytes(self, bytes_data: bytes) -> "WordCache":
        self.empty()
        return self

    def copy(self) -> "WordCache":
        return WordCache(self.max_words)

    def __reduce__(self) -> Any:
        return WordCache, (self.max_words,)


# All caches of this process.
CACHES: "WeakSet[WordCache]" = WeakSet()


def renew_locks() -> None:
    """Replace the locks in a forked process, in which the threads that held them do not exist."""
    for cache in CACHES:
        cache._lock = Lock()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=renew_locks)


def same_arrays(first: Sequence[Any], second: Sequence[Any]) -> bool:
    return len(first) == len(second) and all(a is b for a, b in zip(first, second))


def find_caches(nlp: Language) -> List[WordCache]:
    """Return the caches of a pipeline's models, except for those that keep no words."""
    shims = [shim for node in find_nodes(nlp) for shim in node.shims]
    return [shim for shim in shims if isinstance(shim, WordCache) and shim.max_words > 0]
