import re
import shutil
from pathlib import Path

import numpy
import pytest
import spacy
import srsly
import typer
from spacy.tokens import DocBin, Span
from spacy.training import Example
from spacy.util import load_config
from typer.testing import CliRunner

from spacy_distill.cli import scoring as module
from spacy_distill.cli.evaluate import evaluate_cli
from spacy_distill.cli.scoring import AGREEMENT
from spacy_distill.files import digest_source
from spacy_distill.provenance import digest_inputs, find_changed
from spacy_distill.soft_targets import set_soft_targets


@pytest.fixture
def folder(tmp_path, student_path, examples):
    """Two trained pipelines, and a test set."""
    for name in ("student", "baseline"):
        shutil.copytree(student_path, tmp_path / "training" / name / "model-best")
        shutil.copytree(student_path, tmp_path / "training" / name / "model-last")
    (tmp_path / "training" / "unfinished").mkdir()
    DocBin(docs=[eg.reference for eg in examples]).to_disk(tmp_path / "test.spacy")
    return tmp_path


@pytest.fixture
def run(folder, monkeypatch):
    """Run the command, and return the names of the pipelines that it scored, and its result."""
    app = typer.Typer()
    app.command()(evaluate_cli)
    scored = []
    evaluate = module.evaluate

    def count(model, *args, **kwargs):
        scored.append(Path(model).parent.name)
        return evaluate(model, *args, **kwargs)

    monkeypatch.setattr(module, "evaluate", count)

    def invoke(*options, training="training", test="test.spacy"):
        scored.clear()
        arguments = [str(folder / name) for name in (training, test, "metrics")]
        return scored, CliRunner().invoke(app, [*arguments, *options])

    return invoke


def test_evaluate_warns_if_no_prediction_is_correct(run, folder, make_doc):
    docs = {
        "other.spacy": make_doc("Ann Smith left", "B-PERSON I-PERSON O"),
        "none.spacy": make_doc("Ann Smith left", "O O O"),
    }
    for name, doc in docs.items():
        DocBin(docs=[doc]).to_disk(folder / name)
    said = {}
    for test in ("test.spacy", *docs):
        _, result = run(test=test)
        assert result.exit_code == 0, result.output
        said[test] = " ".join(result.output.split())
    assert "predicts PER, but the labels of gold are PERSON" in said["other.spacy"]
    assert "No entity in" in said["none.spacy"]
    assert not any(words in said["test.spacy"] for words in ("right", "No entity"))


def test_evaluate_warns_of_pipelines_that_were_not_tuned(run, folder):
    """A pipeline may be untuned after an interrupted training that used `ents_f_tuned`."""
    model = folder / "training" / "student" / "model-best"
    _, result = run()
    assert "was not tuned" not in result.output
    nlp = spacy.load(model)
    nlp.get_pipe_config("ner")["score_tuned"] = True
    nlp.to_disk(model)
    _, result = run()
    assert result.exit_code == 0, result.output
    assert "was not tuned after its training" in " ".join(result.output.split())


def test_evaluate_skips_pipelines_without_an_entity_component(run, folder, student):
    (folder / "training" / "blank").mkdir()
    spacy.blank("en").to_disk(folder / "training" / "blank" / "model-best")
    scored, result = run()
    assert result.exit_code == 0, result.output
    assert "has no component that finds entities" in " ".join(result.output.split())
    assert len(scored) > 1


def test_evaluate_imports_code_of_the_pipelines(run, folder, add_component):
    code = add_component(folder / "training" / "student" / "model-best", "of_evaluate")
    assert run()[1].exit_code != 0
    _, result = run("--code", str(code))
    assert result.exit_code == 0, result.output
    assert (folder / "metrics" / "student.json").exists()


def test_evaluate_scores_all_trained_pipelines(run, folder, student, examples):
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


def test_evaluate_leaves_out_scores_that_sentences_cannot_measure(run, folder, make_doc):
    """Sentences have neither the categories nor the spans of their documents."""
    doc = make_doc("Bob left Eve left", "B-PER O B-PER O", sent_starts=[True, False, True, False])
    for token in doc:
        token.tag_ = "X"
    doc.cats, doc.spans["sc"] = {"NEWS": 1.0, "OTHER": 0.0}, [Span(doc, 0, 1, "FIRST")]
    DocBin(docs=[doc], store_user_data=True).to_disk(folder / "test.spacy")
    model = folder / "training" / "student" / "model-best"
    nlp = spacy.load(model)
    examples = [Example(nlp.make_doc(doc.text), doc)]
    for name in ("tagger", "textcat", "spancat"):
        nlp.add_pipe(name).initialize(lambda: examples, nlp=nlp)
    nlp.add_pipe("sentencizer")
    nlp.to_disk(model)
    assert {"cats_score", "spans_sc_f", "sents_f"} <= nlp.evaluate(examples).keys()
    _, result = run(training="training/student")
    assert result.exit_code == 0, result.output
    scores = srsly.read_json(folder / "metrics" / "student.json")
    ents = {"ents_p", "ents_r", "ents_f", "ents_per_type"}
    assert scores.keys() == {*ents, "tag_acc", "speed", "made_from"}


@pytest.mark.parametrize("training", ["training/student", "training/student/model-best"])
def test_evaluate_scores_a_single_pipeline(run, folder, training):
    """A single pipeline may be given, as to `spacy evaluate`, or the folder that contains it."""
    scored, result = run(training=training)
    assert result.exit_code == 0, result.output
    assert scored == ["student"]
    assert [path.name for path in (folder / "metrics").iterdir()] == ["student.json"]


