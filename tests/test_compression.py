import numpy
import pytest
import spacy
import srsly
from numpy.testing import assert_allclose, assert_array_equal

from spacy_distill.compression import compress, quantise, restore
from spacy_distill.layers.lookup import build_lookup_v1, set_table
from spacy_distill.segmentation import Segmenter

ALL = ("float16", "float32", "int8")


def params(model):
    """All parameters, by number and name of the layer and name of the parameter."""
    return {
        (i, node.name, name): node.get_param(name)
        for i, node in enumerate(model.walk())
        for name in node.param_names
    }


def stored(path):
    """The same parameters, as stored on disk."""
    data = srsly.msgpack_loads((path / "ner" / "model").read_bytes())
    return {
        (i, node["name"], name): values
        for i, (node, values_of) in enumerate(zip(data["nodes"], data["params"]))
        for name, values in values_of.items()
    }


def is_table(key):
    return key[1:] == ("lookup", "E")


@pytest.fixture
def model(student):
    return student.get_pipe("ner").model


@pytest.fixture
def save(student_path, tmp_path):
    """Save the small trained student, compressed."""

    def make(dtype):
        nlp = spacy.load(student_path)
        compress(nlp.get_pipe("ner").model, dtype=dtype)
        nlp.to_disk(tmp_path / dtype)
        return tmp_path / dtype

    return make


@pytest.fixture
def lookup():
    """A layer with a table of 1000 rows, most of which differ in magnitude."""
    segmenter = Segmenter(
        entries=tuple(map(str, range(1000))),
        kind="words",
        unknown=0,
        lowercase=False,
        strip_accents=False,
    )
    model = build_lookup_v1(width=50)
    rows = numpy.random.normal(size=(1000, 50)) * numpy.logspace(-2, 2, 1000)[:, None]
    set_table(model, segmenter=segmenter, rows=rows.astype("f"))
    return model


@pytest.mark.parametrize("dtype", ALL)
def test_compression_is_undone_by_loading(save, model, dtype):
    loaded = params(spacy.load(save(dtype)).get_pipe("ner").model)
    expected = params(model)
    assert loaded.keys() == expected.keys()
    for key, values in loaded.items():
        assert values.dtype == "float32"
        assert values.flags.c_contiguous
        if dtype == "float32":
            assert_array_equal(values, expected[key])
        elif dtype == "int8" and is_table(key):
            half = abs(expected[key]).max(axis=1, keepdims=True) / 127 / 2
            assert (abs(values - expected[key]) <= 1.0001 * half).all()
        else:  # 11 significant bits
            assert_allclose(values, expected[key], rtol=2**-11, atol=2**-25)


@pytest.mark.parametrize("dtype", ALL)
def test_compression_is_on_disk(save, dtype):
    for key, values in stored(save(dtype)).items():
        of_table = dtype == "int8" and is_table(key)
        assert values.dtype == ("int8" if of_table else "float16" if dtype == "int8" else dtype)


@pytest.mark.parametrize("dtype", ALL)
def test_compression_hardly_changes_predictions(save, student, texts, ents, dtype):
    loaded = spacy.load(save(dtype))
    docs = list(student.pipe(texts))
    assert sum(len(doc.ents) for doc in docs) > 10
    assert [ents(doc) for doc in loaded.pipe(texts)] == [ents(doc) for doc in docs]
    expected = numpy.concatenate(student.get_pipe("ner").predict(docs))
    scores = numpy.concatenate(loaded.get_pipe("ner").predict(docs))
    tolerance = {"float32": 0.0, "float16": 0.01, "int8": 0.1}[dtype]
    assert_allclose(scores, expected, rtol=0, atol=tolerance)
    assert (scores == expected).all() == (dtype == "float32")


@pytest.mark.parametrize("dtype", ALL)
def test_compression_is_undone_by_from_bytes(save, student, make_student, dtype):
    compress(student.get_pipe("ner").model, dtype=dtype)
    tagger = make_student().get_pipe("ner")
    tagger.from_bytes(student.get_pipe("ner").to_bytes())
    expected = params(spacy.load(save(dtype)).get_pipe("ner").model)
    for key, values in params(tagger.model).items():
        assert values.dtype == "float32"
        assert_array_equal(values, expected[key])


