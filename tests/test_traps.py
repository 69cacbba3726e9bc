"""Known pitfalls, and the tests that show that this project avoids them.

| Pitfall | Test, in this file unless another is named |
| --- | --- |
| gradients of thinc's LSTM and of repeated characters | layers/test_bilstm, layers/test_char_cnn |
| averages do not include the parameters of PyTorch | teacher_has_no_averages |
| sums of squared gradients instead of a loss | losses_are_in_nats |
| `user_data` is lost | reading_keeps_soft_targets |
| long documents are lost | reading_keeps_long_documents |
| probabilities in float16 lose their tails | test_soft_targets: keep_the_tails |
| losses and paths in a package | student_has_no_path_to_its_teacher, cli/test_package |
| no shell and no assets in a workflow | test_project: needs_no_shell, runs_every_stage |
| preset entities, whitespace, sentences | pipeline/test_ner_tagger_annotation |
| memory zones | pipeline/test_ner_tagger_pipeline |
| `rehearse` does nothing | pipeline/test_distillable_pipe |
| objects that cannot be pickled | component_can_be_pickled, pipeline/test_ner_tagger_pipeline |
| no loss without gold | soft_targets_teach_if_gold_is_missing |
| batches with hardly any labelled sentence | batches_have_their_share_of_gold |
| last weights saved as the best | best_weights_are_saved |
| vocabulary built from the test set | vocabulary_is_of_the_training_text |
| the character "a" is treated as padding | layers/test_char_cnn |
| illegal tags without decoding | illegal_tags_are_never_written |
"""

import math
import pickle
import re
from itertools import islice
from pathlib import Path

import numpy
import pytest
import spacy
from numpy.testing import assert_array_equal
from spacy.cli.train import train
from spacy.tokens import Doc, DocBin
from spacy.training.loop import create_train_batches
from spacy.util import load_config, minibatch, registry

from spacy_distill.annotate.docs import annotate_docs
from spacy_distill.annotate.shards import docs_to_bytes, shard_name
from spacy_distill.distributions import log_softmax
from spacy_distill.segmentation import word_segmenter
from spacy_distill.soft_targets import KEY, set_soft_targets
from spacy_distill.table import random_table

ROOT = Path(__file__).parents[1]
CONFIGS = ("student", "baseline", "teacher")
# The student's training sentences contain none of its names, and not all of its letters.
DEV = ("Zoë met Ødipuë in Parisø", "B-PER O B-PER O B-LOC")
FORGETFUL = """
[nlp]
lang = "en"
pipeline = ["ner"]

[components]

[components.ner]
source = "{student}"

[corpora]

[corpora.train]
@readers = "spacy.Corpus.v1"
path = "{wrong}"

[corpora.dev]
@readers = "spacy.Corpus.v1"
path = "{right}"

[training]
max_steps = 41
eval_frequency = 20

[training.optimizer]
@optimizers = "Adam.v1"
learn_rate = 0.02
"""


def make_doc(vocab, text, tags=None):
    return Doc(vocab, words=text.split(), ents=None if tags is None else tags.split())


@pytest.fixture(scope="module")
def corpus(tmp_path_factory, student_path):
    """The files that the stages before training write: 150 gold sentences, a pool of 450, dev."""
    folder = tmp_path_factory.mktemp("corpus")
    teacher = spacy.load(student_path)
    texts = ["Ann Smith lives in New York .", "nobody went home", "it rains in Oslo"]
    for name, n_docs in (("labelled", 150), ("unlabelled", 450)):
        docs = (make_doc(teacher.vocab, texts[i % 3]) for i in range(n_docs))
        (folder / name).mkdir()
        for i, shard in enumerate(minibatch(annotate_docs(teacher, docs), 400)):
            (folder / name / shard_name(i)).write_bytes(docs_to_bytes(shard))
    DocBin(docs=[make_doc(teacher.vocab, *DEV)]).to_disk(folder / "dev.spacy")
    words = sorted({word for text in texts for word in text.split()})
    random_table(word_segmenter(words), width=100).to_disk(folder / "table.npz")
    return folder


