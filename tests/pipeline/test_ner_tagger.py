"""Labels, initialisation, config and scores of the `ner_tagger`."""

import pytest
import spacy
from spacy.cli.init_pipeline import init_labels_cli
from spacy.tokens import DocBin
from spacy.training.initialize import init_nlp
from spacy.util import load_config
from thinc.api import Config, ConfigValidationError

from spacy_distill.pipeline.ner_tagger import NERTagger
from spacy_distill.tags import make_tags

INIT_LABELS = """
[nlp]
lang = "en"
pipeline = ["ner"]

[components]

[components.ner]
factory = "ner_tagger"
scheme = "biluo"

[corpora]

[corpora.train]
@readers = "spacy.Corpus.v1"
path = "{gold}"

[corpora.dev]
@readers = "spacy.Corpus.v1"
path = "{gold}"

[training]
train_corpus = "corpora.train"
dev_corpus = "corpora.dev"

[initialize]

[initialize.components]

[initialize.components.ner]
"""
LABELS_FROM_FILE = """
[initialize.components.ner.labels]
@readers = "spacy.read_labels.v1"
path = "{labels}"
"""


@pytest.fixture
def ner(nlp, tiny):
    return nlp.add_pipe("ner_tagger", name="ner", config=tiny)


def test_ner_tagger_is_added_to_a_pipeline(ner):
    assert isinstance(ner, NERTagger)
    assert ner.name == "ner"
    assert ner.is_trainable
    assert ner.is_distillable


def test_ner_tagger_adds_labels(nlp, ner):
    assert ner.labels == ()
    assert [ner.add_label("PER"), ner.add_label("B-X"), ner.add_label("PER")] == [1, 1, 0]
    assert ner.labels == ner.label_data == ("PER", "B-X")
    assert ner.tags == make_tags(["PER", "B-X"], scheme="iob")
    assert "B-X" in nlp.vocab.strings


@pytest.mark.parametrize("label", ["", None, 3])
def test_ner_tagger_refuses_invalid_labels(ner, label):
    with pytest.raises(ValueError, match=r"\[D006\].*'ner'"):
        ner.add_label(label)
    assert ner.labels == ()


def test_ner_tagger_refuses_new_labels_after_initialisation(make_student):
    ner = make_student().get_pipe("ner")
    assert ner.labels == ("LOC", "PER")
    assert ner.add_label("LOC") == 0
    with pytest.raises(ValueError, match=r"\[D002\].*'ORG'.*5 outputs"):
        ner.add_label("ORG")
    assert ner.labels == ("LOC", "PER")
    assert len(ner.tags) == 5


@pytest.mark.parametrize("scheme, n_tags", [("iob", 5), ("biluo", 9), (None, 9)])
def test_ner_tagger_infers_labels_from_examples(make_student, scheme, n_tags):
    ner = make_student(scheme=scheme).get_pipe("ner")
    assert ner.labels == ("LOC", "PER")
    assert ner.model.get_dim("nO") == len(ner.tags) == n_tags


def test_ner_tagger_sorts_inferred_labels(ner, make_example):
    """A teacher and a student with the same labels must have the same tags."""
    eg = make_example("a b c d e f", "B-T B-X B-A B-PER B-LOC B-B")
    ner.initialize(lambda: [eg])
    assert ner.labels == ("A", "B", "LOC", "PER", "T", "X")


def test_ner_tagger_keeps_the_order_of_given_labels(examples):
    other = spacy.blank("en").add_pipe("ner_tagger")
    other.initialize(lambda: examples, labels=["PER", "ORG", "LOC"])
    assert other.labels == ("PER", "ORG", "LOC")
    assert other.model.get_dim("nO") == 7


def test_ner_tagger_keeps_labels_added_before_initialisation(ner, examples):
    ner.add_label("ORG")
    ner.initialize(lambda: examples)
    assert ner.labels == ("ORG", "LOC", "PER")


def test_ner_tagger_needs_labels(nlp, ner, make_example):
    with pytest.raises(ValueError, match=r"\[D001\].*'ner'"):
        nlp.initialize(lambda: [make_example("no labels here", "O O O")])
    with pytest.raises(ValueError, match=r"\[D001\]"):
        ner.initialize(lambda: [make_example("Ann", "B-PER")], labels=[])


@pytest.mark.parametrize("wrong", [None, list, lambda: [1]])
def test_ner_tagger_refuses_invalid_get_examples(ner, wrong):
    with pytest.raises((TypeError, ValueError), match=r"\[E930\]|\[E978\]"):
        ner.initialize(wrong)


def test_ner_tagger_calls_init_model_before_shapes_are_known(ner, examples):
    """The model that it returns is used."""
    seen, returned = [], ner.model.copy()

    def init_model(model):
        seen.append(model.get_ref("output_layer").has_dim("nO"))
        return returned

    ner.initialize(lambda: examples, init_model=init_model)
    assert seen == [None]
    assert ner.model is returned and returned.has_dim("nO")


def test_ner_tagger_builds_its_vocabulary_from_examples(make_student):
    segmenter = make_student().get_pipe("ner").model.get_ref("lookup").attrs["segmenter"]
    assert "Oslo" in segmenter.entries
    assert "Paris" not in segmenter.entries


