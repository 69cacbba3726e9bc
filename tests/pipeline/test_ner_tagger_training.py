"""Training the `ner_tagger` on gold annotation and on soft targets."""

import warnings

import numpy
import pytest
import spacy
from numpy.testing import assert_allclose, assert_array_equal
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import Adam, fix_random_seed, require_cpu, require_gpu

from spacy_distill.distributions import log_softmax
from spacy_distill.optimizers import build_lazy_adam_v1
from spacy_distill.soft_targets import set_soft_targets

DIRECTIONS = ("student_teacher", "teacher_student")


def params(ner):
    return {
        (i, name): node.get_param(name).copy()
        for i, node in enumerate(ner.model.walk())
        for name in node.param_names
        if node.has_param(name)
    }


def teach(examples, scores, tags):
    for eg, eg_scores in zip(examples, scores):
        set_soft_targets(eg.reference, log_softmax(eg_scores), tags=tags)


@pytest.mark.parametrize("scheme", ["iob", "biluo"])
def test_ner_tagger_memorises_ten_sentences(make_student, examples, scheme):
    nlp = make_student(scheme=scheme)
    optimizer = Adam(0.02)
    for _ in range(40):
        nlp.update(examples, sgd=optimizer)
    assert nlp.evaluate(examples)["ents_f"] == 1.0


def test_ner_tagger_training_needs_initialisation(nlp, tiny, examples):
    nlp.add_pipe("ner_tagger", name="ner", config=tiny)
    with pytest.raises(ValueError, match=r"E109.*'ner'"):
        nlp.update(examples)
    nlp.resume_training()
    with pytest.raises(ValueError, match=r"E109.*'ner'"):
        nlp.rehearse(examples)


def test_ner_tagger_update_reduces_the_loss(make_student, examples):
    nlp = make_student()
    optimizer = Adam(0.01)
    values = []
    for _ in range(10):
        losses = {}
        nlp.update(examples, sgd=optimizer, losses=losses)
        values.append(losses["ner"])
    assert values[-1] < 0.8 * values[0]
    assert values[0] == pytest.approx(numpy.log(5), abs=0.5)  # five tags, nothing learned


def test_ner_tagger_learns_nothing_from_whitespace(make_student, make_example):
    """The loss, its gradient and the number of tokens are those of the words."""
    ner = make_student().get_pipe("ner")
    plain = make_example("Ann Lee left", "B-PER I-PER O")
    words, tags = ["Ann", " ", "Lee", "left", "\n"], ["B-PER", "I-PER", "I-PER", "O", "O"]
    vocab = plain.reference.vocab
    spaced = Example(Doc(vocab, words=words), Doc(vocab, words=words, ents=tags))
    is_word = numpy.asarray([not token.is_space for token in spaced.predicted])
    rng = numpy.random.default_rng(0)
    log_probs = log_softmax(rng.normal(size=(len(is_word), len(ner.tags))))
    set_soft_targets(spaced.reference, log_probs, tags=ner.tags)
    set_soft_targets(plain.reference, log_probs[is_word], tags=ner.tags)
    (value, (d_scores,)), (expected, (d_plain,)) = (
        ner.get_loss([eg], ner.predict([eg.predicted])) for eg in (spaced, plain)
    )
    assert value == pytest.approx(expected, rel=1e-6)
    assert_allclose(d_scores[is_word], d_plain, rtol=1e-5, atol=1e-8)
    assert not d_scores[~is_word].any()
    assert ner.update([spaced])["ner_tokens"] == 3
    scores = [ner.predict([eg.predicted]) for eg in (spaced, plain)]
    teacher = [[log_probs.astype("f")], [log_probs[is_word].astype("f")]]
    (value, (d_scores,)), (expected, (d_plain,)) = map(
        ner.get_teacher_student_loss, teacher, scores
    )
    assert value == pytest.approx(expected, rel=1e-6)
    assert_allclose(d_scores[is_word], d_plain, rtol=1e-5, atol=1e-8)


def test_ner_tagger_loss_of_no_documents(make_student):
    ner = make_student().get_pipe("ner")
    assert ner.get_loss([], []) == (0.0, [])
    assert ner.get_teacher_student_loss([], []) == (0.0, [])


def test_ner_tagger_update_without_an_optimizer_keeps_gradients(make_student, examples):
    ner = make_student().get_pipe("ner")
    before = params(ner)
    ner.update(examples)
    assert all((params(ner)[key] == value).all() for key, value in before.items())
    assert ner.model.get_gradients()
    ner.finish_update(Adam(0.01))
    assert any((params(ner)[key] != value).any() for key, value in before.items())


