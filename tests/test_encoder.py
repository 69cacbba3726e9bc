import socket
from pathlib import Path

import numpy
import pytest
import torch
from numpy.testing import assert_allclose
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    AutoModel,
    AutoTokenizer,
    BertConfig,
    BertModel,
    BertTokenizerFast,
    ByT5Tokenizer,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaModel,
    RobertaTokenizerFast,
)
from transformers.utils import logging

from spacy_distill import encoder as encoder_module
from spacy_distill.encoder import (
    batch_equal_lengths,
    encode,
    encoder_table,
    find_device,
    find_specials,
    find_unicode_form,
    load,
    load_tokenizer,
    make_segmenter,
    make_word_segmenter,
)
from spacy_distill.segmentation import BYTE_ALPHABET

DEFAULT_TEACHER = Path(__file__).parents[1] / "assets/teacher"
VOCAB = """
    [PAD] [UNK] [CLS] [SEP] [MASK] paris london in ##s ##is lon don - par pa é
""".split()  # noqa: SIM905
SIZES = {
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
}


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    """A folder with a small untrained BERT."""
    path = tmp_path_factory.mktemp("bert")
    vocab = path / "words.txt"
    vocab.write_text("\n".join(VOCAB), encoding="utf8")
    BertTokenizerFast(str(vocab), do_lower_case=True).save_pretrained(path)
    torch.manual_seed(0)
    BertModel(BertConfig(vocab_size=len(VOCAB), **SIZES)).save_pretrained(path)
    return str(path)


