"""Distillation from another component, and rehearsal, with the `ner_tagger`."""

import numpy
import pytest
import spacy
from numpy.testing import assert_allclose, assert_array_equal
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import Adam, chain

from spacy_distill.distributions import UNSEEN, get_log_probs, get_teacher_log_probs
from spacy_distill.layers.crf import crf, find_crf
from spacy_distill.losses import softened_kl
from spacy_distill.pipeline.distillable_pipe import DistillablePipe
from spacy_distill.soft_targets import set_soft_targets

DIRECTIONS = ("student_teacher", "teacher_student")


def test_distillable_pipe_rehearses(make_student, examples):
    """After updates, rehearsal brings the predictions closer to the original ones again."""
    nlp = make_student()
    ner = nlp.get_pipe("ner")
    docs = [eg.predicted for eg in examples]
    optimizer = nlp.resume_training(sgd=Adam(0.01))
    original = ner.predict(docs)

    def distance():
        return ner.get_teacher_student_loss(original, ner.predict(docs))[0]

    assert distance() == 0.0
    for _ in range(8):
        nlp.update(examples, sgd=optimizer)
    far = distance()
    assert far > 0.01
    unlabelled = [Example(doc, doc.copy()) for doc in docs]
    losses = ner.rehearse(unlabelled)
    assert losses["ner"] == pytest.approx(far, rel=1e-3)
    for _ in range(20):
        nlp.rehearse(unlabelled, sgd=optimizer)
    assert distance() < far / 2


def test_distillable_pipe_does_not_rehearse_unless_training_was_resumed(make_student, examples):
    ner = make_student().get_pipe("ner")
    before = ner.model.to_bytes()
    assert ner.rehearse(examples, sgd=Adam(0.1)) == {}
    assert ner.model.to_bytes() == before


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_distillable_pipe_distills_to_match_its_teacher(
    make_student, make_teacher, examples, direction
):
    loss = {"@losses": "spacy-distill.DistillationLoss.v1", "direction": direction}
    teacher = make_teacher()
    ner = make_student(loss=loss).get_pipe("ner")
    unlabelled = [Example(eg.predicted, eg.predicted.copy()) for eg in examples]
    optimizer = Adam(0.02)
    values = []
    for _ in range(150):
        losses = ner.distill(teacher, unlabelled, sgd=optimizer)
        values.append(losses["ner"])
    assert values[0] > 0.1
    assert values[-1] < 1e-3
    assert losses["ner_distillation"] == losses["ner"]
    docs = [eg.predicted for eg in examples]
    assert ner.get_teacher_student_loss(teacher.predict(docs), ner.predict(docs))[0] < 1e-3
    for doc, other in zip(ner.pipe(docs), teacher.pipe([doc.copy() for doc in docs])):
        assert_array_equal(doc.to_array("ENT_IOB"), other.to_array("ENT_IOB"))


def test_distillable_pipe_teacher_gets_the_reference(make_student, examples, monkeypatch):
    ner = make_student().get_pipe("ner")
    seen = []
    predict = ner.predict
    monkeypatch.setattr(ner, "predict", lambda docs: seen.extend(docs) or predict(docs))
    ner.distill(ner, examples)
    assert [id(doc) for doc in seen] == [id(eg.reference) for eg in examples]


def test_distillable_pipe_refuses_different_tokens(make_student, examples, nlp):
    """The words of both documents must be the same, not only their number."""
    ner = make_student().get_pipe("ner")
    for words in (["other"] * len(examples[1].reference), ["fewer"]):
        other = Example(Doc(nlp.vocab, words=words), examples[1].reference)
        with pytest.raises(ValueError, match=r"\[D015\].*example 1"):
            ner.distill(ner, [examples[0], other])


def test_distillable_pipe_teacher_student_loss_is_the_divergence(make_student):
    loss = {"@losses": "spacy-distill.DistillationLoss.v1", "temperature": 3.0}
    ner = make_student(loss=loss).get_pipe("ner")
    rng = numpy.random.default_rng(0)
    teacher, student = ([rng.normal(size=(n, 5)) for n in (2, 0, 3)] for _ in range(2))
    loss, d_scores = ner.get_teacher_student_loss(teacher, student)
    expected, d_expected = softened_kl(
        numpy.concatenate(student),
        numpy.concatenate(teacher),
        temperature=3.0,
        direction="teacher_student",
    )
    assert loss == pytest.approx(expected)
    assert [d.shape for d in d_scores] == [(2, 5), (0, 5), (3, 5)]
    assert_allclose(numpy.concatenate(d_scores), d_expected, rtol=1e-5)


