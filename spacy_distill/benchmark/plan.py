"""The settings of a benchmark, its texts, and the plan of a measurement: it reads all texts, or a
sample if a system is too slow for that."""

import random
from math import ceil
from pathlib import Path
from typing import List, NamedTuple, Sequence, Tuple

from spacy.language import Language

from ..docbins import read_docbins
from ..errors import Errors

# Minimum duration of a measurement. A faster system reads the corpus more than once.
MIN_SECONDS = 0.5


class Settings(NamedTuple):
    """The settings that a user chooses."""

    batch_sizes: Tuple[int, ...] = (1, 32, 64, 128)
    threads: int = 1
    repeats: int = 3
    seconds: float = 3.0  # maximum of one measurement, unless a batch takes longer
    seed: int = 0


class Corpus(NamedTuple):
    """The texts to read."""

    texts: List[str]
    n_words: List[int]  # words of each text: the student's tokens


class Plan(NamedTuple):
    """The measurements of one system at one batch size."""

    texts: List[int]  # indices
    passes: int
    repeats: int
    seconds: float  # expected duration of a measurement, estimated in the warm-up


def read_corpus(path: Path, nlp: Language) -> Corpus:
    """Read the texts of a DocBin file, or of a folder of them.

    path (Path): The file or folder.
    nlp (Language): The student, whose tokens are counted as words.
    RETURNS (Corpus): The texts that are not empty.
    RAISES (ValueError): D009 if there are none. (FileNotFoundError): D008 if the path does not
        exist.
    """
    texts = [doc.text for doc in read_docbins(path, nlp.vocab) if doc.text.strip()]
    if not texts:
        raise ValueError(Errors.D009.format(path=path))
    return Corpus(texts, [len(nlp.make_doc(text)) for text in texts])


def make_plan(
    n_words: List[int], *, speed: float, batch_size: int, sorts: bool, settings: Settings
) -> Plan:
    """Plan the measurements of a system: of all texts, or of as many as there is time for.

    n_words (List[int]): Number of words of each text.
    speed (float): Estimated speed in words/s.
    batch_size (int): Number of texts in a batch. At least one batch is read, if there are enough
        texts.
    sorts (bool): Whether the system reads texts of similar length together.
    settings (Settings): The maximum duration and the number of measurements. If a single batch
        takes longer than that, there are fewer measurements, at least one.
    RETURNS (Plan): The plan.
    """
    wanted = speed * settings.seconds
    if sorts and batch_size > 1:
        texts = draw_batches(n_words, wanted=wanted, batch_size=batch_size)
    else:
        texts = draw_texts(n_words, wanted=wanted, at_least=batch_size, seed=settings.seed)
    n_once = sum(n_words[i] for i in texts)
    passes = 1
    if len(texts) == len(n_words):
        passes = max(1, ceil(min(MIN_SECONDS, settings.seconds) * speed / n_once))
    seconds = passes * n_once / speed
    repeats = min(max(round(settings.repeats * settings.seconds / seconds), 1), settings.repeats)
    return Plan(texts, passes, repeats, seconds)


def draw_texts(n_words: Sequence[int], *, wanted: float, at_least: int, seed: int) -> List[int]:
    """Draw texts at random, without replacement.

    n_words (Sequence[int]): Number of words of each text.
    wanted (float): Number of words to draw, approximately.
    at_least (int): Minimum number of texts to draw, if there are as many.
    seed (int): Seed of the random numbers.
    RETURNS (List[int]): Indices of the texts, ascending; all if there are no more words than
        wanted.
    """
    order = list(range(len(n_words)))
    random.Random(seed).shuffle(order)
    drawn: List[int] = []
    n_drawn = 0
    for i in order:
        if n_drawn >= wanted and len(drawn) >= at_least:
            break
        drawn.append(i)
        n_drawn += n_words[i]
    return sorted(drawn)


def draw_batches(n_words: Sequence[int], *, wanted: float, batch_size: int) -> List[int]:
    """Draw full batches of texts of similar length, evenly spaced in the order of lengths.

    These are like the batches in which a system that sorts texts by length reads a whole corpus.
    Texts drawn at random would be so few that their lengths differ, and need more padding. A single
    batch drawn at random, if there is time for only one, might have only long texts, or only short
    ones.

    n_words (Sequence[int]): Number of words of each text.
    wanted (float): Number of words to draw, approximately; at least one batch is drawn.
    batch_size (int): Number of texts in a batch.
    RETURNS (List[int]): Indices of the texts, ascending; all if there are no more words than
        wanted, or no more texts than a batch.
    """
    n_texts, total = len(n_words), sum(n_words)
    if wanted >= total or batch_size >= n_texts:
        return list(range(n_texts))
    n_batches = round(wanted / total * n_texts / batch_size)
    n_batches = min(max(n_batches, 1), n_texts // batch_size)
    order = sorted(range(n_texts), key=lambda i: n_words[i])
    stride = n_texts / n_batches  # at least a batch, so that batches do not overlap
    starts = [int((i + 0.5) * stride - 0.5 * batch_size) for i in range(n_batches)]
    return sorted(i for start in starts for i in order[start : start + batch_size])
