import shutil

import pytest
import spacy
import srsly
from spacy.tokens import DocBin
from spacy.util import load_config

from spacy_distill.manifest import write_manifest
from spacy_distill.report.project import (
    count_parts,
    count_teachers,
    describe_weights,
    find_systems,
    find_test,
    read_figure,
    read_measurement,
    read_sweep,
)
from spacy_distill.report.systems import describe_architecture, examine, find_component, pick
from spacy_distill.teachers.choose import identify


def test_project_systems_are_in_order(project):
    shutil.copytree(project / "training" / "student", project / "training" / "a-student-crf")
    (project / "training" / "unfinished").mkdir()
    assert list(find_systems(project)) == ["teacher", "a-student-crf", "baseline", "student"]
    shutil.rmtree(project / "training" / "teacher")
    shutil.rmtree(project / "training" / "a-student-crf")
    assert list(find_systems(project)) == ["baseline", "student"]


def test_project_without_student_or_test_set(project):
    shutil.rmtree(project / "training" / "student")
    with pytest.raises(ValueError, match=r"\[D701\].*train-student"):
        find_systems(project)
    find_test(project).unlink()
    with pytest.raises(FileNotFoundError, match=r"\[D702\].*test\.spacy"):
        find_test(project)


def test_project_parts_are_counted(project, make_doc):
    docs = [make_doc("Bob left"), make_doc("Ann and Bob met", "B-PER O B-PER I-PER")]
    DocBin(docs=docs).to_disk(project / "corpus" / "unlabelled.spacy")
    parts = {part.name: (part.n_texts, part.n_words, part.n_ents) for part in count_parts(project)}
    assert parts == {
        **{"labelled": (10, 48, 16), "unlabelled": (2, 6, 2)},
        **{"dev": (10, 48, 16), "test": (10, 48, 16)},
    }


def test_project_teachers_are_counted(project):
    assert count_teachers(project) == 0
    folder = project / "corpus" / "annotated" / "unlabelled"
    folder.mkdir(parents=True)
    write_manifest(folder, {"teachers": ["a", "b", "c"]}, [])
    assert count_teachers(project) == 3


def test_project_describes_the_teachers_weights(project):
    assert describe_weights(project) is None
    folder = project / "assets" / "teacher"
    folder.mkdir(parents=True)
    srsly.write_json(folder / "teacher.json", {"teacher": "some/bert@1234"})
    assert describe_weights(project) == "some/bert@1234"
    config = {"model_type": "bert", "num_hidden_layers": 6, "hidden_size": 384}
    srsly.write_json(folder / "config.json", config)
    assert describe_weights(project) == "some/bert@1234: bert, 6 layers of width 384"
    # The user's path is private.
    srsly.write_json(folder / "teacher.json", {"teacher": str(folder)})
    assert describe_weights(project) == "teacher: bert, 6 layers of width 384"


def test_project_reads_a_benchmark(project):
    assert read_measurement(project) is None
    path = project / "metrics" / "benchmark.json"
    path.parent.mkdir()
    report = {"systems": {}, "settings": {}, "machine": {}}
    srsly.write_json(path, report)
    found = read_measurement(project)
    assert (found.figure, found.others) == (None, [])
    for other, code in (({"systems": {}}, "D704"), (["systems"], "D916")):
        srsly.write_json(path, other)
        with pytest.raises(ValueError, match=rf"\[{code}\] .*benchmark.json"):
            read_measurement(project)


def test_project_benchmark_of_other_pipelines(project):
    """The benchmark may have measured other pipelines, or earlier versions of these."""
    path = project / "metrics" / "benchmark.json"
    path.parent.mkdir()
    names = ("teacher", "student")
    systems = {**{name: {} for name in names}, "spacy-ner": {}}
    report = {"systems": systems, "settings": {}, "machine": {}}
    srsly.write_json(path, report)
    assert read_measurement(project).others == [*names]  # the report has no digests
    digests = {name: identify(str(find_systems(project)[name])) for name in names}
    srsly.write_json(path, {**report, "digests": digests})
    assert read_measurement(project).others == []
    config = find_systems(project)["student"] / "config.cfg"
    config.write_text(config.read_text(encoding="utf-8") + "\n[more]\n", encoding="utf-8")
    assert read_measurement(project).others == ["student"]
    shutil.rmtree(project / "training" / "teacher")  # no longer needed
    assert read_measurement(project).others == ["student"]


def test_project_figure_is_a_data_url(tmp_path):
    path = tmp_path / "figure.svg"
    assert read_figure(path, text="what") is None
    path.write_text("<svg/>", encoding="utf-8")
    assert read_figure(path, text="what") == ("data:image/svg+xml;base64,PHN2Zy8+", "what")


