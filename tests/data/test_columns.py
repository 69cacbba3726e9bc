from itertools import pairwise

import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st

from spacy_distill.data.columns import read_columns, to_iob


@pytest.fixture(scope="module")
def nlp():
    return spacy.blank("en")


@pytest.fixture
def read(nlp, tmp_path):
    """Write a column file and read it."""

    def write_and_read(text):
        path = tmp_path / "file.conll"
        path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
        return list(read_columns(path, nlp=nlp))

    return write_and_read


def words_of(docs):
    return [[token.text for token in doc] for doc in docs]


def ents_of(doc):
    return [(ent.start, ent.end, ent.label_) for ent in doc.ents]


def test_columns_reads_tabs_and_spaces_alike(read):
    expected = [["New", "York", "wins"], ["Yes"]]
    for sep in ("\t", " ", "   "):
        text = f"New{sep}B-LOC\nYork{sep}I-LOC\nwins{sep}O\n\nYes{sep}O\n"
        docs = read(text)
        assert words_of(docs) == expected
        assert ents_of(docs[0]) == [(0, 2, "LOC")]
        assert ents_of(docs[1]) == []
        assert docs[1].has_annotation("ENT_IOB")


def test_columns_reads_first_and_last_of_many_columns(read):
    docs = read("Ann NNP B-NP B-PER\nsings VBZ B-VP O\n")
    assert words_of(docs) == [["Ann", "sings"]]
    assert ents_of(docs[0]) == [(0, 1, "PER")]


@pytest.mark.parametrize(
    "text",
    [
        # As in GermEval 2014 and CoNLL-U, in which tokens are in the second column.
        "# a comment\n1\tAnn\tB-PER\n2\tsings\tO\n\n1\tYes\tO\n",
        "0\tAnn\tB-PER\n1\tsings\tO\n\n2\tYes\tO\n",
        "7\tAnn\tB-PER\n7\tsings\tO\n\n8\tYes\tO\n",
        # Two words in one, and a word that was left out.
        "1-2\tZum\tO\n1\tzu\tO\n2\tdem\tO\n2.1\t_\tO\n3\tMeer\tB-LOC\n",
        # The number of the sentence, with and without blank lines.
        "s1\tAnn\tB-PER\ns1\tand\tO\ns1\tBob\tB-PER\n\n" * 4,
        "".join(f"Sentence: {i}\tAnn\tB-PER\nSentence: {i}\tsings\tO\n" * 4 for i in range(4)),
    ],
)
def test_columns_refuses_a_column_of_numbers(read, text):
    with pytest.raises(ValueError, match=r"\[D129\] .* '.*file\.conll'"):
        read(text)


def test_columns_may_have_sentences_of_numbers(read):
    # A sentence of numbers that count up is kept if other sentences do not.
    assert words_of(read("1\tO\n2\tO\n\nAnn\tB-PER\n")) == [["1", "2"], ["Ann"]]
    assert words_of(read("1\tO\n\n1\tO\n")) == [["1"], ["1"]]


def test_columns_may_repeat_tokens(read):
    assert words_of(read("ha\tO\nha\tO\nha\tO\n")) == [["ha", "ha", "ha"]]
    laughs = "Ann\tB-PER\nsays\tO\n" + "ha\tO\n" * 4 + "\n"
    assert len(read(laughs * 5)) == 5


@pytest.mark.parametrize("token", ['""""', '","'])
def test_columns_refuses_tokens_quoted_as_in_csv(read, token):
    with pytest.raises(ValueError, match=r"\[D137\] .*line 2: .* is quoted as in CSV"):
        read(f"Ann\tB-PER\n{token}\tO\n")
    assert words_of(read(f"Ann B-PER\n{token} O\n")) == [["Ann", token]]


def test_columns_docs_are_read_by_their_own_tokens(read):
    # spaCy's corpus reader keeps the tokens of a Doc only if its whitespace is unknown.
    (doc,) = read("do O\nn't O\n")
    assert doc.has_unknown_spaces
    assert [token.whitespace_ for token in doc] == [" ", " "]
    assert [token.sent_start for token in doc][1:] == [0]


@pytest.mark.parametrize(
    "iob1,iob2,ents",
    [
        # One entity; two adjacent of one type, and of two types; at the sentence's ends.
        ("O I-PER I-PER O", "O B-PER I-PER O", [(1, 3, "PER")]),
        ("I-PER I-PER B-PER", "B-PER I-PER B-PER", [(0, 2, "PER"), (2, 3, "PER")]),
        ("I-PER I-LOC I-LOC", "B-PER B-LOC I-LOC", [(0, 1, "PER"), (1, 3, "LOC")]),
        (
            "I-PER B-PER O I-LOC",
            "B-PER B-PER O B-LOC",
            [(0, 1, "PER"), (1, 2, "PER"), (3, 4, "LOC")],
        ),
    ],
)
def test_columns_iob1_equals_iob2(read, iob1, iob2, ents):
    for tags in (iob1, iob2):
        (doc,) = read("".join(f"w\t{tag}\n" for tag in tags.split()))
        assert ents_of(doc) == ents
        assert [token.ent_iob_ for token in doc] == [tag[0] for tag in iob2.split()]


