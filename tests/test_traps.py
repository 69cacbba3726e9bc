"""What others fell into, and what shows that this project does not.

| Trap | Test, in this file unless named |
| --- | --- |
| 1 LSTMs of thinc, 2 characters' gradients | layers/test_bilstm, layers/test_char_cnn |
| 3 averages leave out the parameters of PyTorch | teacher_has_no_averages |
| 4 squared gradients for a loss | losses_are_in_nats |
| 5 `user_data` is lost | reading_keeps_soft_targets |
| 5 long documents are lost | reading_keeps_long_documents |
| 6 probabilities in float16 lose their tails | test_soft_targets: keep_the_tails |
| 7 losses and paths in a package | student_knows_no_path_to_its_teacher, cli/test_package |
| 8 no shell, no assets | project_needs_no_shell, project_runs_every_stage |
| 9 preset entities, whitespace, sentences | pipeline/test_ner_tagger_annotation |
| 10 memory zones | pipeline/test_ner_tagger_pipeline |
| 11 `rehearse` does nothing | pipeline/test_ner_tagger_training |
| 12 what cannot be pickled | component_can_be_pickled, pipeline/test_ner_tagger_pipeline: spawned |
| 13 no gold, no loss | soft_targets_teach_where_gold_is_missing |
| 14 labelled sentences lost in the pool | batches_have_their_share_of_gold |
| 14 last weights saved as the best | best_weights_are_saved |
| 14 vocabulary of the test set | vocabulary_is_of_the_training_text |
| 14 "a" is padding | layers/test_char_cnn |
| 14 decoding that is not used | illegal_tags_are_never_written |
"""

import math
import pickle
import re
from itertools import islice
from pathlib import Path

import numpy
import pytest
import spacy
import srsly
import typer
from numpy.testing import assert_array_equal
from spacy.cli.train import train
from spacy.tokens import Doc, DocBin
from spacy.training.loop import create_train_batches
from spacy.util import load_config, minibatch, registry
from weasel.util import split_command
from weasel.util.config import load_project_config

from spacy_distill.annotate.docs import annotate_docs
from spacy_distill.annotate.shards import docs_to_bytes, shard_name
from spacy_distill.cli import app
from spacy_distill.decoding import log_softmax
from spacy_distill.segmentation import word_segmenter
from spacy_distill.soft_targets import KEY, set_soft_targets
from spacy_distill.sweep.configs import check_overrides
from spacy_distill.sweep.plan import System
from spacy_distill.table import random_table

ROOT = Path(__file__).parents[1]
CONFIGS = ("student", "baseline", "teacher")
# No name of it is in the sentences that the student learns from, nor are some of its letters.
DEV = ("Zoë met Ødipuë in Parisø", "B-PER O B-PER O B-LOC")
FORGETFUL = """
[nlp]
lang = "en"
pipeline = ["ner"]

[components]

[components.ner]
source = "{student}"

[corpora]

[corpora.train]
@readers = "spacy.Corpus.v1"
path = "{wrong}"

[corpora.dev]
@readers = "spacy.Corpus.v1"
path = "{right}"

[training]
max_steps = 41
eval_frequency = 20

[training.optimizer]
@optimizers = "Adam.v1"
learn_rate = 0.02
"""


def make_doc(vocab, text, tags=None):
    return Doc(vocab, words=text.split(), ents=None if tags is None else tags.split())


@pytest.fixture(scope="module")
def corpus(tmp_path_factory, student_path):
    """The files that the stages before training leave, `{150 gold, 450 of the pool, dev}`."""
    folder = tmp_path_factory.mktemp("corpus")
    teacher = spacy.load(student_path)
    texts = ["Ann Smith lives in New York .", "nobody went home", "it rains in Oslo"]
    for name, n_docs in (("labelled", 150), ("unlabelled", 450)):
        docs = (make_doc(teacher.vocab, texts[i % 3]) for i in range(n_docs))
        (folder / name).mkdir()
        for i, shard in enumerate(minibatch(annotate_docs(teacher, docs), 400)):
            (folder / name / shard_name(i)).write_bytes(docs_to_bytes(shard))
    DocBin(docs=[make_doc(teacher.vocab, *DEV)]).to_disk(folder / "dev.spacy")
    words = sorted({word for text in texts for word in text.split()})
    random_table(word_segmenter(words), width=100).to_disk(folder / "table.npz")
    return folder


@pytest.fixture(scope="module")
def paths(corpus):
    return {
        "paths.labelled": str(corpus / "labelled"),
        "paths.unlabelled": str(corpus / "unlabelled"),
        "paths.dev": str(corpus / "dev.spacy"),
        "paths.table": str(corpus / "table.npz"),
    }


@pytest.fixture(scope="module")
def trained(corpus, paths, tmp_path_factory):
    """A student, trained for some steps as configs/student.cfg says."""
    output = tmp_path_factory.mktemp("training")
    sizes = {"training.max_steps": 4, "training.eval_frequency": 2}
    train(ROOT / "configs" / "student.cfg", output, overrides={**paths, **sizes})
    return output / "model-best"


