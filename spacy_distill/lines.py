"""Lines of documents: whitespace between words, and which line breaks separate text.

Models are trained on sentences without line breaks. In a document, whitespace tokens are left out.
A line break is either there because the next word did not fit on the line, so that text continues
after it, or it separates two texts: paragraphs, the items of a list, a heading and what follows.
"""

import re
from typing import List, NamedTuple, Optional, Sequence

import numpy
from spacy.attrs import IS_SPACE, LENGTH, SPACY
from spacy.tokens import Doc

LINE_BREAK = re.compile(r"\r\n|[\n\r\v\f\x85\u2028\u2029]")
# Text is seldom wrapped at fewer characters. In a paragraph without a longer line, no word was too
# long for its line.
NARROWEST = 40


class Lines(NamedTuple):
    """The words of documents, as a document for each line.

    docs (List[Doc]): The lines, without whitespace tokens and annotation.
    words (ndarray): The index of each of their tokens among those of all documents (n_words,).
    """

    docs: List[Doc]
    words: numpy.ndarray


def cut_lines(docs: Sequence[Doc]) -> Optional[Lines]:
    """Cut documents where line breaks separate text, and leave out whitespace tokens.

    docs (Sequence[Doc]): The documents.
    RETURNS (Optional[Lines]): Their lines, none of which is empty; None if no document has a
        whitespace token.
    """
    is_space = [doc.to_array(IS_SPACE) for doc in docs]
    if not numpy.concatenate([numpy.zeros(0, "uint64"), *is_space]).any():
        return None
    lines: List[Doc] = []
    words = [numpy.zeros(0, "i")]
    n_before = 0
    for doc, of_doc in zip(docs, is_space):
        own = numpy.flatnonzero(of_doc == 0)
        firsts = numpy.flatnonzero(starts_of_lines(doc)[own])
        texts = [doc[i].text for i in own.tolist()]
        for start, end in zip([0, *firsts], [*firsts, len(texts)]):
            if start < end:
                lines.append(Doc(doc.vocab, words=texts[start:end]))
        words.append(own + n_before)
        n_before += len(doc)
    return Lines(lines, numpy.concatenate(words))


def find_line_starts(docs: Sequence[Doc], is_space: numpy.ndarray) -> numpy.ndarray:
    """Find the words of documents that begin a line: see `starts_of_lines`.

    docs (Sequence[Doc]): The documents.
    is_space (ndarray): Their whitespace tokens, documents concatenated: bool (n_tokens,).
    RETURNS (ndarray): bool (n_tokens,).
    """
    if not is_space.any():
        return numpy.zeros(len(is_space), dtype=bool)
    return numpy.concatenate([*map(starts_of_lines, docs)])


def starts_of_lines(doc: Doc) -> numpy.ndarray:
    """Find the words that follow a separating line break: the first ones of their line.

    A break separates text if there is another one next to it, or if the next word would have fitted
    on the line before: if that line would not have become the longest of its paragraph. (A word
    includes punctuation without a space in between.) A tab within a line separates columns.

    doc (Doc): The document.
    RETURNS (ndarray): bool (n_tokens,).
    """
    starts = numpy.zeros(len(doc), dtype=bool)
    columns = doc.to_array([LENGTH, SPACY, IS_SPACE]).reshape(-1, 3).astype("i")
    lengths, has_space, is_space = columns.T
    words = numpy.flatnonzero(is_space == 0)
    if len(words) == len(doc) or not len(words):
        return starts
    n_breaks = numpy.zeros(len(doc), dtype="i")
    for i in numpy.flatnonzero(is_space).tolist():
        n_breaks[i] = len(LINE_BREAK.findall(doc[i].text)) or 2 * ("\t" in doc[i].text)
    # Between each word and the one before it.
    breaks = numpy.diff(numpy.cumsum(n_breaks)[words], prepend=0)
    breaks[0] = 0
    firsts = numpy.append(0, numpy.flatnonzero(breaks))  # of each line: indices of words
    if len(firsts) == 1:
        return starts
    ends = numpy.cumsum(lengths + has_space) - has_space  # in characters
    begins = ends - lengths
    lasts = numpy.append(firsts[1:], len(words)) - 1
    widths = ends[words[lasts]] - begins[words[firsts]]
    is_blank = breaks[firsts] > 1
    paragraphs = numpy.cumsum(is_blank)
    widest = numpy.maximum.reduceat(widths, numpy.append(0, numpy.flatnonzero(is_blank)))[
        paragraphs
    ]
    # The characters up to the first space after each line's first word.
    closes = numpy.flatnonzero((has_space > 0) | numpy.append(is_space[1:] > 0, True))
    first_words = ends[closes[closes.searchsorted(words[firsts])]] - begins[words[firsts]]
    fits = widths[:-1] + 1 + first_words[1:] <= widest[:-1]
    separates = is_blank[1:] | fits | (widest[:-1] < NARROWEST)
    starts[words[firsts[1:]]] = separates
    return starts
