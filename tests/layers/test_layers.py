"""Tests that all layers and models must pass."""

from typing import Any, Callable, List, NamedTuple

import numpy
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from spacy.tokens import Doc
from spacy.vocab import Vocab
from thinc.api import (
    Model,
    NumpyOps,
    Ragged,
    chain,
    get_array_module,
    ragged2list,
    set_dropout_rate,
    to_numpy,
)

from spacy_distill.layers.bilstm import build_bilstm_v1
from spacy_distill.layers.char_cnn import build_char_cnn_v1
from spacy_distill.layers.lookup import build_lookup_v1, set_table
from spacy_distill.layers.word_types import word_types
from spacy_distill.models.char_cnn_bilstm import build_char_cnn_bilstm_v1
from spacy_distill.models.linear_tagger import build_linear_tagger_v1
from spacy_distill.segmentation import Segmenter

WORDS = ["Anna", "ananas", "", "x-1", "Ωmega", "nana", "unheard-of"]
LENGTHS = [3, 1, 0, 5, 2]
N_TAGS = 3
PIECES = Segmenter(
    entries=("[UNK]", "an", "na", "##na", "##s", "##as", "x", "-", "1"),
    kind="pieces",
    unknown=0,
    lowercase=True,
    strip_accents=True,
    continuing_mark="##",
)


def build_pieces_lookup() -> Model:
    model = build_lookup_v1(width=4)
    set_table(model, segmenter=PIECES, rows=numpy.random.normal(size=(9, 4)))
    return model


def build_student(**settings: Any) -> Model:
    lookup = build_lookup_v1(width=4, unknown_rate=0.0)
    char_cnn = build_char_cnn_v1(width=3, filters=2)
    return build_char_cnn_bilstm_v1(lookup, char_cnn, build_bilstm_v1(width=3), **settings)


def build_teacher() -> Model:
    tok2vec = chain(word_types(build_pieces_lookup()), ragged2list())
    return build_linear_tagger_v1(tok2vec)


def make_ragged() -> Ragged:
    data = numpy.random.normal(size=(sum(LENGTHS), 5)).astype("f")
    return Ragged(data, numpy.asarray(LENGTHS, dtype="i"))


def make_docs() -> List[Doc]:
    vocab = Vocab()
    texts = ["Anna saw Anna", "ananas", "", "x-1 is an Ωmega x-1", "nana , unheard-of"]
    return [Doc(vocab, words=text.split()) for text in texts]


def make_scores() -> List[numpy.ndarray]:
    return [numpy.zeros((len(doc), N_TAGS), dtype="f") for doc in make_docs()]


def no_targets() -> None:
    return None


class Case(NamedTuple):
    build: Callable[[], Model]
    inputs: Callable[[], Any]
    n_rows: int
    width: int
    targets: Callable[[], Any] = no_targets


N_TOKENS = sum(map(len, make_docs()))
CASES = {
    "bilstm": Case(lambda: build_bilstm_v1(width=4), make_ragged, 11, 8),
    "bilstm_deep": Case(lambda: build_bilstm_v1(width=3, depth=2), make_ragged, 11, 6),
    "char_cnn": Case(lambda: build_char_cnn_v1(width=3, filters=4), lambda: WORDS, 7, 4),
    "char_cnn_wide": Case(
        lambda: build_char_cnn_v1(width=2, filters=3, window=2), lambda: WORDS, 7, 3
    ),
    "lookup_words": Case(lambda: build_lookup_v1(width=4, unknown_rate=0.0), lambda: WORDS, 7, 4),
    "lookup_pieces": Case(build_pieces_lookup, lambda: WORDS, 7, 4),
    "word_types": Case(lambda: word_types(build_pieces_lookup()), make_docs, N_TOKENS, 4),
    "student": Case(build_student, make_docs, N_TOKENS, N_TAGS, make_scores),
    "student_crf": Case(
        lambda: build_student(classifier="crf"), make_docs, N_TOKENS, N_TAGS, make_scores
    ),
    "teacher": Case(build_teacher, make_docs, N_TOKENS, N_TAGS, make_scores),
}