def test_ner_tagger_learns_after_initialize_without_examples(nlp, tiny, examples):
    """Without examples, as in custom training loops, there is no vocabulary of words."""
    ner = nlp.add_pipe("ner_tagger", name="ner", config=tiny)
    for label in ("LOC", "PER"):
        ner.add_label(label)
    optimizer = nlp.initialize()
    optimizer.learn_rate = 0.02
    for _ in range(60):
        nlp.update(examples, sgd=optimizer)
    assert nlp.evaluate(examples)["ents_f"] == 1.0


def test_ner_tagger_reads_labels_of_spacy_init_labels(tmp_path, examples, write_config):
    """Run `spacy init labels`, then initialise with its file, in which labels can be changed."""
    gold = tmp_path / "gold.spacy"
    DocBin(docs=[eg.reference for eg in examples]).to_disk(gold)
    path = write_config(INIT_LABELS.format(gold=gold))
    init_labels_cli(_NoArguments(), path, tmp_path / "labels", None, False, -1)
    labels = tmp_path / "labels" / "ner.json"
    assert labels.read_text(encoding="utf-8").split() == ["[", '"LOC",', '"PER"', "]"]
    labels.write_text('["PER", "ORG", "LOC"]', encoding="utf-8")
    path = write_config((INIT_LABELS + LABELS_FROM_FILE).format(gold=gold, labels=labels))
    ner = init_nlp(load_config(path)).get_pipe("ner")
    assert ner.labels == ("PER", "ORG", "LOC")
    assert ner.model.get_dim("nO") == 13


class _NoArguments:
    """A substitute for the context that Typer passes to a command."""

    args = ()


@pytest.mark.parametrize("scheme", ["bio", "IOB", 1])
def test_ner_tagger_config_refuses_unknown_schemes(nlp, scheme):
    with pytest.raises(ConfigValidationError, match="scheme"):
        nlp.add_pipe("ner_tagger", config={"scheme": scheme})


@pytest.mark.parametrize("classifier, scheme", [("softmax", "biluo"), ("crf", "iob")])
def test_ner_tagger_default_scheme_depends_on_the_classifier(examples, classifier, scheme):
    ner = spacy.blank("en").add_pipe("ner_tagger", config={"model": {"classifier": classifier}})
    assert ner.cfg["scheme"] == scheme
    ner.initialize(lambda: examples)
    assert ner.from_bytes(ner.to_bytes()).tags == make_tags(["LOC", "PER"], scheme=scheme)


def test_ner_tagger_loads_the_scheme_of_training(make_student, tiny):
    """A loaded component keeps its scheme even if the config would choose another."""
    trained = make_student(scheme="iob").get_pipe("ner").to_bytes()
    again = spacy.blank("en").add_pipe("ner_tagger", config={**tiny, "scheme": None})
    assert again.cfg["scheme"] == "biluo"
    again.from_bytes(trained)
    assert again.tags == make_tags(["LOC", "PER"], scheme="iob")


def test_ner_tagger_initialises_the_model_with_one_row_of_targets(nlp, tiny, examples):
    """One row is enough to infer the number of tags. Rows for all tokens would take memory."""
    ner = nlp.add_pipe("ner_tagger", config=tiny)
    given, initialize = [], ner.model.init
    ner.model.init = lambda model, X=None, Y=None: given.extend(Y) or initialize(model, X, Y)
    nlp.initialize(lambda: examples)
    assert [rows.shape for rows in given] == [(1, len(ner.tags))]
    assert ner.model.get_dim("nO") == len(ner.tags)


def test_ner_tagger_config_refuses_unknown_settings(nlp):
    with pytest.raises(ConfigValidationError, match="tag_scheme"):
        nlp.add_pipe("ner_tagger", config={"tag_scheme": "iob"})


def test_ner_tagger_config_may_leave_out_the_scorer(nlp):
    assert nlp.add_pipe("ner_tagger", config={"scorer": None}).scorer is None


def test_ner_tagger_config_round_trips(make_student, examples):
    nlp = make_student(scheme="biluo", spans_key="sure")
    config = Config().from_str(nlp.config.to_str())
    again = spacy.util.load_model_from_config(config, auto_fill=False)
    again.initialize(lambda: examples)
    assert again.get_pipe("ner").tags == nlp.get_pipe("ner").tags
    assert again.get_pipe("ner").spans_key == "sure"


def test_ner_tagger_analyze_pipes(make_student):
    analysis = make_student().analyze_pipes()
    assert set(analysis["summary"]["ner"]["assigns"]) == {
        "doc.ents",
        "token.ent_iob",
        "token.ent_type",
    }
    assert set(analysis["summary"]["ner"]["scores"]) == {
        "ents_f",
        "ents_p",
        "ents_r",
        "ents_per_type",
    }


def test_ner_tagger_scores(nlp, make_student, make_doc):
    """Three entities are predicted, and two of them are among the four of gold."""
    ner = make_student().get_pipe("ner")
    example = spacy.training.Example(
        make_doc("a b c d e f", "B-PER O B-LOC B-PER O O"),
        make_doc("a b c d e f", "B-PER O B-LOC O B-LOC B-PER"),
    )
    scores = ner.score([example])
    assert scores["ents_p"] == pytest.approx(2 / 3)
    assert scores["ents_r"] == pytest.approx(1 / 2)
    assert scores["ents_f"] == pytest.approx(4 / 7)
    assert scores["ents_per_type"]["PER"]["r"] == pytest.approx(1 / 2)
