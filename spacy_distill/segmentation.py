"""Map words to rows of the lookup table: whole words, or word pieces of a teacher's vocabulary.

Pieces are found by greedy longest match, after the normalisation of the teacher's tokenizer. For
WordPiece (BERT) this is what the tokenizer itself does; for BPE and unigram vocabularies it is an
approximation. No tokenizer library is needed, so a packaged student does not need one either.
"""

import random
import unicodedata
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import Any, Dict, Iterable, Iterator, List, Literal, Tuple

from .checks import require_one_of
from .errors import Errors

Kind = Literal["words", "pieces"]
NormalForm = Literal["NFC", "NFD", "NFKC", "NFKD"]
UnicodeForm = Literal["", NormalForm]
Accents = Literal["Mn", "M"]

# Number of characters that are converted to a Unicode normal form at a time.
NORMALISED_AT_ONCE = 1000
# Number of characters of a word that are split into pieces, as far as its tokenizer has no limit of
# its own: the mean of more rows hardly changes.
LONGEST_SPLIT = 1000
# Rows of this many distinct words are remembered, but of no word longer than this: addresses of
# pages and the like are many pieces each, and seldom the same.
MAX_REMEMBERED = 100_000
LONGEST_REMEMBERED = 50
# The settings of a segmenter that determine what `normalise` does.
NORMALISATION = ("lowercase", "strip_accents", "accents", "unicode_form", "strip_controls")
# Characters that BERT's tokenizer treats as Chinese, hence as words of their own.
CJK_RANGES = (
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B820, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)