@pytest.fixture(params=CASES.values(), ids=CASES.keys())
def case(request: pytest.FixtureRequest) -> Case:
    numpy.random.seed(0)
    return request.param


def initialised(case: Case) -> Model:
    return case.build().initialize(X=case.inputs(), Y=case.targets())


def as_rows(output: Any) -> numpy.ndarray:
    if isinstance(output, Ragged):
        return output.data
    if isinstance(output, list):
        return get_array_module(output[0]).concatenate(output)
    return output


def like(output: Any, rows: numpy.ndarray) -> Any:
    """Return rows in the same type of container as the output."""
    if isinstance(output, Ragged):
        return Ragged(rows, output.lengths)
    if isinstance(output, list):
        ends = numpy.cumsum([len(item) for item in output]).tolist()
        return get_array_module(rows).split(rows, ends[:-1])
    return rows


def in_double(model: Model) -> Model:
    for node in model.walk():
        node.ops = NumpyOps(use_blis=False)
        for name in node.param_names:
            node.set_param(name, node.get_param(name).astype("d"))
    return model


def numeric_gradient(values: numpy.ndarray, loss: Callable[[], float]) -> numpy.ndarray:
    gradient = numpy.zeros_like(values)
    for index in numpy.ndindex(values.shape):
        value = values[index]
        values[index] = value + 1e-6
        above = loss()
        values[index] = value - 1e-6
        gradient[index] = (above - loss()) / 2e-6
        values[index] = value
    return gradient


def test_layers_output_one_row_per_item(case: Case) -> None:
    model = initialised(case)
    for output in (model.predict(case.inputs()), model.begin_update(case.inputs())[0]):
        assert as_rows(output).shape == (case.n_rows, case.width)
        assert as_rows(output).dtype == numpy.float32
    assert model.get_dim("nO") == case.width


def test_layers_gradients_agree_with_finite_differences(case: Case) -> None:
    model = set_dropout_rate(in_double(initialised(case)), 0.0)
    inputs = case.inputs()
    if isinstance(inputs, Ragged):
        inputs.data = inputs.data.astype("d")
    output, backprop = model.begin_update(inputs)
    weights = numpy.random.normal(size=as_rows(output).shape)

    def loss() -> float:
        # Not `predict`, whose cache of words does not notice parameters that change in place.
        return float((as_rows(model.begin_update(inputs)[0]) * weights).sum())

    d_inputs = backprop(like(output, weights))
    if isinstance(inputs, Ragged):
        expected = numeric_gradient(inputs.data, loss)
        assert_allclose(d_inputs.data, expected, atol=1e-7)
        assert_array_equal(d_inputs.lengths, inputs.lengths)
    else:
        assert d_inputs == []
    n_params = 0
    for node in model.walk():
        if node.name == "crf":
            continue  # its potentials have no effect on the scores, only on the loss
        for name in node.param_names:
            expected = numeric_gradient(node.get_param(name), loss)
            assert numpy.abs(expected).max() > 1e-3
            assert_allclose(node.get_grad(name), expected, atol=1e-7, err_msg=name)
            n_params += 1
    assert n_params


@pytest.mark.parametrize(
    "model, name, limit",
    [
        (build_lookup_v1(width=30), "E", (3 / 30) ** 0.5),
        (build_char_cnn_v1(width=30), "E", (3 / 30) ** 0.5),
        (build_bilstm_v1(100, width=100), "Wx", 100**-0.5),
        (build_bilstm_v1(100, width=100), "Wh", 100**-0.5),
    ],
)
def test_layers_have_initial_weights_of_a_size_that_depends_on_the_width(
    model: Model, name: str, limit: float
) -> None:
    """As in the papers: Ma and Hovy (2016), section 3.1, and as PyTorch does for an LSTM."""
    words = [*"abcdefghijkl"]
    model.initialize(X=None if model.name == "bilstm" else words)
    assert 0.9 * limit < abs(model.get_param(name)).max() <= limit