def test_ner_tagger_uses_dropout_only_in_update(make_student, examples):
    ner = make_student().get_pipe("ner")
    values = {
        drop: {ner.update(examples, drop=drop)["ner"] for _ in range(3)} for drop in (0.5, 0.0)
    }
    assert len(values[0.0]) == 1
    assert len(values[0.5]) == 3
    assert len({ner.predict([examples[0].predicted])[0].tobytes() for _ in range(3)}) == 1


def test_ner_tagger_losses_are_means_over_tokens(make_student, examples):
    """Losses that are accumulated over batches are in nats per token, as of a single batch."""
    ner = make_student().get_pipe("ner")
    losses = {}
    for batch in (examples[:1], examples[1:4], examples[4:]):
        ner.update(batch, losses=losses)
    scores = ner.predict([eg.predicted for eg in examples])
    assert losses["ner"] == pytest.approx(ner.get_loss(examples, scores)[0], rel=1e-4)
    assert losses["ner_task"] == pytest.approx(losses["ner"])
    assert losses["ner_distillation"] == 0.0
    assert losses["ner_tokens"] == sum(len(eg.predicted) for eg in examples)


def test_ner_tagger_update_adds_to_losses_of_others(make_student, examples):
    losses = {"tagger": 3.0}
    assert make_student().get_pipe("ner").update(examples, losses=losses) is losses
    assert losses["tagger"] == 3.0
    assert losses["ner"] > 0


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("scheme", ["iob", "biluo"])
def test_ner_tagger_gradient_of_the_loss(make_student, examples, scheme, direction):
    """Check sentences with gold, with soft targets, with both and with neither."""
    loss = {"temperature": 2.0, "task_weight": 0.8, "direction": direction}
    loss["@losses"] = "spacy-distill.DistillationLoss.v1"
    ner = make_student(scheme=scheme, loss=loss).get_pipe("ner")
    rng = numpy.random.default_rng(0)
    batch = examples[:4]
    scores = [rng.normal(size=(len(eg.predicted), len(ner.tags))) for eg in batch]
    teach(batch[1:3], [rng.normal(size=s.shape) for s in scores[1:3]], ner.tags)
    batch[2].reference.set_ents([], default="missing")
    batch[3].reference.set_ents([], default="missing")
    _, d_scores = ner.get_loss(batch, scores)
    assert [d.shape for d in d_scores] == [s.shape for s in scores]
    assert not d_scores[3].any()
    for doc in range(3):
        expected = numpy.zeros_like(scores[doc])
        for index in numpy.ndindex(expected.shape):
            value = scores[doc][index]
            around = []
            for step in (1e-5, -1e-5):
                scores[doc][index] = value + step
                around.append(ner.get_loss(batch, scores)[0])
            scores[doc][index] = value
            expected[index] = (around[0] - around[1]) / 2e-5
        assert_allclose(d_scores[doc], expected, atol=1e-7)


def test_ner_tagger_learns_from_soft_targets_alone(make_student, make_teacher, examples):
    teacher = make_teacher()
    nlp = make_student()
    ner = nlp.get_pipe("ner")
    teach(examples, teacher.predict([eg.reference for eg in examples]), ner.tags)
    for eg in examples:
        eg.reference.set_ents([], default="missing")
    optimizer = Adam(0.02)
    for _ in range(100):
        losses = {}
        nlp.update(examples, sgd=optimizer, losses=losses)
    assert losses["ner_task"] == 0.0
    assert losses["ner"] == losses["ner_distillation"] < 0.02


def test_ner_tagger_learns_from_partial_gold(make_student, make_example):
    """Only the first token is annotated. The others have no gradient."""
    ner = make_student().get_pipe("ner")
    eg = make_example("Ann met Bob")
    eg.reference.set_ents(
        [eg.reference.char_span(0, 3, label="PER")], missing=[eg.reference[1:]], default="outside"
    )
    loss, (d_scores,) = ner.get_loss([eg], ner.predict([eg.predicted]))
    assert loss > 0
    assert d_scores[0].any()
    assert not d_scores[1:].any()


def test_ner_tagger_takes_batches_without_tokens(make_student, make_example, examples):
    nlp = make_student()
    ner = nlp.get_pipe("ner")
    empty = make_example("")
    before = params(ner)
    for batch in ([], [empty], [empty, empty]):
        assert ner.update(batch, sgd=Adam(0.1)) == {"ner": 0.0}
        assert ner.rehearse(batch, sgd=Adam(0.1), losses={}) == {}
    assert all((params(ner)[key] == value).all() for key, value in before.items())
    losses = nlp.update([empty, examples[0], empty], sgd=Adam(0.01))
    assert losses["ner_tokens"] == len(examples[0].reference)
    nlp.resume_training()
    assert ner.rehearse([empty], sgd=Adam(0.1)) == {"ner": 0.0}
    assert ner.distill(ner, [empty]) == {"ner": 0.0}