@pytest.fixture(scope="module")
def paths(corpus):
    return {
        "paths.labelled": str(corpus / "labelled"),
        "paths.unlabelled": str(corpus / "unlabelled"),
        "paths.dev": str(corpus / "dev.spacy"),
        "paths.table": str(corpus / "table.npz"),
    }


@pytest.fixture(scope="module")
def trained(corpus, paths, tmp_path_factory):
    """A student, trained for some steps with configs/student.cfg."""
    output = tmp_path_factory.mktemp("training")
    sizes = {"training.max_steps": 4, "training.eval_frequency": 2}
    train(ROOT / "configs" / "student.cfg", output, overrides={**paths, **sizes})
    return output / "model-best"


def test_traps_teacher_has_no_averages():
    config = load_config(ROOT / "configs" / "teacher.cfg")
    assert config["training"]["optimizer"]["use_averages"] is False


def test_traps_losses_are_in_nats(student, make_example):
    """The mean of -log p over the tokens, computed by hand."""
    ner = student.get_pipe("ner")
    eg = make_example("Bob went", "B-LOC O", vocab=student.vocab)
    (scores,) = ner.predict([eg.predicted])
    expected = 0.0
    for row, tag in zip(scores.tolist(), ("B-LOC", "O")):
        expected += math.log(sum(map(math.exp, row))) - row[ner.tags.index(tag)]
    losses = ner.update([eg])
    assert losses["ner_task"] == pytest.approx(expected / 2, rel=1e-4)


def test_traps_reading_keeps_soft_targets(nlp, paths):
    config = load_config(ROOT / "configs" / "student.cfg", overrides=paths, interpolate=True)
    reader = registry.resolve(config["corpora"])["train"]
    assert all(eg.reference.user_data[KEY]["log_probs"].size for eg in reader(nlp))


@pytest.mark.parametrize("name", CONFIGS)
def test_traps_reading_keeps_long_documents(nlp, make_doc, tmp_path, name):
    doc = make_doc("word " * 3000, "O " * 3000)
    set_soft_targets(doc, numpy.zeros((3000, 1)), tags=["O"])
    path = tmp_path / "long.spacy"
    DocBin(docs=[doc], store_user_data=True).to_disk(path)
    overrides = {"paths.labelled": str(path), "paths.dev": str(path)}
    if name == "student":
        overrides["paths.unlabelled"] = str(path)
    config = load_config(ROOT / "configs" / f"{name}.cfg", overrides=overrides, interpolate=True)
    for reader in registry.resolve(config["corpora"]).values():
        lengths = [len(eg.reference) for eg in reader(nlp)]
        assert lengths
        assert set(lengths) == {3000}


def test_traps_student_has_no_path_to_its_teacher(trained):
    config = (trained / "config.cfg").read_text(encoding="utf-8")
    assert "teacher" not in re.sub("teacher_student", "", config)
    assert "transformer" not in config
    assert spacy.load(trained)("Ann lives in Oslo").has_annotation("ENT_IOB")


def test_traps_component_can_be_pickled(make_student, make_doc, texts):
    ner = make_student(spans_key="sure").get_pipe("ner")
    again = pickle.loads(pickle.dumps(ner))
    for text in texts:
        assert_array_equal(ner.predict([make_doc(text)])[0], again.predict([make_doc(text)])[0])
    assert again.labels == ner.labels
    assert again(make_doc(texts[0])).has_annotation("ENT_IOB")


@pytest.mark.parametrize("name", CONFIGS)
def test_traps_objects_of_a_config_can_be_pickled(name):
    config = load_config(ROOT / "configs" / f"{name}.cfg", interpolate=True)
    initialize = config.get("initialize", {}).get("components", {})
    made = registry.resolve({"loss": config["components"]["ner"]["loss"], **initialize})
    assert pickle.loads(pickle.dumps(made)).keys() == made.keys()


