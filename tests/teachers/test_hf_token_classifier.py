import numpy
import pytest
import torch
from numpy.testing import assert_allclose
from spacy.tokens import Doc
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    AutoModelForTokenClassification,
    AutoTokenizer,
    BertConfig,
    BertForTokenClassification,
    BertTokenizerFast,
    RobertaConfig,
    RobertaForTokenClassification,
    RobertaTokenizerFast,
)

from spacy_distill.annotate.docs import annotate_docs
from spacy_distill.distributions import log_softmax
from spacy_distill.encoder import find_max_length
from spacy_distill.segmentation import BYTE_ALPHABET
from spacy_distill.soft_targets import KEY
from spacy_distill.tags import make_tags
from spacy_distill.teachers.choose import choose_teacher, load_teacher
from spacy_distill.teachers.ensemble import join_teachers
from spacy_distill.teachers.hf_token_classifier import HFTokenClassifier, find_commit, list_windows

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "ann", "bob", "met", "in", "ro", "##me"]
PIECES += ["os", "##lo", "##s", "."]
SIZES = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "initializer_range": 0.5,  # so that context matters
}
LABELS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
TEXTS = ["Ann met Bobs in Rome .", "Oslo", "", "Bob Oslos Rome Ann _ met Bob", "Zz Ann"]


def save(folder, config_class, model_class, **sizes):
    torch.manual_seed(0)
    config = config_class(
        **SIZES, **sizes, id2label=dict(enumerate(LABELS)), num_labels=len(LABELS)
    )
    model_class(config).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    """A folder with a small untrained BERT for token classification."""
    path = tmp_path_factory.mktemp("bert")
    vocab = path / "words.txt"
    vocab.write_text("\n".join(PIECES), encoding="utf8")
    BertTokenizerFast(str(vocab), do_lower_case=True).save_pretrained(path)
    return save(path, BertConfig, BertForTokenClassification, vocab_size=len(PIECES))