@pytest.fixture(scope="module")
def roberta(tmp_path_factory):
    path = tmp_path_factory.mktemp("roberta")
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", *BYTE_ALPHABET, "Ġp", "ar", "Ġpar", "is"]
    merges = [("Ġ", "p"), ("a", "r"), ("Ġp", "ar"), ("i", "s")]
    vocab = {piece: i for i, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.BPE(vocab, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    RobertaTokenizerFast(tokenizer_object=tokenizer).save_pretrained(path)
    torch.manual_seed(0)
    RobertaModel(RobertaConfig(vocab_size=len(vocab), pad_token_id=1, **SIZES)).save_pretrained(
        path
    )
    return str(path)


def encode_by_hand(teacher, texts):
    """The vector of each text from transformers: the mean over the tokens that are not special."""
    tokenizer = AutoTokenizer.from_pretrained(teacher)
    model = AutoModel.from_pretrained(teacher).eval()
    vectors = []
    for text in texts:
        encoded = tokenizer(text, return_tensors="pt", return_special_tokens_mask=True)
        is_piece = encoded.pop("special_tokens_mask")[0] == 0
        with torch.no_grad():
            vectors.append(model(**encoded).last_hidden_state[0][is_piece].mean(0).numpy())
    return numpy.asarray(vectors)


def distances(rows):
    return numpy.linalg.norm(rows[:, None] - rows[None, :], axis=2)


def assert_same_shape(rows, vectors):
    """Assert that the rows are the vectors up to a rotation, a shift and a factor."""
    expected = distances(vectors)
    found = distances(rows)
    assert_allclose(found / found.max(), expected / expected.max(), atol=1e-4)


def test_encoder_table_of_pieces(bert):
    table, explained = encoder_table(bert, width=24)
    assert table.segmenter.entries == tuple(VOCAB)
    assert table.segmenter.kind == "pieces"
    assert table.rows.shape == (len(VOCAB), 24) and table.rows.dtype == numpy.float32
    assert_allclose(table.rows.std(), 0.4, rtol=1e-5)
    assert_allclose(table.rows.mean(axis=0), 0, atol=1e-5)
    assert_allclose(explained, 1.0, rtol=1e-5)
    # Each of these words is one piece, so that the tokenizer can check the model's input.
    words = [word for word in VOCAB if word.isalpha() and word != "é"]
    rows = table.rows[[VOCAB.index(word) for word in words]]
    assert_same_shape(rows, encode_by_hand(bert, words))


@pytest.mark.parametrize("words", [None, ["paris", "newpiece"]])
def test_encoder_takes_pieces_without_an_embedding_for_unknown(bert, tmp_path, words):
    """They were added to the tokenizer, but not to the transformer."""
    tokenizer = AutoTokenizer.from_pretrained(bert)
    tokenizer.add_tokens(["newpiece"])
    tokenizer.save_pretrained(tmp_path)
    AutoModel.from_pretrained(bert).save_pretrained(tmp_path)
    table, _ = encoder_table(str(tmp_path), width=2, words=words)
    if words is None:
        assert table.segmenter.entries == (*VOCAB, "newpiece")
        assert_allclose(table.rows[-1], table.rows[VOCAB.index("[UNK]")], atol=1e-5)
    else:
        assert table.segmenter.entries == ("", *words)


def test_encoder_encodes_continuing_pieces_by_their_ids(bert):
    model = AutoModel.from_pretrained(bert).eval()
    specials = find_specials(load_tokenizer(bert))
    assert specials == ([VOCAB.index("[CLS]")], [VOCAB.index("[SEP]")])
    vectors = encode(model, [[8], [5], [6, 8, 9]], specials=specials)
    with torch.no_grad():
        alone = model(torch.tensor([[2, 8, 3]])).last_hidden_state[0, 1]
        three = model(torch.tensor([[2, 6, 8, 9, 3]])).last_hidden_state[0, 1:4].mean(0)
    assert_allclose(vectors[0], alone, atol=1e-5)
    assert_allclose(vectors[2], three, atol=1e-5)
    assert_allclose(vectors[1], encode_by_hand(bert, ["paris"])[0], atol=1e-5)


def test_encoder_table_of_words(bert):
    words = ["Paris", "paris", "Londons", "in", "lon-don", "É", "xyz"]
    table, _ = encoder_table(bert, words=words, width=24)
    entries = ("", "paris", "londons", "in", "lon-don", "e", "xyz")
    assert table.segmenter.entries == entries
    assert [table.segmenter(word) for word in ("PARIS", "Ín", "new")] == [[1], [3], [0]]
    assert_allclose(table.rows.std(), 0.4, rtol=1e-5)
    by_hand = encode_by_hand(bert, ["[UNK]", *entries[1:]])
    # The tokenizer takes "[UNK]" for a special token, so there is nothing to average.
    assert_same_shape(table.rows[1:], by_hand[1:])
    assert_allclose(table.rows[0], table.rows[6], atol=1e-5)  # "xyz" is unknown to BERT too


@pytest.mark.parametrize("width", [1, 5, 24])
def test_encoder_table_keeps_the_most_variance(bert, width):
    full, _ = encoder_table(bert, width=24)
    table, explained = encoder_table(bert, width=width)
    assert table.rows.shape == (len(VOCAB), width)
    assert_allclose(table.rows.std(), 0.4, rtol=1e-5)
    variances = numpy.linalg.svd(full.rows, compute_uv=False) ** 2
    assert_allclose(explained, variances[:width].sum() / variances.sum(), rtol=1e-3)


def test_encoder_table_is_the_same_each_time(bert):
    assert (encoder_table(bert, width=8)[0].rows == encoder_table(bert, width=8)[0].rows).all()


def test_encoder_table_of_long_words(roberta):
    """Only the first 128 pieces of a word are encoded, because positions are limited."""
    table, _ = encoder_table(roberta, words=["p" * 128, "p" * 600, "p"], width=2)
    assert_allclose(table.rows[1], table.rows[2], atol=1e-5)
    assert abs(table.rows[1] - table.rows[3]).max() > 0.01


def test_encoder_table_byte_level(roberta):
    table, _ = encoder_table(roberta, width=24)
    segmenter = table.segmenter
    assert segmenter.byte_level and segmenter.initial_mark == "Ġ"
    assert [segmenter.entries[row] for row in segmenter("paris")] == ["Ġpar", "is"]
    words = ["par", "p"]
    rows = [segmenter(word)[0] for word in words]
    specials = find_specials(load_tokenizer(roberta))
    assert specials == ([0], [2])
    model = AutoModel.from_pretrained(roberta).eval()
    vectors = encode(model, [[row] for row in rows], specials=specials)
    assert_allclose(vectors, encode_by_hand(roberta, [" par", " p"]), atol=1e-5)


@pytest.mark.parametrize(
    "template, expected", [("$A", ([], [])), ("<unk> $A", ([0], [])), ("$A <unk>", ([], [0]))]
)
def test_encoder_finds_special_tokens(template, expected):
    tokenizer = make_sentencepiece(steps=[])
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single=template, special_tokens=[("<unk>", 0)]
    )
    assert find_specials(tokenizer) == expected


def test_encoder_batches_by_length(monkeypatch):
    monkeypatch.setattr(encoder_module, "BATCH_TOKENS", 10)
    sequences = [[1], [1, 2, 3], [2], [3], [1, 2, 4], [4]]
    batches = list(batch_equal_lengths(sequences, extra=2))
    assert batches == [[0, 2, 3], [5], [1, 4]]


def test_encoder_vectors_do_not_depend_on_batches(bert, monkeypatch):
    model = AutoModel.from_pretrained(bert).eval()
    sequences = [[5], [6, 8], [7], [10, 11, 9], [13, 9], [14]]
    specials = ([2], [3])
    together = encode(model, sequences, specials=specials)
    monkeypatch.setattr(encoder_module, "BATCH_TOKENS", 1)
    counted = []

    def progress(batches):
        assert len(batches) == 6
        for batch in batches:
            counted.append(len(batch))
            yield batch

    assert_allclose(
        encode(model, sequences, specials=specials, progress=progress), together, atol=1e-5
    )
    assert counted == [1] * 6


def test_encoder_segmenter_of_bert(bert):
    segmenter = make_segmenter(load_tokenizer(bert), teacher=bert)
    assert (segmenter.continuing_mark, segmenter.initial_mark) == ("##", "")
    assert segmenter.unknown == 1
    for lowercase, strip, expected in [
        (True, None, (True, True)),
        (True, False, (True, False)),
        (False, None, (False, False)),
        (False, True, (False, True)),
    ]:
        tokenizer = BertTokenizerFast.from_pretrained(
            bert, do_lower_case=lowercase, strip_accents=strip
        )
        segmenter = make_segmenter(tokenizer, teacher=bert)
        assert (segmenter.lowercase, segmenter.strip_accents) == expected
        for word in ("Paris", "pâris", "LONDON", "lon-don", "É", "é"):
            assert segmenter(word) == tokenizer(word, add_special_tokens=False)["input_ids"]


@pytest.mark.parametrize(
    "setting, value", [("handle_chinese_chars", False), ("clean_text", False), ("max_chars", 3)]
)
def test_encoder_segmenter_has_the_settings_of_bert(setting, value):
    vocab = ["[UNK]", "a", "b", "##a", "##b", "中", "##中", "a中", "\x01", "##\x01"]
    most = {"max_input_chars_per_word": value} if setting == "max_chars" else {}
    pieces = {piece: i for i, piece in enumerate(vocab)}
    found = []
    for settings in ({}, {setting: value}):
        tokenizer = Tokenizer(models.WordPiece(pieces, unk_token="[UNK]", **most))
        flags = {} if most else settings
        tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False, **flags)
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        tokenizer = PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]")
        segmenter = make_segmenter(tokenizer, teacher="small")
        words = ["a中b", "中中", "a\x01b", "abab", "ab"]
        found.append([segmenter(word) for word in words])
        assert found[-1] == [tokenizer(w, add_special_tokens=False)["input_ids"] for w in words]
    assert most or found[0] != found[1]