def test_layers_predict_the_same_as_in_training(case: Case) -> None:
    model = set_dropout_rate(initialised(case), 0.0)
    inputs = case.inputs()
    expected = as_rows(model.begin_update(inputs)[0])
    for _ in range(2):  # the second time with cached values
        assert_allclose(as_rows(model.predict(inputs)), expected, atol=1e-5)


def test_layers_gradients_accumulate(case: Case) -> None:
    model = set_dropout_rate(initialised(case), 0.0)
    inputs = case.inputs()
    gradients = []
    for _ in range(2):
        output, backprop = model.begin_update(inputs)
        backprop(like(output, numpy.ones_like(as_rows(output))))
        gradients.append({key: grad.copy() for key, (_, grad) in model.get_gradients().items()})
    once, twice = gradients
    for key, gradient in once.items():
        assert_allclose(twice[key], 2 * gradient, rtol=1e-4, atol=1e-5)


def test_layers_rows_do_not_depend_on_the_batch(case: Case) -> None:
    model = initialised(case)
    inputs = case.inputs()
    together = as_rows(model.predict(inputs))
    if isinstance(inputs, Ragged):
        ends = numpy.cumsum(inputs.lengths)
        singles = [
            Ragged(inputs.data[end - n : end], inputs.lengths[i : i + 1])
            for i, (end, n) in enumerate(zip(ends, inputs.lengths))
        ]
    else:
        singles = [[item] for item in inputs]
    apart = [as_rows(model.predict(single)) for single in singles]
    apart = [rows for rows in apart if rows.size]
    assert_allclose(numpy.concatenate(apart), together, atol=1e-5)


def test_layers_accept_an_empty_batch(case: Case) -> None:
    model = initialised(case)
    inputs: Any = []
    if isinstance(case.inputs(), Ragged):
        inputs = Ragged(numpy.zeros((0, 5), dtype="f"), numpy.zeros(0, dtype="i"))
    output, backprop = model.begin_update(inputs)
    assert len(output) == 0
    assert len(backprop(output)) == 0
    assert len(model.predict(inputs)) == 0


def test_layers_to_from_bytes(case: Case) -> None:
    model = initialised(case)
    inputs = case.inputs()
    loaded = case.build().from_bytes(model.to_bytes())
    assert_array_equal(as_rows(loaded.predict(inputs)), as_rows(model.predict(inputs)))
    assert loaded.to_bytes() == model.to_bytes()


def test_layers_are_reproducible(case: Case) -> None:
    outputs = []
    for _ in range(2):
        numpy.random.seed(1)
        model = initialised(case)
        outputs.append(as_rows(model.begin_update(case.inputs())[0]))
    assert_array_equal(*outputs)


def test_layers_agree_on_cpu_and_gpu(case: Case, gpu: int) -> None:
    models = [set_dropout_rate(initialised(case), 0.0)]
    models.append(models[0].copy())
    models[1].to_gpu(gpu)
    inputs = case.inputs()
    found: List[List[numpy.ndarray]] = []
    for model in models:
        if isinstance(inputs, Ragged):
            inputs = Ragged(model.ops.asarray(inputs.data), model.ops.asarray(inputs.lengths))
        output, backprop = model.begin_update(inputs)
        rows = as_rows(output)
        weights = numpy.random.default_rng(0).normal(size=rows.shape)
        d_inputs = backprop(like(output, model.ops.asarray2f(weights)))
        gradients = [gradient for _, gradient in model.get_gradients().values()]
        if isinstance(d_inputs, Ragged):
            gradients.append(d_inputs.data)
        values = [rows, as_rows(model.predict(inputs)), *gradients]
        found.append([to_numpy(value) for value in values])
    assert get_array_module(rows) is not numpy
    assert len(found[0]) > 2
    for of_cpu, of_gpu in zip(*found, strict=True):
        assert_allclose(of_gpu, of_cpu, atol=1e-4)
