"""A teacher from a Hugging Face checkpoint for token classification.

Only `choose` imports this module, and only for a checkpoint, because it needs torch and
transformers.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, Iterator, List, NamedTuple, Sequence

import numpy
import torch
from spacy.tokens import Doc
from torch.nn.utils.rnn import pad_sequence
from transformers import AutoModelForTokenClassification
from transformers.utils.hub import cached_file, extract_commit_hash

from ..batches import batch_by_length
from ..distributions import log_softmax
from ..encoder import find_device, find_max_length, find_specials, load, load_tokenizer
from .checkpoint_labels import LabelScheme, read_scheme

# Word pieces in a batch, including padding.
BATCH_PIECES = 4096
# Tokenizer options: documents are split word by word and not truncated.
PIECES_OF_WORDS = {
    "is_split_into_words": True,
    "add_special_tokens": False,
    "truncation": False,
    "verbose": False,
}


class Window(NamedTuple):
    """A window over a document's pieces: start:end is encoded, keep_start:keep_end is kept."""

    doc: int
    start: int
    end: int
    keep_start: int
    keep_end: int


@dataclass(frozen=True)
class HFTokenClassifier:
    """A checkpoint for token classification. It splits a document's own tokens into word pieces.

    A token gets the distribution of its first piece. A token without pieces, such as a line break,
    gets none. Longer documents are processed in windows that overlap by half, and each piece is
    scored in the window in which it has the most context.

    model (PreTrainedModel): `*ForTokenClassification`.
    tokenizer (PreTrainedTokenizerFast): Its tokenizer.
    scheme (LabelScheme): What its labels mean.
    max_length (int): Pieces in a window, including special ones.
    """

    name: str
    model: Any
    tokenizer: Any
    scheme: LabelScheme
    max_length: int

    @classmethod
    def load(
        cls, name: str, *, revision: str = "", iob1: bool = False, gpu: int = -1
    ) -> "HFTokenClassifier":
        """Load a checkpoint.

        name (str): Its folder, or its name on the hub.
        revision (str): Revision of the name on the hub; empty: the latest.
        iob1 (bool): Whether its labels are IOB1, in which an entity begins with I unless it follows
            one with the same label. It is detected if a label has an I but no B; otherwise the
            names of the labels do not distinguish IOB1 from IOB2.
        gpu (int): GPU to run it on, -1 for the CPU.
        RAISES (OSError): D309 if it can't be loaded. (ValueError): D806 if its labels can't be
            interpreted, D311 if its tokenizer is not a fast one, D020 if there is no such GPU.
        """
        device = find_device(gpu)
        options = {"revision": revision} if revision else {}
        # Byte-level tokenizers need a space before each word that is passed separately.
        tokenizer = load_tokenizer(name, add_prefix_space=True, **options)
        model = load(partial(AutoModelForTokenClassification.from_pretrained, **options), name)
        labels = [model.config.id2label[i] for i in range(model.config.num_labels)]
        scheme = read_scheme(labels, teacher=name, iob1=iob1)
        model = model.eval().to(device)
        return cls(name, model, tokenizer, scheme, find_max_length(tokenizer, model))

    @property
    def tags(self) -> List[str]:
        return self.scheme.tags

    def predict(self, docs: Sequence[Doc]) -> List[numpy.ndarray]:
        """See `Teacher`."""
        return [self.scheme.to_tags(log_probs) for log_probs in self.predict_labels(docs)]

    def predict_labels(self, docs: Sequence[Doc]) -> List[numpy.ndarray]:
        """Return log-probabilities of the checkpoint's own labels, (n_tokens, n_labels) each."""
        words = [[token.text for token in doc] for doc in docs]
        encoded = [self.tokenizer(part, **PIECES_OF_WORDS) if part else None for part in words]
        pieces = [[] if part is None else part["input_ids"] for part in encoded]
        scores = self.score_pieces(pieces)
        found = []
        for doc, part, rows in zip(docs, encoded, scores):
            of_words = numpy.full((len(doc), rows.shape[1]), numpy.nan, dtype="f")
            word_ids = [] if part is None else part.word_ids()
            # In reverse order, so that a word keeps the row of its first piece.
            for piece in reversed(range(len(word_ids))):
                of_words[word_ids[piece]] = rows[piece]
            found.append(log_softmax(of_words))
        return found

    def score_pieces(self, pieces: Sequence[List[int]]) -> List[numpy.ndarray]:
        """Return the scores of the labels for each document's pieces: (n_pieces, n_labels) each."""
        before, after = find_specials(self.tokenizer)
        size = self.max_length - len(before) - len(after)
        found = [
            numpy.zeros((len(part), self.model.config.num_labels), dtype="f") for part in pieces
        ]
        windows = [
            window
            for i, part in enumerate(pieces)
            for window in list_windows(len(part), doc=i, size=size)
        ]
        fed = [[*before, *pieces[w.doc][w.start : w.end], *after] for w in windows]
        for chosen in batch_by_length(list(map(len, fed)), batch_pieces=BATCH_PIECES):
            for i, rows in zip(chosen, self.forward([fed[i] for i in chosen])):
                window = windows[i]
                kept = slice(window.keep_start, window.keep_end)
                skipped = len(before) + window.keep_start - window.start
                found[window.doc][kept] = rows[skipped : skipped + kept.stop - kept.start]
        return found

    def forward(self, sequences: Sequence[List[int]]) -> numpy.ndarray:
        """Return scores (n_sequences, longest, n_labels) of pieces, including special ones."""
        parts = [torch.tensor(sequence) for sequence in sequences]
        ids = pad_sequence(parts, batch_first=True, padding_value=self.tokenizer.pad_token_id or 0)
        mask = pad_sequence([*map(torch.ones_like, parts)], batch_first=True)
        device = self.model.device
        with torch.inference_mode():
            logits = self.model(input_ids=ids.to(device), attention_mask=mask.to(device)).logits
        return logits.float().cpu().numpy()


def find_commit(name: str, *, revision: str = "") -> str:
    """Return a checkpoint's commit on the hub. RAISES (OSError): D309 if that fails."""
    find = partial(cached_file, filename="config.json", revision=revision or None)
    return str(extract_commit_hash(load(find, name), None))


def list_windows(n_pieces: int, *, doc: int, size: int) -> Iterator[Window]:
    """Yield windows over a document's pieces that overlap by half; the middle of each is kept.

    size (int): Pieces in a window.
    """
    if n_pieces == 0:
        return
    step = max(size // 2, 1)
    starts = [0, *range(step, max(n_pieces - size, 0) + step, step)]
    kept = 0
    for start in starts:
        end = min(start + size, n_pieces)
        # Keep half of the overlap with the next window, and the last window to its end.
        keep_end = end if end == n_pieces else end - (size - step) // 2
        yield Window(doc, start, end, kept, keep_end)
        kept = keep_end
