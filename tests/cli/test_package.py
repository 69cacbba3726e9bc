import email
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy
import pytest
import spacy
import srsly
import typer
from spacy.training import Example
from spacy.util import load_config
from typer.testing import CliRunner

from spacy_distill.cli import package as module
from spacy_distill.cli.package import (
    make_meta,
    make_sources,
    package_cli,
    read_test_scores,
    write_small,
)
from spacy_distill.files import digest_folder

META = {
    "lang": "en",
    "name": "pipeline",
    "version": "0.0.0",
    "author": "Somebody",
    "labels": {"ner": ["PER", "LOC"], "tagger": ["NN"]},
    "performance": {"ents_f": 0.5, "ents_p": 0.4, "ner_loss": 3.0, "other_loss": 1.0},
}
LABELS = ["LOC", "PER"]
LOAD = """
import sys

sys.path.insert(0, sys.argv[1])
import spacy

nlp = spacy.load("en_tiny_ner")
print(*((ent.text, ent.label_) for ent in nlp("Bob went to Rome").ents))
"""


def read_files(folder):
    """The bytes of every file."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def stored_types(folder):
    """The types of the weights, by layer."""
    model = srsly.msgpack_loads((folder / "ner" / "model").read_bytes())
    return {
        node["name"]: {values.dtype.name for values in params.values()}
        for node, params in zip(model["nodes"], model["params"])
        if params
    }


def test_package_contains_code_of_the_pipeline(
    run, no_wheel, student_path, tmp_path, add_component
):
    pipeline = tmp_path / "pipeline"
    shutil.copytree(student_path, pipeline)
    code = add_component(pipeline, "of_package")
    assert "[D019]" in str(run(pipeline=pipeline).exception)
    result = run("--code", str(code), pipeline=pipeline)
    assert result.exit_code == 0, result.output
    folder = tmp_path / "packages" / "en_tiny_ner-0.1.0" / "en_tiny_ner"
    assert (folder / code.name).read_text() == code.read_text()
    assert code.stem in (folder / "__init__.py").read_text()


def required(lines):
    """The names of the required packages, without versions."""
    return {re.match(r"[\w-]+", line)[0] for line in lines}


@pytest.fixture
def run(student_path, tmp_path):
    app = typer.Typer()
    app.command()(package_cli)

    def invoke(*args, pipeline=student_path):
        arguments = [str(pipeline), str(tmp_path / "packages"), "--name", "tiny_ner", *args]
        return CliRunner().invoke(app, arguments)

    return invoke


@pytest.fixture
def no_wheel(monkeypatch):
    """Make only the folder of the package, which is quick."""
    monkeypatch.setattr(module, "build_wheel", lambda folder: None)


def test_package_meta_is_completed():
    meta = make_meta(META, labels=LABELS, scores={}, author="", license_="MIT")
    assert meta["description"].endswith("distilled from a transformer: LOC, PER.")
    assert meta["license"] == "MIT"
    assert meta["author"] == "Somebody"
    assert meta["lang"] == "en"
    assert META["performance"]["ner_loss"] == 3.0  # not changed in place
    assert make_meta(META, labels=LABELS, scores={}, author="Me", license_="MIT")["author"] == "Me"


def test_package_meta_describes_the_teacher_if_there_is_one(run, no_wheel, tmp_path):
    for options, begin in ((["--teacher", "org/name"], "Compact"), ([], "Named entity")):
        result = run(*options)
        assert result.exit_code == 0, result.output
        meta = srsly.read_json(tmp_path / "packages" / "en_tiny_ner-0.1.0" / "meta.json")
        assert meta["description"].startswith(begin)
    own = make_meta(
        {**META, "description": "Mine."}, labels=LABELS, scores={}, author="", license_="MIT"
    )
    assert own["description"] == "Mine."


def test_package_meta_has_no_losses():
    meta = make_meta(META, labels=LABELS, scores={}, author="", license_="MIT")
    assert meta["performance"] == {"ents_f": 0.5, "ents_p": 0.4}


def test_package_meta_has_only_scores_of_the_test_set():
    """Scores on the development set are not mixed with them, not even those of other components."""
    meta = {**META, "performance": {**META["performance"], "tag_acc": 0.7, "cats_score": 0.6}}
    scores = {"ents_f": 0.9, "ents_r": 0.8, "tag_acc": 0.5, "ents_per_type": {}}
    others = {"speed": 7.0, "agreement": False, "made_from": {"pipeline": "0"}}
    made = make_meta(meta, labels=LABELS, scores={**scores, **others}, author="", license_="MIT")
    assert made["performance"] == scores


def test_package_sources_do_not_contain_private_paths(tmp_path):
    sources = make_sources(teacher="org/name@v1", data=str(tmp_path))
    assert [source["name"] for source in sources] == ["org/name@v1", tmp_path.name, "spacy-distill"]
    assert (
        make_meta(META, labels=LABELS, scores={}, sources=sources, author="", license_="MIT")[
            "sources"
        ]
        == sources
    )
    assert len(make_sources(teacher="", data="")) == 1
    assert len(make_sources(teacher="same", data="same")) == 3


@pytest.mark.parametrize(
    "version, requirement",
    [
        ("0.1.0", "spacy-distill>=0.1.0,<0.2.0"),
        ("1.12.3", "spacy-distill>=1.12.0,<1.13.0"),
        ("0.3.0.dev1", "spacy-distill>=0.3.0,<0.4.0"),
    ],
)
def test_package_requires_this_release(monkeypatch, version, requirement):
    monkeypatch.setattr(module, "installed_version", lambda name: version)
    meta = {**META, "requirements": ["my-pipes>=1", "spacy-distill>=0.0.1"]}
    meta = make_meta(meta, labels=LABELS, scores={}, author="", license_="MIT")
    assert meta["requirements"] == ["my-pipes>=1", requirement]


def test_package_reads_scores(tmp_path, student_path):
    srsly.write_json(tmp_path / "scores.json", {"ents_f": 0.5})
    assert read_test_scores(tmp_path / "scores.json", student_path) == {"ents_f": 0.5}
    with pytest.raises(FileNotFoundError, match=r"\[D008\]"):
        read_test_scores(tmp_path / "none.json", student_path)
    srsly.write_json(tmp_path / "other.json", {"speed": 1.0})
    with pytest.raises(ValueError, match=r"\[D411\].*other\.json"):
        read_test_scores(tmp_path / "other.json", student_path)
    made_from = {"pipeline": digest_folder(student_path)}
    srsly.write_json(tmp_path / "own.json", {"ents_f": 0.5, "made_from": made_from})
    assert read_test_scores(tmp_path / "own.json", student_path)["ents_f"] == 0.5
    srsly.write_json(tmp_path / "old.json", {"ents_f": 0.5, "made_from": {"pipeline": "another"}})
    with pytest.raises(ValueError, match=r"\[D421\].*old\.json"):
        read_test_scores(tmp_path / "old.json", student_path)


def test_package_needs_a_pipeline(run, tmp_path):
    result = run(pipeline=tmp_path / "none")
    assert isinstance(result.exception, FileNotFoundError)
    assert "[D008]" in str(result.exception)
    assert not (tmp_path / "packages").exists()


def test_package_refuses_damaged_metadata(run, student_path, tmp_path):
    damaged = tmp_path / "damaged"
    shutil.copytree(student_path, damaged)
    for text in ("{", "[]"):
        (damaged / "meta.json").write_text(text)
        with pytest.raises(ValueError, match=r"\[D916\].*damaged.*meta\.json"):
            raise run(pipeline=damaged).exception


def test_package_needs_a_ner_tagger(run, nlp, tmp_path):
    nlp.add_pipe("entity_ruler")
    nlp.to_disk(tmp_path / "rules")
    result = run(pipeline=tmp_path / "rules")
    assert "[D012]" in str(result.exception)
    assert not (tmp_path / "packages").exists()


def test_package_folder_contains_the_pipeline(run, no_wheel, student, tmp_path):
    srsly.write_json(tmp_path / "scores.json", {"ents_f": 0.625, "ents_p": 0.5, "ents_r": 0.75})
    result = run("--version", "1.2.3", "--metrics", str(tmp_path / "scores.json"), "--author", "Me")
    assert result.exit_code == 0, result.output
    assert [path.name for path in (tmp_path / "packages").iterdir()] == ["en_tiny_ner-1.2.3"]
    folder = tmp_path / "packages" / "en_tiny_ner-1.2.3"
    meta = srsly.read_json(folder / "meta.json")
    assert (meta["name"], meta["version"], meta["author"]) == ("tiny_ner", "1.2.3", "Me")
    assert required(meta["requirements"]) == {"spacy", "spacy-distill"}
    readme = (folder / "README.md").read_text(encoding="utf-8")
    assert "62.50" in readme
    assert "LOSS" not in readme.upper()
    nlp = spacy.load(folder / "en_tiny_ner" / "en_tiny_ner-1.2.3")
    assert nlp.get_pipe("ner").labels == student.get_pipe("ner").labels


@pytest.mark.parametrize("name", ["student", "teacher"])
def test_package_can_be_initialised_again(student, examples, tmp_path, name):
    """Neither the table file nor the corpus of the training is needed."""
    configs = Path(__file__).parents[2] / "configs"
    trained = load_config(configs / f"{name}.cfg", interpolate=False)
    for block in ("paths", "corpora", "training", "initialize"):
        student.config[block] = {**student.config[block], **trained[block]}
    student.to_disk(tmp_path / "trained")
    write_small(tmp_path / "trained", tmp_path / "small", dtype="float16")
    nlp = spacy.load(tmp_path / "small")
    nlp.initialize(lambda: examples)
    assert nlp.update(examples)["ner"] > 0


def test_package_can_be_made_again(run, no_wheel, student, tmp_path):
    """A package is replaced, without old build files. The metadata may record tuning."""
    student.meta["tuned"] = {"added": -1.0, "before": 0.5, "after": 0.75, "dev": "0" * 64}
    student.to_disk(tmp_path / "student")
    # Setuptools would put these into the wheel instead of files that are older.
    built = tmp_path / "packages" / "en_tiny_ner-0.1.0" / "build" / "lib" / "of_another.py"
    for _ in range(2):
        result = run(pipeline=tmp_path / "student")
        assert result.exit_code == 0, result.output
        assert not built.exists()
        readme = tmp_path / "packages" / "en_tiny_ner-0.1.0" / "README.md"
        assert "PER" in readme.read_text()
        readme.write_text("of another")
        built.parent.mkdir(parents=True)
        built.touch()
    assert [path.name for path in (tmp_path / "packages").iterdir()] == ["en_tiny_ner-0.1.0"]


def test_package_has_no_licence_by_default(run, no_wheel, tmp_path):
    """A user's model is theirs."""
    for options, expected in (([], ""), (["--license", "MIT"], "MIT")):
        assert run(*options).exit_code == 0
        meta = srsly.read_json(tmp_path / "packages" / "en_tiny_ner-0.1.0" / "meta.json")
        assert meta["license"] == expected


