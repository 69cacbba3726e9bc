import math

import numpy
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from spacy_distill import crf, losses
from spacy_distill.crf import Potentials, infer
from spacy_distill.losses import (
    CRFInputs,
    DistillationLoss,
    build_distillation_loss_v1,
    cross_entropy,
    softened_kl,
)

DIRECTIONS = ("student_teacher", "teacher_student")
TEMPERATURES = (0.5, 1.0, 2.0, 7.0)
LN = math.log


def make_scores(seed, n_tokens=5, n_tags=4, scale=2.0):
    return numpy.random.default_rng(seed).normal(scale=scale, size=(n_tokens, n_tags))


def numeric_gradient(value_of, scores):
    gradient = numpy.zeros_like(scores)
    for index in numpy.ndindex(scores.shape):
        step = numpy.zeros_like(scores)
        step[index] = 1e-5
        gradient[index] = (value_of(scores + step) - value_of(scores - step)) / 2e-5
    return gradient


def test_losses_cross_entropy_by_hand():
    scores = numpy.asarray([[0.0, LN(3)], [LN(9), 0.0]])
    loss, gradient = cross_entropy(scores, numpy.asarray([0, 0]))
    assert_allclose(loss, (LN(4) + LN(10 / 9)) / 2)
    assert_allclose(gradient, [[-3 / 8, 3 / 8], [-1 / 20, 1 / 20]])


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_losses_divergence_by_hand(temperature):
    """Softened, q = (1/4, 3/4) and p = (1/2, 1/2); the value is multiplied by T^2."""
    student = numpy.asarray([[0.0, temperature * LN(3)]])
    teacher = numpy.asarray([[1.0, 1.0]])
    values = {
        "student_teacher": LN(1 / 2) / 4 + 3 * LN(3 / 2) / 4,
        "teacher_student": LN(2) / 2 + LN(2 / 3) / 2,
    }
    for direction, value in values.items():
        loss, _ = softened_kl(student, teacher, temperature=temperature, direction=direction)
        assert_allclose(loss, temperature**2 * value)


def test_losses_divergence_is_a_mean_over_tokens():
    student, teacher = make_scores(0), make_scores(1)
    for direction in DIRECTIONS:
        singles = [
            softened_kl(s[None], t[None], temperature=2.0, direction=direction)[0]
            for s, t in zip(student, teacher)
        ]
        loss, _ = softened_kl(student, teacher, temperature=2.0, direction=direction)
        assert_allclose(loss, numpy.mean(singles))
        assert min(singles) > 0


def test_losses_gradient_of_cross_entropy():
    scores, tags = make_scores(0), numpy.asarray([0, 3, 1, 1, 2])
    _, gradient = cross_entropy(scores, tags)
    assert_allclose(
        gradient, numeric_gradient(lambda z: cross_entropy(z, tags)[0], scores), atol=1e-8
    )


@pytest.mark.parametrize("temperature", TEMPERATURES)
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_losses_gradient_of_divergence(direction, temperature):
    student, teacher = make_scores(0), make_scores(1)

    def value_of(scores):
        return softened_kl(scores, teacher, temperature=temperature, direction=direction)[0]

    _, gradient = softened_kl(student, teacher, temperature=temperature, direction=direction)
    assert_allclose(gradient, numeric_gradient(value_of, student), atol=1e-7)


@pytest.mark.parametrize("tags", [[2, 0, 1, 3, 3], [2, -1, -1, 3, 0], [-1] * 5])
@pytest.mark.parametrize("taught", [[0, 1, 2, 3, 4], [0, 1, 4], [3], []])
def test_losses_gradient_of_the_sum(tags, taught):
    loss = DistillationLoss(2.0, 0.7, 1.3, "student_teacher")
    scores, tags = make_scores(0), numpy.asarray(tags)
    rows = numpy.asarray(taught, dtype="i")
    teacher = make_scores(1, n_tokens=len(taught))

    def value_of(scores):
        return loss(scores, tags=tags, teacher_scores=teacher, taught=rows)[0].total

    before = scores.copy()
    parts, (gradient, of_crf) = loss(scores, tags=tags, teacher_scores=teacher, taught=rows)
    assert of_crf is None
    assert_array_equal(scores, before)
    assert_allclose(gradient, numeric_gradient(value_of, scores), atol=1e-7)
    assert_allclose(parts.total, 0.7 * parts.task + 1.3 * parts.distillation)
    assert parts.n_tokens == 5


def test_losses_parts_are_means_over_tokens_with_targets():
    """Two of three tokens have a tag, one has soft targets. Each part is divided by its count."""
    scores = numpy.asarray([[0.0, LN(3)], [5.0, 1.0], [0.0, 0.0]])
    teacher = numpy.asarray([[0.0, LN(3)]])
    parts, (gradient, _) = DistillationLoss(1.0, 1.0, 1.0, "teacher_student")(
        scores,
        tags=numpy.asarray([0, -1, 1]),
        teacher_scores=teacher,
        taught=numpy.asarray([2]),
    )
    assert_allclose(parts.task, (LN(4) + LN(2)) / 2)
    assert_allclose(parts.distillation, LN(1 / 2) / 4 + 3 * LN(3 / 2) / 4)
    assert not gradient[1].any()