@pytest.mark.parametrize("bias, loss", [(numpy.nan, "nan"), (-numpy.inf, "inf")])
def test_ner_tagger_refuses_a_loss_that_is_not_finite(make_student, examples, bias, loss):
    ner = make_student().get_pipe("ner")
    ner.model.get_ref("output_layer").get_param("b")[0] = bias
    with pytest.raises(ValueError, match=rf"\[D011\].*'ner' is {loss}"):
        ner.update(examples, sgd=Adam(0.01))


def test_ner_tagger_update_does_not_modify_examples(make_student, examples):
    nlp = make_student()
    before = [(eg.predicted.to_bytes(), eg.reference.to_bytes()) for eg in examples]
    nlp.update(examples, sgd=Adam(0.01))
    assert [(eg.predicted.to_bytes(), eg.reference.to_bytes()) for eg in examples] == before


def test_ner_tagger_trains_every_parameter(make_student, examples):
    nlp = make_student()
    before = params(nlp.get_pipe("ner"))
    for _ in range(3):
        nlp.update(examples, sgd=Adam(0.05))
    after = params(nlp.get_pipe("ner"))
    assert {name for _, name in before} == {"E", "W", "Wx", "Wh", "b"}
    for key, value in before.items():
        assert (after[key] != value).any(), key


@pytest.mark.parametrize("n_words", [2000, 1])
def test_ner_tagger_learns_after_a_second_initialize(make_student, examples, make_example, n_words):
    """Tables change their size, so gradients from before `initialize` must not be kept."""
    nlp = make_student()
    nlp.update(examples, sgd=nlp.create_optimizer())
    words = " ".join(f"w{i}" for i in range(n_words))
    others = [make_example(words, " ".join(["B-PER", *["O"] * (n_words - 1)]))]
    sgd = nlp.initialize(lambda: others)
    assert nlp.update(others, sgd=sgd)["ner"] > 0


def test_ner_tagger_initialize_resets_gradients(make_student, examples):
    """Gradients that were accumulated, but not applied, are reset by `initialize`."""
    nlp = make_student()
    ner = nlp.get_pipe("ner")
    found = []
    for _ in range(2):
        fix_random_seed(0)
        nlp.initialize(lambda: examples)
        ner.update(examples[:2], sgd=None)
        found.append([part.copy() for _, part in ner.model.get_gradients().values()])
    for first, again in zip(*found, strict=True):
        assert_array_equal(first, again)


def test_ner_tagger_learns_after_loading_another_model(
    make_student, examples, make_example, tiny, tmp_path
):
    nlp = make_student()
    nlp.update(examples, sgd=nlp.create_optimizer())
    other = spacy.blank("en")
    other.add_pipe("ner_tagger", name="ner", config=tiny)
    words = " ".join(f"w{i}" for i in range(2000))
    others = [make_example(words, " ".join(["B-PER", "B-LOC", *["O"] * 1998]))]
    other.initialize(lambda: others)
    other.to_disk(tmp_path / "other")
    nlp.from_disk(tmp_path / "other")
    assert nlp.update(others, sgd=nlp.create_optimizer())["ner"] > 0


def test_ner_tagger_tuned_score_is_the_plain_score_without_score_tuned(make_student, examples):
    """`ents_f_tuned` may be in the config's score weights even if `score_tuned` is not set."""
    nlp = make_student(score_tuned=False)
    nlp.update(examples, sgd=nlp.create_optimizer())
    scores = nlp.evaluate(examples)
    assert scores["ents_f_tuned"] == scores["ents_f"]


def test_ner_tagger_frozen_has_no_tuned_score(make_student, examples):
    """The score of a frozen component would replace the `ents_f_tuned` of the trained one."""
    nlp = make_student(score_tuned=True)
    frozen = make_student(spacy.blank("en"), score_tuned=False)
    nlp.update(examples, sgd=nlp.create_optimizer())
    expected = nlp.evaluate(examples)["ents_f_tuned"]
    frozen.rename_pipe("ner", "frozen")
    nlp.add_pipe("frozen", source=frozen)
    for name, component in nlp.pipeline:
        assert component.score_tuned == (name == "ner")
        scores = component.score(examples)
        assert ("ents_f_tuned" in scores) == (name == "ner")
    assert nlp.evaluate(examples)["ents_f_tuned"] == expected