STEPS = {
    "ALBERT": [normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase()],
    "NFKC": [normalizers.NFKC()],
    "NFKC, accents": [normalizers.NFKC(), normalizers.StripAccents()],
    "NFD": [normalizers.NFD()],
    "NFC": [normalizers.NFC()],
    "none": [],
}


def make_sentencepiece(*, steps):
    letters = "aáeéii\u0301\u0300कि\u093f가\u1100\u1161ﬁf"
    pieces = [("<unk>", 0.0), ("▁", -2.0), ("▁par", -1.0), ("is", -1.0), ("fi", -3.0)]
    pieces += [(letter, -4.0) for letter in dict.fromkeys(letters)]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=0))
    tokenizer.normalizer = normalizers.Sequence(steps)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>")


@pytest.mark.parametrize("steps", STEPS.values(), ids=STEPS)
def test_encoder_segmenter_of_sentencepiece(steps):
    tokenizer = make_sentencepiece(steps=steps)
    segmenter = make_segmenter(tokenizer, teacher="small")
    assert segmenter.initial_mark == "▁"
    # Latin, of one character or two; Devanagari, whose vowel signs are marks; Hangul; a ligature.
    words = ["paris", "PARIS", "párís", "pa\u0301ri\u0301s", "xis", "par", "é", "e\u0301"]
    words += ["\u0915\u093f", "\uac00", "\u1100\u1161", "\ufb01"]
    expected = [tokenizer(word, add_special_tokens=False)["input_ids"] for word in words]
    assert [segmenter(word) for word in words] == expected
    by_word = make_word_segmenter(segmenter, words)
    assert all(by_word(word) != [0] for word in words)


