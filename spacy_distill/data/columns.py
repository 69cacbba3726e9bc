"""Read column files: one token per line, the token in the first column and its tag in the last.

Files differ in their separator, in the number of columns and in the scheme of their tags (IOB1,
IOB2, BILUO, IOBES or BMES). Ambiguous lines raise an error that names the line.
"""

import codecs
import gzip
import re
import zlib
from functools import lru_cache
from itertools import islice, pairwise
from pathlib import Path
from typing import Iterable, Iterator, List, Optional, Sequence, Tuple

from spacy.language import Language
from spacy.tokens import Doc
from spacy.vocab import Vocab

from ..errors import Errors
from ..tags import BILUO, OUTSIDE, split_tag, tag_in_iob

# A line of the file: its number from 1, its token, its tag.
Row = Tuple[int, str, str]

DOCUMENT_START = "-DOCSTART-"
# What comments begin with. A line that holds a token may also begin like this.
COMMENT = ("# ", "#\t")
PREFIX = f"[{''.join(BILUO)}]"
# A label may contain spaces, if spaces do not separate the columns, but not a second tag, as in
# `B-LOC|B-ORG`: nested entities can't be learned.
TAG = re.compile(rf"O|{PREFIX}-(?!.*\|(?:O$|{PREFIX}-))\S(?:.*\S)?")
# Prefixes that occur only in schemes that mark the end of entities.
CLOSING = set(BILUO) - {"B", "I"}
# The prefix of every token in WikiANN: the code of its Wikipedia, such as `en:` or `zh-yue:`.
LANGUAGE_PREFIX = re.compile(r"[a-z]{2,3}(?:-[a-z]+)*:")
# The number of a token, in CoNLL-U also of two words in one (3-4), or of one left out (8.1).
NUMBER = re.compile(r"\d+(?:[-.]\d+)?")
# The number of a sentence is the same for all of its tokens: how many pairs of neighbouring tokens
# are compared, how many there must be to tell, and which share of them must be equal.
PAIRS_CHECKED, MIN_PAIRS, MIN_EQUAL = 1000, 8, 0.8
# What a writer of CSV makes of the tokens " and , in a column.
QUOTED = ('""""', '","')
# Byte order marks of UTF-16.
UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# The form of a line that contains tabs. The form of other lines is their number of columns.
TABBED = -1


def read_columns(path: Path, *, nlp: Language) -> Iterator[Doc]:
    """Read a column file: token first, tag last, a blank line after each sentence.

    A line that begins with `#` and a space or tab, before the first token of a sentence, is a
    comment unless it can be read as a token. A token without text is left out if its tag is O. A
    language prefix is removed if every token has it.

    The file is read several times instead of being held in memory, because only its end shows
    whether every token has a language prefix, and whether the tags mark the end of entities.

    path (Path): The file, in UTF-8.
    nlp (Language): Pipeline whose vocab the documents get.
    YIELDS (Doc): One document per sentence, with entities.
    RAISES (ValueError): D101, D102, D105, D106 or D137 for a malformed line, D103 for a tag that
        can't follow the one before it, D104 or D126 for a file that can't be decoded or
        decompressed, D129 if the first column does not hold the tokens.
    """
    check_first_column(path)
    skip = measure_prefix(token for rows in read_rows(path) for _, token, _ in rows)
    closes = is_closing(tag for rows in read_rows(path) for _, _, tag in rows)
    for rows in read_rows(path):
        lines, tokens, tags = zip(*rows, strict=True)
        words = [token[skip:] for token in tokens]
        yield make_tagged_doc(words, tags, vocab=nlp.vocab, source=path, lines=lines, closes=closes)