def test_ner_tagger_has_a_tuned_score_if_entities_are_merged(make_student, examples):
    """Cached scores no longer fit if a later component has merged the tokens of entities."""
    nlp = make_student(score_tuned=True)
    nlp.update(examples, sgd=nlp.create_optimizer())
    nlp.add_pipe("merge_entities", last=True)
    assert "ents_f_tuned" in nlp.evaluate(examples)


@pytest.mark.parametrize("classifier", ["softmax", "crf"])
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_ner_tagger_learns_on_a_gpu(
    make_student, make_teacher, examples, texts, tiny, ents, tmp_path, gpu, classifier, direction
):
    """Losses are the same as on a CPU, and the trained model can be used on a CPU."""
    teacher = make_teacher()
    model = {**tiny["model"], "classifier": classifier}
    loss = {"@losses": "spacy-distill.DistillationLoss.v1", "direction": direction}
    teach(examples, teacher.predict([eg.reference for eg in examples]), teacher.tags)
    values = []
    for use in (require_cpu, lambda: require_gpu(gpu)):
        use()
        fix_random_seed(0)
        nlp = make_student(spacy.blank("en"), model=model, loss=loss)
        optimizer = build_lazy_adam_v1(0.02, min_rows=5)
        values.append([nlp.update(examples, sgd=optimizer, losses={}) for _ in range(40)])
    of_cpu, of_gpu = values
    for expected, found in zip(of_cpu[:10], of_gpu[:10], strict=True):
        assert found == pytest.approx(expected, rel=1e-2)
    assert nlp.evaluate(examples)["ents_f"] == 1.0
    expected = [ents(doc) for doc in nlp.pipe(texts)]
    with nlp.use_params(optimizer.averages):
        nlp.to_disk(tmp_path / "averages")
    nlp.to_disk(tmp_path / "model")
    require_cpu()
    for path in (tmp_path / "model", tmp_path / "averages"):
        assert [ents(doc) for doc in spacy.load(path).pipe(texts)] == expected


def test_ner_tagger_refuses_models_that_do_not_score_tags(nlp, examples):
    """Models must return scores, as many as there are tags.

    The loss applies the softmax itself. spaCy's tagger returns probabilities during training.
    """
    tok2vec = {
        "@architectures": "spacy.HashEmbedCNN.v2",
        **{"width": 16, "depth": 1, "embed_size": 50, "window_size": 1, "maxout_pieces": 2},
        **{"subword_features": True, "pretrained_vectors": None},
    }
    tagger = {"@architectures": "spacy.Tagger.v2", "tok2vec": tok2vec, "nO": None}
    nlp.add_pipe("ner_tagger", name="ner", config={"model": tagger})
    with pytest.raises(ValueError, match=r"\[D025\].*'ner'.*LinearTagger"):
        nlp.initialize(lambda: examples)
    nlp.remove_pipe("ner")
    nlp.add_pipe("ner_tagger", name="ner", config={"model": tok2vec})
    with pytest.raises(ValueError, match=r"\[D026\].* 16 scores .* 9 tags"):
        nlp.initialize(lambda: examples)
    nlp.remove_pipe("ner")
    scores_of_texts = {
        **{"@architectures": "spacy.TextCatBOW.v3", "exclusive_classes": False},
        **{"ngram_size": 1, "no_output_layer": True},
    }
    nlp.add_pipe("ner_tagger", name="ner", config={"model": scores_of_texts})
    nlp.initialize(lambda: examples)
    with pytest.raises(ValueError, match=r"\[D026\].* 1 scores .* 9 tags"):
        nlp.update(examples)


def test_ner_tagger_update_warns_of_unknown_labels(make_student, make_example):
    nlp = make_student()
    other = make_example("Ann likes Acme", "B-PER O B-ORG")
    with pytest.warns(UserWarning, match=r"\[W002\].* annotated: ORG\."):
        nlp.update([other])


def test_ner_tagger_update_warns_once_of_each_unknown_label(make_student, make_example):
    """Not for each set of labels that happens to be in a batch."""
    nlp = make_student()
    examples = [make_example("Ann likes Acme", f"B-PER O B-{label}") for label in ("A", "B", "C")]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for batch in ([0], [0, 1], [0, 1, 2], [0, 2], [1, 2], [2]):
            nlp.update([examples[i] for i in batch])
    found = [str(one.message) for one in caught if "W002" in str(one.message)]
    assert len(found) == 3
