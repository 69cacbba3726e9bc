import json
import shutil
import sys
from importlib.util import find_spec
from unittest.mock import ANY

import pytest
import typer
from spacy.tokens import DocBin
from typer.testing import CliRunner

from spacy_distill.benchmark.prepare import Prepared
from spacy_distill.cli import benchmark as module
from spacy_distill.cli.benchmark import benchmark_cli, name_students, read_batch_sizes
from spacy_distill.teachers.choose import identify


@pytest.fixture
def run(tmp_path, examples):
    """Run the command on a small corpus, with measurements as short as possible."""
    app = typer.Typer()
    app.command()(benchmark_cli)
    DocBin(docs=[eg.reference for eg in examples]).to_disk(tmp_path / "test.spacy")
    DocBin().to_disk(tmp_path / "empty.spacy")

    def invoke(student, *arguments, data="test.spacy"):
        arguments = [str(student), "--data", str(tmp_path / data), *map(str, arguments)]
        arguments += ["--output", str(tmp_path / "metrics")]
        return CliRunner().invoke(app, [*arguments, "--repeats", "2", "--seconds", "0.05"])

    return invoke


@pytest.mark.slow
def test_benchmark_writes_its_report(run, student_path, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["spacy_distill", "benchmark", "my student"])
    result = run(student_path, "--batch-sizes", "4,1", "--student", f"again={student_path}")
    assert result.exit_code == 0, result.output
    results = json.loads((tmp_path / "metrics" / "benchmark.json").read_text(encoding="utf-8"))
    assert list(results["systems"]) == ["student", "again", "spacy-ner"]
    left_out = {"teacher", "onnx-fp32", "onnx-int8", "bert-base", "bert-large"}
    assert set(results["left_out"]) == left_out
    assert results["command"] == "spacy-distill benchmark 'my student'"
    assert results["settings"]["batch_sizes"] == [1, 4]
    assert results["digests"] == {"student": identify(str(student_path)), "again": ANY}
    assert results["corpus"] == {"texts": 10, "words": 48}
    assert {"cpu", "cores", "python", "packages", "blas"} <= set(results["machine"])
    assert results["machine"]["packages"]["spacy-distill"]
    student, stock = results["systems"]["student"], results["systems"]["spacy-ner"]
    assert student["parameters"] == results["systems"]["again"]["parameters"]
    for size in ("1", "4"):
        speed = stock["speed"][size]
        assert 0 < speed["min"] <= speed["median"] <= speed["max"]
        expected = student["speed"][size]["median"] / speed["median"]
        assert stock["speed_up"]["student"][size] == pytest.approx(expected)
        assert student["roofline"][size]["recurrent"] > 0
        assert student["speed_with_cold_cache"][size]["words"] == 48
    for name in ("benchmark.md", "benchmark.png", "benchmark.svg"):
        assert (tmp_path / "metrics" / name).stat().st_size > 1000
    assert "Speed-up of student" in result.output
    assert "Left out: bert-large" in result.output


@pytest.mark.slow
def test_benchmark_leaves_out_a_teacher_that_can_not_be_loaded(run, student_path, tmp_path):
    """As where spacy-transformers, which it needs, is not installed."""
    shutil.copytree(student_path, tmp_path / "teacher")
    config = tmp_path / "teacher" / "config.cfg"
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("CharCNNBiLSTM.v1", "Missing.v1"), encoding="utf-8")
    options = ("--teacher", tmp_path / "teacher", "--batch-sizes", "4")
    result = run(student_path, *options)
    assert result.exit_code == 0, result.output
    results = json.loads((tmp_path / "metrics" / "benchmark.json").read_text(encoding="utf-8"))
    assert list(results["systems"]) == ["student", "spacy-ner"]
    reason = results["left_out"]["teacher"]
    assert "its process ended with code 1" in reason and "Missing.v1" in reason
    if find_spec("onnxruntime") and find_spec("torch"):
        assert "its process ended with code 1" in results["left_out"]["onnx-int8"]
    assert "[D502]" in str(run(student_path, *options, "--systems", "teacher").exception)


def test_benchmark_records_its_seed_and_what_it_measured(run, student_path, monkeypatch):
    """The report of a project compares the digests of student and teacher with its own."""
    found = {}

    def stop(measured, corpus, settings, **more):
        found.update(more, seed=settings.seed)
        raise ValueError("stopped")

    monkeypatch.setattr(module, "prepare_peers", lambda *args, **options: Prepared([], {}))
    monkeypatch.setattr(module, "measure_systems", lambda *args, **options: [])
    monkeypatch.setattr(module, "make_results", stop)
    run(student_path, "--teacher", student_path, "--seed", 5)
    assert found["seed"] == 5
    assert found["digests"] == dict.fromkeys(("student", "teacher"), identify(str(student_path)))


def test_benchmark_needs_no_matplotlib(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    monkeypatch.setattr(module, "to_markdown", lambda results: "# Results")
    module.write_results({"date": "today"}, tmp_path / "metrics")
    names = sorted(path.name for path in (tmp_path / "metrics").iterdir())
    assert names == ["benchmark.json", "benchmark.md"]
    assert "spacy-distill[bench]" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments, code",
    [
        (["--systems", "bert-huge"], "D601"),
        (["--systems", "spacy-ner,bert-base"], "D506"),
        (["--batch-sizes", "1,x"], "D605"),
        (["--student", "teacher=path"], "D507"),
        (["--student", "other=nothing/here"], "D505"),
        (["--student", "a$b|c=path"], "D507"),
    ],
)
def test_benchmark_refuses_bad_options(run, student_path, tmp_path, arguments, code):
    result = run(student_path, *arguments)
    assert isinstance(result.exception, ValueError)
    assert f"[{code}]" in str(result.exception)
    assert not [*tmp_path.glob("metrics/*")]


def test_benchmark_checks_its_output_before_measuring(run, student_path, tmp_path):
    (tmp_path / "metrics").write_text("a file")
    assert "[D901]" in str(run(student_path, data="none.spacy").exception)


def test_benchmark_refuses_missing_files(run, student_path):
    assert "[D505]" in str(run("nothing/here").exception)
    assert "[D008]" in str(run(student_path, data="none.spacy").exception)
    assert "[D009]" in str(run(student_path, data="empty.spacy").exception)
    assert "[D505]" in str(run(student_path, "--teacher", "nothing/here").exception)


def test_benchmark_batch_sizes():
    assert read_batch_sizes("128, 1,32,1") == (1, 32, 128)
    for text in ("", ",", "0", "-1", "1.5", "1;2", "²"):
        with pytest.raises(ValueError, match=r"\[D(605|007)\] --batch-sizes is"):
            read_batch_sizes(text)


def test_benchmark_names_students():
    found = name_students("a", ["student-crf=b=c", "other=d"])
    assert found == {"student": "a", "student-crf": "b=c", "other": "d"}
    for other in ("path", "=path", "name=", "student=x", "bert-base=x", "_x=y"):
        with pytest.raises(ValueError, match=r"\[D507\]"):
            name_students("a", [other])
    with pytest.raises(ValueError, match=r"\[D507\]"):
        name_students("a", ["b=c", "b=d"])
