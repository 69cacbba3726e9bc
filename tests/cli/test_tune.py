import shutil

import pytest
import spacy
import srsly
from spacy.language import Language
from spacy.tokens import DocBin
from thinc.api import require_cpu
from typer.testing import CliRunner

from spacy_distill.cli import app
from spacy_distill.cli.tune import tune_pipeline
from spacy_distill.docbins import read_gold
from spacy_distill.provenance import find_changed, waits_for_tuning
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


@pytest.fixture
def careful(model):
    """Change the model so that it predicts hardly any entity, and return its bias."""
    nlp = spacy.load(model)
    layer = nlp.get_pipe("ner").model.get_ref("output_layer")
    layer.set_param("b", add_outside(layer.get_param("b"), 6.0))
    nlp.get_pipe_config("ner")["score_tuned"] = True
    nlp.to_disk(model)
    assert spacy.load(model).get_pipe("ner").score_tuned
    return layer.get_param("b")


def read_files(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_tune_changes_the_pipeline_on_disk(model, dev, careful):
    result = run(model, dev)
    assert result.exit_code == 0, result.output
    assert "nats for O" in result.output
    tuned = spacy.load(model)
    assert not tuned.get_pipe("ner").score_tuned
    assert "ents_f_tuned" not in tuned.meta["performance"]
    assert tuned.meta["performance"]["ents_f"] > 0.9
    assert tuned.get_pipe("ner").model.get_ref("output_layer").get_param("b")[0] < careful[0]
    assert sorted(path.name for path in model.parent.iterdir()) == ["dev.spacy", "model-best"]


def test_tune_keeps_the_scores_of_other_components(model, dev, careful, examples):
    nlp = spacy.load(model)
    textcat = nlp.add_pipe("textcat")
    for label in ("NEWS", "OTHER"):
        textcat.add_label(label)
    textcat.initialize(lambda: examples)
    nlp.add_pipe("sentencizer")
    others = {"cats_score": 0.75, "sents_f": 0.5, "token_acc": 0.9}
    nlp.meta["performance"] = {**others, "ents_f": 0.25, "ents_f_tuned": 0.5}
    nlp.to_disk(model)
    assert {"cats_score", "sents_f"} <= nlp.evaluate(examples).keys()
    assert run(model, dev).exit_code == 0
    performance = spacy.load(model).meta["performance"]
    assert performance["ents_f"] > 0.9
    ents = {"ents_p", "ents_r", "ents_f", "ents_per_type"}
    assert performance.keys() == others.keys() | ents
    assert {name: performance[name] for name in others} == others


def test_tune_tunes_all_ner_taggers_in_their_order(model, dev, careful, monkeypatch):
    """The recorded F1 is that of the pipeline, in which each component finds its own label."""
    monkeypatch.setattr("spacy_distill.tuning.ENOUGH", 0)
    nlp = spacy.load(model)
    nlp.add_pipe("ner", name="first", source=spacy.load(model), before="ner")
    for name, other in (("first", "LOC"), ("ner", "PER")):
        ner = nlp.get_pipe(name)
        layer = ner.model.get_ref("output_layer")
        layer.set_param("b", layer.get_param("b") - [100 * (other in tag) for tag in ner.tags])
    nlp.to_disk(model)
    output = run(model, dev).output
    assert 0 < output.index("Tuning 'first'") < output.index("Tuning 'ner'")
    tuned = spacy.load(model)
    assert not any(ner.score_tuned for _, ner in tuned.pipeline)
    scores = [tuned.meta["tuned"]["after"], tuned.meta["performance"]["ents_f"]]
    assert scores == pytest.approx([tuned.evaluate(read_gold(dev, tuned))["ents_f"]] * 2)
    assert tuned.meta["tuned"]["before"] < 0.9 < scores[0]
    assert not waits_for_tuning(model) and is_recorded(model, dev)


def test_tune_tunes_the_named_component_if_none_is_marked(model, dev, careful):
    """Without a name, this is the last one."""
    nlp = spacy.load(model)
    nlp.add_pipe("ner", name="first", source=spacy.load(model), before="ner")
    for name in ("first", "ner"):
        nlp.get_pipe_config(name)["score_tuned"] = False
    nlp.to_disk(model)
    before = read_files(model / "ner"), read_files(model / "first")
    assert tune_pipeline(model, dev, name="first").added < 0
    after = read_files(model / "ner"), read_files(model / "first")
    assert after[0] == before[0] and after[1] != before[1]


def test_tune_ignores_disabled_components(model, dev, careful):
    nlp = spacy.load(model)
    nlp.add_pipe("ner", name="first", source=spacy.load(model), before="ner")
    nlp.disable_pipe("first")
    nlp.to_disk(model)
    assert waits_for_tuning(model)
    assert "Tuning 'first'" not in run(model, dev).output
    assert not waits_for_tuning(model) and is_recorded(model, dev)


def test_tune_on_a_gpu(model, dev, careful, gpu):
    result = run(model, dev, "--gpu", gpu)
    assert result.exit_code == 0, result.output
    require_cpu()
    assert spacy.load(model).meta["performance"]["ents_f"] > 0.9


def test_tune_resets_the_score_weights(model, dev, careful):
    """After tuning, `ents_f_tuned` has no meaning, so the score must be the plain F1."""
    nlp = spacy.load(model)
    nlp.config["training"]["score_weights"] = {"ents_f": 0.25, "ents_f_tuned": 0.25, "ents_p": 0.5}
    nlp.to_disk(model)
    assert run(model, dev).exit_code == 0
    weights = spacy.load(model).config["training"]["score_weights"]
    assert weights["ents_f"] == 0.5 and weights["ents_f_tuned"] is None


def test_tune_keeps_the_optimizer_usable(model, dev, careful):
    """spaCy makes the optimizer from its config block, in which variables must be resolved."""
    nlp = spacy.load(model)
    nlp.config["training"]["max_steps"] = 50
    nlp.config["training"]["optimizer"]["learn_rate"] = {
        "@schedules": "warmup_linear.v1",
        "warmup_steps": 5,
        "total_steps": "${training.max_steps}",
        "initial_rate": 0.01,
    }
    nlp.to_disk(model)
    assert run(model, dev).exit_code == 0
    optimizer = spacy.load(model).resume_training()
    assert optimizer.schedules


def test_tune_imports_code_of_the_pipeline(model, dev, careful, add_component):
    code = add_component(model, "of_tune")
    assert "[D019]" in str(run(model, dev).exception)
    result = run(model, dev, "--code", code)
    assert result.exit_code == 0, result.output
    assert "nats for O" in result.output


@pytest.mark.parametrize("name", ["labelled", "unlabelled", "dev", "table"])
def test_tune_records_the_training_data(model, dev, careful, name):
    path = dev.with_name(f"{name}.spacy")
    if path != dev:
        shutil.copy(dev, path)
    nlp = spacy.load(model)
    nlp.config["paths"].update(root=str(dev.parent), labelled="none.spacy")
    nlp.config["paths"][name] = f"${{paths.root}}/{name}.spacy"
    nlp.to_disk(model)
    assert run(model, dev).exit_code == 0
    assert find_changed(model) == []
    DocBin().to_disk(path)
    assert find_changed(model) == [path]


def test_tune_resumes_after_an_interruption(model, dev, careful, tmp_path):
    """If the pipeline was written, but not the JSON file, only the file is written."""
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    assert run(model, dev, "--output", first).exit_code == 0
    before = read_files(model)
    result = run(model, dev, "--output", second)
    assert f"'{model}' is already tuned on '{dev}'" in result.output.replace("\n", " ")
    assert second.read_text() == first.read_text()
    assert srsly.read_json(second)["before"] < 0.9 < srsly.read_json(second)["after"]
    assert read_files(model) == before
    # Another development set is tuned on again.
    docs = DocBin().from_disk(dev).get_docs(spacy.load(model).vocab)
    DocBin(docs=[*docs][:4]).to_disk(dev)
    assert run(model, dev, "--output", second).exit_code == 0
    assert srsly.read_json(second)["before"] > 0.9


def test_tune_tunes_again_after_more_training(model, dev, careful, tmp_path):
    assert run(model, dev).exit_code == 0
    nlp = spacy.load(model)
    layer = nlp.get_pipe("ner").model.get_ref("output_layer")
    layer.set_param("b", add_outside(layer.get_param("b"), 6.0))
    nlp.to_disk(model)
    output = tmp_path / "tuned.json"
    result = run(model, dev, "--output", output)
    assert result.exit_code == 0 and "Tuning 'ner'" in result.output
    assert srsly.read_json(output)["before"] < 0.9 < srsly.read_json(output)["after"]


def test_tune_does_not_leave_a_partial_pipeline(model, dev, careful, monkeypatch):
    def stop(nlp, path):
        path.mkdir(exist_ok=True)
        (path / "config.cfg").write_text("[nlp]")
        raise KeyboardInterrupt

    before = read_files(model)
    monkeypatch.setattr(Language, "to_disk", stop)
    assert run(model, dev).exit_code != 0
    assert read_files(model) == before
    assert sorted(path.name for path in model.parent.iterdir()) == ["dev.spacy", "model-best"]


def test_tune_changes_only_the_metadata_if_there_is_no_gain(model, dev):
    before = read_files(model)
    result = run(model, dev)
    assert result.exit_code == 0, result.output
    assert "100.00" in result.output
    assert is_recorded(model, dev)
    after = read_files(model)
    changed = [path.name for path in before.keys() | after if before.get(path) != after.get(path)]
    assert changed == ["meta.json"]


def is_recorded(model, dev):
    """Return whether the pipeline records that it was tuned on this set, so that it is skipped."""
    return f"'{model}' is already tuned on '{dev}'" in run(model, dev).output.replace("\n", " ")


def test_tune_refuses_bad_development_sets(model, dev, tmp_path):
    assert "[D008]" in str(run(model, tmp_path / "none.spacy").exception)
    DocBin().to_disk(dev)
    assert "[D009]" in str(run(model, dev).exception)
    dev.write_bytes(b"damaged")
    result = run(model, dev)
    assert "[D114]" in str(result.exception) and str(dev) in str(result.exception)


def test_tune_keeps_other_files_in_the_folder(model, dev, careful):
    (model / "NOTES.md").write_text("mine")
    (model / ".hidden").mkdir()
    (model / ".hidden" / "file").write_text("mine, too")
    assert run(model, dev).exit_code == 0
    assert (model / "NOTES.md").read_text() == "mine"
    assert (model / ".hidden" / "file").read_text() == "mine, too"


def test_tune_checks_its_output_before_tuning(model, dev, careful, tmp_path):
    before = srsly.read_json(model / "meta.json")
    assert "[D901]" in str(run(model, dev, "--output", tmp_path).exception)
    assert srsly.read_json(model / "meta.json") == before