def test_traps_soft_targets_teach_if_gold_is_missing(student, make_example):
    ner = student.get_pipe("ner")
    eg = make_example("Bob went", vocab=student.vocab)
    assert eg.get_aligned_ner() == [None, None]
    assert ner.update([eg])["ner"] == 0.0
    set_soft_targets(eg.reference, log_softmax(numpy.eye(2, 5)), tags=ner.tags)
    losses = ner.update([eg])
    assert losses["ner_task"] == 0.0
    assert losses["ner_distillation"] > 0.1


def test_traps_batches_have_their_share_of_gold(nlp, tmp_path):
    """With 150 labels and the batches of configs/student.cfg: 3.2 of 32, not 0.3."""
    for name, n_docs in (("gold", 150), ("pool", 2000)):
        shard = DocBin(store_user_data=True)
        for i in range(n_docs):
            doc = make_doc(nlp.vocab, f"{name} {i}", "O O")
            set_soft_targets(doc, numpy.zeros((2, 1)), tags=["O"])
            shard.add(doc)
        shard.to_disk(tmp_path / f"{name}.spacy")
    overrides = {
        "paths.labelled": str(tmp_path / "gold.spacy"),
        "paths.unlabelled": str(tmp_path / "pool.spacy"),
    }
    config = load_config(ROOT / "configs" / "student.cfg", overrides=overrides, interpolate=True)
    reader = registry.resolve(config["corpora"])["train"]
    training = config["training"]
    batcher = registry.resolve({"batcher": training["batcher"]})["batcher"]
    batches = create_train_batches(nlp, reader, batcher, training["max_epochs"])
    counts = [
        sum(eg.reference[0].text == "gold" for eg in batch) for _, batch in islice(batches, 65)
    ]
    assert numpy.mean(counts) == pytest.approx(3.2, abs=0.4)
    assert min(counts) < max(counts)  # at random, not at fixed positions


def test_traps_best_weights_are_saved(student_path, examples, write_config, tmp_path):
    """A student that is already right learns wrong answers, so the first evaluation is best."""
    right, wrong = tmp_path / "right.spacy", tmp_path / "wrong.spacy"
    DocBin(docs=[eg.reference for eg in examples]).to_disk(right)
    for eg in examples:
        eg.reference.set_ents([], default="outside")
    DocBin(docs=[eg.reference for eg in examples]).to_disk(wrong)
    text = FORGETFUL.format(student=student_path, right=right, wrong=wrong)
    train(write_config(text), tmp_path / "output")
    best, last = (
        spacy.load(tmp_path / "output" / name).meta["performance"]["ents_f"]
        for name in ("model-best", "model-last")
    )
    assert best > 0.8
    assert last < 0.2


def test_traps_vocabulary_is_of_the_training_text(trained):
    model = spacy.load(trained).get_pipe("ner").model
    chars = model.get_ref("char_cnn").attrs["chars"]
    assert set("ins") <= set(chars)
    assert not set("ëØø") & set(chars)
    entries = model.get_ref("lookup").attrs["segmenter"].entries
    assert not {word.lower() for word in ("Zoë", "Parisø")} & set(entries)


@pytest.mark.parametrize("scheme", ["iob", "biluo"])
def test_traps_illegal_tags_are_never_written(make_student, make_doc, tag_scores, ents, scheme):
    """The argmax alone would be I-PER, I-LOC: an entity without a beginning."""
    ner = make_student(scheme=scheme).get_pipe("ner")
    scores = tag_scores("I-PER I-LOC", ner.tags)
    second = "B-PER B-LOC" if scheme == "iob" else "U-PER U-LOC"
    scores += tag_scores(second, ner.tags, margin=4.0)
    doc = make_doc("Ann Rome")
    ner.set_annotations([doc], [scores])
    assert ents(doc) == [(0, 1, "PER"), (1, 2, "LOC")]
