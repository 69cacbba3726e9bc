"""The corpus reader for distillation: mixes labelled documents with teacher-annotated ones."""

import random
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Iterable, Iterator, List, Optional, Sequence

import numpy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from .checks import require
from .docbins import count_docs, read_examples, stream_examples
from .docs import leave_out_labels
from .errors import Errors
from .files import list_files
from .manifest import JOURNAL
from .soft_targets import has_soft_targets, max_log_probs
from .types import Reader


def build_distillation_corpus_v1(
    *,
    labelled: Optional[Path],
    unlabelled: Path,
    labelled_fraction: float = 0.1,
    min_confidence: float = 0.0,
    seed: int = 0,
    limit: int = 0,
    shuffle_buffer: int = 0,
) -> Reader:
    """Create the reader `spacy-distill.DistillationCorpus.v1`.

    labelled (Optional[Path]): DocBin file or folder of them: gold entities, with soft targets if
        `annotate` was run on them. None: distil from the teacher alone.
    unlabelled (Path): DocBin file or folder of them, as `annotate` writes them: soft targets, and
        pseudo-labels as entities.
    labelled_fraction (float): Mean share of labelled examples in a batch, from 0 to 1 (exclusive).
        To reach it, labelled examples are repeated within an epoch. Each one appears at least once,
        and exactly once if this is 0.
    min_confidence (float): In the documents of `unlabelled`, pseudo-labels of tokens whose most
        probable tag has a lower probability, and of all entities that contain such a token, are
        left out, and so is any gold annotation of these tokens, because it is stored like
        pseudo-labels. The soft targets are kept.
    seed (int): Seed of which labelled examples are repeated and, if the documents are not all held
        in memory, of their order, which is different in each epoch. Otherwise, spaCy shuffles them.
    limit (int): How many unlabelled documents are read, from the first on; 0 for all.
    shuffle_buffer (int): For training that does not hold all documents in memory (`max_epochs =
        -1`): unlabelled documents are drawn at random from a buffer of this size, and files are
        read in a random order if there is no limit. 0: documents are read in order.
    RETURNS (Callable[[Language], Iterable[Example]]): The reader. An epoch is one pass over the
        unlabelled documents.
    RAISES (ValueError): D007 for a setting out of its range.
    """
    require(0 <= labelled_fraction < 1, "labelled_fraction", labelled_fraction, "in [0, 1)")
    require(0 <= min_confidence <= 1, "min_confidence", min_confidence, "in [0, 1]")
    require(limit >= 0, "limit", limit, "0 or more")
    require(shuffle_buffer >= 0, "shuffle_buffer", shuffle_buffer, "0 or more")
    require(bool(unlabelled), "unlabelled", unlabelled, "a path")
    return DistillationCorpus(
        # From a config they come as strings. Path("") would be the current folder.
        Path(labelled) if labelled else None,
        Path(unlabelled),
        labelled_fraction,
        min_confidence,
        limit,
        shuffle_buffer,
        random.Random(seed),
    )


@dataclass
class DistillationCorpus:
    """See `build_distillation_corpus_v1`. Its state is the random generator."""

    labelled: Optional[Path]
    unlabelled: Path
    labelled_fraction: float
    min_confidence: float
    limit: int
    shuffle_buffer: int
    rng: random.Random

    def __call__(self, nlp: Language) -> Iterator[Example]:
        """Yield one epoch, with the labelled examples at random positions among the others.

        RAISES (FileNotFoundError): D008 for a path that does not exist. (ValueError): D005 for an
            unlabelled document without soft targets, D009 for a folder without documents, D023 if
            the annotation of a folder, or of one within it, is not finished, D114 for a damaged
            file, D128 for a file that is not .spacy.
        """
        for path in filter(None, (self.labelled, self.unlabelled)):
            for file in list_files(path):
                if file.name == JOURNAL:
                    raise ValueError(Errors.D023.format(path=file.parent, journal=JOURNAL))
        gold: List[Example] = []
        if self.labelled is not None:
            gold = list(read_examples(self.labelled, nlp.vocab))
        n_docs = count_docs(self.unlabelled) if gold else 0  # only needed to mix gold into them
        yield from mix(
            gold,
            self.read_pool(nlp),
            n_pool=min(n_docs, self.limit or n_docs),
            fraction=self.labelled_fraction,
            rng=self.rng,
        )

    def read_pool(self, nlp: Language) -> Iterator[Example]:
        """Yield the unlabelled examples, without the pseudo-labels that are too uncertain.

        RAISES (ValueError): D005 for a document without soft targets.
        """
        if self.shuffle_buffer:
            rng = None if self.limit else self.rng
            pool = stream_examples(self.unlabelled, nlp, rng=rng)
        else:
            pool = read_examples(self.unlabelled, nlp.vocab)
        limited = islice(pool, self.limit or None)
        for eg in shuffle(limited, size=self.shuffle_buffer, rng=self.rng):
            if not has_soft_targets(eg.reference):
                text = eg.reference.text[:50]
                raise ValueError(Errors.D005.format(source=self.unlabelled, text=text))
            leave_out_unsure(eg.reference, self.min_confidence)
            yield eg


def mix(
    gold: Sequence[Example],
    pool: Iterable[Example],
    *,
    n_pool: int,
    fraction: float,
    rng: random.Random,
) -> Iterator[Example]:
    """Yield the examples of a pool in their order, with gold examples at random positions.

    gold (Sequence[Example]): Each is yielded at least once, and again if `fraction` demands it.
    pool (Iterable[Example]): Examples that may be too many for memory.
    n_pool (int): Their number.
    fraction (float): Mean share of gold. It is exceeded if the pool would otherwise end before all
        of gold.
    rng (Random): Draws the positions and the order of gold.
    """
    waiting = rng.sample(gold, len(gold))
    n_unseen, n_left = len(gold), n_pool
    for eg in pool:
        while gold and rng.random() < max(fraction, n_unseen / max(n_unseen + n_left, 1)):
            yield waiting.pop()
            n_unseen = max(n_unseen - 1, 0)
            waiting = waiting or rng.sample(gold, len(gold))
        yield eg
        n_left -= 1
    yield from waiting[:n_unseen]


def shuffle(examples: Iterable[Example], *, size: int, rng: random.Random) -> Iterator[Example]:
    """Yield examples in a random order, holding at most `size` of them at a time."""
    held: List[Example] = []
    for eg in examples:
        if len(held) < size:
            held.append(eg)
        elif size:
            place = rng.randrange(size)
            eg, held[place] = held[place], eg
            yield eg
        else:
            yield eg
    rng.shuffle(held)
    yield from held


def leave_out_unsure(doc: Doc, min_confidence: float) -> None:
    """Set the labels of uncertain tokens, and of entities with such tokens, to missing.

    Gold labels are included, because the document does not tell them from pseudo-labels.

    doc (Doc): A document with soft targets. Modified in place.
    min_confidence (float): Least probability of a token's most probable tag, from 0 to 1.
    """
    if min_confidence > 0 and len(doc):
        leave_out_labels(doc, max_log_probs(doc) < numpy.log(min_confidence))