def test_evaluate_names_the_scores_after_the_pipeline(run, folder):
    (folder / "training" / "student" / "model-best").rename(folder / "en_own")
    assert run(training="en_own")[1].exit_code == 0
    assert [path.name for path in (folder / "metrics").iterdir()] == ["en_own.json"]


def test_evaluate_warns_of_pipelines_trained_on_other_data(run, folder, monkeypatch):
    """A warning names the changed development set, but not labelled sentences that are missing."""
    monkeypatch.chdir(folder)
    model = folder / "training" / "student" / "model-best"
    dev = Path("dev.spacy")
    shutil.copy(folder / "test.spacy", dev)
    config = load_config(model / "config.cfg")
    config["paths"].update(dev="dev.spacy", labelled="none.spacy")
    config.to_disk(model / "config.cfg")
    meta = srsly.read_json(model / "meta.json")
    meta["tuned"] = {"inputs": digest_inputs(config)}
    srsly.write_json(model / "meta.json", meta)
    assert find_changed(model) == [] and "trained on" not in run()[1].output
    DocBin().to_disk(dev)
    assert find_changed(model, folder) == [dev]
    output = " ".join(run()[1].output.split())
    assert output.count("was trained on another 'dev.spacy'") == 1


@pytest.mark.parametrize("is_of_teacher", [False, True])
def test_evaluate_on_the_development_set(run, folder, is_of_teacher):
    """`distill` without gold has a development set with the labels of the teacher."""
    model = folder / "training" / "student" / "model-best"
    meta = srsly.read_json(model / "meta.json")
    meta["tuned"] = {"dev": digest_source(folder / "test.spacy")}
    srsly.write_json(model / "meta.json", {**meta, AGREEMENT: is_of_teacher})
    for _ in range(2):  # the second time, the scores are up to date
        output = " ".join(run()[1].output.split())
        assert output.count("scores on it are better than on new text") == (not is_of_teacher)
        assert output.count("agreement with it, not accuracy") == is_of_teacher
    scores = srsly.read_json(folder / "metrics" / "student.json")
    assert scores.get(AGREEMENT, False) == is_of_teacher
    assert AGREEMENT not in srsly.read_json(folder / "metrics" / "baseline.json")


def test_evaluate_warns_of_annotated_text(run, folder, examples):
    docs = [eg.reference.copy() for eg in examples]
    set_soft_targets(docs[0], numpy.zeros((len(docs[0]), 3), dtype="f"), tags=["O", "B-X", "I-X"])
    DocBin(docs=docs, store_user_data=True).to_disk(folder / "annotated.spacy")
    warning = "is annotated by a teacher"
    assert warning in " ".join(run(test="annotated.spacy")[1].output.split())
    assert warning not in " ".join(run()[1].output.split())


def test_evaluate_does_not_score_twice(run, folder):
    run()
    scored, result = run()
    assert scored == []
    assert "up to date" in result.output
    assert "100.00" in result.output


def test_evaluate_scores_again_after_changes(run, folder, examples):
    run()
    meta = folder / "training" / "student" / "model-best" / "meta.json"
    srsly.write_json(meta, {**srsly.read_json(meta), "author": "another"})
    assert run()[0] == ["student"]
    # A file with an older modification time may be another test set, too.
    (folder / "test.spacy").rename(folder / "old.spacy")
    DocBin(docs=[examples[0].reference]).to_disk(folder / "test.spacy")
    assert run()[0] == ["baseline", "student"]
    assert run(test="old.spacy")[0] == ["baseline", "student"]
    (folder / "metrics" / "student.json").write_text('{"ents_f": ')  # from a run that was killed
    assert run(test="old.spacy")[0] == ["student"]


@pytest.mark.filterwarnings("ignore:.*W090")  # a file that is not a .spacy file
def test_evaluate_refuses_a_test_set_without_gold(run, folder, examples, make_doc):
    DocBin(docs=[examples[0].reference, make_doc("Bob left")]).to_disk(folder / "some.spacy")
    DocBin().to_disk(folder / "none.spacy")
    (folder / "test.conll").write_text("Bob\tB-PER\n")
    (folder / "columns.spacy").write_text("Bob\tB-PER\n")
    errors = {"some.spacy": r"D419.* 1 of its 2", "none.spacy": "D009", "columns.spacy": "D114"}
    for name, error in {**errors, "test.conll": "D128"}.items():
        _, result = run(test=name)
        assert re.search(rf"\[{error}", str(result.exception)), result.exception
        assert name in str(result.exception)
    assert not (folder / "metrics").exists()


def test_evaluate_uses_the_tokens_of_the_test_set(run, folder, make_doc):
    """`Rome` is a token in the test set, although the tokenizer would not split `toRome`."""
    doc = make_doc("Bob went to Rome", "B-PER O O B-LOC", spaces=[True, True, False, False])
    assert doc.text == "Bob went toRome"
    DocBin(docs=[doc]).to_disk(folder / "test.spacy")
    _, result = run()
    assert result.exit_code == 0
    assert srsly.read_json(folder / "metrics" / "student.json")["ents_f"] == 1.0


def test_evaluate_refuses_missing_files(run, folder):
    _, result = run(test="none.spacy")
    assert isinstance(result.exception, FileNotFoundError)
    assert "[D008]" in str(result.exception)
    _, result = run(training="none")
    assert "[D410]" in str(result.exception)
    assert not (folder / "metrics").exists()


def test_evaluate_on_a_gpu(run, folder, gpu):
    _, result = run("--gpu", str(gpu))
    assert result.exit_code == 0, result.output
    assert srsly.read_json(folder / "metrics" / "student.json")["ents_f"] == 1.0
