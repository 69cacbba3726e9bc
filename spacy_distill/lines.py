"""Lines of documents: whitespace between words, and which line breaks separate text.

Models are trained on sentences without line breaks. In a document, whitespace tokens are left out.
A line break is either there because the next word did not fit on the line, so that text continues
after it, or it separates two texts: paragraphs, the items of a list, a heading and what follows.
Models read these texts one by one, unless entities of the training data contain such breaks.
"""

import re
from bisect import bisect_left
from itertools import pairwise
from typing import List, NamedTuple, Optional, Sequence, Sized, Tuple
from unicodedata import east_asian_width

import numpy
from spacy.attrs import IDX, IS_SPACE, LENGTH, LIKE_EMAIL, LIKE_URL, ORTH, SPACY
from spacy.tokens import Doc, Span

LINE_BREAK = re.compile(r"\r\n|[\n\r\v\f\x85\u2028\u2029]")
# Text is seldom wrapped at fewer or at more characters. In a paragraph without a line of at least
# the first number, no word was too long for its line; after one longer than the second, neither.
NARROWEST, WIDEST = 40, 120
# If more than this share of the entities in documents of several lines contain a separating line
# break, such as addresses, documents are read as a whole.
MAX_CUT = 0.02
# What is between tabs, without whitespace around it, and its first word. (> marks quoted mail.)
COLUMN = re.compile(r"(?:>[> ]*)?(\S+)(?:[^\t]*\S)?")


class Lines(NamedTuple):
    """The words of documents, as a document for each line.

    docs (List[Doc]): The lines, without whitespace tokens and annotation.
    places (ndarray): The index of each of their tokens among those of all documents (n_words,).
    """

    docs: List[Doc]
    places: numpy.ndarray


class Line(NamedTuple):
    """A line of text, or a column of it.

    first (int): The index of its first token.
    width (int): Characters, with the indentation.
    has_address (bool): Whether it contains the address of a page or of mail.
    is_wide (bool): Whether its first character takes up two columns of the screen, as in Chinese.
    opening (int): Characters that would have followed on the line before, had it not been broken:
        a space and a word with the punctuation next to it. Wide characters have no spaces.
    """

    first: int
    width: int
    has_address: bool
    is_wide: bool
    opening: int


def cut_lines(docs: Sequence[Doc], *, are_separate: bool = True) -> Optional[Lines]:
    """Cut documents where line breaks separate text, and leave out whitespace tokens.

    docs (Sequence[Doc]): The documents.
    are_separate (bool): Whether to cut them; if not, each is one line.
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
            firsts: List[int] = []
            if are_separate:
                firsts = numpy.flatnonzero(starts_of_doc(doc)[own]).tolist()
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
    starts (ndarray): What `find_line_starts` returns for them: bool (n_tokens,).
    RETURNS (List[int]): The lengths. If no line starts within a document, those of the documents.
    """
    lengths = [*map(len, docs)]
    if not starts.any():
        return lengths
    edges = numpy.concatenate([numpy.cumsum([0, *lengths]), numpy.flatnonzero(starts)])
    return numpy.diff(numpy.unique(edges)).tolist()


def divide_entities(doc: Doc) -> Tuple[List[Span], List[Span]]:
    """Return the entities of a document that contain a separating line break, and the others.

    Of a document without such breaks, none is returned.
    """
    starts = starts_of_doc(doc)
    cut: List[Span] = []
    whole: List[Span] = []
    for ent in doc.ents if starts.any() else ():
        (cut if starts[ent.start + 1 : ent.end].any() else whole).append(ent)
    return cut, whole


def should_separate(n_cut: int, n_whole: int) -> bool:
    """Return whether models should read lines one by one, by the numbers of entities of each kind
    that `divide_entities` returns for the training data."""
    return n_cut <= MAX_CUT * (n_cut + n_whole)


def find_line_starts(docs: Sequence[Doc]) -> numpy.ndarray:
    """Find the first words of lines, as `starts_of_doc` does: documents concatenated."""
    return numpy.concatenate([numpy.zeros(0, dtype=bool), *map(starts_of_doc, docs)])


def starts_of_doc(doc: Doc) -> numpy.ndarray:
    """Find the words that follow a separating line break: the first ones of their line.

    A break separates text if there is another one next to it, or if the next word would have fitted
    on the line before: if that line would not have become the longest of its paragraph. A tab
    within a line separates columns.

    doc (Doc): The document.
    RETURNS (ndarray): bool (n_tokens,).
    """
    starts = numpy.zeros(len(doc), dtype=bool)
    if not doc.to_array(IS_SPACE).any():
        return starts
    for n_before, lines in enumerate(read_paragraphs(doc)):
        starts[lines[0].first] = n_before > 0
        # Lines with an address may be wider than the others.
        widest = max((line.width for line in lines if not line.has_address), default=0)
        for line, following in pairwise(lines):
            starts[following.first] = not is_wrapped(line, following, widest=widest)
    return starts


def is_wrapped(line: Line, following: Line, *, widest: int) -> bool:
    """Return whether a line ends where it does because the next word did not fit.

    line (Line): The line.
    following (Line): The next line of the paragraph.
    widest (int): Width of the widest line of the paragraph, without those with an address.
    """
    screen = 2 if following.is_wide else 1  # columns of a character
    is_text = screen * widest >= NARROWEST and (line.has_address or screen * line.width <= WIDEST)
    return is_text and line.width + following.opening > widest


def read_paragraphs(doc: Doc) -> List[List[Line]]:
    """Read the lines of a document, up to a blank line or the next column. None is empty."""
    text = doc.text
    attrs = [IDX, LENGTH, SPACY, IS_SPACE, LIKE_URL, LIKE_EMAIL]
    places, lengths, has_space, is_space, *is_address = doc.to_array(attrs).T
    tokens = {place: token for token, place in enumerate(places.tolist())}
    # A document made from words has a space after each, also after line breaks.
    trailing_spaces = {*(places + lengths)[(has_space & is_space) > 0].tolist()}
    addresses = places[numpy.add(*is_address) > 0].tolist()
    breaks = [found.span() for found in LINE_BREAK.finditer(text)]
    paragraphs: List[List[Line]] = [[]]
    for (_, margin), (end, _) in zip([(0, 0), *breaks], [*breaks, (len(text), len(text))]):
        margin += margin in trailing_spaces
        columns = [*COLUMN.finditer(text, margin, end)]
        for n_before, column in enumerate(columns):
            start, stop = column.span()
            if start not in tokens:  # a line break within a token
                continue
            if n_before:
                paragraphs.append([])
            is_wide = east_asian_width(text[start]) in "WF"
            line = Line(
                first=tokens[start],
                width=stop - (start if n_before else margin),
                has_address=bisect_left(addresses, start) < bisect_left(addresses, stop),
                is_wide=is_wide,
                opening=len(doc[tokens[start]]) if is_wide else 1 + len(column[1]),
            )
            paragraphs[-1].append(line)
        if not columns:
            paragraphs.append([])
    return [lines for lines in paragraphs if lines]
