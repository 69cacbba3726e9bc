"""Make documents from raw text: one per text, or one per sentence."""

import re
from itertools import pairwise
from typing import Iterator, Sequence

import numpy
from spacy.attrs import IS_SPACE, SPACY
from spacy.language import Language
from spacy.pipeline import Sentencizer
from spacy.tokens import Doc

from ..errors import Errors
from ..lines import WIDEST, find_line_starts

# The largest number of characters to tokenise at a time, because for text that is all brackets the
# time grows with their square, and the largest number of tokens in a sentence: longer ones, such as
# lists and tables, are cut.
PART_LENGTH = 5_000
SENTENCE_LENGTH = 200
# How many line breaks there must be to tell whether lines are wrapped.
MIN_BREAKS = 10
BLANK_LINE = re.compile(r"\n\s*\n")
# Where to cut a part that is too long, in order of preference. The marks of Chinese, Japanese and
# Hindi come first, because a point or a space seldom ends a sentence of these.
ENDS = ("\n", "。", "！", "？", "।", ". ", " ")  # noqa: RUF001 (fullwidth)


def make_docs(
    text: str, *, nlp: Language, split_sentences: bool, source: object, line: int
) -> Iterator[Doc]:
    """Tokenise a text.

    text (str): The text.
    nlp (Language): Pipeline that tokenises it.
    split_sentences (bool): Make one document per sentence. Sentences end after the punctuation
        that spaCy's `Sentencizer` knows, of any script, or at a line break that separates text,
        such as a blank line. Whitespace tokens are left out.
    source (object): Where the text comes from, for errors.
    line (int): Its line or row from 1, for errors.
    YIELDS (Doc): The document, or those of its sentences.
    RAISES (ValueError): D125 for a text that is too long to be tokenised as a whole.
    """
    if split_sentences:
        yield from split_text(text, nlp=nlp)
        return
    if len(text) > nlp.max_length:
        raise ValueError(
            Errors.D125.format(source=source, line=line, length=len(text), limit=nlp.max_length)
        )
    yield nlp.make_doc(text)


def are_wrapped(lines: Sequence[str], *, nlp: Language) -> bool:
    """Whether lines look like those of wrapped paragraphs: most line breaks separate no texts.

    lines (Sequence[str]): The lines; blank ones are between paragraphs.
    nlp (Language): Pipeline that tokenises them.
    """
    lines = [line.strip() for line in lines]
    n_breaks = sum(1 for line, after in pairwise(lines) if line and after)
    if n_breaks < MIN_BREAKS or sum(map(len, lines)) > WIDEST * len(lines):
        return False
    n_starts = find_line_starts([nlp.make_doc("\n".join(lines))]).sum()
    return bool(2 * n_starts < n_breaks)


def split_text(text: str, *, nlp: Language) -> Iterator[Doc]:
    """Make one document per sentence of a text of any length; none is empty."""
    for part in cut_text(text):
        yield from split_doc(nlp.make_doc(part))


def cut_text(text: str) -> Iterator[str]:
    """Split a text into paragraphs, and cut those that are too long."""
    for paragraph in BLANK_LINE.split(text):
        start = 0
        while len(paragraph) - start > PART_LENGTH:
            window = (start + PART_LENGTH // 2, start + PART_LENGTH)
            ends = (paragraph.rfind(mark, *window) + len(mark) for mark in ENDS)
            end = next((end for end in ends if end > window[0]), window[1])
            yield paragraph[start:end]
            start = end
        yield paragraph[start:]


def split_doc(doc: Doc) -> Iterator[Doc]:
    """Make one document per sentence, without whitespace tokens; none is empty.

    Line breaks that separate text (`find_line_starts`) end a sentence, too.
    """
    # Strings, because hashes can't be resolved after a memory zone that ends between two sentences.
    texts = [token.text for token in doc]
    is_space = doc.to_array(IS_SPACE) > 0
    spaces = (doc.to_array(SPACY) > 0) | numpy.append(is_space[1:], False)[: len(doc)]
    starts = numpy.flatnonzero(
        numpy.asarray(Sentencizer().predict([doc])[0], dtype=bool) | find_line_starts([doc])
    )
    for start, end in pairwise([*starts.tolist(), len(texts)]):
        words = numpy.flatnonzero(~is_space[start:end]) + start
        for first in range(0, len(words), SENTENCE_LENGTH):
            own = words[first : first + SENTENCE_LENGTH].tolist()
            kept = spaces[own]
            kept[-1] = False
            yield Doc(doc.vocab, words=[texts[i] for i in own], spaces=kept)