@pytest.fixture(scope="module")
def roberta(tmp_path_factory):
    path = tmp_path_factory.mktemp("roberta")
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", *BYTE_ALPHABET, "ĠA", "nn", "ĠAnn"]
    vocab = {piece: i for i, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.BPE(vocab, [("Ġ", "A"), ("n", "n"), ("ĠA", "nn")]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    RobertaTokenizerFast(tokenizer_object=tokenizer).save_pretrained(path)
    sizes = {"vocab_size": len(vocab), "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}
    positions = {"max_position_embeddings": 66}  # the first two are for padding
    return save(path, RobertaConfig, RobertaForTokenClassification, **sizes, **positions)


@pytest.fixture
def docs(make_doc):
    return [make_doc(text) for text in TEXTS]


def predict_by_words(folder, words, teacher):
    """Predict one document at a time: each word is segmented alone, and its first piece counts."""
    model = AutoModelForTokenClassification.from_pretrained(folder).eval()
    pieces, firsts = [], []
    for word in words:
        ids = teacher.tokenizer([word], is_split_into_words=True, add_special_tokens=False)
        firsts.append(len(pieces) if ids["input_ids"] else None)
        pieces += ids["input_ids"]
    whole = teacher.tokenizer.build_inputs_with_special_tokens(pieces)
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([whole])).logits[0].numpy()
    rows = [
        numpy.full(len(LABELS), numpy.nan) if first is None else log_softmax(logits[1 + first])
        for first in firsts
    ]
    return numpy.stack(rows)


@pytest.mark.parametrize("kind", ["bert", "roberta"])
def test_hf_token_classifier_uses_the_first_piece_of_a_token(request, kind, docs):
    folder = request.getfixturevalue(kind)
    teacher = load_teacher(folder)
    assert isinstance(teacher, HFTokenClassifier)
    assert teacher.tags == LABELS
    found = teacher.predict(docs)
    assert [rows.shape for rows in found] == [(len(doc), len(LABELS)) for doc in docs]
    for doc, rows in zip(docs, found):
        if len(doc):
            expected = predict_by_words(folder, [token.text for token in doc], teacher)
            assert_allclose(numpy.exp(rows), numpy.exp(expected), atol=1e-4)
    best = {int(i) for rows in found for i in numpy.nan_to_num(rows).argmax(axis=1)}
    assert len(best) > 1  # the predictions of the checkpoint vary


def test_hf_token_classifier_has_no_scores_for_tokens_without_pieces(bert, docs, nlp):
    teacher = load_teacher(bert)
    rows = teacher.predict(docs)[3]
    assert docs[3][4].is_space
    assert numpy.isnan(rows).any(axis=1).tolist() == [token.is_space for token in docs[3]]
    (doc,) = annotate_docs(teacher, [docs[3]])
    assert doc[4].ent_iob in (0, 1)  # missing, or within an entity
    assert numpy.isnan(doc.user_data[KEY]["log_probs"][4]).all()


def test_hf_token_classifier_does_not_depend_on_batches(bert, docs):
    teacher = load_teacher(bert)
    together = teacher.predict(docs)
    for doc, rows in zip(docs, together):
        (alone,) = teacher.predict([doc])
        assert_allclose(rows, alone, atol=1e-4)
    assert teacher.predict([]) == []


@pytest.mark.parametrize("kind, length", [("bert", 512), ("roberta", 64)])
def test_hf_token_classifier_finds_its_longest_window(request, kind, length, nlp):
    """The limit comes from the positions of the model if the tokenizer does not declare it."""
    teacher = load_teacher(request.getfixturevalue(kind))
    assert teacher.tokenizer.model_max_length > length
    assert teacher.max_length == length
    (rows,) = teacher.predict([Doc(nlp.vocab, words=["Ann"] * 2 * length)])
    assert not numpy.isnan(rows).any()
    teacher.model.config.max_position_embeddings = -1  # no limit, as in XLNet
    assert find_max_length(teacher.tokenizer, teacher.model) >= 510
    teacher.tokenizer.model_max_length = 20
    assert find_max_length(teacher.tokenizer, teacher.model) == 20


def test_hf_token_classifier_reads_long_texts_in_windows(bert, make_doc):
    """A long text is compared with a loop over windows. A short text needs no windows."""
    teacher = load_teacher(bert)
    small = HFTokenClassifier("x", teacher.model, teacher.tokenizer, teacher.scheme, max_length=10)
    short, long = make_doc("Ann met Bob in Rome"), make_doc(" ".join(TEXTS[:2]) + " Rome Ann" * 9)
    assert_allclose(small.predict([short])[0], teacher.predict([short])[0], atol=1e-5)
    words = [token.text for token in long]
    ids = [teacher.tokenizer(word, add_special_tokens=False)["input_ids"] for word in words]
    pieces = [piece for part in ids for piece in part]
    # Windows of 8 pieces begin at every fourth piece; each of two keeps two of the shared pieces.
    rows = []
    starts = list(range(0, len(pieces) - 4, 4))
    for start in starts:
        whole = [2, *pieces[start : start + 8], 3]
        with torch.inference_mode():
            logits = teacher.model(input_ids=torch.tensor([whole])).logits[0, 1:-1].numpy()
        first = 0 if start == 0 else 2
        rows += list(logits[first:]) if start == starts[-1] else list(logits[first:6])
    assert len(rows) == len(pieces) > 3 * 8
    firsts = numpy.cumsum([0, *map(len, ids)])[:-1]
    expected = log_softmax(numpy.stack(rows))[firsts]
    (found,) = small.predict_labels([long])
    assert_allclose(found, expected, atol=1e-4)
    assert numpy.abs(found - teacher.predict_labels([long])[0]).max() > 0.01


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("n_pieces", [0, 1, 2, 7, 8, 9, 12, 13, 40])
def test_hf_token_classifier_windows_keep_each_piece_once(n_pieces, size):
    windows = list(list_windows(n_pieces, doc=0, size=size))
    kept = [i for window in windows for i in range(window.keep_start, window.keep_end)]
    assert kept == list(range(n_pieces))
    for window in windows:
        assert window.start <= window.keep_start <= window.keep_end <= window.end
        assert window.end - window.start <= size


def test_hf_token_classifier_joins_another_teacher(bert, student, docs):
    joined = join_teachers([load_teacher(bert), choose_teacher(student)])
    found = list(annotate_docs(joined, docs))
    assert found[0].user_data[KEY]["tags"] == LABELS
    assert (found[0].user_data[KEY]["disagreement"] > 0).any()
    # The other teacher has targets for all words.
    missing = numpy.isnan(found[3].user_data[KEY]["log_probs"]).all(axis=1)
    assert missing.tolist() == [token.is_space for token in found[3]]


def test_hf_token_classifier_predicts_the_same_on_a_gpu(bert, docs, gpu):
    of_cpu, of_gpu = load_teacher(bert), load_teacher(bert, gpu=gpu)
    for expected, rows in zip(of_cpu.predict(docs), of_gpu.predict(docs), strict=True):
        assert_allclose(numpy.exp(rows), numpy.exp(expected), atol=1e-3)


def test_hf_token_classifier_refuses_missing_gpus_and_weights(bert, tmp_path):
    with pytest.raises(ValueError, match=r"\[D020\].*GPU 7"):
        load_teacher(bert, gpu=7)
    (tmp_path / "config.json").write_text('{"architectures": ["BertForTokenClassification"]}')
    with pytest.raises(OSError, match=r"\[D309\]"):
        load_teacher(str(tmp_path))


def test_hf_token_classifier_with_io_labels(bert, tmp_path, docs):
    """The same weights are saved with labels without a prefix."""
    teacher = load_teacher(bert)
    teacher.tokenizer.save_pretrained(tmp_path)
    teacher.model.config.id2label = dict(enumerate(["O", "PER", "LOC", "ORG", "MISC"]))
    teacher.model.save_pretrained(tmp_path)
    found = load_teacher(str(tmp_path))
    assert found.tags == make_tags(["PER", "LOC", "ORG", "MISC"], scheme="iob")
    for rows, labels in zip(found.predict(docs), teacher.predict_labels(docs)):
        probs = numpy.exp(rows)
        assert_allclose(probs[:, 1::2] + probs[:, 2::2], numpy.exp(labels)[:, 1:], atol=1e-3)
    (doc, *_) = annotate_docs(found, docs)
    expected = [found.model.config.id2label[int(i)] for i in labels_of(teacher, doc)]
    assert [token.ent_type_ or "O" for token in doc] == expected


def labels_of(teacher, doc):
    (log_probs,) = teacher.predict_labels([doc])
    return log_probs.argmax(axis=1)


def test_hf_token_classifier_loads_the_model_and_tokenizer_of_a_revision(bert, monkeypatch):
    asked = []

    def watch(kind):
        load = kind.from_pretrained

        def call(name, revision="", **options):
            asked.append((kind, revision))
            return load(name, **options)

        monkeypatch.setattr(kind, "from_pretrained", call)

    watch(AutoTokenizer)
    watch(AutoModelForTokenClassification)
    HFTokenClassifier.load(bert, revision="v1")
    assert asked == [(AutoTokenizer, "v1"), (AutoModelForTokenClassification, "v1")]


def test_hf_token_classifier_is_identified_by_its_commit(monkeypatch, tmp_path):
    """The commit of a checkpoint on the hub is read from the local cache."""
    commit = "0123456789abcdef0123456789abcdef01234567"
    folder = tmp_path / "models--owner--name"
    (folder / "snapshots" / commit).mkdir(parents=True)
    (folder / "snapshots" / commit / "config.json").write_text("{}")
    (folder / "refs").mkdir()
    (folder / "refs" / "v1").write_text(commit)
    monkeypatch.setattr("transformers.utils.hub.TRANSFORMERS_CACHE", str(tmp_path))
    monkeypatch.setattr("transformers.utils.hub._is_offline_mode", True)
    assert find_commit("owner/name", revision="v1") == commit
    with pytest.raises(OSError, match=r"\[D309\]"):
        find_commit("owner/other")
