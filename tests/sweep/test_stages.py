from itertools import pairwise
from pathlib import Path

import pytest
from spacy.tokens import DocBin
from spacy.util import load_config

from spacy_distill.docbins import PARTS
from spacy_distill.sweep.configs import check_overrides
from spacy_distill.sweep.inputs import Settings
from spacy_distill.sweep.plan import BUILT_IN, Run, System
from spacy_distill.sweep.stages import is_done, make_stages

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.fixture
def settings(tmp_path):
    return Settings(
        data="data/btc",
        work=tmp_path / "work",
        configs=CONFIGS,
        teacher="assets/teacher",
        lang="de",
        unlabelled=("more",),
        gpu=3,
    )


@pytest.fixture
def make_corpus(settings, make_doc):
    """Make the corpus of a sample by hand, and return its folder."""

    def make(size, seed, n_pool=3):
        folder = settings.work / str(size) / str(seed) / "corpus"
        folder.mkdir(parents=True)
        for part, n_docs in zip(PARTS, (size, n_pool, 1, 1)):
            docs = [make_doc("Ann left", "B-PER O")] * n_docs
            DocBin(docs=docs).to_disk(folder / f"{part}.spacy")
        return folder

    return make


def stages_of(run, settings):
    return {stage.name: stage for stage in make_stages(run, settings)}


def write(path, text="{}"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize(
    "system, expected",
    [
        ("teacher", "corpus train-teacher tune-teacher score-teacher"),
        (
            "baseline-softmax",
            "corpus table train-baseline-softmax tune-baseline-softmax score-baseline-softmax",
        ),
        (
            "student-crf",
            "corpus table train-teacher tune-teacher annotate-labelled annotate-unlabelled "
            "train-student-crf tune-student-crf score-student-crf",
        ),
    ],
)
def test_stages_of_a_system(settings, make_corpus, system, expected):
    make_corpus(8, 1)
    stages = make_stages(Run(BUILT_IN[system], 8, 1), settings)
    assert " ".join(stage.name for stage in stages) == expected
    assert not any(map(is_done, stages))
    assert stages[0].command[2] == "data/btc"
    assert stages[0].command[4:] == (
        ["--labelled", "8", "--seed", "1", "--lang", "de", "--unlabelled", "more"]
    )


@pytest.mark.parametrize("system", ["teacher", "baseline-softmax", "student-softmax"])
def test_stages_train_with_settings_of_the_config(settings, make_corpus, system):
    """The config has all settings of the command, and the command sets all paths of the config."""
    corpus = make_corpus(8, 1)
    run = Run(BUILT_IN[system], 8, 1, limit=5 if system.startswith("student") else 0)
    command = stages_of(run, settings)[f"train-{run.name}"].command
    config = Path(command[2])
    given = dict(zip(command[3::2], command[4::2]))
    overrides = {key[2:]: value for key, value in given.items() if "." in key}
    check_overrides([System(system, system, config.stem, overrides)], CONFIGS)
    assert set(load_config(config)["paths"]) <= {key.partition("paths.")[2] for key in overrides}
    assert overrides["system.seed"] == "1"
    assert overrides["paths.dev"] == str(corpus / "dev.spacy")
    labelled = "annotated/labelled" if system.startswith("student") else "labelled.spacy"
    assert overrides["paths.labelled"] == str(corpus / labelled)
    assert overrides.get("corpora.train.limit") == ("5" if run.limit else None)
    assert "training.max_steps" not in overrides  # as in the config
    if system.startswith("student"):
        assert overrides["paths.unlabelled"] == str(corpus / "annotated" / "unlabelled")
    assert given["--output"] == str(corpus.parent / "training" / run.name)


def test_stages_tune_on_dev_and_score_on_test(settings, make_corpus):
    corpus = make_corpus(8, 1)
    stages = stages_of(Run(BUILT_IN["student-crf"], 8, 1), settings)
    for name in ("tune-teacher", "tune-student-crf"):
        assert stages[name].command[3] == str(corpus / "dev.spacy")
    assert stages["score-student-crf"].command[2] == str(corpus / "test.spacy")


def test_stages_annotate_both_sets(settings, make_corpus):
    corpus = make_corpus(8, 1)
    stages = stages_of(Run(BUILT_IN["student-crf"], 8, 1), settings)
    for part in ("labelled", "unlabelled"):
        source, output = corpus / f"{part}.spacy", corpus / "annotated" / part
        assert stages[f"annotate-{part}"].command[3:5] == [str(source), str(output)]


def test_stages_use_the_gpu(settings, make_corpus):
    """All but the one that makes the corpus."""
    make_corpus(8, 1)
    for stage in make_stages(Run(BUILT_IN["student-crf"], 8, 1), settings)[1:]:
        given = dict(pairwise(stage.command))
        assert given.get("--gpu-id" if stage.command[0] == "spacy" else "--gpu") == "3", stage.name


def test_stages_remove_the_last_checkpoint(settings, make_corpus):
    make_corpus(8, 1)
    stages = stages_of(Run(BUILT_IN["teacher"], 8, 1), settings)
    leftovers = {stage.leftover for stage in stages.values()}
    assert leftovers == {None, stages["train-teacher"].removes[0] / "model-last"}


def test_stages_estimate_the_time_for_a_pool(settings, make_corpus):
    """The time to annotate is estimated from the size of the file."""
    corpus = make_corpus(8, 1, n_pool=3000)
    found = stages_of(Run(BUILT_IN["student-crf"], 8, 1), settings)
    parts = ("labelled", "unlabelled")
    sizes = [(corpus / f"{part}.spacy").stat().st_size for part in parts]
    seconds = [found[f"annotate-{part}"].seconds for part in parts]
    assert seconds[1] - seconds[0] == pytest.approx((sizes[1] - sizes[0]) / 10_000)
    assert seconds[1] > seconds[0] > 5


def test_stages_are_done_if_they_have_a_receipt(settings, make_corpus):
    """Weights without a receipt may be of other data or of an unfinished training."""
    make_corpus(8, 1)
    stage = stages_of(Run(BUILT_IN["baseline-softmax"], 8, 1), settings)["train-baseline-softmax"]
    best, last = stage.removes[0] / "model-best", stage.removes[0] / "model-last"
    write(best / "meta.json")
    write(last / "meta.json")
    assert not is_done(stage)
    write(stage.receipt)
    assert is_done(stage)
    (best / "meta.json").unlink()
    assert not is_done(stage)  # its product was removed