def test_losses_without_a_teacher_are_the_task_loss():
    scores, tags = make_scores(0), numpy.asarray([0, 1, 2, 3, -1])
    loss = DistillationLoss(2.0, 1.0, 1.0, "student_teacher")
    nobody = numpy.zeros(0, dtype="i")
    parts, (gradient, _) = loss(scores, tags=tags, teacher_scores=scores[:0], taught=nobody)
    expected, d_expected = cross_entropy(scores[:4], tags[:4])
    assert (parts.total, parts.distillation) == (expected, 0.0)
    assert_allclose(gradient[:4], d_expected)
    assert not gradient[4].any()


def test_losses_weights_of_zero_disable_a_part():
    scores, teacher, tags = make_scores(0), make_scores(1), numpy.asarray([0, 1, 2, 3, 0])
    targets = {"tags": tags, "teacher_scores": teacher, "taught": numpy.arange(5)}
    no_task, (d_no_task, _) = DistillationLoss(1.0, 0.0, 1.0, "student_teacher")(scores, **targets)
    expected, d_expected = softened_kl(
        scores, teacher, temperature=1.0, direction="student_teacher"
    )
    assert (no_task.total, no_task.task) == (expected, 0.0)
    assert_allclose(d_no_task, d_expected)
    no_teacher, _ = DistillationLoss(1.0, 1.0, 0.0, "student_teacher")(scores, **targets)
    assert (no_teacher.total, no_teacher.distillation) == (cross_entropy(scores, tags)[0], 0.0)


@pytest.mark.parametrize("temperature, n_inferred", [(1.0, 2), (2.0, 3)])
def test_losses_infer_a_crf_no_more_often_than_needed(temperature, n_inferred, monkeypatch):
    """Inference runs with and without the gold tags, and once more for another temperature."""
    inferred = []

    def watch(*args, **settings):
        inferred.append(settings)
        return infer(*args, **settings)

    for module in (crf, losses):
        monkeypatch.setattr(module, "infer", watch)
    potentials = Potentials(numpy.ones(4), make_scores(2, n_tokens=4), numpy.ones(4))
    parts, (d_scores, d_potentials) = DistillationLoss(temperature, 1.0, 1.0, "student_teacher")(
        make_scores(0),
        tags=numpy.asarray([0, -1, 2, 3, 1]),
        teacher_scores=make_scores(1),
        taught=numpy.arange(5),
        crf=CRFInputs(numpy.asarray([2, 3]), potentials),
    )
    assert len(inferred) == n_inferred
    assert parts.task > 0 and parts.distillation > 0
    assert d_scores.any() and d_potentials.pairs.any()


@pytest.mark.parametrize("temperature", TEMPERATURES)
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_losses_are_zero_if_student_and_teacher_agree(direction, temperature):
    scores = make_scores(0)
    # A constant added to all scores of a token does not change the softmax.
    loss, gradient = softened_kl(scores, scores + 3.0, temperature=temperature, direction=direction)
    assert_allclose(loss, 0, atol=1e-12)
    assert_allclose(gradient, 0, atol=1e-12)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_losses_temperature_keeps_the_size_of_the_gradient(direction):
    """In the limit, the gradient is the difference of centred scores / n_tags (Hinton, eq. 4)."""
    student, teacher = make_scores(0), make_scores(1)
    difference = student - teacher
    difference -= difference.mean(axis=1, keepdims=True)
    _, gradient = softened_kl(student, teacher, temperature=1000.0, direction=direction)
    n_tokens, n_tags = student.shape
    assert_allclose(gradient, difference / n_tags / n_tokens, atol=1e-3)


def test_losses_stay_finite_for_certain_teachers():
    student = numpy.asarray([[0.0, 0.0, 0.0]], dtype="f")
    teacher = numpy.asarray([[0.0, -65504.0, -65504.0]], dtype="f")
    for direction in DIRECTIONS:
        loss, gradient = softened_kl(student, teacher, temperature=2.0, direction=direction)
        assert numpy.isfinite(loss)
        assert numpy.isfinite(gradient).all()
        assert gradient.dtype == numpy.float32


@pytest.mark.parametrize(
    "setting, value",
    [
        ("temperature", 0.0),
        ("temperature", -1.0),
        ("task_weight", -0.1),
        ("distillation_weight", -0.1),
        ("direction", "teacher"),
        ("crf_distribution", "softmax"),
    ],
)
def test_losses_refuse_bad_settings(setting, value):
    with pytest.raises(ValueError, match=rf"\[D007\] {setting} is {value!r}"):
        build_distillation_loss_v1(**{setting: value})


def test_losses_are_built_as_configured():
    settings = {
        "temperature": 2.0,
        "task_weight": 0.5,
        "distillation_weight": 0.25,
        "direction": "student_teacher",
        "crf_distribution": "emissions",
    }
    assert build_distillation_loss_v1(**settings) == DistillationLoss(*settings.values())