def test_package_shows_the_end_of_a_failed_build(tmp_path):
    (tmp_path / "setup.py").write_text("raise RuntimeError('no licence to build')")
    with pytest.raises(ValueError, match=r"(?s)\[D425\] The wheel of .*no licence to build"):
        module.build_wheel(tmp_path)


def test_package_of_a_package_has_its_own_name(run, no_wheel, student, tmp_path):
    """spaCy keeps a README that is in the pipeline. A user's own one is kept."""
    assert run().exit_code == 0
    packaged = tmp_path / "packages" / "en_tiny_ner-0.1.0" / "en_tiny_ner" / "en_tiny_ner-0.1.0"
    for readme, expected in ((None, "2.0.0"), ("My own words", "My own words")):
        if readme:
            (packaged / "README.md").write_text(readme)
        result = run("--version", "2.0.0", "--license", "Apache-2.0", pipeline=packaged)
        assert result.exit_code == 0, result.output
        folder = tmp_path / "packages" / "en_tiny_ner-2.0.0"
        text = (folder / "README.md").read_text()
        assert expected in text and "0.1.0" not in text
        requirements = srsly.read_json(folder / "meta.json")["requirements"]
        assert len(requirements) == 2 and required(requirements) == {"spacy", "spacy-distill"}


@pytest.mark.parametrize(
    "options, table, others",
    [
        ([], "float16", "float16"),
        (["--dtype", "float16"], "float16", "float16"),
        (["--dtype", "int8"], "int8", "float16"),
        (["--dtype", "float32"], "float32", "float32"),
    ],
)
def test_package_stores_weights_as_the_given_type(
    run, no_wheel, student_path, student, texts, ents, tmp_path, options, table, others
):
    before = read_files(student_path)
    result = run(*options)
    assert result.exit_code == 0, result.output
    assert read_files(student_path) == before
    folder = tmp_path / "packages" / "en_tiny_ner-0.1.0" / "en_tiny_ner" / "en_tiny_ner-0.1.0"
    types = stored_types(folder)
    assert types.pop("lookup") == {table}
    assert list(types.values()) == [{others}] * 3
    loaded = spacy.load(folder)
    assert [ents(doc) for doc in loaded.pipe(texts)] == [ents(doc) for doc in student.pipe(texts)]