@pytest.mark.parametrize(
    "tags",
    [
        "B-PER L-PER U-PER O B-LOC I-LOC L-LOC",
        "B-PER E-PER S-PER O B-LOC I-LOC E-LOC",
        "B-PER E-PER S-PER O B-LOC M-LOC E-LOC",
    ],
)
def test_columns_reads_schemes_that_close_entities(read, tags):
    (doc,) = read("".join(f"w {tag}\n" for tag in tags.split()))
    assert ents_of(doc) == [(0, 2, "PER"), (2, 3, "PER"), (4, 7, "LOC")]


@pytest.mark.parametrize(
    "tags,line",
    [
        ("U-PER I-PER L-PER", 2),
        ("O L-PER", 2),
        ("B-PER L-LOC", 2),
        ("B-PER O U-LOC", 2),
        ("U-LOC B-PER", 2),
        ("I-PER L-PER", 1),
        ("B-PER B-PER L-PER", 2),
        ("B-PER M-PER O S-PER", 3),
    ],
)
def test_columns_refuses_entities_not_closed_in_biluo(read, tags, line):
    with pytest.raises(ValueError, match=rf"D103.*file\.conll', line {line}:"):
        read("".join(f"w {tag}\n" for tag in tags.split()))


def test_columns_label_may_contain_spaces_between_tabs(read):
    (doc,) = read("Ann\tB-Person Name\nLee\tI-Person Name\nleft\tO\n")
    assert ents_of(doc) == [(0, 2, "Person Name")]


def test_columns_label_may_contain_hyphens(read):
    (doc,) = read("Up\tB-creative-work\nAgain\tI-creative-work\n")
    assert ents_of(doc) == [(0, 2, "creative-work")]


@pytest.mark.parametrize(
    "text",
    [
        "a O\r\nb B-X\r\n\r\nc O\r\n",
        "a O\rb B-X\r\rc O\r",
        "\ufeffa O\nb B-X\n\nc O\n",
        "a O\nb B-X\n\nc O",
        "\n\na O\nb B-X\n \t \n\n\nc O\n\n\n",
        "-DOCSTART- -X- O O\n\na O\nb B-X\n-DOCSTART- O\nc O\n",
        "# id 5239 domain=en\na O\nb B-X\n\n# text = vitamin O\n# next\nc O\n",
        "#\thttp://a.org\t[2009-10-17]\na\tO\nb\tB-X\n\n#\tnext\nc\tO\n",
        "#\tone\na O\nb B-X\n\n#\ttwo O\nc O\n",
        "a O \nb B-X\t\n\nc  O\n",
    ],
    ids=[
        "crlf",
        "old-mac",
        "bom",
        "no-final-newline",
        "blank",
        "docstart",
        "comments",
        "comments-with-tabs",
        "comments-with-other-tabs",
        "trailing",
    ],
)
def test_columns_reads_all_forms_of_lines(read, text):
    docs = read(text)
    assert words_of(docs) == [["a", "b"], ["c"]]
    assert [ents_of(doc) for doc in docs] == [[(1, 2, "X")], []]


def test_columns_keeps_tokens_that_begin_like_comments(read):
    assert words_of(read("# O\n1 O\n\na O\n# O\n")) == [["#", "1"], ["a", "#"]]
    assert words_of(read("#\tO\n#tag\tB-X\n")) == [["#", "#tag"]]
    assert words_of(read("a DT - O\n\n# # - O\nb NN - O\n")) == [["a"], ["#", "b"]]


def test_columns_do_not_end_lines_at_unicode_separators(read):
    assert words_of(read("a\u2028b\tO\nc\x85\tO\n")) == [["a\u2028b", "c"]]


def test_columns_tokens_between_tabs_may_contain_spaces_or_be_empty(read):
    docs = read("New York\tB-LOC\n\tO\n \tO\nwins\tO\n")
    assert words_of(docs) == [["New York", "wins"]]
    with pytest.raises(ValueError, match=r"D106.*line 2:.*'I-LOC'"):
        read("New\tB-LOC\n\tI-LOC\n")


def test_columns_strips_a_language_prefix_only_if_all_tokens_have_it(read):
    assert words_of(read("en:Ann\tB-PER\n\nen::\tO\n")) == [["Ann"], [":"]]
    assert words_of(read("zh-yue:a\tO\n")) == [["a"]]
    assert words_of(read("en:Ann\tO\nBob\tO\n")) == [["en:Ann", "Bob"]]
    assert words_of(read("en:Ann\tO\nde:Bob\tO\n")) == [["en:Ann", "de:Bob"]]
    assert words_of(read("re:\tO\n")) == [["re:"]]


