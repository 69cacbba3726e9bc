"""The tokenizer and ONNX files of a teacher with a small BERT, and all systems together."""

from pathlib import Path

import numpy
import pytest
import spacy
import torch
from numpy.testing import assert_allclose
from spacy.tokens import DocBin
from tqdm import tqdm
from transformers import BertConfig, BertModel, BertTokenizerFast

from spacy_distill.benchmark.export import (
    TaggingTransformer,
    export_teacher,
    find_head,
    find_transformer,
)
from spacy_distill.benchmark.measure import measure_systems
from spacy_distill.benchmark.pieces import load_tokenizer, make_batches
from spacy_distill.benchmark.plan import Settings, read_corpus
from spacy_distill.benchmark.prepare import prepare_peers
from spacy_distill.benchmark.results import make_results
from spacy_distill.benchmark.systems import PEERS, student_system
from spacy_distill.benchmark.tables import make_tables

onnxruntime = pytest.importorskip("onnxruntime", reason="the extra 'bench' is not installed")

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "ann", "in", "rome", "##s", "bob", "."]
SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "max_position_embeddings": 40,
}


@pytest.fixture(scope="module")
def teacher_path(tmp_path_factory):
    """A pipeline with a small untrained BERT."""
    folder = tmp_path_factory.mktemp("teacher")
    vocab = folder / "words.txt"
    vocab.write_text("\n".join(PIECES), encoding="utf8")
    BertTokenizerFast(str(vocab)).save_pretrained(folder / "bert")
    torch.manual_seed(0)
    bert = BertModel(BertConfig(vocab_size=len(PIECES), **SIZES))
    for weights in bert.parameters():  # all different, because equal ones are written only once
        torch.nn.init.normal_(weights, std=0.2)
    bert.save_pretrained(folder / "bert")
    nlp = spacy.blank("en")
    model = {
        "@architectures": "spacy-distill.LinearTagger.v1",
        "tok2vec": {
            "@architectures": "spacy-transformers.Tok2VecTransformer.v3",
            "name": str(folder / "bert"),
            "tokenizer_config": {"use_fast": True},
            "pooling": {"@layers": "reduce_mean.v1"},
            "get_spans": {"@span_getters": "spacy-transformers.doc_spans.v1"},
        },
    }
    ner = nlp.add_pipe("ner_tagger", name="ner", config={"scheme": "iob", "model": model})
    for label in ("LOC", "PER"):
        ner.add_label(label)
    nlp.initialize()
    # The scores are not zeros, so that a comparison means something.
    head = ner.model.get_ref("output_layer")
    head.set_param("W", numpy.random.RandomState(0).normal(size=(5, 32)).astype("f"))
    head.set_param("b", numpy.arange(5, dtype="f"))
    nlp.to_disk(folder / "model-best")
    return str(folder / "model-best")


@pytest.fixture(scope="module")
def exported(teacher_path, tmp_path_factory):
    output = tmp_path_factory.mktemp("exported")
    return export_teacher(teacher=teacher_path, output=str(output), as_onnx=True)


def test_export_describes_the_input_of_the_transformer(exported):
    settings = exported["settings"]["tokenizer"]
    assert settings["n_pieces"] == len(PIECES)
    assert settings["max_pieces"] == 40
    assert settings["padding"] == 0
    assert exported["reasons"] == {}
    tokenizer = load_tokenizer(settings["tokenizer"], max_pieces=40)
    assert tokenizer.encode("Ann in Romes.").tokens == [
        *("[CLS]", "ann", "in", "rome", "##s", ".", "[SEP]")
    ]


