import shutil

import pytest
import srsly
import torch
from thinc.api import Config
from transformers import BertConfig, BertModel, BertTokenizerFast

from spacy_distill.cli.distill import student as module
from spacy_distill.cli.distill.notes import note, recall
from spacy_distill.cli.distill.student import make_table, train_student
from spacy_distill.cli.weights import DEFAULT, NOTE
from spacy_distill.table import Table
from spacy_distill.tuning import Tuned

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "paris", "lon", "##don", "is", "in", "."]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    """A folder with a small untrained BERT."""
    path = tmp_path_factory.mktemp("encoder")
    (path / "words.txt").write_text("\n".join(PIECES))
    BertTokenizerFast(str(path / "words.txt")).save_pretrained(path)
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "intermediate_size": 16}
    BertModel(BertConfig(len(PIECES), num_attention_heads=2, **sizes)).save_pretrained(path)
    return path


def test_distill_student_makes_a_table_once(encoder, tmp_path, capsys):
    path = tmp_path / "table.npz"
    make_table(path, encoder=str(encoder), lang="de", width=6, gpu=-1)
    assert Table.from_disk(path).rows.shape == (len(PIECES), 6)
    made = path.stat().st_mtime_ns
    make_table(path, encoder=str(encoder), lang="de", width=6, gpu=-1)
    assert "is up to date" in " ".join(capsys.readouterr().out.split())
    assert path.stat().st_mtime_ns == made
    make_table(path, encoder=str(encoder), lang="de", width=5, gpu=-1)
    assert Table.from_disk(path).rows.shape == (len(PIECES), 5)


def test_distill_student_uses_the_weights_of_the_project(encoder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(encoder, tmp_path / "assets" / "teacher")
    make_table(tmp_path / "table.npz", encoder="", lang="de", width=6, gpu=-1)
    assert Table.from_disk(tmp_path / "table.npz").rows.shape == (len(PIECES), 6)
    assert not (tmp_path / "encoder").exists()
    assert "--encoder" not in capsys.readouterr().out
    # The default weights, as `weights` records them.
    srsly.write_json(tmp_path / "assets" / "teacher" / NOTE, {"teacher": DEFAULT})
    for lang, warns in (("de", True), ("en", False)):
        make_table(tmp_path / f"{lang}.npz", encoder="", lang=lang, width=6, gpu=-1)
        assert ("--encoder" in capsys.readouterr().out) == warns


@pytest.fixture
def config(monkeypatch):
    """A config of two components, neither of which is really trained."""
    monkeypatch.setattr(module, "labels_of_folder", lambda folder: ["PER"])
    monkeypatch.setattr(module, "init_nlp", lambda config: None)
    monkeypatch.setattr(module, "train", lambda nlp, output, **streams: None)
    paths = {"labelled": None, "unlabelled": "annotated", "dev": "dev.spacy"}
    taggers = {name: {"factory": "ner_tagger"} for name in ("first", "second")}
    return Config({"paths": paths, "components": taggers})


def test_distill_student_tunes_the_component_that_was_trained(config, tmp_path, monkeypatch):
    """It is the first `ner_tagger` of the config, `tune` by itself takes the last."""
    tuned = []

    def tune(model, dev, *, name):
        tuned.append((model, dev.name, name))
        return Tuned(0.0, 0.5, 0.5)

    monkeypatch.setattr(module, "tune_pipeline", tune)
    train_student(config, tmp_path, name="first", source=tmp_path / "a.cfg", code=None)
    assert tuned == [(tmp_path / "model-best", "dev.spacy", "first")]


def test_distill_student_is_unfinished_while_it_is_trained_again(config, tmp_path, monkeypatch):
    """An interrupted training has replaced the weights, which no longer are those of the note."""

    def stop(nlp, output, **streams):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "train", stop)
    note(tmp_path / "model-best", "a digest")
    with pytest.raises(KeyboardInterrupt):
        train_student(config, tmp_path, name="first", source=tmp_path / "a.cfg", code=None)
    assert recall(tmp_path / "model-best") is None
