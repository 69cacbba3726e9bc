from pathlib import Path

import pytest

from spacy_distill.sweep.configs import check_overrides, read_environment
from spacy_distill.sweep.plan import BUILT_IN, choose_systems

CONFIGS = Path(__file__).parents[2] / "configs"


def test_configs_accept_known_settings():
    check_overrides([*BUILT_IN.values()], CONFIGS)
    for setting in (
        "components.ner.loss.temperature 4",
        # Defaults of the named functions, which `spacy train` uses:
        "components.ner.model.lookup.unknown_rate 0.1",
        "training.optimizer.eps 1e-7",
        # and defaults of another named function.
        "training.batcher.@batchers spacy.batch_by_words.v1 --training.batcher.tolerance 0.1",
    ):
        check_overrides([*choose_systems([], [f"hot=student-crf --{setting}"]).values()], CONFIGS)


@pytest.mark.parametrize(
    "key",
    [
        "components.ner.loss.heat",
        "components.ner.nothing.heat",
        "training.heat",
        "nothing.at.all",
    ],
)
def test_configs_refuse_unknown_settings(key):
    (system,) = choose_systems([], [f"hot=student-crf --{key} 4"]).values()
    with pytest.raises(ValueError, match=rf"\[D606\] System 'hot' sets \['{key}'\].*--variant"):
        check_overrides([system], CONFIGS)
    with pytest.raises(FileNotFoundError, match=r"\[D008\].*teacher.cfg"):
        check_overrides([BUILT_IN["teacher"]], CONFIGS / "none")


def test_configs_read_overrides_of_the_environment(monkeypatch):
    assert read_environment() == {}
    text = "--training.max_steps 5 --training.logger null --paths.dev=a.spacy"
    monkeypatch.setenv("SPACY_CONFIG_OVERRIDES", text)
    assert read_environment() == {
        "training.max_steps": "5",
        "training.logger": "null",
        "paths.dev": "a.spacy",
    }
