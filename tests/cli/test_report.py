import shutil

import pytest
import spacy
import srsly
import typer
from spacy.tokens import DocBin
from typer.testing import CliRunner

from spacy_distill.cli.report import report_cli
from spacy_distill.docbins import digest_docs


@pytest.fixture
def run(project):
    app = typer.Typer()
    app.command()(report_cli)

    def invoke(*arguments):
        return CliRunner().invoke(app, [str(project), *map(str, arguments)])

    return invoke


def test_report_is_written(run, project, tmp_path):
    result = run()
    assert result.exit_code == 0, result.output
    path = project / "metrics" / "report.html"
    assert str(path) in result.output.replace("\n", "")
    assert f"({path.stat().st_size / 1000:,.0f} kB)" in result.output
    html = path.read_text(encoding="utf-8")
    assert "Distillation report: project" in html
    assert run("--title", "en_mine").exit_code == 0
    assert "Distillation report: en_mine" in path.read_text(encoding="utf-8")
    assert "There are none: teacher and student agree with gold" in html
    assert str(tmp_path) not in html
    other = tmp_path / "other.html"
    assert run("--output", other, "--limit", 2).exit_code == 0
    assert "On 2 test sentences" in other.read_text(encoding="utf-8")
    assert "Only the first 2 texts" in other.read_text(encoding="utf-8")
    assert "Only the first" not in html


def test_report_on_a_gpu(run, project, gpu):
    result = run("--gpu", gpu)
    assert result.exit_code == 0, result.output
    html = (project / "metrics" / "report.html").read_text(encoding="utf-8")
    assert "There are none: teacher and student agree with gold" in html


def test_report_shows_disagreements(run, project, make_doc):
    docs = [make_doc(f"Bob went to Rome {i}", "B-LOC O O B-LOC O") for i in range(5)]
    DocBin(docs=docs).to_disk(project / "corpus" / "test.spacy")
    assert run("--examples", 3).exit_code == 0
    html = (project / "metrics" / "report.html").read_text(encoding="utf-8")
    assert html.count("<li>") == 3
    assert "3 of 5 such sentences" in html


def test_report_notes_data_that_have_changed(run, project, tmp_path, monkeypatch):
    """The paths in the config are relative to the project, not to the current folder."""
    monkeypatch.chdir(tmp_path)
    model = project / "training" / "student" / "model-best"
    nlp = spacy.load(model)
    nlp.config["paths"]["labelled"] = "corpus/labelled.spacy"
    nlp.meta["tuned"] = {"inputs": {"labelled": "a digest"}}
    nlp.to_disk(model)
    assert run().exit_code == 0
    html = (project / "metrics" / "report.html").read_text(encoding="utf-8")
    assert "<strong>student</strong> was trained on another" in html


def test_report_leaves_out_a_teacher_without_weights(run, project):
    (project / "training" / "teacher" / "model-best" / "ner" / "model").unlink()
    result = run()
    assert result.exit_code == 0, result.output
    assert "Left out: teacher" in result.output


def test_report_leaves_out_a_teacher_that_cannot_be_loaded(run, project):
    config = project / "training" / "teacher" / "model-best" / "config.cfg"
    text = config.read_text(encoding="utf-8")
    config.write_text(
        text.replace("spacy-distill.CharCNNBiLSTM.v1", "not-installed.Teacher.v1"), encoding="utf-8"
    )
    result = run()
    assert result.exit_code == 0, result.output
    assert "Left out: teacher" in result.output
    html = (project / "metrics" / "report.html").read_text(encoding="utf-8")
    assert "Not on this page: <strong>teacher</strong>" in html
    assert "not-installed.Teacher.v1" in html


def test_report_notes_systems_that_were_not_tuned(run, project):
    config = project / "training" / "student" / "model-best" / "config.cfg"
    text = config.read_text(encoding="utf-8")
    assert "score_tuned = false" in text
    config.write_text(text.replace("score_tuned = false", "score_tuned = true"), encoding="utf-8")
    result = run()
    assert result.exit_code == 0, result.output
    html = (project / "metrics" / "report.html").read_text(encoding="utf-8")
    assert "<strong>student</strong> was not tuned" in html
    assert "<strong>teacher</strong> was not tuned" not in html


def test_report_without_a_learning_curve(run, project, tmp_path):
    result = run("--sweep", tmp_path / "none")
    assert result.exit_code == 0, result.output
    assert "No learning curve" in result.output
    assert "Learning curve" not in (project / "metrics" / "report.html").read_text(encoding="utf-8")


def test_report_has_the_learning_curve(run, project, tmp_path, make_row):
    row = make_row("student-crf", 321, 0.5, test=digest_docs(project / "corpus" / "test.spacy"))
    srsly.write_jsonl(tmp_path / "sweep.jsonl", [row])
    (tmp_path / "sweep.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    assert run("--sweep", tmp_path).exit_code == 0
    html = (project / "metrics" / "report.html").read_text(encoding="utf-8")
    assert "Learning curve" in html and ">321<" in html and "tweets" in html
    assert "data:image/svg+xml;base64," in html


def test_report_has_no_learning_curve_of_other_data(run, project, tmp_path, make_row):
    srsly.write_jsonl(tmp_path / "sweep.jsonl", [make_row("student-crf", 321, 0.5)])
    result = run("--sweep", tmp_path)
    assert result.exit_code == 0, result.output
    output = " ".join(result.output.split())
    assert "it is of tweets, measured on another test set than" in output
    assert "Learning curve" not in (project / "metrics" / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "missing, code",
    [("training/student", "D701"), ("corpus", "D702")],
)
def test_report_refuses_a_project_without_student_or_corpus(run, project, missing, code):
    shutil.rmtree(project / missing)
    result = run()
    assert isinstance(result.exception, (ValueError, OSError))
    assert f"[{code}]" in str(result.exception)
    assert not (project / "metrics").exists()


def test_report_refuses_a_student_that_cannot_be_loaded(run, project):
    config = project / "training" / "student" / "model-best" / "config.cfg"
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("CharCNNBiLSTM.v1", "None.v1"), encoding="utf-8")
    assert isinstance(run().exception, ValueError)


def test_report_checks_its_output_before_loading_systems(run, project):
    shutil.rmtree(project / "training" / "student" / "model-best" / "vocab")
    assert "[D901]" in str(run("--output", project).exception)
