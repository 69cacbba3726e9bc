"""What is read, and how often: settings, texts, and the plan of a measurement."""

from math import ceil
from pathlib import Path
from typing import List, NamedTuple, Tuple

from spacy.language import Language

from ..docbins import read_docbins
from ..errors import Errors
from .sample import draw_batches, draw_texts

# Shorter measurements say little: a system so fast reads the corpus more than once.
MIN_SECONDS = 0.5


class Settings(NamedTuple):
    """What a user chooses."""

    batch_sizes: Tuple[int, ...] = (1, 32, 64, 128)
    threads: int = 1
    repeats: int = 3
    seconds: float = 3.0  # of one measurement at most, unless a batch takes longer
    seed: int = 0


class Corpus(NamedTuple):
    """The texts that are read."""

    texts: List[str]
    n_words: List[int]  # of each: the student's tokens


class Plan(NamedTuple):
    """How one system is measured at one batch size."""

    texts: List[int]  # indices
    passes: int
    repeats: int
    seconds: float  # that a measurement will take, as far as the warm-up tells


def read_corpus(path: Path, nlp: Language) -> Corpus:
    """Read the texts of a DocBin file, or of a folder of them.

    path (Path): The file or folder.
    nlp (Language): The student, whose tokens are counted as words.
    RETURNS (Corpus): The texts that hold anything.
    RAISES (ValueError): D503 if none does. (FileNotFoundError): D008 without the path.
    """
    texts = [doc.text for doc in read_docbins(path, nlp.vocab) if doc.text.strip()]
    if not texts:
        raise ValueError(Errors.D503.format(path=path))
    return Corpus(texts, [len(nlp.make_doc(text)) for text in texts])


def make_plan(
    n_words: List[int], *, speed: float, batch_size: int, sorts: bool, settings: Settings
) -> Plan:
    """Plan the measurements of a system: one pass over all texts, or what there is time for.

    n_words (List[int]): Words of each text.
    speed (float): Words/s, as far as it is known.
    batch_size (int): Texts in a batch. At least so many are read, if there are as many.
    sorts (bool): Whether the system reads texts of like length together.
    settings (Settings): How long it may take, and how often it is done: less often where a single
        batch takes longer than it may, at least once.
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