def test_traps_3_teacher_has_no_averages():
    config = load_config(ROOT / "configs" / "teacher.cfg")
    assert config["training"]["optimizer"]["use_averages"] is False


def test_traps_4_losses_are_in_nats(student, make_example):
    """The mean of -log p over the tokens, computed by hand."""
    ner = student.get_pipe("ner")
    eg = make_example("Bob went", "B-LOC O", vocab=student.vocab)
    (scores,) = ner.predict([eg.predicted])
    expected = 0.0
    for row, tag in zip(scores.tolist(), ("B-LOC", "O")):
        expected += math.log(sum(map(math.exp, row))) - row[ner.tags.index(tag)]
    losses = ner.update([eg])
    assert losses["ner_task"] == pytest.approx(expected / 2, rel=1e-4)


def test_traps_5_reading_keeps_soft_targets(nlp, paths):
    config = load_config(ROOT / "configs" / "student.cfg", overrides=paths, interpolate=True)
    reader = registry.resolve(config["corpora"])["train"]
    assert all(eg.reference.user_data[KEY]["log_probs"].size for eg in reader(nlp))


@pytest.mark.parametrize("name", CONFIGS)
def test_traps_5_reading_keeps_long_documents(nlp, make_doc, tmp_path, name):
    doc = make_doc("word " * 3000, "O " * 3000)
    set_soft_targets(doc, numpy.zeros((3000, 1)), tags=["O"])
    path = tmp_path / "long.spacy"
    DocBin(docs=[doc], store_user_data=True).to_disk(path)
    overrides = {"paths.labelled": str(path), "paths.dev": str(path)}
    if name == "student":
        overrides["paths.unlabelled"] = str(path)
    config = load_config(ROOT / "configs" / f"{name}.cfg", overrides=overrides, interpolate=True)
    for reader in registry.resolve(config["corpora"]).values():
        lengths = [len(eg.reference) for eg in reader(nlp)]
        assert lengths
        assert set(lengths) == {3000}


def test_traps_7_student_knows_no_path_to_its_teacher(trained):
    config = (trained / "config.cfg").read_text(encoding="utf-8")
    assert "teacher" not in re.sub("teacher_student", "", config)
    assert "transformer" not in config
    assert spacy.load(trained)("Ann lives in Oslo").has_annotation("ENT_IOB")


def test_traps_8_project_needs_no_shell():
    project = srsly.read_yaml(ROOT / "project.yml")
    lines = [line for command in project["commands"] for line in command["script"]]
    assert len(lines) >= len(project["commands"])
    for line in lines:
        assert not re.search(r"[|&;<>*?`~\\]|\$(?!\{vars\.)", line), line
        assert line.startswith("python -m "), line


def test_traps_8_project_is_valid():
    """As weasel checks it, which wants a name to be that of a command or of a workflow."""
    config = load_project_config(ROOT)
    for steps in config["workflows"].values():
        assert set(steps) <= {command["name"] for command in config["commands"]}


def test_traps_8_project_runs_every_stage():
    """Weights are fetched by a command, for `project assets` is not part of `run all`."""
    project = srsly.read_yaml(ROOT / "project.yml")
    names = [command["name"] for command in project["commands"]]
    assert "assets" not in project
    assert set(names) == {name for steps in project["workflows"].values() for name in steps}
    for steps in project["workflows"].values():
        assert steps == [name for name in names if name in steps]  # each after what it needs


def test_traps_8_project_gives_what_its_commands_take():
    commands = typer.main.get_command(app).commands
    config = load_project_config(ROOT)  # with the variables in their places
    lines = [line for command in config["commands"] for line in command["script"]]
    ours = [split_command(line)[3:] for line in lines if " spacy_distill " in line]
    assert len(ours) > 15
    for name, *args in ours:
        with commands[name].make_context(name, args):  # a wrong option, or one too few, raises
            pass


def test_traps_8_project_trains_with_settings_that_there_are():
    config = load_project_config(ROOT)
    lines = [line for command in config["commands"] for line in command["script"]]
    trainings = [split_command(line)[4:] for line in lines if " spacy train " in line]
    assert len(trainings) == 8
    for path, *options in trainings:
        settings = dict(zip(options[::2], options[1::2]))
        overrides = {key[2:]: value for key, value in settings.items() if "." in key}
        check_overrides([System("own", "own", Path(path).stem, overrides)], ROOT / "configs")


def test_traps_8_project_stages_make_what_later_ones_need():
    project = srsly.read_yaml(ROOT / "project.yml")
    made = {"metrics/student.json", "corpus/labelled.spacy", "corpus/unlabelled.spacy"}
    made |= {"assets/teacher", "corpus/dev.spacy", *(f"configs/{name}.cfg" for name in CONFIGS)}
    made |= {"setup.cfg", "CHANGELOG.md"}
    for command in project["commands"]:
        assert set(command.get("deps", [])) <= made
        made |= set(command.get("outputs", []))