def test_project_reads_a_sweep(tmp_path, make_row):
    assert read_sweep(tmp_path) is None
    rows = [
        make_row("student-crf", 300, 0.6, seed=1),
        make_row("student-crf", 150, 0.1),
        make_row("student-crf", 300, 0.8),
        make_row("student-crf", 150, 0.4, limit=9),
        make_row("baseline-crf", 150, None),
        make_row("student-crf", 150, 0.5),  # made again
    ]
    path = tmp_path / "sweep.jsonl"
    srsly.write_jsonl(path, rows)
    with path.open("a", encoding="utf-8") as file:
        file.write('{"system": "interrup')
    found = read_sweep(tmp_path)
    assert (found.corpus, found.tests, found.figure) == ("tweets", {"t"}, None)
    assert found.table.header == ["labelled", "150", "300"]
    # 100 sqrt((0.1^2 + 0.1^2) / (2 - 1))
    assert found.table.rows == [
        ["baseline-crf", "0.0 (1)", "-"],
        ["student-crf", "50.0 (1)", "70.0 ±14.1"],
    ]
    assert any("left out: those with 9" in note for note in found.notes)


@pytest.mark.parametrize("line", ['{"system": "student", "seed": 0}', "no JSON", "[1]", "7"])
def test_project_sweep_refuses_other_lines(tmp_path, make_row, line):
    srsly.write_jsonl(tmp_path / "sweep.jsonl", [make_row("student-crf", 150, 0.5)])
    with (tmp_path / "sweep.jsonl").open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")
    with pytest.raises(ValueError, match=r"\[D611\].*line 2"):
        read_sweep(tmp_path)


def test_project_systems_are_described(project, student):
    path = project / "training" / "student" / "model-best"
    found = examine("student", path, test=find_test(project))
    assert found.architecture == "spacy-distill.CharCNNBiLSTM.v1"
    assert found.labels == ("LOC", "PER")
    model = student.get_pipe("ner").model
    numbers = [node.get_param(name).size for node in model.walk() for name in node.param_names]
    assert found.n_parameters == sum(numbers)
    n_words = len(model.get_ref("lookup").attrs["segmenter"].entries) - 1  # and the unknown one
    assert found.table == f"{n_words + 1} words of width 12, from {n_words} distinct words of text"
    assert found.settings["scheme"] == "iob"
    # It was not trained on soft targets.
    assert not any(name.startswith("loss.") for name in found.settings)
    assert (found.lang, found.direction) == ("en", "ltr")
    assert found.n_bytes == sum(f.stat().st_size for f in path.rglob("*") if f.is_file())
    assert found.predictions.scores["ents_f"] == 1.0


def test_project_systems_have_loss_settings_if_they_learn_from_soft_targets(project):
    path = project / "training" / "student" / "model-best"
    config = load_config(path / "config.cfg")
    labelled, unlabelled = {"labelled": "a"}, {"unlabelled": "b"}
    for reader, has_loss in ((labelled, False), ({**labelled, **unlabelled}, True)):
        config["corpora"]["train"] = reader
        config.to_disk(path / "config.cfg")
        settings = examine("student", path, test=find_test(project)).settings
        assert any(name.startswith("loss.") for name in settings) == has_loss


def test_project_systems_are_described_by_their_ner_tagger(student):
    """Rules may come after it."""
    student.add_pipe("entity_ruler")
    assert find_component(student) == "ner"


def test_project_systems_have_only_labels_of_entities(project, tmp_path):
    nlp = spacy.blank("en")
    nlp.add_pipe("tagger").add_label("NOUN")
    nlp.add_pipe("ner").add_label("LOC")
    nlp.initialize()
    nlp.to_disk(tmp_path / "tagger")
    assert examine("tagger", tmp_path / "tagger", test=find_test(project)).labels == ("LOC",)


def test_project_systems_may_have_no_components(project, tmp_path):
    spacy.blank("en").to_disk(tmp_path / "blank")
    found = examine("blank", tmp_path / "blank", test=find_test(project))
    assert (found.architecture, found.labels, found.n_parameters) == ("", (), 0)


def test_project_config_is_read_by_dotted_names():
    config = {"a": {"b": {"c": 0.0}, "d": None}}
    assert pick(config, ("a.b.c", "a.b", "a.d", "a.b.c.e", "x")) == {"a.b.c": 0.0}
    # A value of 0.3 from the command line may have such a rounding error.
    assert pick({"dropout": 0.30000000000000004}, ("dropout",)) == {"dropout": 0.3}
    tok2vec = {"@architectures": "Tok2Vec.v1", "name": "path/to/teacher"}
    model = {"@architectures": "Linear.v1", "tok2vec": tok2vec}
    assert describe_architecture(model) == "Linear.v1 over Tok2Vec.v1"
    assert describe_architecture({}) == ""
