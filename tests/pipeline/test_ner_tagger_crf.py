"""The `ner_tagger` with a CRF: training, prediction, serialisation and distillation."""

import numpy
import pytest
import spacy
from numpy.testing import assert_allclose
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import Adam

from spacy_distill.annotate.docs import annotate_docs
from spacy_distill.batches import split_rows
from spacy_distill.compression import compress, restore
from spacy_distill.crf import infer
from spacy_distill.distributions import get_log_probs, log_softmax
from spacy_distill.layers.crf import find_crf, find_potentials
from spacy_distill.losses import CRFInputs
from spacy_distill.soft_targets import get_soft_targets, set_soft_targets
from spacy_distill.teachers.choose import choose_teacher

LOSS = "spacy-distill.DistillationLoss.v1"
DISTRIBUTIONS = ("marginals", "emissions")


@pytest.fixture
def make_crf(make_student, tiny):
    """Make a pipeline whose `ner` has a CRF with potentials drawn at random."""

    def make(scale=1.0, **config):
        nlp = make_student(model={**tiny["model"], "classifier": "crf"}, **config)
        rng = numpy.random.default_rng(0)
        model = nlp.get_pipe("ner").model
        layer = find_crf(model)
        for name, values in find_potentials(model)._asdict().items():
            layer.set_param(name, rng.normal(scale=scale, size=values.shape).astype("f"))
        return nlp

    return make


@pytest.mark.parametrize("scheme", ["iob", "biluo"])
def test_ner_tagger_crf_memorises_ten_sentences(make_crf, examples, scheme):
    nlp = make_crf(scale=0.0, scheme=scheme)
    optimizer = Adam(0.02)
    for _ in range(40):
        nlp.update(examples, sgd=optimizer)
    assert nlp.evaluate(examples)["ents_f"] == 1.0
    potentials = find_potentials(nlp.get_pipe("ner").model)
    assert all(abs(part).max() > 0.01 for part in potentials)


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
@pytest.mark.parametrize("direction", ["student_teacher", "teacher_student"])
@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_ner_tagger_crf_gradient_of_the_potentials(
    make_crf, examples, distribution, direction, temperature
):
    """The gradient of task and distillation loss together agrees with finite differences."""
    loss = {
        "@losses": LOSS,
        "temperature": temperature,
        "task_weight": 0.5,
        "direction": direction,
        "crf_distribution": distribution,
    }
    ner = make_crf(loss=loss).get_pipe("ner")
    rng = numpy.random.default_rng(1)
    for eg in examples[::2]:
        scores = rng.normal(size=(len(eg.reference), len(ner.tags)))
        set_soft_targets(eg.reference, log_softmax(scores), tags=ner.tags)
    ner.update(examples)
    scores = ner.model.predict([eg.predicted for eg in examples])
    layer = find_crf(ner.model)
    for name in ("start", "pairs", "end"):
        values, gradient = layer.get_param(name), layer.get_grad(name)
        for index in list(numpy.ndindex(values.shape))[:6]:
            at = values[index]
            step = numpy.float32(0.02)
            values[index] = at + step
            above = ner.get_loss(examples, scores)[0]
            values[index] = at - step
            below = ner.get_loss(examples, scores)[0]
            values[index] = at
            assert gradient[index] == pytest.approx((above - below) / (2 * step), abs=2e-4)


def test_ner_tagger_crf_potentials_are_used_in_prediction(make_crf, tag_scores, examples, ents):
    """The scores alone would give two entities. A potential of the CRF joins them into one."""
    nlp = make_crf(scale=0.0)
    ner = nlp.get_pipe("ner")
    doc = nlp.make_doc("a b")
    scores = tag_scores("B-PER B-PER", ner.tags, margin=1.0)
    ner.set_annotations([doc], [scores])
    assert ents(doc) == [(0, 1, "PER"), (1, 2, "PER")]
    pairs = find_crf(ner.model).get_param("pairs")
    pairs[ner.tags.index("B-PER"), ner.tags.index("I-PER")] = 3.0
    ner.set_annotations([doc], [scores])
    assert ents(doc) == [(0, 1, "PER"), (1, 2, "PER")]  # existing entities are kept
    doc = nlp.make_doc("a b")
    ner.set_annotations([doc], [scores])
    assert ents(doc) == [(0, 2, "PER")]


def test_ner_tagger_crf_confidences_are_marginals(make_crf, tag_scores):
    nlp = make_crf(spans_key="sure")
    ner = nlp.get_pipe("ner")
    empty, doc = nlp.make_doc(""), nlp.make_doc("a b c")
    scores = [tag_scores("", ner.tags), tag_scores("O B-PER I-PER", ner.tags)]
    ner.set_annotations([empty, doc], scores)
    potentials = find_potentials(ner.model)
    marginals = infer(scores[1], numpy.asarray([3]), potentials).marginals
    wanted = [ner.tags.index(tag) for tag in ("B-PER", "I-PER")]
    (found,) = doc.spans["sure"].attrs["scores"]
    assert found == pytest.approx(numpy.sqrt(marginals[1, wanted[0]] * marginals[2, wanted[1]]))
    assert not empty.spans["sure"].attrs["scores"]


