import pytest
from typer.testing import CliRunner

from spacy_distill.cli import app

GOOD = {"name": "my_ner", "version": "0.1.0", "lang": "en", "dtype": "int8", "classifier": "crf"}


def run(**changed):
    settings = {**GOOD, **changed}
    return CliRunner().invoke(app, ["check", *(f"--{key}={settings[key]}" for key in settings)])


def test_check_accepts_good_settings():
    for changed in ({}, {"name": "N2"}, {"version": "1.0.0rc1"}, {"classifier": "softmax"}):
        assert run(**changed).exit_code == 0, changed


@pytest.mark.parametrize(
    "setting, value",
    [
        *(("name", name) for name in ("my-ner", "", "2ner", "ner_", "_ner", "_", "en_ner", "nér")),
        *(("version", version) for version in ("1.x", "01.0", "")),
        ("dtype", "float64"),
        ("classifier", "CRF"),
    ],
)
def test_check_refuses_bad_settings(setting, value):
    result = run(**{setting: value})
    assert result.exit_code == 1
    assert f"[D007] --{setting} is '{value}'" in str(result.exception)


def test_check_refuses_variables_that_would_be_ignored():
    for name in ("labeled", "unlabeled"):
        message = str(run(**{name: "0"}).exception)
        assert message == f"[D007] --vars.{name} is '0', but must be spelled --vars.{name[:-2]}led."


@pytest.mark.parametrize(
    "lang, teacher, warns",
    [
        ("en", "all-MiniLM-L6-v2", False),
        ("de", "all-MiniLM-L6-v2", True),
        ("de", "bert-base-german-cased", False),
    ],
)
def test_check_warns_of_an_english_teacher(lang, teacher, warns):
    result = run(lang=lang, teacher=teacher)
    assert result.exit_code == 0
    assert ("--vars.teacher" in result.output) == warns
