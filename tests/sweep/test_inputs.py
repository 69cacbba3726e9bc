import os
import shutil
from pathlib import Path

import pytest
import spacy
from spacy.tokens import DocBin

from spacy_distill.docbins import PARTS
from spacy_distill.sweep.inputs import (
    Settings,
    describe_source,
    find_differences,
    fingerprint,
    make_inputs,
    source_inputs,
)
from spacy_distill.sweep.plan import BUILT_IN, Run, choose_systems

CONFIGS = Path(__file__).parents[2] / "configs"
TEACHER, STUDENT = BUILT_IN["teacher"], BUILT_IN["student-softmax"]


def write_corpus(path, text):
    DocBin(docs=[spacy.blank("en")(text)]).to_disk(path)


@pytest.fixture
def settings(tmp_path):
    shutil.copytree(CONFIGS, tmp_path / "configs")
    (tmp_path / "teacher").mkdir()
    (tmp_path / "teacher" / "model.safetensors").write_text("weights")
    corpus = tmp_path / "work" / "300" / "1" / "corpus"
    corpus.mkdir(parents=True)
    for part in PARTS:
        write_corpus(corpus / f"{part}.spacy", part)
    return Settings("data/btc/", tmp_path / "work", tmp_path / "configs", str(tmp_path / "teacher"))


def differences(settings, other, run, other_run=None):
    found, expected = make_inputs(run, settings), make_inputs(other_run or run, other)
    assert (fingerprint(found) == fingerprint(expected)) == (found == expected)
    return find_differences(found, expected)


def test_inputs_of_the_same_run_are_equal(settings):
    run = Run(STUDENT, 300, 1)
    assert differences(settings, settings, run) == []
    # The location of the files makes no difference.
    moved = settings.work.rename(settings.work.with_name("elsewhere"))
    assert differences(settings._replace(work=moved), settings._replace(work=moved), run) == []
    assert settings.name == "btc"


def test_inputs_depend_on_files(settings):
    run = Run(STUDENT, 300, 1)
    for path, name in (
        (settings.configs / "student.cfg", "config"),
        (settings.configs / "teacher.cfg", "teacher"),
        (Path(settings.teacher) / "model.safetensors", "weights"),
    ):
        before = make_inputs(run, settings)
        path.write_text(path.read_text() + "\n[more]\n")
        assert find_differences(before, make_inputs(run, settings)) == [name]
    before = make_inputs(run, settings)
    (Path(settings.teacher) / "pytorch_model.bin").write_text("weights")
    assert find_differences(before, make_inputs(run, settings)) == ["weights"]
    before = make_inputs(run, settings)
    write_corpus(settings.work / "300" / "1" / "corpus" / "dev.spacy", "another text")
    assert find_differences(before, make_inputs(run, settings)) == ["corpus"]


def test_inputs_depend_on_files_of_the_same_size(settings):
    run, weights = Run(STUDENT, 300, 1), Path(settings.teacher) / "model.safetensors"
    before = make_inputs(run, settings)
    weights.write_text("Weights")
    os.utime(weights, ns=(0, 0))  # whatever the resolution of the clock
    assert find_differences(before, make_inputs(run, settings)) == ["weights"]


def test_inputs_do_not_depend_on_comments(settings):
    run = Run(STUDENT, 300, 1)
    before = make_inputs(run, settings)
    config = settings.configs / "student.cfg"
    config.write_text("# Another comment.\n\n" + config.read_text())
    assert make_inputs(run, settings) == before


def test_inputs_depend_on_settings(settings):
    (hot,) = choose_systems([], ["hot=student-softmax --training.dropout 0.1"]).values()
    run = Run(STUDENT, 300, 1)
    for other in (Run(hot, 300, 1), Run(STUDENT, 300, 1, limit=500)):
        assert differences(settings, settings, run, other) == ["config"]
    german = settings._replace(lang="de")
    assert differences(settings, german, run) == ["config", "source", "teacher"]


def test_inputs_depend_on_the_environment(settings, monkeypatch):
    run = Run(STUDENT, 300, 1)
    before = make_inputs(run, settings)
    monkeypatch.setenv("SPACY_CONFIG_OVERRIDES", "--training.max_steps 5")
    inputs = make_inputs(run, settings)
    assert find_differences(before, inputs) == ["config", "teacher"]
    assert inputs["overrides"]["training.max_steps"] == "5"
    # As in spaCy, it takes precedence over settings of the command line.
    (long,) = choose_systems([], ["long=student-softmax --training.max_steps 9"]).values()
    assert make_inputs(Run(long, 300, 1), settings)["overrides"]["training.max_steps"] == "5"


def test_inputs_do_not_depend_on_overridden_defaults(settings):
    """Changing a default does not affect rows that override it."""
    dropout = "student-softmax --training.dropout"
    systems = choose_systems([], [f"as_is={dropout} 0.5", f"hot={dropout} 0.1"])
    as_is, hot = (Run(system, 300, 1) for system in systems.values())
    assert differences(settings, settings, Run(STUDENT, 300, 1), as_is) == []
    before = make_inputs(hot, settings)
    config = settings.configs / "student.cfg"
    config.write_text(config.read_text().replace("\ndropout = 0.5\n", "\ndropout = 0.3\n"))
    assert find_differences(before, make_inputs(hot, settings)) == []
    assert differences(settings, settings, Run(STUDENT, 300, 1), as_is) == ["config"]


def test_inputs_that_are_unknown_count_as_equal(settings):
    """Rows can be compared even if the folders of the sweep and the teacher are gone."""
    run = Run(STUDENT, 300, 1)
    gone = settings._replace(work=Path("none"), teacher="none")
    inputs = make_inputs(run, gone)
    assert inputs["corpus"] is None and inputs["weights"] is None
    assert differences(settings, gone, run) == []
    german = gone._replace(lang="de")
    assert differences(settings, german, run) == ["config", "source", "teacher"]


def test_inputs_depend_on_the_content_of_sources(settings, tmp_path):
    run, more = Run(STUDENT, 300, 1), tmp_path / "more.txt"

    def make(*sources):
        return settings._replace(sources=tuple(map(describe_source, sources)))

    def write(text):
        more.write_text(text)
        return make("owner/btc", str(more))

    first, other, again = map(write, ("text", "more text", "text"))
    assert differences(first, again, run) == []
    assert differences(first, other, run) == ["source"]
    assert differences(first, make("other/btc", str(more)), run) == ["source"]
    # Rows of earlier releases have no sources, and the content of a removed file is unknown.
    assert differences(first, settings, run) == []
    more.unlink()
    assert differences(first, make("owner/btc", str(more)), run) == []
    assert describe_source(str(more)) == {"sha256": None, "id": None}


def test_inputs_name_the_current_folder(tmp_path, monkeypatch):
    (tmp_path / "btc").mkdir()
    monkeypatch.chdir(tmp_path / "btc")
    settings = Settings(".", tmp_path, CONFIGS, "teacher", unlabelled=("../btc/",))
    assert settings.name == "btc"
    assert source_inputs(settings)["unlabelled"] == ["btc"]