def test_package_refuses_other_types(run, student, tmp_path):
    for dtype, code in (("float8", "D007"), ("float16", "D203")):
        student.get_pipe("ner").model.get_ref("bilstm").get_param("b")[0] = 1e5
        student.to_disk(tmp_path / "student")
        result = run("--dtype", dtype, pipeline=tmp_path / "student")
        assert isinstance(result.exception, ValueError)
        assert f"[{code}]" in str(result.exception)
        assert not (tmp_path / "packages").exists()


def test_package_copies_all_but_weights_and_strings(student_path, tmp_path):
    trained, small = tmp_path / "trained", tmp_path / "small"
    shutil.copytree(student_path, trained)
    (trained / "LICENSE").write_text("Free for all.", encoding="utf-8")
    write_small(trained, small, dtype="float16")
    before, after = read_files(trained), read_files(small)
    assert after.keys() == before.keys()
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"ner/model", "vocab/strings.json"}


def test_package_removes_paths_from_the_config(student, tmp_path):
    student.config["paths"]["table"] = "/home/somebody/table.npz"
    student.config["initialize"]["vectors"] = "${paths.table}"
    student.to_disk(tmp_path / "trained")
    write_small(tmp_path / "trained", tmp_path / "small", dtype="float16")
    assert "somebody" not in (tmp_path / "small" / "config.cfg").read_text(encoding="utf-8")
    nlp = spacy.load(tmp_path / "small")
    assert "table" in nlp.config["paths"] and not any(nlp.config["paths"].values())
    assert nlp.get_pipe("ner").labels == student.get_pipe("ner").labels