def test_traps_12_component_can_be_pickled(make_student, make_doc, texts):
    ner = make_student(spans_key="sure").get_pipe("ner")
    again = pickle.loads(pickle.dumps(ner))
    for text in texts:
        assert_array_equal(ner.predict([make_doc(text)])[0], again.predict([make_doc(text)])[0])
    assert again.labels == ner.labels
    assert again(make_doc(texts[0])).has_annotation("ENT_IOB")


@pytest.mark.parametrize("name", CONFIGS)
def test_traps_12_what_a_config_makes_can_be_pickled(name):
    config = load_config(ROOT / "configs" / f"{name}.cfg", interpolate=True)
    initialize = config.get("initialize", {}).get("components", {})
    made = registry.resolve({"loss": config["components"]["ner"]["loss"], **initialize})
    assert pickle.loads(pickle.dumps(made)).keys() == made.keys()


def test_traps_13_soft_targets_teach_where_gold_is_missing(student, make_example):
    ner = student.get_pipe("ner")
    eg = make_example("Bob went", vocab=student.vocab)
    assert eg.get_aligned_ner() == [None, None]
    assert ner.update([eg])["ner"] == 0.0
    set_soft_targets(eg.reference, log_softmax(numpy.eye(2, 5)), tags=ner.tags)
    losses = ner.update([eg])
    assert losses["ner_task"] == 0.0
    assert losses["ner_distillation"] > 0.1


def test_traps_14_batches_have_their_share_of_gold(nlp, tmp_path):
    """At 150 labels, in batches as configs/student.cfg makes them: 3.2 of 32, not 0.3."""
    for name, n_docs in (("gold", 150), ("pool", 2000)):
        shard = DocBin(store_user_data=True)
        for i in range(n_docs):
            doc = make_doc(nlp.vocab, f"{name} {i}", "O O")
            set_soft_targets(doc, numpy.zeros((2, 1)), tags=["O"])
            shard.add(doc)
        shard.to_disk(tmp_path / f"{name}.spacy")
    overrides = {
        "paths.labelled": str(tmp_path / "gold.spacy"),
        "paths.unlabelled": str(tmp_path / "pool.spacy"),
    }
    config = load_config(ROOT / "configs" / "student.cfg", overrides=overrides, interpolate=True)
    reader = registry.resolve(config["corpora"])["train"]
    training = config["training"]
    batcher = registry.resolve({"batcher": training["batcher"]})["batcher"]
    batches = create_train_batches(nlp, reader, batcher, training["max_epochs"])
    counts = [
        sum(eg.reference[0].text == "gold" for eg in batch) for _, batch in islice(batches, 65)
    ]
    assert numpy.mean(counts) == pytest.approx(3.2, abs=0.4)
    assert min(counts) < max(counts)  # at random, not by rote


def test_traps_14_best_weights_are_saved(student_path, examples, write_config, tmp_path):
    """A student that knows the right answers learns wrong ones: the first evaluation is best."""
    right, wrong = tmp_path / "right.spacy", tmp_path / "wrong.spacy"
    DocBin(docs=[eg.reference for eg in examples]).to_disk(right)
    for eg in examples:
        eg.reference.set_ents([], default="outside")
    DocBin(docs=[eg.reference for eg in examples]).to_disk(wrong)
    text = FORGETFUL.format(student=student_path, right=right, wrong=wrong)
    train(write_config(text), tmp_path / "output")
    best, last = (
        spacy.load(tmp_path / "output" / name).meta["performance"]["ents_f"]
        for name in ("model-best", "model-last")
    )
    assert best > 0.8
    assert last < 0.2


def test_traps_14_vocabulary_is_of_the_training_text(trained):
    model = spacy.load(trained).get_pipe("ner").model
    chars = model.get_ref("char_cnn").attrs["chars"]
    assert set("ins") <= set(chars)
    assert not set("ëØø") & set(chars)
    entries = model.get_ref("lookup").attrs["segmenter"].entries
    assert not {word.lower() for word in ("Zoë", "Parisø")} & set(entries)


@pytest.mark.parametrize("scheme", ["iob", "biluo"])
def test_traps_14_illegal_tags_are_never_written(make_student, make_doc, tag_scores, ents, scheme):
    """The arg max alone would say I-PER, I-LOC: an entity without a beginning."""
    ner = make_student(scheme=scheme).get_pipe("ner")
    scores = tag_scores("I-PER I-LOC", ner.tags)
    second = "B-PER B-LOC" if scheme == "iob" else "U-PER U-LOC"
    scores += tag_scores(second, ner.tags, margin=4.0)
    doc = make_doc("Ann Rome")
    ner.set_annotations([doc], [scores])
    assert ents(doc) == [(0, 1, "PER"), (1, 2, "LOC")]
