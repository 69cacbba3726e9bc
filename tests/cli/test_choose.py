import shutil

import pytest
import spacy
import srsly
from typer.testing import CliRunner

from spacy_distill.cli import app
from spacy_distill.files import digest_folder
from spacy_distill.provenance import digest_components

# F1 on the development set of three trainings.
SCORES = {"long": 0.61, "pieces": 0.7, "plain": 0.65}


@pytest.fixture
def training(tmp_path, student_path):
    for name, f1 in SCORES.items():
        model = tmp_path / "students" / name / "model-best"
        shutil.copytree(student_path, model)
        write_meta(model, tuned=tuned(model, f1), description=name)
    return tmp_path / "students"


def tuned(model, f1, *, dev="a digest"):
    """The metadata that `tune` writes."""
    return {"after": f1, "dev": dev, "components": digest_components(["ner"], model)}


def write_meta(model, **values):
    meta = {**srsly.read_json(model / "meta.json"), **values}
    srsly.write_json(model / "meta.json", meta)


def run(*arguments):
    return CliRunner().invoke(app, ["choose", *map(str, arguments)])


def test_choose_copies_the_best(training, tmp_path, texts):
    output = tmp_path / "student" / "model-best"
    result = run(training, output)
    assert result.exit_code == 0, result.output
    assert "'pieces' is the best" in result.output
    assert all(f"{100 * f1:.2f}" in result.output for f1 in SCORES.values())
    assert digest_folder(output) == digest_folder(training / "pieces" / "model-best")
    assert spacy.load(output)(texts[0]).has_annotation("ENT_IOB")


def test_choose_takes_the_first_of_equals(training, tmp_path):
    for name in ("long", "plain"):
        model = training / name / "model-best"
        write_meta(model, tuned=tuned(model, SCORES["pieces"]))
    assert "'long' is the best" in run(training, tmp_path / "model-best").output


def test_choose_replaces_a_pipeline_if_another_is_better_now(training, tmp_path):
    output = tmp_path / "model-best"
    run(training, output)
    before = output.stat().st_mtime_ns
    assert "already is 'pieces'" in " ".join(run(training, output).output.split())
    assert output.stat().st_mtime_ns == before
    plain = training / "plain" / "model-best"
    write_meta(plain, tuned=tuned(plain, 0.8))
    assert run(training, output).exit_code == 0
    assert srsly.read_json(output / "meta.json")["description"] == "plain"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model-best", "students"]


def test_choose_refuses_pipelines_that_cannot_be_compared(training, tmp_path):
    output = tmp_path / "model-best"
    assert "[D410]" in str(run(tmp_path / "nothing", output).exception)
    plain = training / "plain" / "model-best"
    write_meta(plain, tuned=tuned(plain, 0.9, dev="another"))
    assert "[D424]" in str(run(training, output).exception)
    write_meta(plain, tuned={})
    assert "[D423]" in str(run(training, output).exception)
    write_meta(plain, tuned=tuned(plain, 0.9))
    (plain / "ner" / "cfg").write_bytes((plain / "ner" / "cfg").read_bytes() + b" ")
    assert "[D423]" in str(run(training, output).exception)
    assert not output.exists()


def test_choose_warns_of_pipelines_trained_on_other_data(training, tmp_path):
    plain = training / "plain" / "model-best"
    nlp = spacy.load(plain)
    (tmp_path / "labelled.spacy").write_bytes(b"new")
    nlp.config["paths"]["labelled"] = str(tmp_path / "labelled.spacy")
    nlp.meta["tuned"] = {**tuned(plain, 0.5), "inputs": {"labelled": "a digest"}}
    nlp.to_disk(plain, exclude=["ner", "vocab", "tokenizer"])
    result = run(training, tmp_path / "model-best")
    assert result.exit_code == 0, result.output
    said = " ".join(result.output.split())
    assert "labelled.spacy' than the present one" in said
    assert said.count("was trained on another") == 1


def test_choose_replaces_only_pipelines(training, tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").write_text("mine")
    assert "[D417]" in str(run(training, tmp_path / "notes").exception)
    assert "[D901]" in str(run(training, tmp_path / "notes" / "mine.txt").exception)
    assert "[D915]" in str(run(training, training / "plain" / "model-best").exception)
    assert (tmp_path / "notes" / "mine.txt").read_text() == "mine"