def test_package_keeps_settings_of_components_in_paths(student, tmp_path):
    """Values of [paths] that a component refers to are kept, such as the name of a transformer."""
    student.config["paths"]["dropout"] = 0.25
    config = student.get_pipe_config("ner")
    config["model"]["dropout"] = "${paths.dropout}"
    student.to_disk(tmp_path / "trained")
    write_small(tmp_path / "trained", tmp_path / "small", dtype="float16")
    assert "${" in (tmp_path / "trained" / "config.cfg").read_text(encoding="utf-8")
    nlp = spacy.load(tmp_path / "small")
    assert nlp.get_pipe_config("ner")["model"]["dropout"] == 0.25


def test_package_removes_words_of_the_training_text(student_path, student, texts, tmp_path):
    assert "yesterday" in srsly.read_json(student_path / "vocab" / "strings.json")
    write_small(student_path, tmp_path / "small", dtype="float16")
    nlp = spacy.load(tmp_path / "small")
    assert "yesterday" not in nlp.vocab.strings
    assert set(spacy.blank("en").vocab.strings) <= set(nlp.vocab.strings)
    found = [[(ent.text, ent.label_) for ent in doc.ents] for doc in nlp.pipe(texts)]
    expected = [[(ent.text, ent.label_) for ent in doc.ents] for doc in student.pipe(texts)]
    assert found == expected


def test_package_does_not_need_the_default_tokenizer_of_the_language(
    run, no_wheel, make_student, korean, tmp_path
):
    make_student(korean).to_disk(tmp_path / "trained")
    result = run(pipeline=tmp_path / "trained")
    assert result.exit_code == 0, result.output
    folder = tmp_path / "packages" / "ko_tiny_ner-0.1.0" / "ko_tiny_ner" / "ko_tiny_ner-0.1.0"
    nlp = spacy.load(folder)
    assert [token.text for token in nlp("Bob Jones")] == ["Bob", "Jones"]