@pytest.mark.parametrize("dtype", ALL)
def test_compression_is_not_kept_if_a_loaded_pipeline_is_saved(save, student_path, tmp_path, dtype):
    spacy.load(save(dtype)).to_disk(tmp_path / "again")
    again, before = stored(tmp_path / "again"), stored(student_path)
    assert again.keys() == before.keys()
    assert {values.dtype.name for values in again.values()} == {"float32"}


def test_compression_halves_the_size_or_quarters_it(lookup):
    sizes = {}
    for dtype in ALL:
        model = lookup.copy()
        compress(model, dtype=dtype)
        sizes[dtype] = len(model.to_bytes())
    values = 1000 * 50
    rest = sizes["float32"] - 4 * values
    assert sizes["float16"] == pytest.approx(rest + 2 * values, abs=50)
    assert sizes["int8"] == pytest.approx(rest + values + 4 * 1000, abs=200)


def test_compression_of_a_table_keeps_the_small_rows(lookup):
    """Each row has its own scale, so that a large row does not round small ones to 0."""
    expected = lookup.get_param("E").copy()
    compress(lookup, dtype="int8")
    restore(lookup)
    assert "scales" not in lookup.attrs
    errors = abs(lookup.get_param("E") - expected).max(axis=1)
    largest = abs(expected).max(axis=1)
    assert (errors <= 1.0001 * largest / 254).all()
    assert largest[0] < 0.1 < 100 < largest[-1]


def test_compression_quantises_symmetrically():
    rows = numpy.asarray([[127, -1.4, 0.6], [-254, 3.1, 2.9], [0, 0, 0]], dtype="f")
    values, scales = quantise(rows)
    assert values.dtype == "int8"
    assert scales.dtype == "float32"
    assert_array_equal(values, [[127, -1, 1], [-127, 2, 1], [0, 0, 0]])
    assert_array_equal(scales, [[1], [2], [0]])


@pytest.mark.parametrize("size", [1e-44, 2e-43, 1e-38, 1e-10, 1.0, 1e20, 3e38])
def test_compression_quantises_any_size(size):
    rows = numpy.asarray([[size, -size, size / 2, 0]], dtype="f")
    values, scales = quantise(rows)
    assert numpy.isfinite(scales).all()
    assert_array_equal(numpy.sign(values), numpy.sign(rows) * (scales > 0))
    assert_array_equal(values[:, 0], -values[:, 1])


@pytest.mark.parametrize("dtype", ALL)
@pytest.mark.parametrize("value", [numpy.nan, numpy.inf, -numpy.inf])
@pytest.mark.parametrize("layer, name", [("lookup", "E"), ("bilstm", "Wx")])
def test_compression_refuses_nan_and_infinite_weights(model, dtype, value, layer, name):
    model.get_ref(layer).get_param(name)[1, 2] = value
    with pytest.raises(ValueError, match=rf"\[D202\].*'{name}' of layer '{layer}'.*learn_rate"):
        compress(model, dtype=dtype)


def test_compression_refuses_weights_beyond_float16(model):
    W = model.get_ref("output_layer").get_param("W")
    W[0, 0] = -65504
    compress(model, dtype="float16")
    restore(model)
    W = model.get_ref("output_layer").get_param("W")
    assert W[0, 0] == -65504
    W[0, 0] = -65536
    for dtype in ("float16", "int8"):
        with pytest.raises(ValueError, match=r"\[D203\].*'W' of layer 'linear'.*65536.*float32"):
            compress(model, dtype=dtype)
    # The model is unchanged.
    assert {values.dtype.name for values in params(model).values()} == {"float32"}
    assert "scales" not in model.get_ref("lookup").attrs
    compress(model, dtype="float32")


def test_compression_as_int8_holds_large_rows(model):
    E = model.get_ref("lookup").get_param("E")
    E[1] = 1e6
    with pytest.raises(ValueError, match=r"\[D203\].*'E' of layer 'lookup'"):
        compress(model, dtype="float16")
    compress(model, dtype="int8")
    restore(model)
    assert_allclose(model.get_ref("lookup").get_param("E")[1], 1e6, rtol=1e-6)


def test_compression_as_int8_needs_a_table(model):
    with pytest.raises(ValueError, match=r"\[D204\] Model 'linear'.*'lookup'.*--dtype float16"):
        compress(model.get_ref("output_layer"), dtype="int8")


def test_compression_refuses_other_types(model):
    with pytest.raises(ValueError, match=r"\[D007\] dtype is 'float8'.*float16"):
        compress(model, dtype="float8")