def make_wrapped(make_doc, tags=None):
    """Return a document of several lines, and one for each text of them, without whitespace."""
    first = "the board of the company and all of its many shareholders saw Ann"
    words = f"{first} _ Smith __ Bob _ went home".replace("__ ", "_ _ ")
    wanted = f"{'O ' * 12}B-PER I-PER I-PER O O B-PER O O O"
    plain = [(f"{first} Smith", f"{'O ' * 12}B-PER I-PER"), ("Bob", "B-PER"), ("went home", "O O")]
    spaced = make_doc(words, wanted if tags else None)
    return spaced, [make_doc(text, own if tags else None) for text, own in plain]


def test_ner_tagger_crf_does_not_cover_whitespace(make_crf, make_doc, ents):
    """Its tags and their probabilities are those of the words."""
    nlp = make_crf(spans_key="sure", scale=3.0)
    ner = nlp.get_pipe("ner")
    spaced, (first, *_) = make_wrapped(make_doc)
    head = spaced[: len(first) + 1].as_doc()  # the wrapped line alone
    for doc in (head, first):
        ner(doc)
    moved = [(start + (start > 12), end + (end > 13), label) for start, end, label in ents(first)]
    assert ents(head) == moved
    assert ents(first)
    assert_allclose(
        head.spans["sure"].attrs["scores"], first.spans["sure"].attrs["scores"], rtol=1e-5
    )


def test_ner_tagger_crf_finds_the_entities_of_lines(make_crf, make_doc, ents):
    """They are those of the lines as documents, and so are their confidences."""
    ner = make_crf(spans_key="sure", scale=3.0).get_pipe("ner")
    spaced, plain = make_wrapped(make_doc)
    for doc in (spaced, *plain):
        ner(doc)
    found = [[token.text for token in ent if not token.is_space] for ent in spaced.ents]
    assert found == [[token.text for token in ent] for doc in plain for ent in doc.ents]
    assert found
    expected = [score for doc in plain for score in doc.spans["sure"].attrs["scores"]]
    assert_allclose(spaced.spans["sure"].attrs["scores"], expected, rtol=1e-5)


def test_ner_tagger_crf_annotates_lines(make_crf, make_doc):
    """Its soft targets are those of the lines as documents."""
    nlp = make_crf(scale=3.0)
    spaced, plain = make_wrapped(make_doc)
    for doc in annotate_docs(nlp, [spaced, *plain]):
        assert doc.has_annotation("ENT_IOB")
    tags = nlp.get_pipe("ner").tags
    found = get_soft_targets(spaced, tags=tags, name="ner")
    expected = [get_soft_targets(doc, tags=tags, name="ner") for doc in plain]
    is_word = numpy.asarray([not token.is_space for token in spaced])
    assert_allclose(found[is_word], numpy.concatenate(expected), rtol=1e-3, atol=1e-5)
    assert_allclose(
        numpy.concatenate(choose_teacher(nlp).predict([spaced]))[is_word],
        numpy.concatenate(choose_teacher(nlp).predict(plain)),
        rtol=1e-3,
    )


