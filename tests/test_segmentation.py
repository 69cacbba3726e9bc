import copy
import dataclasses
import pickle
import time
import unicodedata
from collections import Counter

import pytest
import srsly
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import ByteLevelBPETokenizer, Tokenizer, models, normalizers, pre_tokenizers
from transformers import BertTokenizer, BertTokenizerFast

from spacy_distill.segmentation import (
    BYTE_ALPHABET,
    Segmenter,
    normalise_unicode,
    split_like_bert,
    word_segmenter,
)

SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
# All letters but "d", alone and as continuations; "ab", "abc" and "bca" compete; "d" only in "cd".
PIECES = """
    a b c e E A é É - . ' @ ¿ ##a ##b ##c ##e ##E ##A ##é ##É ab abc bca cd ##bc ##cd ##bca
    ##cab ##ß 中 文 \u03c3 ##\u03c3 \u03c2 1 ##1 1a ##- \u0391\u03a3
"""
VOCAB = (*SPECIALS, *PIECES.split())
ALPHABET = "abcdeEAé\u0301Éß-.'@¿中文\u03a3\u03c3\u03c21\t\u200b\u00ad\u3000"
# All of these are assigned in the Unicode version of the oldest library in use.
BLOCKS = [(0x20, 0x24F), (0x370, 0x3FF), (0x400, 0x4FF), (0x2010, 0x2060), (0x4E00, 0x4EFF)]
BLOCKS += [(0xAC00, 0xACFF), (0x3040, 0x30FF), (0xFF00, 0xFFEF), (0x1F600, 0x1F64F)]
letters = st.one_of(
    *(
        st.characters(min_codepoint=first, max_codepoint=last, exclude_categories=["Cn"])
        for first, last in BLOCKS
    )
)


def make_bert(vocab, **flags):
    flags = {"lowercase": False, "strip_accents": False, **flags}
    return Segmenter(
        entries=tuple(vocab),
        kind="pieces",
        unknown=vocab.index("[UNK]"),
        continuing_mark="##",
        **flags,
    )


def make_tokenizers(tmp_path, vocab, *, lowercase, strip_accents):
    path = tmp_path / "vocab.txt"
    path.write_text("\n".join(vocab), encoding="utf8")
    flags = {"do_lower_case": lowercase, "strip_accents": strip_accents}
    return BertTokenizerFast(str(path), **flags), BertTokenizer(str(path), **flags)


def test_segmentation_with_dropout_draws_from_all_sequences_of_pieces():
    segmenter = make_bert(VOCAB)
    drawn = Counter(
        " ".join(VOCAB[row] for row in segmenter("abc", dropout=0.5)) for _ in range(4000)
    )
    shares = {"abc": 1 / 2, "ab ##c": 1 / 4, "a ##bc": 1 / 8, "a ##b ##c": 1 / 8}
    assert set(drawn) == set(shares)
    for pieces, share in shares.items():
        assert abs(drawn[pieces] / 4000 - share) < 0.03


@given(word=st.text("abcAE-.", min_size=1, max_size=12))
def test_segmentation_with_dropout_loses_no_character(word):
    rows = make_bert(VOCAB)(word, dropout=0.7)
    assert "".join(VOCAB[row].replace("##", "") for row in rows) == word


@pytest.mark.parametrize("lowercase", [True, False])
@pytest.mark.parametrize("strip_accents", [True, False])
def test_segmentation_agrees_with_bert(tmp_path, lowercase, strip_accents):
    fast, slow = make_tokenizers(tmp_path, VOCAB, lowercase=lowercase, strip_accents=strip_accents)
    segmenter = make_bert(VOCAB, lowercase=lowercase, strip_accents=strip_accents)

    @given(word=st.text(ALPHABET, min_size=1, max_size=12))
    def check(word):
        expected = fast(word, add_special_tokens=False)["input_ids"]
        assert segmenter(word) == (expected or [segmenter.unknown])
        # The slow one composes accents first, and lower-cases a sigma according to its position.
        if not set(word) & set("\u0301\u03a3"):
            assert slow(word, add_special_tokens=False)["input_ids"] == expected

    check()


@given(word=st.text(letters, min_size=1, max_size=8))
def test_segmentation_agrees_with_bert_on_any_script(tokenizer_of_letters, word):
    tokenizer, segmenter = tokenizer_of_letters
    expected = tokenizer(word, add_special_tokens=False)["input_ids"]
    assert segmenter(word) == (expected or [segmenter.unknown])


@pytest.fixture(scope="module")
def tokenizer_of_letters(tmp_path_factory):
    """Nearly every letter is a piece, so that the result for each can be seen."""
    chars = [chr(i) for first, last in BLOCKS for i in range(first, last + 1)]
    chars += [chr(i) for i in range(0x1100, 0x1200)]  # into which Hangul is decomposed
    chars = [char for char in chars if not char.isspace() and ord(char) % 7]
    vocab = [*SPECIALS, *chars, *(f"##{char}" for char in chars)]
    fast, _ = make_tokenizers(
        tmp_path_factory.mktemp("letters"), vocab, lowercase=True, strip_accents=None
    )
    return fast, make_bert(vocab, lowercase=True, strip_accents=True)