def test_package_keeps_words_if_vectors_or_other_components_need_them(student, tmp_path):
    student.add_pipe("tagger").add_label("yesterday")
    student.to_disk(tmp_path / "with_tagger")
    student.remove_pipe("tagger")
    student.vocab.set_vector("yesterday", numpy.ones(3, dtype="f"))
    student.to_disk(tmp_path / "with_vectors")
    for name in ("with_vectors", "with_tagger"):
        write_small(tmp_path / name, tmp_path / "small" / name, dtype="float16")
        strings = (tmp_path / name / "vocab" / "strings.json").read_bytes()
        assert (tmp_path / "small" / name / "vocab" / "strings.json").read_bytes() == strings
        assert stored_types(tmp_path / "small" / name)["lookup"] == {"float16"}


@pytest.mark.slow
def test_package_wheel_can_be_installed_and_loaded(run, run_light, tmp_path):
    """The wheel works without torch. Building it needs the package index."""
    result = run("--version", "1.2.3")
    assert result.exit_code == 0, result.output
    (wheel,) = (tmp_path / "packages" / "en_tiny_ner-1.2.3" / "dist").iterdir()
    assert wheel.name == "en_tiny_ner-1.2.3-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = email.message_from_bytes(archive.read(name))
    assert required(metadata.get_all("Requires-Dist")) == {"spacy", "spacy-distill"}
    target = tmp_path / "installed"
    install = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--target"]
    subprocess.run([*install, str(target), str(wheel)], check=True, capture_output=True)
    assert run_light(LOAD, target).split(") (") == ["('Bob', 'PER'", "'Rome', 'LOC')\n"]


@pytest.mark.parametrize(
    "options",
    [
        ("--version", "abc"),
        ("--version", "1.0 beta"),
        ("--version", " 1.0"),  # the version of the wheel would be 1.0
        ("--version", "1.0-rc1"),
        ("--name", "en_mine"),
        ("--name", "a-b"),
        ("--name", "3class"),
        ("--name", ""),
    ],
)
def test_package_refuses_bad_names_before_packaging(student_path, tmp_path, options, monkeypatch):
    monkeypatch.delattr("spacy_distill.cli.package.write_small")  # it takes long
    app = typer.Typer()
    app.command()(package_cli)
    result = CliRunner().invoke(app, [str(student_path), str(tmp_path / "p"), *options])
    assert f"[D007] {options[0]} is" in str(result.exception)
    assert options[1] in str(result.exception)
    assert not (tmp_path / "p").exists()


def test_package_keeps_a_meta_json_of_others(run, no_wheel, tmp_path):
    mine = tmp_path / "packages" / "meta.json"
    mine.parent.mkdir()
    mine.write_text("{}")
    assert run().exit_code == 0
    assert mine.read_text() == "{}"


def test_package_refuses_to_be_written_into_its_pipeline(student_path, tmp_path, monkeypatch):
    app = typer.Typer()
    app.command()(package_cli)
    pipeline = shutil.copytree(student_path, tmp_path / "student")
    for output in (pipeline, pipeline / "packages"):
        result = CliRunner().invoke(app, [str(pipeline), str(output), "--name", "tiny_ner"])
        assert "[D915]" in str(result.exception)
    monkeypatch.chdir(pipeline)
    result = CliRunner().invoke(app, [str(pipeline), "packages", "--name", "tiny_ner"])
    assert "[D915]" in str(result.exception)
    assert not (pipeline / "packages").exists()
    (tmp_path / "file").touch()
    result = CliRunner().invoke(app, [str(pipeline), str(tmp_path / "file"), "--name", "tiny_ner"])
    assert "[D901]" in str(result.exception)


def test_package_labels_are_those_of_entities(student, tmp_path):
    tagger = student.add_pipe("tagger")
    tagger.add_label("NN")
    tagger.initialize(lambda: [Example(student.make_doc("Ann"), student.make_doc("Ann"))])
    student.to_disk(tmp_path / "trained")
    meta, labels = write_small(tmp_path / "trained", tmp_path / "small", dtype="float32")
    assert labels == ["LOC", "PER"]
    assert meta["labels"]["tagger"] == ["NN"]
