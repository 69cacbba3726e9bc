import os
import shutil
from pathlib import Path

import pytest
import srsly
import typer
from spacy.tokens import DocBin
from typer.testing import CliRunner

from spacy_distill.cli import evaluate as module
from spacy_distill.cli.evaluate import evaluate_cli, is_newer


@pytest.fixture
def folder(tmp_path, student_path, examples):
    """Two trained pipelines, and a test set. The files are a minute old."""
    for name in ("student", "baseline"):
        shutil.copytree(student_path, tmp_path / "training" / name / "model-best")
        shutil.copytree(student_path, tmp_path / "training" / name / "model-last")
    (tmp_path / "training" / "unfinished").mkdir()
    DocBin(docs=[eg.reference for eg in examples]).to_disk(tmp_path / "test.spacy")
    for path in (tmp_path / "test.spacy", *tmp_path.glob("training/*/model-best/meta.json")):
        make_older(path, 60)
    return tmp_path


def make_older(path, seconds):
    time = path.stat().st_mtime - seconds
    os.utime(path, (time, time))


@pytest.fixture
def run(folder, monkeypatch):
    """Run the command; gives the names of the pipelines that it scored, and its result."""
    app = typer.Typer()
    app.command()(evaluate_cli)
    scored = []
    evaluate = module.evaluate

    def count(model, *args, **kwargs):
        scored.append(Path(model).parent.name)
        return evaluate(model, *args, **kwargs)

    monkeypatch.setattr(module, "evaluate", count)

    def invoke(training="training", test="test.spacy"):
        scored.clear()
        arguments = [str(folder / name) for name in (training, test, "metrics")]
        return scored, CliRunner().invoke(app, arguments)

    return invoke


def test_evaluate_scores_what_is_trained(run, folder, student, examples):
    scored, result = run()
    assert result.exit_code == 0, result.output
    assert scored == ["baseline", "student"]
    assert sorted(path.name for path in (folder / "metrics").iterdir()) == [
        "baseline.json",
        "student.json",
    ]
    scores = srsly.read_json(folder / "metrics" / "student.json")
    expected = student.evaluate(examples)
    for key in ("ents_p", "ents_r", "ents_f", "ents_per_type"):
        assert scores[key] == expected[key]
    assert "100.00" in result.output


def test_evaluate_leaves_what_is_up_to_date(run, folder):
    run()
    scored, result = run()
    assert scored == []
    assert "up to date" in result.output
    assert "100.00" in result.output


@pytest.mark.parametrize(
    "changed, expected",
    [
        ("training/student/model-best/meta.json", ["student"]),
        ("test.spacy", ["baseline", "student"]),
    ],
)
def test_evaluate_scores_again_what_has_changed(run, folder, changed, expected):
    run()
    for path in (folder / "metrics").iterdir():
        make_older(path, 10)
    (folder / changed).touch()
    assert run()[0] == expected


def test_evaluate_uses_the_tokens_of_the_test_set(run, folder, make_doc):
    """Rome is a token of its own there, which it is not for the tokenizer."""
    doc = make_doc("Bob went to Rome", "B-PER O O B-LOC", spaces=[True, True, False, False])
    assert doc.text == "Bob went toRome"
    DocBin(docs=[doc]).to_disk(folder / "test.spacy")
    _, result = run()
    assert result.exit_code == 0
    assert srsly.read_json(folder / "metrics" / "student.json")["ents_f"] == 1.0


def test_evaluate_names_what_is_missing(run, folder):
    _, result = run(test="none.spacy")
    assert isinstance(result.exception, FileNotFoundError)
    assert "[D008]" in str(result.exception)
    _, result = run(training="none")
    assert "[D410]" in str(result.exception)
    assert not (folder / "metrics").exists()


def test_evaluate_knows_which_file_is_newer(tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    for path in (old, new):
        path.touch()
    make_older(old, 10)
    assert is_newer(new, old)
    assert not is_newer(old, new)
    assert not is_newer(tmp_path / "none", old)