def check_first_column(path: Path) -> None:
    """Refuse a file whose first column numbers tokens or sentences. RAISES (ValueError): D129."""
    # In most other files this stops within the first sentence or two.
    are_numbers = all(NUMBER.fullmatch(token) for rows in read_rows(path) for _, token, _ in rows)
    is_wrong = are_numbers and any(len(rows) > 1 for rows in read_rows(path))
    pairs = (
        first == second
        for rows in read_rows(path)
        for (_, first, _), (_, second, _) in pairwise(rows)
    )
    are_equal = [*islice(pairs, PAIRS_CHECKED)]
    is_wrong |= len(are_equal) >= MIN_PAIRS and sum(are_equal) > MIN_EQUAL * len(are_equal)
    if is_wrong:
        raise ValueError(Errors.D129.format(source=path))


def make_tagged_doc(
    words: Sequence[str],
    tags: Sequence[str],
    *,
    vocab: Vocab,
    source: object,
    lines: Sequence[int],
    closes: bool,
) -> Doc:
    """Make a document from tokens and their tags. Its whitespace is unknown.

    words (Sequence[str]): The tokens.
    tags (Sequence[str]): The tag of each token, in any scheme.
    vocab (Vocab): The document's vocab.
    source (object): Where the tokens come from, for errors.
    lines (Sequence[int]): The line of each token, for errors.
    closes (bool): Whether the scheme marks the end of entities, as BILUO does: see `is_closing`.
    RETURNS (Doc): The document, with entities.
    RAISES (ValueError): D102 if a tag is invalid, D103 if it can't follow the one before it.
    """
    iob = [to_iob(tag) for tag in tags]
    if "" in iob:
        i = iob.index("")
        raise ValueError(Errors.D102.format(source=source, line=lines[i], tag=tags[i], hint=""))
    if closes:
        check_closed(tags, source=source, lines=lines)
    # Doc converts IOB1 to IOB2, except for the first token.
    if iob and iob[0].startswith("I-"):
        iob[0] = "B" + iob[0][1:]
    return Doc(vocab, words=list(words), ents=iob)


@lru_cache(maxsize=1024)
def to_iob(tag: str) -> str:
    """Convert a tag to IOB1 or IOB2 (Doc accepts both). Return '' if it is not a tag."""
    if TAG.fullmatch(tag) is None:
        return ""
    prefix, label = split_tag(tag)
    return tag_in_iob(f"{BILUO[prefix]}-{label}") if label else tag


def is_closing(tags: Iterable[str]) -> bool:
    """Whether the scheme of the tags marks the end of entities: BILUO, IOBES or BMES."""
    return any(split_tag(tag)[0] in CLOSING for tag in tags)


def check_closed(tags: Sequence[str], *, source: object, lines: Sequence[int]) -> None:
    """Check that each entity has a beginning and an end, in a scheme that marks both.

    RAISES (ValueError): D103.
    """
    padded = [(OUTSIDE, ""), *(split_tag(tag) for tag in tags), (OUTSIDE, "")]
    for i, ((before, label), (after, next_label)) in enumerate(pairwise(padded)):
        is_open, continues = BILUO.get(before, "") in {"B", "I"}, BILUO.get(after, "") in {"I", "L"}
        if is_open != continues or (is_open and label != next_label):
            at = min(i, len(tags) - 1)
            found = tags[i] if i < len(tags) else "the end of the sentence"
            previous = tags[i - 1] if i > 0 else "the start of the sentence"
            raise ValueError(
                Errors.D103.format(source=source, line=lines[at], tag=found, previous=previous)
            )


def measure_prefix(tokens: Iterable[str]) -> int:
    """Return the length of the language prefix that all tokens share, 0 if any token lacks it."""
    prefix: Optional[str] = None
    for token in tokens:
        if prefix is None:
            found = LANGUAGE_PREFIX.match(token)
            prefix = found[0] if found else ""
        if not prefix or not token.startswith(prefix) or len(token) == len(prefix):
            return 0
    return len(prefix or "")


