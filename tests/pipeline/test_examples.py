"""Initialising and training from a stream of examples: `spacy train` with `max_epochs = -1`."""

import gc
import shutil

import numpy
import pytest
import spacy
from spacy.cli.train import train
from spacy.tokens import Doc, DocBin
from spacy.training import Example
from spacy.util import load_config, load_model_from_config

from spacy_distill.corpus import DistillationCorpus
from spacy_distill.docs import copy_words
from spacy_distill.pipeline.examples import read_initial_examples
from spacy_distill.soft_targets import set_soft_targets
from spacy_distill.tags import make_tags

CONFIG = """
[paths]
gold = "{gold}"
pool = "{pool}"

[nlp]
lang = "en"
pipeline = ["ner"]

[components]

[components.ner]
factory = "ner_tagger"

[components.ner.model]
dropout = 0.0

[components.ner.model.lookup]
width = 8

[components.ner.model.bilstm]
width = 8

[corpora]

[corpora.train]
@readers = "spacy-distill.DistillationCorpus.v1"
labelled = ${{paths.gold}}
unlabelled = ${{paths.pool}}
labelled_fraction = 0.2
shuffle_buffer = 50

[corpora.dev]
@readers = "spacy.Corpus.v1"
path = ${{paths.gold}}

[training]
seed = 0
dropout = 0.0
max_epochs = -1
max_steps = {steps}
patience = 0
eval_frequency = 20

[training.batcher]
@batchers = "spacy.batch_by_sequence.v1"
size = 16

[training.optimizer]
@optimizers = "Adam.v1"
learn_rate = 0.01

[training.logger]
@loggers = "spacy-distill.ConsoleLogger.v1"
progress_bar = false
"""
TAGS = make_tags(["LOC", "PER", "RARE"], scheme="iob")


@pytest.fixture
def config(nlp, write_config, tmp_path):
    """Write a config of a corpus: six gold sentences, and ten files of confident soft targets.

    The label RARE is among the teacher's tags, but no entity has it. The character `ß` occurs in
    one of twenty documents.
    """
    certain = numpy.log(numpy.eye(len(TAGS)) * 0.99 + 0.002)

    def make(i):
        name, label = (("Ann", "PER"), ("Oslo", "LOC"))[i % 2]
        words = [f"{name}{i}", "saw", f"x{'ß' if i % 20 == 7 else ''}{i}"]
        doc = Doc(nlp.vocab, words=words, ents=[f"B-{label}", "O", "O"])
        rows = certain[[TAGS.index(f"B-{label}"), 0, 0]]
        set_soft_targets(doc, rows, tags=TAGS)
        return doc

    (tmp_path / "pool").mkdir()
    for i in range(10):
        shard = DocBin(store_user_data=True)
        for j in range(100):
            shard.add(make(100 * i + j))
        shard.to_disk(tmp_path / "pool" / f"{i}.spacy")
    gold = DocBin(docs=[make(i) for i in range(6)], store_user_data=True)
    gold.to_disk(tmp_path / "gold.spacy")

    def write(steps):
        paths = {"gold": tmp_path / "gold.spacy", "pool": tmp_path / "pool"}
        return write_config(CONFIG.format(**paths, steps=steps))

    return write


def count_examples():
    return sum(type(value) is Example for value in gc.get_objects())


def test_examples_are_streamed_in_training(config, tmp_path, monkeypatch):
    """Training reads the files in every epoch and holds no more than the buffer and batches."""
    epochs, held, before = [], [], count_examples()
    read = DistillationCorpus.__call__

    def watch(self, nlp):
        epochs.append(0)
        for eg in read(self, nlp):
            epochs[-1] += 1
            if len(epochs) > 3 and epochs[-1] % 100 == 0:
                held.append(count_examples() - before)
            yield eg

    monkeypatch.setattr(DistillationCorpus, "__call__", watch)
    train(config(150), tmp_path / "trained")
    nlp = spacy.load(tmp_path / "trained" / "model-best")
    assert nlp.get_pipe("ner").labels == ("LOC", "PER", "RARE")
    assert nlp.meta["performance"]["ents_f"] == 1.0
    # Initialisation reads the corpus three times: ten examples to validate, the 100 that spaCy
    # passes, and a sample, which has room for all. 150 batches of 16 are almost two more epochs.
    assert epochs[:2] == [10, 100] and len(epochs) == 5
    assert all(1150 < n < 1350 for n in epochs[2:4])
    assert len(held) > 20 and max(held) < 50 + 6 + 3 * 16
    assert "ß" in nlp.get_pipe("ner").model.get_ref("char_cnn").attrs["chars"]
    assert not any(f"Ann{i}" in nlp.vocab.strings for i in range(50, 1000, 2))
    assert [ent.label_ for ent in nlp("Ann500 saw x").ents] == ["PER"]


@pytest.fixture
def streaming(config):
    return load_model_from_config(load_config(config(1)), auto_fill=True)


def make_get_examples(n):
    vocab = spacy.blank("en").vocab
    docs = [Doc(vocab, words=["Mine"], ents=["B-MINE"]) for _ in range(n)]
    return lambda: [Example(copy_words(doc), doc) for doc in docs]


def test_examples_include_a_sample_of_a_stream(streaming, monkeypatch):
    """If 100 examples are passed, as by spaCy for a stream, a sample of the corpus is added."""
    monkeypatch.setattr("spacy_distill.pipeline.examples.SAMPLE_SIZE", 300)
    found = read_initial_examples(make_get_examples(100), streaming)
    assert len(found.docs) == 400
    assert len({doc[0].text for doc in found.docs}) > 200
    assert found.labels == {"LOC", "MINE", "PER", "RARE"}


def test_examples_of_a_stream_with_max_epochs_in_a_variable(config):
    """The config may set `max_epochs` by a variable, so it must be interpolated first."""
    path = config(1)
    text = path.read_text().replace("max_epochs = -1", "max_epochs = ${vars.epochs}")
    path.write_text(f"[vars]\nepochs = -1\n\n{text}")
    nlp = load_model_from_config(load_config(path, interpolate=False), auto_fill=True)
    found = read_initial_examples(make_get_examples(100), nlp)
    assert found.labels == {"LOC", "MINE", "PER", "RARE"}


def test_examples_of_other_callers_do_not_include_a_sample(streaming):
    """Fewer than 100 examples are not from a stream, even if the config sets `max_epochs = -1`."""
    found = read_initial_examples(make_get_examples(3), streaming)
    assert len(found.docs) == 3 and found.labels == {"MINE"}


def test_examples_do_not_need_the_training_corpus(streaming, tmp_path):
    """The training corpus of a pipeline from another machine may not exist."""
    shutil.rmtree(tmp_path / "pool")
    found = read_initial_examples(make_get_examples(100), streaming)
    assert len(found.docs) == 100 and found.labels == {"MINE"}


def test_examples_are_all_returned_without_a_stream(nlp, examples):
    for pipeline in (nlp, None):
        found = read_initial_examples(lambda: iter(examples), pipeline)
        assert found.docs == [eg.predicted for eg in examples]
        assert found.labels == {"LOC", "PER"}


def test_examples_have_all_labels_of_soft_targets(nlp, tiny, examples):
    """All labels of soft targets are added, including those that no entity has."""
    set_soft_targets(examples[3].reference, numpy.zeros((5, len(TAGS))), tags=TAGS)
    ner = nlp.add_pipe("ner_tagger", config=tiny)
    nlp.initialize(lambda: examples)
    assert ner.labels == ("LOC", "PER", "RARE")
    nlp.update(examples)
