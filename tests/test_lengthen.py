"""A training that is set for few sentences is lengthened if there are more."""

from pathlib import Path

import pytest
from spacy.tokens import Doc, DocBin
from spacy.training.initialize import init_nlp
from spacy.util import load_config
from spacy.vocab import Vocab

from spacy_distill.lengthen import build_lengthen_training_v1, lengthen

CONFIGS = Path(__file__).parent.parent / "configs"


@pytest.mark.parametrize(
    "n_sentences, expected",
    [(0, 300), (1, 300), (750, 300), (800, 300), (801, 600), (1500, 600), (3000, 1200)],
)
def test_lengthen_gives_three_epochs_at_least(n_sentences, expected):
    """With eight sentences per step, 3000 sentences take 1125 steps, rounded up."""
    assert lengthen(300, n_sentences) == expected


CONFIG = """
[nlp]
lang = "en"
pipeline = ["ner"]

[components]

[components.ner]
factory = "ner"

[corpora]

[corpora.train]
@readers = "spacy.Corpus.v1"
path = "{path}"

[corpora.dev]
@readers = "spacy.Corpus.v1"
path = "{path}"

[training]
max_steps = 10

[training.optimizer]
@optimizers = "Adam.v1"

[training.optimizer.learn_rate]
@schedules = "warmup_linear.v1"
warmup_steps = 1
total_steps = ${{training.max_steps}}
initial_rate = 0.1

[initialize]

[initialize.before_init]
@callbacks = "spacy-distill.LengthenTraining.v1"
epochs = 3
sentences_a_step = 10
"""


@pytest.fixture
def config(tmp_path, write_config):
    """A config of 100 sentences and 10 steps, with a schedule that ends with them."""
    vocab = Vocab()
    docs = [Doc(vocab, words=["Ann", "left"], ents=["B-PER", "O"]) for _ in range(100)]
    DocBin(docs=docs).to_disk(tmp_path / "train.spacy")
    path = write_config(CONFIG.format(path=(tmp_path / "train.spacy").as_posix()))
    return load_config(path, interpolate=False)


def test_lengthen_lets_spacy_make_the_optimizer_from_its_block_alone(config):
    """As `resume_training` and `spacy debug data` do."""
    nlp = init_nlp(config)
    assert nlp.resume_training().learn_rate is not None
    assert nlp.config["training"]["optimizer"]["learn_rate"]["total_steps"] == 30
    config["initialize"]["before_init"]["epochs"] = 0
    assert init_nlp(config).create_optimizer().learn_rate is not None


def test_lengthen_fits_the_schedule_of_a_saved_config(config):
    """In it, the schedule no longer refers to `max_steps`."""
    saved = init_nlp(config).config
    assert steps_of(saved) == (30, 30)
    saved["training"]["max_steps"] = 1000
    assert steps_of(saved) == (1000, 1000)


def steps_of(config):
    training = init_nlp(config).config.interpolate()["training"]
    return training["max_steps"], training["optimizer"]["learn_rate"]["total_steps"]


def test_lengthen_changes_max_steps_and_settings_that_depend_on_it(config, capsys):
    assert steps_of(config) == (30, 30)
    assert "30 steps instead of 10, for 100 sentences" in capsys.readouterr().out


def test_lengthen_does_not_change_a_training_that_is_long_enough(config):
    for setting, value in (("epochs", 1), ("epochs", 0), ("sentences_a_step", 100)):
        changed = config.copy()
        changed["initialize"]["before_init"][setting] = value
        assert steps_of(changed) == (10, 10)
    changed = config.copy()
    changed["initialize"]["before_init"]["from_steps"] = 11  # the training is meant to be short
    assert steps_of(changed) == (10, 10)
    changed["initialize"]["before_init"]["from_steps"] = 10
    assert steps_of(changed) == (30, 30)
    config["training"]["max_epochs"] = -1  # the length of a stream is unknown
    assert steps_of(config) == (10, 10)
    config["training"]["max_epochs"] = 0
    config["training"]["max_steps"] = 0  # training ends by early stopping
    assert steps_of(config) == (0, 0)


