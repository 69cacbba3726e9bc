import shutil

import pytest
import spacy
from spacy.tokens import DocBin
from typer.testing import CliRunner

from spacy_distill.cli import app
from spacy_distill.tuning import add_outside


@pytest.fixture
def dev(tmp_path, examples):
    path = tmp_path / "dev.spacy"
    DocBin(docs=[eg.reference for eg in examples]).to_disk(path)
    return path


@pytest.fixture
def model(tmp_path, student_path):
    path = tmp_path / "model-best"
    shutil.copytree(student_path, path)
    return path


def run(*arguments):
    return CliRunner().invoke(app, ["tune", *map(str, arguments)])


def test_tune_changes_the_pipeline_on_disk(model, dev):
    nlp = spacy.load(model)
    layer = nlp.get_pipe("ner").model.get_ref("output_layer")
    layer.set_param("b", add_outside(layer.get_param("b"), 6.0))
    nlp.get_pipe_config("ner")["score_tuned"] = True
    nlp.to_disk(model)
    assert spacy.load(model).get_pipe("ner").score_tuned
    result = run(model, dev)
    assert result.exit_code == 0, result.output
    assert "nats for O" in result.output
    tuned = spacy.load(model)
    assert not tuned.get_pipe("ner").score_tuned
    assert "ents_f_tuned" not in tuned.meta["performance"]
    assert tuned.meta["performance"]["ents_f"] > 0.9
    assert (
        tuned.get_pipe("ner").model.get_ref("output_layer").get_param("b")[0]
        < layer.get_param("b")[0]
    )


def test_tune_leaves_a_good_pipeline_alone(model, dev):
    before = {path: path.read_bytes() for path in model.rglob("*") if path.is_file()}
    result = run(model, dev)
    assert result.exit_code == 0, result.output
    assert "100.00" in result.output
    assert {path: path.read_bytes() for path in model.rglob("*") if path.is_file()} == before


def test_tune_refuses_what_it_cannot_work_with(model, dev, tmp_path):
    assert "[D008]" in str(run(model, tmp_path / "none.spacy").exception)
    DocBin().to_disk(dev)
    assert "[D009]" in str(run(model, dev).exception)