@pytest.mark.parametrize(
    "text,code,line",
    [
        ("a O\nalone\n", "D101", 2),
        ("a\tO\nalone\t\n", "D101", 2),
        ("a O\n\n#alone\nb O\n", "D101", 3),
        ("a O\nb PER\n", "D102", 2),
        ("a O\nb I-\n", "D102", 2),
        ("a O\nb E-\n", "D102", 2),
        ("a O\nb X-PER\n", "D102", 2),
        ("a O\nb B-LOC|B-ORG\n", "D102", 2),
        ("a O\nb B-LOC|O\n", "D102", 2),
        ("a O\nb o\n", "D102", 2),
        ("a O\n# foo\n", "D102", 2),
        ("a\tO\nb B-PER extra\tB-\n", "D102", 2),
        ("a O\nNew York B-LOC\n", "D105", 2),
        ("a\tO\nNew York O\n", "D105", 2),
        (b"a O\nb O\n\xff\xfe O\n", "D104", 3),
    ],
)
def test_columns_malformed_line_is_an_error_with_its_number(read, text, code, line):
    with pytest.raises(ValueError, match=rf"\[{code}\] '.*file\.conll', line {line}: "):
        read(text)


def test_columns_error_mentions_a_possible_header(read):
    with pytest.raises(ValueError, match=r"line 1: 'tag' is not a tag.*Or is this line a header"):
        read("token\ttag\na\tO\n")


def test_columns_label_may_contain_a_bar(read):
    (doc,) = read("a B-LOC|ORG\n")
    assert doc.ents[0].label_ == "LOC|ORG"


@pytest.mark.parametrize(
    "data, encoding",
    [
        ("a\tO\n".encode("utf-16"), "UTF-16"),
        (b"\xfe\xff\x00a\x00\t\x00O\x00\n", "UTF-16"),
        (b"\xe9\tO\n", "WINDOWS-1252"),
        (b"a\tO\n\xff\xfe\tO\n", "WINDOWS-1252"),
    ],
)
def test_columns_error_shows_how_to_convert_the_encoding(read, data, encoding):
    with pytest.raises(ValueError, match=rf"\[D104\].*'iconv -f {encoding} -t UTF-8'"):
        read(data)


def test_to_iob_knows_all_prefixes():
    assert [to_iob(f"{prefix}-X") for prefix in "BILUES"] == [
        "B-X",
        "I-X",
        "I-X",
        "B-X",
        "I-X",
        "B-X",
    ]
    assert to_iob("O") == "O"
    assert to_iob("O-X") == to_iob("") == to_iob("-") == to_iob("B") == ""


def encode(scheme, length, spans):
    """Tags of entity spans, written independently of the reader."""
    tags, ends = ["O"] * length, {}
    for start, end, label in spans:
        ends[end] = label
        inside = range(start, end)
        if scheme == "iob1":
            first = "B" if ends.get(start) == label else "I"
            codes = [first, *"I" * (len(inside) - 1)]
        elif scheme == "iob2":
            codes = ["B", *"I" * (len(inside) - 1)]
        else:
            last, unit = ("L", "U") if scheme == "biluo" else ("E", "S")
            codes = [unit] if len(inside) == 1 else ["B", *"I" * (len(inside) - 2), last]
        for i, code in zip(inside, codes, strict=True):
            tags[i] = f"{code}-{label}"
    return tags


@st.composite
def sentences(draw):
    """Tokens, and entities that do not overlap but may be adjacent."""
    words = draw(st.lists(st.text("aO#é-B", min_size=1, max_size=3), min_size=1, max_size=6))
    cuts = draw(st.sets(st.integers(0, len(words))).map(sorted))
    labels = st.sampled_from(["PER", "a-b", None])
    spans = [(a, b, draw(labels)) for a, b in pairwise(cuts)]
    return words, [span for span in spans if span[2]]


@given(
    st.lists(sentences(), max_size=4),
    st.sampled_from(["iob1", "iob2", "biluo", "iobes"]),
    st.sampled_from(["\t", " ", "\tNN\tx\t", "  NN "]),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
)
def test_columns_round_trip(nlp, tmp_path_factory, corpus, scheme, sep, newline, is_last_ended):
    blocks = [
        newline.join(
            f"{word}{sep}{tag}"
            for word, tag in zip(words, encode(scheme, len(words), spans), strict=True)
        )
        for words, spans in corpus
    ]
    path = tmp_path_factory.mktemp("columns") / "train.conll"
    text = (newline * 2).join(blocks) + newline * is_last_ended
    path.write_bytes(text.encode("utf-8"))
    docs = list(read_columns(path, nlp=nlp))
    assert [
        (words, ents) for words, ents in zip(words_of(docs), map(ents_of, docs), strict=True)
    ] == [(words, spans) for words, spans in corpus]
