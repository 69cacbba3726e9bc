"""A transformer without a pipeline: text -> word pieces -> the best tag of each piece."""

from typing import Any, Callable, Iterator, List, Sequence, Tuple

import numpy
from tokenizers import Tokenizer

# (n_texts, n_pieces) each: piece ids, and 1 where there is a piece -> (n_texts, n_pieces, n_tags)
Forward = Callable[[numpy.ndarray, numpy.ndarray], numpy.ndarray]


def load_tokenizer(path: str, *, max_pieces: int) -> Tokenizer:
    """Load a tokenizer.json.

    path (str): The file.
    max_pieces (int): Texts are truncated to this number of pieces, including the special ones.
    """
    tokenizer = Tokenizer.from_file(path)
    tokenizer.no_padding()  # `make_batches` pads each batch
    tokenizer.enable_truncation(max_pieces)
    return tokenizer


def make_run(
    tokenizer: Tokenizer, forward: Forward, *, padding: int
) -> Callable[[List[str], int], int]:
    """Make the fastest function to run a transformer: it batches texts of similar length, and pads
    each batch only to its longest text.

    tokenizer (Tokenizer): The tokenizer, as returned by `load_tokenizer`.
    forward (Callable): The forward pass of the model.
    padding (int): Id of the padding piece.
    RETURNS (Callable[[List[str], int], int]): Texts and batch size -> the number of predicted tags.
    """

    def run(texts: List[str], batch_size: int) -> int:
        sequences = [encoding.ids for encoding in tokenizer.encode_batch(texts)]
        n_tags = 0
        for ids, mask in make_batches(sequences, batch_size=batch_size, padding=padding):
            tags = forward(ids, mask).argmax(axis=-1)
            n_tags += len(tags[mask > 0])
        return n_tags

    return run


def count_cut(tokenizer: Tokenizer, texts: List[str]) -> int:
    """Count the texts that have more pieces than `load_tokenizer` allows."""
    return sum(bool(encoding.overflowing) for encoding in tokenizer.encode_batch(texts))


def make_batches(
    sequences: Sequence[List[int]], *, batch_size: int, padding: int
) -> Iterator[Tuple[numpy.ndarray, numpy.ndarray]]:
    """Make batches of word pieces, sorted by length if there can be padding.

    sequences (Sequence[List[int]]): Piece ids of each text.
    batch_size (int): Number of texts in a batch.
    padding (int): Id of the padding piece.
    YIELDS (Tuple[Ints2d, Ints2d]): Ids and mask: (n_texts, n_pieces) each.
    """
    order = list(range(len(sequences)))
    if batch_size > 1:
        order.sort(key=lambda i: len(sequences[i]))
    for start in range(0, len(order), batch_size):
        batch = [sequences[i] for i in order[start : start + batch_size]]
        ids: Any = numpy.full((len(batch), max(map(len, batch))), padding, dtype="int64")
        mask = numpy.zeros_like(ids)
        for row, sequence in enumerate(batch):
            ids[row, : len(sequence)] = sequence
            mask[row, : len(sequence)] = 1
        yield ids, mask