def test_export_onnx_scores_agree_with_the_teacher(exported, teacher_path):
    nlp = spacy.load(teacher_path)
    model = TaggingTransformer(find_transformer(nlp).transformer, find_head(nlp)).eval()
    folder = Path(exported["settings"]["onnx"]["folder"])
    sessions = {
        name: onnxruntime.InferenceSession(str(folder / f"{name}.onnx"))
        for name in ("fp32", "int8")
    }
    sequences = [[2, 5, 6, 7, 3], [2, 9, 3], [2, *[5, 6, 7, 8] * 9, 3]]
    for ids, mask in make_batches(sequences, batch_size=2, padding=0):
        with torch.inference_mode():
            expected = model(torch.from_numpy(ids), torch.from_numpy(mask)).numpy()
        found = {
            name: session.run(None, {"input_ids": ids, "attention_mask": mask})[0]
            for name, session in sessions.items()
        }
        there = mask > 0  # the scores of padding are arbitrary
        assert_allclose(found["fp32"][there], expected[there], atol=1e-4)
        assert numpy.abs(found["int8"][there] - expected[there]).mean() < 0.2
        assert numpy.abs(expected[there]).mean() > 1


def test_export_scores_agree_with_the_pipeline(teacher_path, make_doc):
    """The scores of words that are one piece each."""
    nlp = spacy.load(teacher_path)
    model = TaggingTransformer(find_transformer(nlp).transformer, find_head(nlp)).eval()
    ids = torch.tensor([[2, 5, 6, 7, 3]])
    with torch.inference_mode():
        found = model(ids, torch.ones_like(ids)).numpy()[0, 1:-1]
    (expected,) = nlp.get_pipe("ner").predict([make_doc("Ann in Rome")])
    assert_allclose(found, expected, atol=1e-4)


def test_export_counts_parameters(exported, teacher_path):
    nlp = spacy.load(teacher_path)
    transformer = find_transformer(nlp).transformer
    n_parameters = sum(weights.numel() for weights in transformer.parameters())
    n_pooler = sum(weights.numel() for weights in transformer.pooler.parameters())
    head = 5 * 32 + 5
    # A few constants are also written as weights; the pooler, which is not used, is not.
    found = exported["settings"]["onnx"]["n_parameters"]
    assert 0 <= found - (n_parameters - n_pooler + head) < 100


def test_export_needs_a_transformer(student_path, tmp_path):
    answer = export_teacher(teacher=str(student_path), output=str(tmp_path), as_onnx=True)
    assert answer["settings"] == {}
    assert set(answer["reasons"]) == {"tokenizer", "onnx"}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_export_and_measure_all_systems(teacher_path, student_path, student, examples, tmp_path):
    """Each system runs in its own process, as in the command, but with small BERTs."""
    DocBin(docs=[eg.reference for eg in examples]).to_disk(tmp_path / "test.spacy")
    corpus = read_corpus(tmp_path / "test.spacy", student)
    settings = Settings(batch_sizes=(1, 4), repeats=2, seconds=0.05)
    # One of each kind is enough.
    small = PEERS["bert-base"]._replace(settings={"shape": SIZES})
    peers = [PEERS["teacher"], PEERS["onnx-int8"], small]
    prepared = prepare_peers(
        peers, student=student, teacher=teacher_path, folder=tmp_path, threads=1
    )
    assert prepared.left_out == {}
    systems = [student_system("student", str(student_path), student), *prepared.systems]
    with tqdm(disable=True) as bar:
        found = measure_systems(systems, corpus, settings, folder=tmp_path, bar=bar, leave_out=None)
    results = make_results(found, corpus, settings, left_out={})
    assert list(results["systems"]) == ["student", *(peer.name for peer in peers)]
    for one in found:
        assert set(one.timings) == {1, 4}
        assert all(timing.seconds > 0 for timings in one.timings.values() for timing in timings)
        assert one.loaded["import_seconds"] > 0
        assert one.loaded["n_bytes"] > 1000
        assert one.peak_memory > 30e6
    assert set(found[0].roofline) == set(found[0].cold) == {1, 4}
    # Systems that do not need PyTorch have not imported it.
    memory = {one.system.name: one.peak_memory for one in found}
    assert memory["student"] < memory["teacher"]
    assert memory["onnx-int8"] < memory["bert-base"]
    assert len(make_tables(results)) == 4