def read_rows(path: Path) -> Iterator[List[Row]]:
    """Split a column file into sentences, and sentences into rows.

    YIELDS (List[Row]): The rows of a sentence, at least one.
    RAISES (ValueError): D101, D102, D105, D106 or D137 for a malformed line, D104 or D126 for a
        file that can't be decoded or decompressed.
    """
    form = find_form(line for _, line in read_lines(path))
    rows: List[Row] = []
    for number, line in read_lines(path):
        if not line or line.isspace() or line.startswith(DOCUMENT_START):
            if rows:
                yield rows
            rows = []
            continue
        fields = split_fields(line)
        token, tag = fields[0], fields[-1]
        if not rows and line.startswith(COMMENT) and not is_row(fields, line, form=form):
            continue
        if len(fields) == 1:
            raise ValueError(Errors.D101.format(source=path, line=number, text=line))
        if not to_iob(tag):
            hint = find_hint(path, number)
            raise ValueError(Errors.D102.format(source=path, line=number, tag=tag, hint=hint))
        if form_of(fields, line) != form:
            raise ValueError(Errors.D105.format(source=path, line=number, text=line))
        if token in QUOTED and form == TABBED:
            raise ValueError(Errors.D137.format(source=path, line=number, text=token))
        if token:
            rows.append((number, token, tag))
        elif tag != OUTSIDE:
            raise ValueError(Errors.D106.format(source=path, line=number, tag=tag))
    if rows:
        yield rows


def find_hint(path: Path, line: int) -> str:
    """Return a hint why a line may have no valid tag: the file is text, or the line a header."""
    if ".txt" in map(str.lower, path.suffixes):
        return " A .txt file named after a split is read as columns: rename it if it is text."
    return " (Or is this line a header? Then remove it.)" if line == 1 else ""


def split_fields(line: str) -> List[str]:
    """Split a line into columns: at tabs if it has any, otherwise at spaces.

    Only in a line with tabs can a token contain spaces or be empty.
    """
    line = line.rstrip()
    if "\t" in line:
        return [field.strip() for field in line.split("\t")]
    return [field for field in line.split(" ") if field]


def find_form(lines: Iterable[str]) -> Optional[int]:
    """Find the form of a file's lines: that of the first line that can't be a comment.

    RETURNS (Optional[int]): The form. If all lines look like comments, that of the first one; None
        if there are no lines.
    """
    unsure: Optional[int] = None
    for line in lines:
        if not line or line.isspace() or line.startswith(DOCUMENT_START):
            continue
        form = form_of(split_fields(line), line)
        if not line.startswith(COMMENT):
            return form
        unsure = form if unsure is None else unsure
    return unsure


def form_of(fields: Sequence[str], line: str) -> int:
    return TABBED if "\t" in line.rstrip() else len(fields)


def is_row(fields: Sequence[str], line: str, *, form: Optional[int]) -> bool:
    """Whether a line that begins like a comment holds a token."""
    return form_of(fields, line) == form and to_iob(fields[-1]) != ""


def read_lines(path: Path) -> Iterator[Tuple[int, str]]:
    """Read a text file in UTF-8, with or without byte order mark, compressed if it is a .gz.

    YIELDS (Tuple[int, str]): The number of each line, from 1, and its text without the line ending.
    RAISES (ValueError): D104 if a line is not UTF-8, D126 if a compressed file is damaged.
    """
    number = 0
    with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
        try:
            # Classic Mac OS ends lines with \r alone.
            lines = (part for line in file for part in line.rstrip(b"\r\n").split(b"\r"))
            for number, line in enumerate(lines, start=1):
                yield number, line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            is_utf16 = number == 1 and error.object.startswith(UTF16)
            raise ValueError(
                Errors.D104.format(
                    source=path,
                    line=number,
                    reason=error.reason,
                    encoding="UTF-16" if is_utf16 else "WINDOWS-1252",
                )
            ) from error
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            message = Errors.D126.format(source=path, line=number, reason=error)
            raise ValueError(message) from error