def test_encoder_segmenter_of_bpe_with_spaces():
    tokenizer = Tokenizer(models.BPE({"<unk>": 0, "_": 1, "a": 2, "_a": 3}, [("_", "a")]))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="_")
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=tokenizer)
    segmenter = make_segmenter(tokenizer, teacher="small")
    assert segmenter("aa") == tokenizer("aa")["input_ids"] == [3, 2]


def test_encoder_keeps_control_characters_of_byte_level_words(roberta):
    pieces = make_segmenter(load_tokenizer(roberta), teacher=roberta)
    by_word = make_word_segmenter(pieces, ["a\u200bb", "cd"])
    assert [by_word(word) for word in ("a\u200bb", "ab", "c\u200bd", "cd")] == [[1], [0], [0], [2]]


@pytest.mark.parametrize("options, unknown", [({"pad_token": "b"}, 1), ({}, 0)])
def test_encoder_replaces_a_missing_unknown_piece(options, unknown):
    tokenizer = Tokenizer(models.BPE({"a": 0, "b": 1}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **options)
    assert make_segmenter(tokenizer, teacher="small").unknown == unknown


@pytest.mark.parametrize(
    "types, form",
    [
        (["Precompiled"], "NFKC"),
        (["Precompiled", "NFC"], "NFKC"),
        (["Precompiled", "NFD"], "NFKD"),
        (["Lowercase"], ""),
    ],
)
def test_encoder_finds_the_unicode_form(types, form):
    assert find_unicode_form(types) == form


def test_encoder_gives_ids_without_a_piece_an_empty_entry():
    tokenizer = Tokenizer(models.WordPiece({"[UNK]": 0, "a": 3}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]")
    segmenter = make_segmenter(tokenizer, teacher="small")
    assert segmenter.entries == ("[UNK]", "", "", "a")
    assert segmenter("a") == [3] and segmenter("") == [0]


@pytest.mark.parametrize(
    "model, splitter, reason",
    [
        (models.WordLevel, pre_tokenizers.Whitespace(), r"WordLevel after \['Whitespace'\]"),
        (models.WordPiece, None, "WordPiece after no splitting"),
        (models.BPE, pre_tokenizers.ByteLevel(), r"BPE after \['ByteLevel'\]"),
        (models.BPE, pre_tokenizers.Metaspace(), r"BPE after \['Metaspace'\]"),
    ],
)
def test_encoder_refuses_vocabularies_of_other_kinds(model, splitter, reason):
    # As in CLIP, the last piece of a word has a mark.
    merges = {"merges": [], "end_of_word_suffix": "</w>"} if model is models.BPE else {}
    tokenizer = Tokenizer(model({"<unk>": 0, "a": 1}, unk_token="<unk>", **merges))
    if splitter:
        tokenizer.pre_tokenizer = splitter
    with pytest.raises(ValueError, match=rf"D310.*'other': {reason} is not supported"):
        make_segmenter(PreTrainedTokenizerFast(tokenizer_object=tokenizer), teacher="other")


def test_encoder_refuses_slow_tokenizers(tmp_path):
    ByT5Tokenizer().save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"D311.*ByT5Tokenizer, not a fast"):
        load_tokenizer(str(tmp_path))


def test_encoder_refuses_bad_settings(bert):
    for width in (0, 25):
        with pytest.raises(ValueError, match=r"D308.*width from 1 to 24"):
            encoder_table(bert, width=width)
    with pytest.raises(ValueError, match=r"D020.*GPU 99"):
        encoder_table(bert, width=8, gpu=99)


def test_encoder_table_is_the_same_on_a_gpu(bert, gpu):
    (of_cpu, _), (of_gpu, _) = encoder_table(bert, width=6), encoder_table(bert, width=6, gpu=gpu)
    assert_same_shape(of_gpu.rows, of_cpu.rows)


def test_encoder_finds_a_gpu_by_its_number(monkeypatch):
    monkeypatch.setattr(encoder_module.torch.cuda, "device_count", lambda: 2)
    assert [str(find_device(gpu)) for gpu in (-1, 0, 1)] == ["cpu", "cuda:0", "cuda:1"]
    with pytest.raises(ValueError, match=r"D020.*GPU 2"):
        find_device(2)


def test_encoder_uses_the_gpu_of_apple(monkeypatch):
    monkeypatch.setattr(encoder_module.torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(encoder_module.torch.backends.mps, "is_available", lambda: True)
    assert find_device(0).type == "mps"
    assert find_device(-1).type == "cpu"
    with pytest.raises(ValueError, match=r"D020.*GPU 1"):
        find_device(1)


def test_encoder_hides_warnings_only_while_loading(caplog):
    caplog.set_level(logging.INFO, logger="transformers")
    assert load(lambda teacher: logging.get_verbosity(), "any") == logging.ERROR
    assert logging.get_verbosity() == logging.INFO


def test_encoder_reports_the_first_line_of_an_error():
    def fail(teacher):
        raise RuntimeError("\nNo such model.\nThere are A, B and C.")

    with pytest.raises(OSError, match=r"D309.*'any': No such model\. Give a folder"):
        load(fail, "any")


def test_encoder_without_network(bert, tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError("no network in this test")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("transformers.utils.hub._is_offline_mode", True)
    assert encoder_table(bert, width=8)[0].rows.shape == (len(VOCAB), 8)
    with pytest.raises(OSError, match=r"D309.*'nobody/nothing'.*Give a folder"):
        encoder_table("nobody/nothing", width=8)
    with pytest.raises(OSError, match=r"D309.*Give a folder"):
        encoder_table(str(tmp_path), width=8)
    with pytest.raises(OSError, match=r"D309.*Give a folder"):
        encoder_table(str(tmp_path / "missing" / "folder"), width=8)


@pytest.mark.skipif(not DEFAULT_TEACHER.exists(), reason="the default teacher is not installed")
def test_encoder_segmenter_of_default_teacher():
    tokenizer = load_tokenizer(str(DEFAULT_TEACHER))
    segmenter = make_segmenter(tokenizer, teacher="default")
    assert len(segmenter.entries) == 30_522
    assert segmenter.lowercase and segmenter.strip_accents
    words = [entry for entry in segmenter.entries if not entry.startswith(("##", "["))]
    words += ["don't", "U.S.", "Zürich", "naïve", "COVID-19", "@user", "#nlproc", "日本", "ıİ", "Ǆ"]
    expected = tokenizer(words, add_special_tokens=False)["input_ids"]
    assert [segmenter(word) for word in words] == expected


@pytest.mark.slow
@pytest.mark.skipif(not DEFAULT_TEACHER.exists(), reason="the default teacher is not installed")
def test_encoder_table_of_default_teacher():
    table, explained = encoder_table(str(DEFAULT_TEACHER))
    assert table.rows.shape == (30_522, 100)
    assert_allclose(table.rows.std(), 0.4, rtol=1e-5)
    assert 0.70 < explained < 0.72
    similar = table.rows @ table.rows[table.segmenter("paris")[0]]
    similar /= numpy.linalg.norm(table.rows, axis=1)
    nearest = {table.segmenter.entries[row] for row in numpy.argsort(-similar)[:10]}
    assert len(nearest & {"france", "french", "parisian", "lyon", "marseille", "versailles"}) >= 2