def test_segmentation_takes_linear_time_for_many_accents():
    segmenter = make_bert(VOCAB, lowercase=True, strip_accents=True)
    start = time.process_time()
    assert segmenter("a" + "\u0301\u0323" * 100_000 + "b") == segmenter("ab")
    assert time.process_time() - start < 5


@pytest.mark.parametrize("form", ["NFC", "NFKD"])
def test_segmentation_takes_linear_time_for_a_normal_form(form):
    segmenter = dataclasses.replace(make_bert(VOCAB), unicode_form=form)
    start = time.process_time()
    assert segmenter.normalise("e" + "\u0301\u0316" * 50_000)[0] in "e\u00e9"
    assert segmenter.normalise("cafe\u0301") == segmenter.normalise("caf\u00e9")
    assert time.process_time() - start < 5


@pytest.mark.parametrize("n_chars", [999, 1000, 1001, 2500])
def test_segmentation_normalises_long_texts(n_chars):
    text = "é" * n_chars
    assert normalise_unicode(text, form="NFD") == unicodedata.normalize("NFD", text)


@pytest.mark.parametrize(
    "word,pieces",
    [
        ("abc", ["abc"]),
        ("abca", ["abc", "##a"]),
        ("abcab", ["abc", "##a", "##b"]),
        ("acab", ["a", "##cab"]),
        ("ab-cd", ["ab", "-", "cd"]),  # a part after a hyphen is segmented like a word
        ("a.b.", ["a", ".", "b", "."]),
        ("ab中b", ["ab", "中", "b"]),
        ("ÁB", ["ab"]),
        ("abd", ["[UNK]"]),  # the whole part, though "ab" is a piece
        ("abd-cd", ["[UNK]", "-", "cd"]),
        ("a\u200bb", ["ab"]),
        ("a\ufffd\ue000\ud800b", ["ab"]),
        ("a\rb", ["a", "b"]),
        ("", ["[UNK]"]),
        (" \n", ["[UNK]"]),
        ("\u200b", ["[UNK]"]),
        ("##a", ["[UNK]", "[UNK]", "a"]),
        ("a" * 100, ["a"] + 99 * ["##a"]),
        ("a" * 101, ["[UNK]"]),
    ],
)
def test_segmentation_pieces_like_bert(word, pieces):
    segmenter = make_bert(VOCAB, lowercase=True, strip_accents=True)
    assert [VOCAB[row] for row in segmenter(word)] == pieces


def test_segmentation_words():
    entries = ("", "the", "The", "cafe", "us", "U.S.")
    segmenter = Segmenter(entries, "words", unknown=0, lowercase=True, strip_accents=True)
    words = ["The", "the", "THE", "Café", "US", "U.S.", "u.s.", "theus", "", " "]
    assert [segmenter(word) for word in words] == [[2], [1], [1], [3], [4], [5], [0], [0], [0], [0]]
    assert dataclasses.replace(segmenter, unknown=2)("") == [2]
    cased = dataclasses.replace(segmenter, lowercase=False)
    assert [cased(word) for word in ("The", "the", "THE", "café")] == [[2], [1], [0], [3]]


def test_segmentation_words_end_in_a_final_sigma():
    """A lower-cased word may have a final sigma in the vocabulary, or the other one, as in BERT."""
    segmenter = Segmenter(("", "οδος", "παυλοσ"), "words", 0, lowercase=True, strip_accents=False)
    assert [segmenter(word) for word in ("ΟΔΟΣ", "οδος", "ΠΑΥΛΟΣ", "ΟΔΟ")] == [[1], [1], [2], [0]]


@pytest.fixture(scope="module")
def byte_level():
    tokenizer = ByteLevelBPETokenizer(add_prefix_space=True)
    text = ["the theatre of the thematic oath", "thé à la thèse", "don't, won't", "12 123 1234"]
    tokenizer.train_from_iterator(text, vocab_size=320, min_frequency=1, special_tokens=["<unk>"])
    entries = [tokenizer.id_to_token(i) for i in range(tokenizer.get_vocab_size())]
    segmenter = Segmenter(
        tuple(entries), "pieces", 0, False, False, initial_mark="Ġ", byte_level=True
    )
    return tokenizer, segmenter


@given(word=st.text(min_size=1, max_size=10).filter(lambda word: not any(map(str.isspace, word))))
def test_segmentation_byte_level_covers_any_word(byte_level, word):
    tokenizer, segmenter = byte_level
    rows = segmenter(word)
    assert segmenter.unknown not in rows
    assert tokenizer.decode(rows) == f" {word}"