@pytest.mark.parametrize("scheme, other", [("iob", "biluo"), ("biluo", "iob")])
def test_distillable_pipe_distills_from_the_other_scheme(
    make_student, make_teacher, examples, scheme, other
):
    """The loss is that of training on soft targets of the same teacher."""
    teacher, ner = make_teacher(scheme=other), make_student(scheme=scheme).get_pipe("ner")
    taught = [Example(eg.predicted.copy(), eg.predicted.copy()) for eg in examples]
    scores = teacher.predict([eg.reference for eg in taught])
    lengths = [*map(len, scores)]
    for eg, log_probs in zip(taught, get_log_probs(teacher.model, scores, lengths=lengths)):
        set_soft_targets(eg.reference, log_probs, tags=teacher.tags)
    loss = ner.distill(teacher, taught)["ner"]
    assert loss == pytest.approx(ner.update(taught)["ner_distillation"], rel=1e-3)
    optimizer = Adam(0.02)
    for _ in range(100):
        ner.distill(teacher, taught, sgd=optimizer)
    assert ner.distill(teacher, taught)["ner"] < 0.05 * loss


@pytest.mark.parametrize("classifier", ["softmax", "crf"])
def test_distillable_pipe_ignores_tokens_that_the_teacher_did_not_see(
    make_student, make_teacher, examples, tiny, classifier, monkeypatch
):
    """The loss is that of training on soft targets, which are NaN for these tokens."""
    teacher = make_teacher(scheme="biluo")
    ner = make_student(model={**tiny["model"], "classifier": classifier}).get_pipe("ner")
    predict = teacher.predict

    def predict_every_other_token(docs):
        scores = predict(docs)
        for rows in scores:
            rows[1::2] = UNSEEN
            rows[1::2, 0] = 0.0
        return scores

    monkeypatch.setattr(teacher, "predict", predict_every_other_token)
    taught = [Example(eg.predicted.copy(), eg.predicted.copy()) for eg in examples]
    scores = teacher.predict([eg.reference for eg in taught])
    found = get_teacher_log_probs(teacher.model, scores, lengths=[*map(len, scores)])
    for eg, log_probs in zip(taught, found):
        assert numpy.isnan(log_probs[1::2]).all() and not numpy.isnan(log_probs[::2]).any()
        set_soft_targets(eg.reference, log_probs, tags=teacher.tags)
    distilled, updated = ner.distill(teacher, taught), ner.update(taught)
    assert distilled["ner"] == pytest.approx(updated["ner_distillation"], rel=1e-3)
    assert distilled["ner_tokens"] == updated["ner_tokens"] == sum(map(len, scores))
    # If the teacher saw no token of a batch, loss and gradient are 0.
    student = ner.predict([eg.reference for eg in taught])
    unseen = [numpy.full_like(rows, numpy.nan) for rows in student]
    loss, d_scores = ner.get_teacher_student_loss(unseen, student)
    assert loss == 0.0 and not any(rows.any() for rows in d_scores)


def test_distillable_pipe_refuses_a_teacher_with_other_labels(
    make_student, make_teacher, examples, nlp
):
    ner = make_student().get_pipe("ner")
    other = spacy.blank("en").add_pipe("ner_tagger")
    other.initialize(lambda: examples, labels=["LOC", "ORG"])
    with pytest.raises(ValueError, match=r"\[D010\].*B-ORG"):
        ner.distill(other, examples)


def test_distillable_pipe_refuses_a_teacher_of_another_class(make_student, examples):
    ner = make_student().get_pipe("ner")
    stock = spacy.blank("en").add_pipe("ner", name="stock")
    with pytest.raises(ValueError, match=r"\[D022\].*'stock'.*EntityRecognizer.*annotate"):
        ner.distill(stock, examples)


def test_distillable_pipe_refuses_a_listening_teacher_without_vectors(make_student, examples):
    """A teacher that listens needs vectors of an upstream component, which `distill` can't run."""
    ner = make_student().get_pipe("ner")
    upstream = spacy.blank("en")
    upstream.add_pipe("tok2vec")
    listener = {"@architectures": "spacy.Tok2VecListener.v1", "width": 96}
    model = {"@architectures": "spacy-distill.LinearTagger.v1", "tok2vec": listener}
    teacher = upstream.add_pipe("ner_tagger", name="teacher", config={"model": model})
    upstream.initialize(lambda: examples)
    unlabelled = [Example(eg.predicted, eg.predicted.copy()) for eg in examples]
    with pytest.raises(ValueError, match=r"\[D021\].*'teacher'.*eg\.reference first"):
        ner.distill(teacher, unlabelled)
    for eg in unlabelled[1:]:  # one document without vectors is no error
        upstream.get_pipe("tok2vec")(eg.reference)
    assert ner.distill(teacher, unlabelled)["ner_distillation"] > 0


