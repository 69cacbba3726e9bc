import textwrap

import pytest
import spacy

from spacy_distill.data.raw_text import (
    PART_LENGTH,
    SENTENCE_LENGTH,
    are_wrapped,
    cut_text,
    make_docs,
)


@pytest.fixture
def split(nlp):
    def split_text(text):
        return [
            doc.text
            for doc in make_docs(text, nlp=nlp, split_sentences=True, source="a.txt", line=1)
        ]

    return split_text


def test_raw_text_becomes_one_document_per_sentence(split):
    assert split("Ann left.  She won! \nReally?") == ["Ann left.", "She won!", "Really?"]


def test_raw_text_ends_sentences_at_blank_lines(split):
    assert split("\n\nA title\n \nIt begins here.\n\n") == ["A title", "It begins here."]


def test_raw_text_sentences_continue_on_the_next_line_of_wrapped_text(split):
    text = "It was late on Monday. The board of the company in New\nYork met.\nBonn\nRome"
    assert split(text) == [
        "It was late on Monday.",
        "The board of the company in New York met.",
        "Bonn",
        "Rome",
    ]


def test_raw_text_of_other_scripts():
    nlp = spacy.blank("xx")
    docs = make_docs("वह गया। वह आया।", nlp=nlp, split_sentences=True, source="a", line=1)
    assert [len(doc) for doc in docs] == [3, 3]


@pytest.mark.parametrize("text", ["", "  ", "\n\n \n"])
def test_raw_text_without_words_is_no_sentence(split, text):
    assert split(text) == []


def test_raw_text_keeps_the_tokens_of_the_whole_text(nlp):
    text = "Mr. O'Neil didn't pay $5.50 (yet). He will..."
    docs = make_docs(text, nlp=nlp, split_sentences=True, source="a.txt", line=1)
    words = [token.text for doc in docs for token in doc]
    assert words == [token.text for token in nlp.make_doc(text)]


def test_raw_text_cuts_sentences_without_an_end(split):
    found = split(" ".join(["one"] * 450))
    assert [len(text.split()) for text in found] == [SENTENCE_LENGTH, SENTENCE_LENGTH, 50]
    assert all(text == text.strip() for text in found)


@pytest.mark.parametrize("unit", ["a sentence of it. ", "a line of it\n", "word ", "x"])
def test_raw_text_may_be_of_any_length(split, nlp, unit):
    """Long text is read in parts: no character is lost, and no word is cut at a boundary."""
    text = unit * (2 * nlp.max_length // 10 // len(unit))
    found = split(text)
    assert "".join("".join(found).split()) == "".join(text.split())
    if unit != "x":
        assert {word for part in found for word in part.split()} == set(unit.split())
    if unit.startswith("a sentence"):
        assert set(found) == {unit.strip()}
    assert len(text) > 5 * PART_LENGTH


@pytest.mark.parametrize("end", "。！？।")  # noqa: RUF001 (fullwidth)
@pytest.mark.parametrize("between", ["", "3. 5 "])
def test_raw_text_is_cut_at_the_ends_of_sentences_of_any_script(end, between):
    """Not within a word, and not at a point or space within the sentence."""
    sentence = f"他在北京{between}见到了安吉拉默克尔总理{end}"
    parts = list(cut_text(sentence * (3 * PART_LENGTH // len(sentence))))
    assert len(parts) > 2
    assert all(part.startswith(sentence) and part.endswith(sentence) for part in parts)


def test_raw_text_too_long_for_spacy_names_the_remedy(nlp):
    nlp.max_length = 100
    settings = {"nlp": nlp, "source": "a.txt", "line": 7}
    with pytest.raises(ValueError, match=r"\[D125\] 'a.txt', line 7.* 101 .*--split-sentences"):
        list(make_docs("x" * 101, split_sentences=False, **settings))
    (doc,) = make_docs("x" * 100, split_sentences=False, **settings)
    assert len(doc.text) == 100


PARAGRAPH = (
    "The board of the company met on Tuesday in the old town hall of Bergen to hear what the "
    "auditors had found, and adjourned without a vote when it became clear that nobody could "
    "explain where the money for the new harbour had gone, or who had signed for it in spring."
)


@pytest.mark.parametrize("width", [50, 72, 100])
def test_raw_text_knows_wrapped_lines(nlp, width):
    lines = textwrap.wrap(" ".join([PARAGRAPH] * 6), width)
    assert are_wrapped(lines, nlp=nlp)
    assert are_wrapped([*lines, "", *lines, "https://example.org/" + "x" * 200], nlp=nlp)
    assert not are_wrapped(lines[:4], nlp=nlp)


def test_raw_text_knows_lines_that_are_texts(nlp):
    words = PARAGRAPH.split()
    texts = [" ".join(words[i : i + 5 + i % 9]) for i in range(0, 40)]
    assert not are_wrapped(texts, nlp=nlp)
    assert not are_wrapped([PARAGRAPH] * 20, nlp=nlp)
    assert not are_wrapped([], nlp=nlp)