def test_segmentation_byte_level_agrees_with_bpe(byte_level):
    tokenizer, segmenter = byte_level
    for word in ("the", "thé", "à", "of", "theatre", "123", "é", "ÿ", "日"):
        assert segmenter(word) == tokenizer.encode(word).ids
    assert len(segmenter("the")) == 1
    assert segmenter("") == segmenter("\t ") == [segmenter.unknown]
    assert segmenter.unknown not in segmenter("\ud800")
    assert segmenter("x" * 1001) == segmenter("x" * 1000) != segmenter("x" * 999)


def test_segmentation_byte_alphabet():
    library = pre_tokenizers.ByteLevel.alphabet()
    assert len(set(BYTE_ALPHABET)) == 256
    assert set(BYTE_ALPHABET) == set(library)
    assert BYTE_ALPHABET[ord(" ")] == "Ġ" and BYTE_ALPHABET[ord("a")] == "a"


# All pieces have different letters, so a word can be segmented in only one way.
UNAMBIGUOUS = ["▁ab", "cd", "efg", "h", "ij"]


@given(
    parts=st.lists(
        st.sampled_from(["cd", "efg", "h", "ij", "z", "zz", "\u2173", "\uff28"]), max_size=8
    )
)
def test_segmentation_agrees_with_unigram(parts):
    vocab = [("<unk>", 0.0), *((piece, -1.0 - i) for i, piece in enumerate(UNAMBIGUOUS))]
    tokenizer = Tokenizer(models.Unigram(vocab, unk_id=0))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    segmenter = Segmenter(
        tuple(piece for piece, _ in vocab),
        "pieces",
        unknown=0,
        lowercase=True,
        strip_accents=False,
        initial_mark="▁",
        unicode_form="NFKC",
    )
    word = "".join(["ab", *parts])
    assert segmenter(word) == tokenizer.encode(word).ids


def test_segmentation_initial_mark():
    entries = ("<unk>", "▁", "▁ab", "ab", "a", "b")
    segmenter = Segmenter(entries, "pieces", 0, False, False, initial_mark="▁")
    assert segmenter("ab") == [2]
    assert segmenter("ba") == [1, 5, 4]
    assert segmenter("abab") == [2, 3]
    assert segmenter("axxb") == [1, 4, 0, 5]
    assert segmenter("x") == [1, 0]
    assert segmenter(" ") == [0]


@given(word=st.text(max_size=12))
def test_segmentation_returns_rows_of_the_table(word):
    for flag in (True, False):
        segmenter = make_bert(VOCAB, lowercase=flag, strip_accents=flag)
        rows = segmenter(word)
        assert rows and all(0 <= row < len(VOCAB) for row in rows)


def test_segmentation_round_trip(byte_level):
    for segmenter in (make_bert(VOCAB, lowercase=True), byte_level[1]):
        data = srsly.msgpack_loads(srsly.msgpack_dumps(segmenter.to_attr()))
        loaded = Segmenter.from_attr(data)
        assert loaded == segmenter
        assert loaded("abcab") == segmenter("abcab")


def test_segmentation_copies_do_not_contain_words_that_were_looked_up(byte_level):
    for segmenter in (make_bert(VOCAB, max_chars=5), byte_level[1]):
        rows = segmenter.look_up(["abc", "Secret"])
        for copied in (pickle.loads(pickle.dumps(segmenter)), copy.deepcopy(segmenter)):
            assert copied == segmenter
            assert "Secret" not in str(vars(copied))
            assert copied.look_up(["abc", "Secret"]) == rows


def test_segmentation_refuses_bad_settings():
    with pytest.raises(ValueError, match=r"D007.*'letters'"):
        Segmenter(("a",), "letters", 0, False, False)
    with pytest.raises(ValueError, match=r"D007.*'NFX'"):
        Segmenter(("a",), "words", 0, False, False, unicode_form="NFX")
    with pytest.raises(ValueError, match=r"D007.*'L'"):
        Segmenter(("a",), "words", 0, False, False, accents="L")
    for unknown in (-1, 1):
        with pytest.raises(ValueError, match="D301"):
            Segmenter(("a",), "words", unknown, False, False)


def test_segmentation_of_words_has_distinct_entries():
    segmenter = word_segmenter(["b", "a", "b", "", "c"])
    assert segmenter.entries == ("", "b", "a", "c")
    assert [segmenter(word) for word in ("A", "c", "d", "á")] == [[2], [3], [0], [0]]


def test_segmentation_split_like_bert():
    assert list(split_like_bert("  don't\tstop!! ")) == ["don", "'", "t", "stop", "!", "!"]
    assert list(split_like_bert("«a»中b")) == ["«", "a", "»", "中", "b"]


@pytest.mark.parametrize(
    "char",
    "\u3400\u4dbf\u4e00\u9fff\uf900\ufaff\U00020000\U0002a6df\U0002a700\U0002b73f\U0002b740\U0002b81f"
    "\U0002ceaf\U0002f800\U0002fa1f",
)
def test_segmentation_splits_at_chinese_characters_as_bert_does(char):
    text = f"a{char}b"
    expected = normalizers.BertNormalizer(strip_accents=False).normalize_str(text).split()
    assert list(split_like_bert(text)) == expected == ["a", char, "b"]
