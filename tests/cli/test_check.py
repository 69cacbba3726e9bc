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