CHANGES = {"max_steps": [10, 40], "patience": [1600, 3200], "dropout": [0.1, 0.3]}


def train_large(config, large=100, changes=CHANGES):
    """Initialise with other settings for a large corpus; return those of the training."""
    config["initialize"]["before_init"].update(large=large, changes=changes)
    training = init_nlp(config).config.interpolate()["training"]
    return tuple(training[name] for name in ("max_steps", "patience", "dropout"))


def test_lengthen_changes_settings_for_a_large_corpus(config, capsys):
    """100 sentences are seen three times in 30 steps, so that 40 need not be lengthened."""
    assert train_large(config) == (40, 3200, 0.3)
    assert (
        "For 100 sentences: max_steps 40 instead of 10, patience 3200 instead of 1600, "
        "dropout 0.3 instead of 0.1" in " ".join(capsys.readouterr().out.split())
    )
    assert steps_of(config) == (40, 40)  # the schedule ends with the training


@pytest.mark.parametrize("large", [0, 101])
def test_lengthen_keeps_the_settings_of_a_small_corpus(config, large, capsys):
    assert train_large(config, large) == (30, 1600, 0.1)
    assert "For 100 sentences" not in capsys.readouterr().out


def test_lengthen_keeps_settings_that_somebody_chose(config):
    config["training"].update(max_steps=50, dropout=0.2)
    assert train_large(config) == (50, 3200, 0.2)


def test_lengthen_multiplies_the_steps_for_a_large_corpus(config):
    assert train_large(config, changes={"max_steps": [10, 20]})[0] == 40


def test_lengthen_keeps_the_settings_of_a_short_training_and_of_a_stream(config):
    config["initialize"]["before_init"]["from_steps"] = 11
    assert train_large(config) == (10, 1600, 0.1)
    config["initialize"]["before_init"]["from_steps"] = 0
    config["training"]["max_epochs"] = -1
    assert train_large(config) == (10, 1600, 0.1)


def test_lengthen_does_not_change_settings_twice(config, capsys):
    """A config that was saved by such a training, trained on the same corpus again."""
    train_large(config)
    saved = init_nlp(config).config
    capsys.readouterr()
    assert train_large(saved) == (40, 3200, 0.3)
    assert "For 100 sentences" not in capsys.readouterr().out


@pytest.mark.parametrize("large", [100, 101])
def test_lengthen_refuses_changes_of_settings_that_do_not_exist(config, large):
    """With a small corpus, too, so that a misspelt setting is found before there is much text."""
    with pytest.raises(ValueError, match=r"\[D007\] changes is 'steps'.*\[training\]"):
        train_large(config, large, changes={"steps": [10, 20]})


@pytest.mark.parametrize("values", [[], [10], [10, 20, 30]])
def test_lengthen_refuses_changes_without_two_values(values):
    with pytest.raises(ValueError, match=r"\[D007\].*max_steps.*two values"):
        build_lengthen_training_v1(changes={"max_steps": values})


@pytest.mark.parametrize(
    "setting, value",
    [("epochs", -1), ("sentences_a_step", 0), ("from_steps", -1), ("large", -1)],
)
def test_lengthen_refuses_settings_out_of_their_range(setting, value):
    with pytest.raises(ValueError, match=rf"\[D007\].*{setting}"):
        build_lengthen_training_v1(**{setting: value})


def test_lengthen_is_in_the_configs_of_teacher_and_student():
    teacher, student = (load_config(CONFIGS / f"{name}.cfg") for name in ("teacher", "student"))
    for config in (teacher, student):
        callback = config["initialize"]["before_init"]["@callbacks"]
        assert callback == "spacy-distill.LengthenTraining.v1"
    assert student["initialize"]["before_init"]["from_steps"] == student["training"]["max_steps"]


def test_lengthen_changes_the_settings_of_the_student():
    """The first of two values is that of the config; otherwise nothing would change."""
    student = load_config(CONFIGS / "student.cfg")
    changes = student["initialize"]["before_init"]["changes"]
    assert changes
    for name, (usual, new) in changes.items():
        assert usual == student["training"][name] != new