def test_ner_tagger_crf_learns_from_a_teacher_without_whitespace(make_crf, make_doc):
    ner = make_crf().get_pipe("ner")
    spaced, (first, *_) = make_wrapped(make_doc)
    spaced = spaced[: len(first) + 1].as_doc()
    is_word = numpy.asarray([not token.is_space for token in spaced])
    rng = numpy.random.default_rng(0)
    teacher = log_softmax(rng.normal(size=(len(spaced), len(ner.tags))).astype("f"))
    value, (d_scores,) = ner.get_teacher_student_loss([teacher], ner.predict([spaced]))
    expected, (d_plain,) = ner.get_teacher_student_loss([teacher[is_word]], ner.predict([first]))
    assert value == pytest.approx(expected, rel=1e-5)
    assert_allclose(d_scores[is_word], d_plain, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_ner_tagger_crf_loss_is_that_of_lines(make_crf, make_doc, distribution):
    loss = {"@losses": LOSS, "crf_distribution": distribution}
    ner = make_crf(loss=loss).get_pipe("ner")
    spaced, plain = make_wrapped(make_doc, tags=True)
    rng = numpy.random.default_rng(0)
    is_word = numpy.asarray([not token.is_space for token in spaced])
    log_probs = log_softmax(rng.normal(size=(len(spaced), len(ner.tags))))
    set_soft_targets(spaced, log_probs, tags=ner.tags)
    for doc, rows in zip(plain, split_rows(log_probs[is_word], plain)):
        set_soft_targets(doc, rows, tags=ner.tags)
    found = []
    for docs in ([spaced], plain):
        examples = [Example(Doc(doc.vocab, words=[t.text for t in doc]), doc) for doc in docs]
        scores = ner.predict([eg.predicted for eg in examples])
        found.append(ner.get_loss(examples, scores))
    (value, (d_scores,)), (expected, d_plain) = found
    assert value == pytest.approx(expected, rel=1e-5)
    assert_allclose(d_scores[is_word], numpy.concatenate(d_plain), rtol=1e-4, atol=1e-6)
    assert not d_scores[~is_word].any()


def test_ner_tagger_crf_learns_from_whitespace_alone(make_crf, make_example):
    """Nothing, but without an error."""
    nlp = make_crf()
    losses = {}
    nlp.update([make_example("_ __", "O O")], sgd=Adam(0.01), losses=losses)
    assert losses["ner"] == 0.0


def test_ner_tagger_crf_finds_no_entities_in_whitespace_alone(make_crf, make_doc):
    doc = make_crf(spans_key="sure")(make_doc("_"))
    assert not doc.ents and not doc.spans["sure"]


def test_ner_tagger_crf_potentials_are_saved(make_crf, texts, tmp_path):
    nlp = make_crf()
    nlp.to_disk(tmp_path / "pipeline")
    loaded = spacy.load(tmp_path / "pipeline")
    ner, other = nlp.get_pipe("ner"), loaded.get_pipe("ner")
    for mine, theirs in zip(*(find_potentials(pipe.model) for pipe in (ner, other))):
        assert_allclose(mine, theirs)
    found = [[ent.text for ent in doc.ents] for doc in loaded.pipe(texts)]
    assert found == [[ent.text for ent in doc.ents] for doc in nlp.pipe(texts)]
    assert any(found)
    compress(other.model, dtype="float16")
    restore(other.model)
    assert_allclose(
        find_potentials(other.model).pairs,
        find_potentials(ner.model).pairs,
        rtol=1e-3,
    )


def test_ner_tagger_crf_annotates_soft_targets(make_crf, texts):
    nlp = make_crf()
    ner = nlp.get_pipe("ner")
    docs = list(annotate_docs(nlp, [nlp.make_doc(text) for text in texts]))
    scores = ner.predict([nlp.make_doc(text) for text in texts])
    log_probs = get_log_probs(ner.model, scores, lengths=[*map(len, scores)])
    for doc, expected in zip(docs, log_probs):
        found = get_soft_targets(doc, tags=ner.tags, name="ner")
        assert_allclose(found, expected, rtol=1e-3, atol=1e-5)
        assert_allclose(numpy.exp(found).sum(axis=1), 1, rtol=1e-3)


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_ner_tagger_crf_distills_to_match_its_teacher(
    make_crf, make_teacher, examples, distribution
):
    loss = {"@losses": LOSS, "crf_distribution": distribution}
    teacher = make_teacher()
    ner = make_crf(scale=0.5, loss=loss).get_pipe("ner")
    unlabelled = [Example(eg.predicted, eg.predicted.copy()) for eg in examples]
    optimizer = Adam(0.02)
    values = [ner.distill(teacher, unlabelled, sgd=optimizer)["ner"] for _ in range(150)]
    assert values[0] > 0.1
    assert values[-1] < 1e-3


def test_ner_tagger_crf_does_not_unlearn_what_it_taught_itself(make_crf, make_doc):
    """Teacher and student, and the earlier and the later model, cover the same lines."""
    nlp = make_crf(scale=3.0)
    ner = nlp.get_pipe("ner")
    spaced, _ = make_wrapped(make_doc)
    unlabelled = [Example(spaced, spaced.copy())]
    assert ner.distill(ner, unlabelled)["ner"] == pytest.approx(0, abs=1e-6)
    nlp.resume_training(sgd=Adam(0.01))
    assert ner.rehearse(unlabelled)["ner"] == pytest.approx(0, abs=1e-6)


def test_ner_tagger_crf_rehearses_with_marginals(make_crf, examples):
    nlp = make_crf()
    ner = nlp.get_pipe("ner")
    nlp.resume_training(sgd=Adam(0.01))
    unlabelled = [Example(eg.predicted, eg.predicted.copy()) for eg in examples]
    assert ner.rehearse(unlabelled)["ner"] == pytest.approx(0, abs=1e-6)
    find_crf(ner.model).get_param("pairs")[:] = 0
    docs = [eg.predicted for eg in examples]
    earlier = get_log_probs(
        ner._rehearsal_model, ner._rehearsal_model.predict(docs), lengths=[*map(len, docs)]
    )
    scores = numpy.concatenate(ner.predict(docs))
    crf = CRFInputs(numpy.asarray([len(doc) for doc in docs]), find_potentials(ner.model))
    taught = numpy.arange(len(scores))
    expected, _ = ner.loss.compare(scores, numpy.concatenate(earlier), taught=taught, crf=crf)
    assert expected > 0.01
    assert ner.rehearse(unlabelled)["ner"] == pytest.approx(expected, rel=1e-4)
