"""LinearTagger on a small untrained transformer of spacy-transformers."""

from threading import Thread

import numpy
import pytest
import spacy
from numpy.testing import assert_allclose
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import Adam, require_gpu

from spacy_distill.annotate.docs import annotate_docs
from spacy_distill.models.linear_tagger import count_pieces
from spacy_distill.soft_targets import get_soft_targets

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytest.importorskip("spacy_transformers")

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "i", "love", "##s", "rome", "."]
SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 48,
}
MAX_PIECES = 8
NO_PIECES = "\ufe0f"  # a variation selector, which the tokenizer of BERT removes


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bert")
    vocab = folder / "words.txt"
    vocab.write_text("\n".join(PIECES), encoding="utf8")
    tokenizer = transformers.BertTokenizerFast(str(vocab), model_max_length=MAX_PIECES)
    tokenizer.save_pretrained(folder / "bert")
    torch.manual_seed(0)
    config = transformers.BertConfig(vocab_size=len(PIECES), **SIZES)
    transformers.BertModel(config).save_pretrained(folder / "bert")
    return str(folder / "bert")


@pytest.fixture
def teacher(path):
    """A pipeline that predicts PER for all tokens, as may happen after tuning towards recall."""
    nlp = spacy.blank("en")
    model = {
        "@architectures": "spacy-distill.LinearTagger.v1",
        "batch_pieces": 64,
        "tok2vec": {
            "@architectures": "spacy-transformers.Tok2VecTransformer.v3",
            "name": path,
            "tokenizer_config": {"use_fast": True},
            "pooling": {"@layers": "reduce_mean.v1"},
            "get_spans": {"@span_getters": "spacy-transformers.doc_spans.v1"},
        },
    }
    ner = nlp.add_pipe("ner_tagger", name="ner", config={"scheme": "iob", "model": model})
    ner.add_label("PER")
    nlp.initialize()
    head = ner.model.get_ref("output_layer")
    head.set_param("W", numpy.zeros_like(head.get_param("W")))
    head.set_param("b", numpy.asarray([-2, 0, -1], dtype="f"))
    return nlp


@pytest.mark.parametrize(
    "words, unseen",
    [
        (["I", "love", NO_PIECES, "Rome"], [2]),
        (["I", "love", *["Rome"] * MAX_PIECES], [7, 8, 9]),  # after one special piece
    ],
)
def test_teacher_does_not_annotate_tokens_that_it_did_not_see(teacher, words, unseen):
    seen = [i for i in range(len(words)) if i not in unseen]
    doc = teacher.get_pipe("ner")(Doc(teacher.vocab, words=words))
    assert [token.i for token in doc if token.ent_type_] == seen
    (doc,) = annotate_docs(teacher, [Doc(teacher.vocab, words=words)])
    targets = get_soft_targets(doc, tags=teacher.get_pipe("ner").tags, name="ner")
    assert numpy.isnan(targets).all(axis=1).nonzero()[0].tolist() == unseen
    # A token before an unseen one is not annotated, because its entity may continue there.
    with_entity = [token.i for token in doc if token.ent_type_]
    assert with_entity == [i for i in seen if i + 1 not in unseen]
    assert [doc[i].ent_iob for i in unseen] == [0] * len(unseen)


def test_teacher_is_thread_safe(teacher):
    model = teacher.get_pipe("ner").model
    docs = [teacher.make_doc("I love Rome. " * n) for n in (1, 2, 3)]
    expected = count_pieces(model, docs)
    assert expected == [6, 10, 14]
    model.predict(docs)
    failed = []

    def work():
        for _ in range(30):
            try:
                model.predict(docs)
                assert count_pieces(model, docs) == expected
            except Exception as error:
                failed.append(error)

    threads = [Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed


def test_teacher_predicts_and_learns_the_same_on_a_gpu(teacher, tmp_path, gpu):
    teacher.to_disk(tmp_path / "teacher")
    docs = [teacher.make_doc(text) for text in ("I love Rome.", "Rome", f"I {NO_PIECES} love I")]
    gold = Doc(teacher.vocab, words=["I", "love", "Rome", "."], ents=["O", "O", "B-PER", "O"])
    results = []
    for use in (None, gpu):
        if use is not None:
            require_gpu(use)
        nlp = spacy.load(tmp_path / "teacher")
        tags = nlp.get_pipe("ner").tags
        annotated = annotate_docs(nlp, [doc.copy() for doc in docs])
        values = [get_soft_targets(doc, tags=tags, name="ner") for doc in annotated]
        optimizer = Adam(0.001)
        for _ in range(5):
            example = Example(nlp.make_doc(gold.text), gold)
            values.append(nlp.update([example], sgd=optimizer, losses={}, drop=0.0)["ner"])
        results.append(values)
    for of_cpu, of_gpu in zip(*results, strict=True):
        assert_allclose(of_gpu, of_cpu, atol=5e-3)
