"""Lines of documents: whitespace between words, and which line breaks separate text.

Models are trained on sentences without line breaks. In a document, whitespace tokens are left out.
A line break is either there because the next word did not fit on the line, so that text continues
after it, or it separates two texts: paragraphs, the items of a list, a heading and what follows.
"""

import re
from typing import List, NamedTuple, Optional, Sequence, Sized
from unicodedata import east_asian_width

import numpy
from spacy.attrs import IS_SPACE, LENGTH, LIKE_EMAIL, LIKE_URL, ORTH, SPACY
from spacy.tokens import Doc

LINE_BREAK = re.compile(r"\r\n|[\n\r\v\f\x85\u2028\u2029]")
# Text is seldom wrapped at fewer or at more characters. In a paragraph without a line of at least
# the first number, no word was too long for its line; after one longer than the second, neither.
NARROWEST, WIDEST = 40, 120


class Lines(NamedTuple):
    """The words of documents, as a document for each line.

    docs (List[Doc]): The lines, without whitespace tokens and annotation.
    places (ndarray): The index of each of their tokens among those of all documents (n_words,).
    """

    docs: List[Doc]
    places: numpy.ndarray


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
    places = [numpy.zeros(0, "i")]
    n_before = 0
    for doc, of_doc in zip(docs, is_space):
        own = numpy.flatnonzero(of_doc == 0)
        if len(own) == len(doc):
            lines += [doc] * bool(len(doc))
        else:
            firsts = numpy.flatnonzero(find_line_starts(doc)[own])
            words = doc.to_array(ORTH)[own].tolist()
            for start, end in zip([0, *firsts], [*firsts, len(words)]):
                if start < end:
                    lines.append(Doc(doc.vocab, words=words[start:end]))
        places.append(own + n_before)
        n_before += len(doc)
    return Lines(lines, numpy.concatenate(places))


def line_lengths(docs: Sequence[Sized], starts: numpy.ndarray) -> List[int]:
    """Return the number of tokens of each line of documents, with the whitespace after it.

    docs (Sequence[Sized]): The documents, or other objects of the same lengths.
    starts (ndarray): What `find_starts` returns for them: bool (n_tokens,).
    RETURNS (List[int]): The lengths. If no line starts within a document, those of the documents.
    """
    lengths = [*map(len, docs)]
    if not starts.any():
        return lengths
    edges = numpy.concatenate([numpy.cumsum([0, *lengths]), numpy.flatnonzero(starts)])
    return numpy.diff(numpy.unique(edges)).tolist()


def find_line_lengths(docs: Sequence[Doc]) -> List[int]:
    """Find the lines of documents, and return their lengths: see `line_lengths`."""
    return line_lengths(docs, find_starts(docs))


def find_starts(docs: Sequence[Doc]) -> numpy.ndarray:
    """Find the first words of lines, as `find_line_starts` does: documents concatenated."""
    return numpy.concatenate([numpy.zeros(0, dtype=bool), *map(find_line_starts, docs)])


def find_line_starts(doc: Doc) -> numpy.ndarray:
    """Find the words that follow a separating line break: the first ones of their line.

    A break separates text if there is another one next to it, or if the next word would have fitted
    on the line before: if that line would not have become the longest of its paragraph. (A word
    includes punctuation without a space in between, except where characters are wide, as in
    Chinese. Lines with an address may be wider than the others.) A tab within a line separates
    columns.

    doc (Doc): The document.
    RETURNS (ndarray): bool (n_tokens,).
    """
    starts = numpy.zeros(len(doc), dtype=bool)
    if not doc.to_array(IS_SPACE).any():
        return starts
    attrs = [LENGTH, SPACY, IS_SPACE, LIKE_URL, LIKE_EMAIL]
    lengths, has_space, is_space, *is_address = doc.to_array(attrs).astype("i").T
    words = numpy.flatnonzero(is_space == 0)
    n_breaks = numpy.zeros(len(doc), dtype="i")
    indents = numpy.zeros(len(doc), dtype="i")  # characters after a token's last line break
    for i in numpy.flatnonzero(is_space).tolist():
        parts = LINE_BREAK.split(doc[i].text)
        n_breaks[i] = len(parts) - 1 or 2 * ("\t" in parts[0])
        indents[i] = len(parts[-1]) if len(parts) > 1 else 0
    if not n_breaks.any() or not len(words):
        return starts
    # Between each word and the one before it.
    breaks = numpy.diff(numpy.cumsum(n_breaks)[words], prepend=0)
    breaks[0] = 0
    firsts = numpy.append(0, numpy.flatnonzero(breaks))  # of each line: indices of words
    ends = numpy.cumsum(lengths + has_space) - has_space  # in characters
    places = numpy.flatnonzero(n_breaks)
    # A single space after a line break may be that of a document made from words.
    margins = numpy.where(indents, ends - indents, ends + has_space)[places]
    edges = numpy.append(0, margins)[places.searchsorted(words[firsts])]
    lasts = numpy.append(firsts[1:], len(words)) - 1
    widths = ends[words[lasts]] - edges
    is_blank = breaks[firsts] > 1
    of_paragraphs = numpy.append(0, numpy.flatnonzero(is_blank))
    has_address = numpy.maximum.reduceat(numpy.add(*is_address)[words], firsts) > 0
    of_text = numpy.where(has_address, 0, widths)
    widest = numpy.maximum.reduceat(of_text, of_paragraphs)[numpy.cumsum(is_blank)][:-1]
    # What the next line begins with: the characters up to the first space, and a space before it.
    closes = numpy.flatnonzero((has_space > 0) | numpy.append(is_space[1:] > 0, True))
    following = words[firsts[1:]]
    next_words = 1 + ends[closes[closes.searchsorted(following)]] - (ends - lengths)[following]
    is_wide = numpy.asarray([east_asian_width(doc[i].text[0]) in "WF" for i in following.tolist()])
    next_words = numpy.where(is_wide, lengths[following], next_words)
    columns = numpy.where(is_wide, 2, 1)  # of a character
    fits = widths[:-1] + next_words <= widest
    is_text = (columns * widest >= NARROWEST) & (columns * of_text[:-1] <= WIDEST)
    is_wrapped = is_text & ~fits & ~is_blank[1:]
    starts[words[firsts[1:]]] = ~is_wrapped
    return starts