def test_distillable_pipe_does_not_rehearse_a_listener(make_example):
    """Nothing runs for the earlier model, which would therefore teach that all tokens are `O`."""
    nlp = spacy.blank("en")
    nlp.add_pipe("tok2vec")
    listener = {"@architectures": "spacy.Tok2VecListener.v1", "width": 96}
    model = {"@architectures": "spacy-distill.LinearTagger.v1", "tok2vec": listener}
    ner = nlp.add_pipe("ner_tagger", name="ner", config={"model": model})
    examples = [make_example("Ann lives in Rome", "B-PER O O B-LOC")]
    nlp.initialize(lambda: examples)
    nlp.resume_training()
    with pytest.raises(ValueError, match=r"\[D027\].*replace_listeners"):
        nlp.rehearse(examples)
    nlp.update(examples)
    with pytest.raises(ValueError, match=r"\[D027\].*replace_listeners"):
        ner.rehearse(examples)
    # The earlier model takes the vectors with which a component has annotated the documents.
    nlp.get_pipe("tok2vec")(examples[0].predicted)
    assert 0 < ner.rehearse(examples)["ner"] < 0.01  # one step of training apart
    nlp.replace_listeners("tok2vec", "ner", ["model.tok2vec"])
    nlp.resume_training()
    assert ner.rehearse(examples)["ner"] == pytest.approx(0.0, abs=1e-6)


class Strict(DistillablePipe):
    """A teacher that fails if a batch has no tokens."""

    def __init__(self, ner):
        self.name = "strict"
        self.tags = ner.tags
        self.model = ner.model
        self.ops = ner.model.ops

    def walk(self):
        return self.model.walk()

    def predict(self, docs):
        assert any(len(doc) for doc in docs)
        return [numpy.ones((len(doc), len(self.tags)), dtype="f") for doc in docs]


def test_distillable_pipe_calls_no_model_for_batches_without_tokens(
    make_student, make_example, examples
):
    ner = make_student().get_pipe("ner")
    empty = [make_example(""), make_example("")]
    teacher = Strict(ner)
    ner._rehearsal_model = teacher
    for batch in ([], empty):
        assert ner.distill(teacher, batch, sgd=Adam(0.1)) == {"ner": 0.0}
        assert ner.rehearse(batch, sgd=Adam(0.1)) == {"ner": 0.0}
    none = ner.predict([eg.predicted for eg in empty])
    for scores in ([], none):
        loss, d_scores = ner.get_teacher_student_loss(scores, scores)
        assert loss == 0.0 and [len(part) for part in d_scores] == [0] * len(scores)
    assert ner.get_loss(empty, none)[0] == 0.0
    assert ner.distill(teacher, [*empty, examples[0]])["ner"] > 0
    assert ner.rehearse([*empty, examples[0]])["ner"] > 0


def test_distillable_pipe_gradient_of_shared_layers_is_a_sum(make_example):
    """Like other components of spaCy, it sends gradients of a sum over examples, not of a mean."""
    nlp = spacy.blank("en")
    tok2vec = nlp.add_pipe("tok2vec")
    listener = {"@architectures": "spacy.Tok2VecListener.v1", "width": 96}
    model = {"@architectures": "spacy-distill.LinearTagger.v1", "dropout": 0.0}
    ner = nlp.add_pipe("ner_tagger", config={"model": {**model, "tok2vec": listener}})
    example = make_example("Ann likes Bob", "B-PER O B-PER")
    # A CRF, because the gradient of its potentials must be a sum as well.
    ner.model = chain(ner.model, crf())
    nlp.initialize(lambda: [example])

    def gradients(n_examples):
        batch = [Example(example.x.copy(), example.y) for _ in range(n_examples)]
        tok2vec.update(batch, drop=0.0)
        ner.update(batch, drop=0.0)
        shared = [node.get_grad("W").copy() for node in tok2vec.model.walk() if node.has_grad("W")]
        shared.append(find_crf(ner.model).get_grad("pairs").copy())
        for node in [*ner.model.walk(), *tok2vec.model.walk()]:
            for name in node.grad_names:
                node.set_grad(name, 0 * node.get_grad(name))
        return shared

    once, twice = gradients(1), gradients(2)
    assert any(part.any() for part in once[:-1]) and once[-1].any()
    for part, other in zip(once, twice):
        assert_allclose(2 * part, other, rtol=1e-4, atol=1e-6)
