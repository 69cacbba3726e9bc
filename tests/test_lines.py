"""Lines of documents: which line breaks separate text, and documents without whitespace."""

import textwrap

import numpy
import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc, Span

from spacy_distill.lines import (
    NARROWEST,
    cut_lines,
    divide_entities,
    find_line_starts,
    line_lengths,
    should_separate,
)

NLP = spacy.blank("en")
words = st.text("abcXYZ;,-'(", min_size=1, max_size=12)  # without "a.com"


def line_starts(text):
    """Return the words that begin a line, as found in the document of a text."""
    doc = NLP.make_doc(text)
    return [token.text for token, starts in zip(doc, find_line_starts([doc])) if starts]


indents = st.sampled_from(["", "    ", "- ", "  "])


@given(
    text=st.lists(words, max_size=80).map(" ".join),
    width=st.integers(NARROWEST, 100),
    first=indents,
    others=indents,
)
@settings(max_examples=200)
def test_lines_of_wrapped_text_are_not_separate(text, width, first, others):
    wrapped = textwrap.fill(
        text, width, initial_indent=first, subsequent_indent=others.replace("-", " ")
    )
    # A paragraph of narrower lines is not seen as wrapped.
    if max(map(len, wrapped.splitlines()), default=0) >= NARROWEST:
        assert line_starts(wrapped) == []


WRAPPED = textwrap.fill(
    "The board of the company met in the city of New York on Monday, after the shares had fallen "
    "for three days, and asked Angela Merkel, who had just arrived from Berlin, for her advice.",
    60,
)


ADDRESS = "https://example.org/" + "news/" * 24 + ","
WRAPPED_ADDRESS = textwrap.fill(
    f"The board met in New York on Monday, as we read in {ADDRESS} and asked Angela Merkel, who "
    "had just arrived from Berlin, and other old friends of the company, for her advice.",
    60,
    break_long_words=False,
)


@pytest.mark.parametrize(
    "text, expected",
    [
        ("", []),
        ("\n", []),
        ("\n\n", []),
        ("no break at all", []),
        ("\n\nbreaks around  it \n\n", []),
        ("Berlin\nMunich\nCologne", ["Munich", "Cologne"]),
        ("One\r\nTwo\rThree\u2028Four", ["Two", "Three", "Four"]),
        ("One\vTwo\fThree\x85Four\u2029Five", ["Two", "Three", "Four", "Five"]),
        ("One\n\n\nTwo\n \nThree", ["Two", "Three"]),
        ("One\tTwo   Three", ["Two"]),
        (f"A name of some length\t{WRAPPED}", ["The"]),
        (f"{'word ' * 12}\tNext", ["Next"]),  # too long for the line before, but a column
        (WRAPPED.replace("\n", "\n\t"), []),
        (WRAPPED, []),
        (WRAPPED.replace("\n", "\r\n"), []),
        (WRAPPED.replace("\n", "\n    "), []),
        # Only with its indentation is the first line so long that `and` did not fit.
        ("    " + "a" * 30 + " " + "b" * 10 + "\nand " + "c" * 42, []),
        (WRAPPED.replace("\n", "\n\n"), ["Monday", "asked", "her"]),
        # Unwrapped paragraphs, a line each.
        ("word " * 30 + "\nNext", ["Next"]),
        # A heading, a list, and a paragraph that ends within the line.
        (f"Markets\n{WRAPPED}", ["The"]),
        (f"{WRAPPED}\n\nBerlin\nBonn", ["Berlin", "Bonn"]),
        (f"{WRAPPED}\n\n{WRAPPED}", ["The"]),
        # Quoted mail.
        (textwrap.indent(WRAPPED, "> "), []),
        (textwrap.indent(f"{WRAPPED}\n\nBye,\nBob", "> > ", lambda line: True), [">", ">", ">"]),
        # An address does not fit on any line, with or without punctuation around it.
        (WRAPPED_ADDRESS, []),
        (f"{WRAPPED}\n\nhttps://example.org", ["https://example.org"]),
        (WRAPPED_ADDRESS.replace("https", "<https"), []),
        (WRAPPED_ADDRESS.replace("\nhttps", "\n- https"), ["-"]),
        (WRAPPED_ADDRESS.replace(ADDRESS, f"{'editors' * 10}@example.org"), []),
        (f"{ADDRESS}\n{ADDRESS}\nand so on", [ADDRESS[:-1], "and"]),
        # Lines of any length: after the longest one, no word would have fitted.
        (WRAPPED.replace("\n", " ").replace(", ", ",\n"), ["and", "who", "for"]),
    ],
)
def test_lines_are_separate_if_the_next_word_would_have_fitted(text, expected):
    assert line_starts(text) == expected


