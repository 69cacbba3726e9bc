import numpy
import pytest
import spacy
from numpy.testing import assert_array_equal

from spacy_distill.benchmark import roofline as module
from spacy_distill.benchmark.roofline import (
    Seconds,
    count_operations,
    measure,
    plan_batches,
    recurrent_rows,
    summarise,
    time_products,
)
from spacy_distill.steps import plan_steps

LENGTHS = numpy.asarray([3, 1, 4, 2, 4])
WIDTH, N_TAGS = 12, 5


@pytest.fixture
def products(monkeypatch):
    """Record the shapes of all matrix products."""
    made = []
    matmul = numpy.matmul

    def note(left, right, **settings):
        made.append((left.shape, right.shape))
        return matmul(left, right, **settings)

    monkeypatch.setattr(numpy, "matmul", note)
    return made


def test_roofline_products_have_the_shapes_of_the_steps(products):
    steps = plan_steps(LENGTHS)
    time_products(steps, width=WIDTH, nO=N_TAGS)
    running = [int((t < LENGTHS).sum()) for t in range(1, 4)]
    assert running == [4, 3, 2]
    recurrent = [((2, n, WIDTH), (4, 2, WIDTH, WIDTH)) for n in running]
    assert products == [*recurrent, ((2, LENGTHS.sum(), WIDTH), (2, WIDTH, N_TAGS))]


def test_roofline_products_are_those_of_the_student(products, student, make_doc, texts):
    """The matrix products of each batch are those of the model with a warm cache of words."""
    docs = [make_doc(text) for text in texts]
    model = student.get_pipe("ner").model
    model.predict(docs)
    products.clear()
    model.predict(docs)
    expected = [*products]
    products.clear()
    steps = plan_steps(numpy.asarray([len(doc) for doc in docs]))
    time_products(steps, width=WIDTH, nO=model.get_dim("nO"))
    assert products == expected


def test_roofline_counts_operations(products):
    steps = plan_steps(LENGTHS)
    time_products(steps, width=WIDTH, nO=N_TAGS)
    expected = sum(2 * left[-2] * numpy.prod(right) for left, right in products)
    assert count_operations(steps, width=WIDTH, nO=N_TAGS) == expected


def test_roofline_multiplies_the_previous_states():
    assert recurrent_rows(plan_steps(LENGTHS)) == [slice(0, 4), slice(5, 8), slice(9, 11)]
    assert recurrent_rows(plan_steps(numpy.asarray([1, 1]))) == []


def test_roofline_batches_are_those_of_the_pipeline(student, texts):
    batches, words = plan_batches(student, texts, batch_size=4)
    assert [batch.steps.starts[1] for batch in batches] == [4, 4, 2]
    found = [[words[i] for i in batch.which] for batch in batches]
    assert found[0] == " ".join(texts[:4]).split()
    assert found[2] == " ".join(texts[8:]).split()
    for batch in batches:
        assert_array_equal(numpy.sort(batch.steps.tokens[0]), numpy.arange(len(batch.which)))


def test_roofline_shares():
    found = [
        Seconds(1.0, 0.5, 4.0, 6.0),
        Seconds(2.0, 1.0, 5.0, 12.0),
        Seconds(9.0, 1.0, 5.0, 30.0),
    ]
    shares = summarise(found, n_operations=6_000_000_000)
    assert shares["recurrent"] == 2.0 / 5.0
    assert shares["end_to_end"] == 3.0 / 12.0
    assert shares["gflops"] == 2.0
    assert shares["recurrence_seconds"] == 5.0


def test_roofline_of_a_student(student, texts, monkeypatch):
    n_run = []
    run_recurrence = module.run_recurrence
    monkeypatch.setattr(
        module, "run_recurrence", lambda *args: n_run.append(1) or run_recurrence(*args)
    )
    shares = measure(student, texts, batch_size=4, repeats=2, run=lambda texts, size: 0)
    assert len(n_run) == 2 * 3
    assert shares["recurrent"] > 0
    assert shares["gflops"] > 0


def test_roofline_is_measured_only_for_students():
    assert measure(spacy.blank("en"), ["a"], batch_size=1, repeats=1, run=max) is None