@dataclass(frozen=True)
class Segmenter:
    """Finds the rows of a word in a lookup table.

    entries (Tuple[str, ...]): Row i of the table belongs to entries[i], spelt as in the vocabulary,
        including marks. An empty string is a row that no word has.
    kind (Literal["words", "pieces"]): Whether an entry is a word or a word piece.
    unknown (int): Row for everything that is not in the vocabulary.
    lowercase (bool): Whether to lower-case. Words are first looked up unchanged.
    strip_accents (bool): Whether to strip accents. Words are first looked up unchanged.
    initial_mark (str): Prefix of a word's first piece: "▁", "Ġ". If it is empty, words are first
        split at punctuation and Chinese characters, as BERT does.
    continuing_mark (str): Prefix of the other pieces: "##" for BERT.
    byte_level (bool): Whether pieces are written in the byte alphabet of GPT-2.
    unicode_form (Literal["", "NFC", "NFD", "NFKC", "NFKD"]): Unicode normal form that is applied
        first.
    accents (Literal["Mn", "M"]): Which accents are stripped: nonspacing marks, after letters are
        decomposed, as BERT does; or all characters that are marks, including vowel signs of Indic
        scripts, without decomposing letters.
    strip_controls (bool): Whether to strip control characters.
    split_chinese (bool): Whether a Chinese character is a word of its own, if words are split.
    max_chars (int): A longer word becomes [UNK] as a whole, as in BERT.
    """

    entries: Tuple[str, ...]
    kind: Kind
    unknown: int
    lowercase: bool
    strip_accents: bool
    initial_mark: str = ""
    continuing_mark: str = ""
    byte_level: bool = False
    unicode_form: UnicodeForm = ""
    accents: Accents = "Mn"
    strip_controls: bool = True
    split_chinese: bool = True
    max_chars: int = 100

    def __post_init__(self) -> None:
        require_one_of(Kind, "kind", self.kind)
        require_one_of(UnicodeForm, "unicode_form", self.unicode_form)
        require_one_of(Accents, "accents", self.accents)
        if not 0 <= self.unknown < len(self.entries):
            raise ValueError(Errors.D301.format(unknown=self.unknown, entries=len(self.entries)))

    def __call__(self, word: str, *, dropout: float = 0.0) -> List[int]:
        """Return the rows of a word.

        word (str): A token's text.
        dropout (float): How often a matching piece is skipped for a shorter one, if there is one,
            so that a word becomes a different sequence of pieces each time (Hiraoka 2022).
        RETURNS (List[int]): At least one row; exactly one if kind is "words".
        """
        if self.kind == "words":
            # Lower-cased by letter, and as a word: the last letter of a Greek word may differ.
            forms = [word, self.normalise(word), *([word.lower()] if self.lowercase else [])]
            rows = [row for form in forms if (row := self._first.get(form)) is not None]
            return [rows[0] if rows else self.unknown]
        if self.initial_mark or self.byte_level:
            parts: Iterable[str] = self.normalise(word).split()
        else:
            parts = split_like_bert(self.normalise(word), split_chinese=self.split_chinese)
        return [row for part in parts for row in self._segment(part, dropout)] or [self.unknown]

    def look_up(self, words: Iterable[str]) -> List[List[int]]:
        """Return the rows of each word, as a call does, and remember them."""
        seen = self._seen
        if len(seen) > MAX_REMEMBERED:
            seen.clear()
        found = []
        for word in words:
            rows = seen.get(word)
            if rows is None:
                rows = self(word)
                if len(word) <= LONGEST_REMEMBERED:
                    seen[word] = rows
            found.append(rows)
        return found

    def normalise(self, word: str) -> str:
        """Return the word as the teacher's tokenizer sees it before it splits it into pieces."""
        if not word.isascii() or not word.isprintable():
            if self.strip_controls and not self.byte_level:
                word = "".join(char for char in word if not is_control(char))
            if self.unicode_form:
                word = normalise_unicode(word, form=self.unicode_form)
            if self.strip_accents:
                if self.accents == "Mn":
                    word = normalise_unicode(word, form="NFD")
                word = self._strip_accents(word)
            if self.lowercase:  # by character, as tokenizers do: no final form of sigma
                return "".join(char.lower() for char in word)
        return word.lower() if self.lowercase else word

    def _strip_accents(self, word: str) -> str:
        return "".join(
            char for char in word if not unicodedata.category(char).startswith(self.accents)
        )

    def to_attr(self) -> Dict[str, Any]:
        """Return everything that `from_attr` needs, in types that msgpack supports."""
        return {**asdict(self), "entries": list(self.entries)}

    @classmethod
    def from_attr(cls, data: Dict[str, Any]) -> "Segmenter":
        return cls(**{**data, "entries": tuple(data["entries"])})

    def __getstate__(self) -> Dict[str, Any]:
        """Return the state to copy or pickle: not what is cached, such as words of a text."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @cached_property
    def _seen(self) -> Dict[str, List[int]]:
        """The rows of words that were looked up lately. They are never written to disk."""
        return {}

    @cached_property
    def _first(self) -> Dict[str, int]:
        """The row of each entry, spelt as in the vocabulary."""
        return {entry: row for row, entry in enumerate(self.entries) if entry}

    @cached_property
    def _continuing(self) -> Dict[str, int]:
        """The row of each piece that may follow another, without its mark."""
        if not self.continuing_mark:
            return self._first
        mark = self.continuing_mark
        return {
            piece[len(mark) :]: row for piece, row in self._first.items() if piece.startswith(mark)
        }

    @cached_property
    def _max_length(self) -> int:
        return max(map(len, self.entries))

    def _segment(self, part: str, dropout: float) -> List[int]:
        if self.byte_level:
            part = "".join(BYTE_ALPHABET[byte] for byte in part.encode("utf8", "surrogatepass"))
        like_bert = not self.initial_mark and not self.byte_level
        if like_bert and len(part) > self.max_chars:
            return [self.unknown]
        text = self.initial_mark + (part if like_bert else part[:LONGEST_SPLIT])
        rows: List[int] = []
        pieces = self._first
        start = 0
        while start < len(text):
            # Row and end of the longest matching piece; with dropout, sometimes of a shorter one.
            piece = None
            for end in range(min(len(text), start + self._max_length), start, -1):
                row = pieces.get(text[start:end])
                if row is not None:
                    piece = row, end
                    if not dropout or random.random() >= dropout:
                        break
            if piece is not None:
                row, start = piece
                rows.append(row)
            else:
                if like_bert:
                    return [self.unknown]
                if rows[-1:] != [self.unknown]:  # consecutive unknown characters become one unknown
                    rows.append(self.unknown)
                start += 1
            pieces = self._continuing
        return rows


def word_segmenter(words: Iterable[str], **normalisation: Any) -> Segmenter:
    """Create a segmenter of whole words, without duplicates. Row 0 is that of unknown words.

    words (Iterable[str]): The words. A word of a text is looked up as it is, then normalised.
    normalisation (Any): Settings of the segmenter; by default, words are looked up in lower case.
    """
    entries = ("", *dict.fromkeys(word for word in words if word))
    settings = {"lowercase": True, "strip_accents": False, **normalisation}
    return Segmenter(entries=entries, kind="words", unknown=0, **settings)


def normalise_unicode(text: str, *, form: NormalForm) -> str:
    """Convert a text to a normal form of Unicode, one part at a time.

    Ordering many combining marks takes quadratic time, and no word of a language has that many.
    """
    parts = (text[i : i + NORMALISED_AT_ONCE] for i in range(0, len(text), NORMALISED_AT_ONCE))
    return "".join(unicodedata.normalize(form, part) for part in parts)


def split_like_bert(text: str, *, split_chinese: bool = True) -> Iterator[str]:
    """Split at whitespace. Each punctuation mark is a part of its own.

    So is each Chinese character, if `split_chinese` is set.
    """
    for chunk in text.split():
        if chunk.isalnum() and chunk.isascii():
            yield chunk
            continue
        start = 0
        for i, char in enumerate(chunk):
            if is_punctuation(char) or (split_chinese and is_cjk(char)):
                if start < i:
                    yield chunk[start:i]
                yield char
                start = i + 1
        if start < len(chunk):
            yield chunk[start:]


def is_control(char: str) -> bool:
    if char in "\t\n\r":
        return False
    return char == "\ufffd" or unicodedata.category(char) in ("Cc", "Cf", "Co", "Cs")


def is_punctuation(char: str) -> bool:
    if char.isascii():
        return char.isprintable() and not char.isalnum() and char != " "
    return unicodedata.category(char).startswith("P")


def is_cjk(char: str) -> bool:
    code = ord(char)
    return code >= CJK_RANGES[1][0] and any(first <= code <= last for first, last in CJK_RANGES)


def make_byte_alphabet() -> List[str]:
    """Return the character that GPT-2's vocabulary uses for each byte (Radford et al. 2019).

    Printable characters of Latin-1 represent themselves. The other bytes, in order, are represented
    by the characters from U+0100 on. The space is therefore "Ġ".
    """
    alphabet = []
    others = 0
    for byte in range(256):
        if 0x21 <= byte <= 0x7E or (byte >= 0xA1 and byte != 0xAD):
            alphabet.append(chr(byte))
        else:
            alphabet.append(chr(0x100 + others))
            others += 1
    return alphabet


BYTE_ALPHABET = make_byte_alphabet()