def test_lines_of_wide_characters():
    """A line of Chinese may end anywhere, and a character takes up two columns."""
    text = "公司董事会星期一在纽约开会此前股价连续三天下跌安格拉默克尔刚从柏林抵达请她提出建议。"
    wrapped = "\n".join(textwrap.wrap(text, 20))
    nlp = spacy.blank("zh")
    assert wrapped.count("\n") == 2
    assert not find_line_starts([nlp.make_doc(wrapped)]).any()
    doc = nlp.make_doc(f"标题\n{text}{text}\n\n标题\n{text[:30]}\n{text}")
    starts = numpy.flatnonzero(find_line_starts([doc])).tolist()
    assert [doc[i : i + 2].text for i in starts] == ["公司", "标题", "公司", "公司"]
    # Text is not wrapped at 84 characters, which are 168 columns.
    assert find_line_starts([nlp.make_doc(f"{text}{text}\n{text}{text}")]).sum() == 1


def test_lines_do_not_start_within_a_token():
    doc = Doc(NLP.vocab, words=["a\nb", "\n\n", "c"])
    assert find_line_starts([doc]).tolist() == [False, False, True]


def test_lines_of_wrapped_words_are_not_separate():
    """A document that is made from words has a space after each, also after line breaks."""
    words = [word for part in WRAPPED.split("\n") for word in [*part.split(), "\n"]]
    assert not find_line_starts([Doc(NLP.vocab, words=words)]).any()
    # The space after a line break does not make the next line wider: here, `and` did just not fit.
    words = ["a" * 30, "b" * 12, "\n", "and,", "c" * 42]
    assert not find_line_starts([Doc(NLP.vocab, words=words)]).any()


def test_lines_a_word_includes_the_punctuation_after_it():
    """`and` would have fitted on the first line, but not `and,`."""
    first, second = "a" * 30 + " " + "b" * 12, "and, " + "c" * 42
    assert len(f"{first} and") == len(second)
    assert line_starts(f"{first}\n{second}") == []
    assert line_starts(f"{first}\n{second.replace(',', ' ')}") == ["and"]


def test_lines_are_cut_where_they_are_separate():
    texts = ["Ann  Lee\n\nleft", "no whitespace token", "", " \n\n ", "\nBob\nRome\n"]
    docs = [*NLP.pipe(texts)]
    lines = cut_lines(docs)
    assert [[token.text for token in line] for line in lines.docs] == [
        ["Ann", "Lee"],
        ["left"],
        ["no", "whitespace", "token"],
        ["Bob"],
        ["Rome"],
    ]
    tokens = [token.text for doc in docs for token in doc]
    assert [tokens[i] for i in lines.places] == [
        token.text for line in lines.docs for token in line
    ]


def test_lines_are_not_cut_without_whitespace_tokens():
    assert cut_lines([*NLP.pipe(["no whitespace token", ""])]) is None
    assert cut_lines([]) is None


def test_lines_of_whitespace_alone_are_none():
    lines = cut_lines([NLP.make_doc("\n\n"), NLP.make_doc("")])
    assert lines.docs == [] and lines.places.tolist() == []


def test_lines_have_lengths():
    docs = [*NLP.pipe(["Ann  Lee\n\nleft", "no whitespace token", "", "\nBob\nRome\n"])]
    starts = find_line_starts(docs)
    assert line_lengths(docs, starts) == [4, 1, 3, 3, 2]
    assert line_lengths(docs[1:3], starts[5:8]) == [3, 0]


def test_lines_divide_entities():
    doc = NLP.make_doc("Ann Lee\n\nMain Street\nRome\nBob")
    doc.ents = [Span(doc, 0, 2, "PER"), Span(doc, 3, 7, "ADDRESS")]
    cut, whole = divide_entities(doc)
    assert [ent.text for ent in cut] == ["Main Street\nRome"]
    assert [ent.text for ent in whole] == ["Ann Lee"]
    plain = NLP.make_doc("Ann Lee left")
    plain.ents = [Span(plain, 0, 2, "PER")]
    assert divide_entities(plain) == ([], [])


def test_lines_are_separate_unless_more_than_a_fiftieth_of_the_entities_are_cut():
    assert should_separate(0, 0) and should_separate(0, 9) and should_separate(1, 49)
    assert not should_separate(1, 48) and not should_separate(5, 0)
