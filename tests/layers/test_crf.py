"""The layer that holds a CRF's potentials."""

from thinc.api import Linear, chain, noop

from spacy_distill.layers.crf import crf, find_crf, find_potentials


def test_crf_is_found_inside_other_layers():
    layer = crf(3)
    model = chain(Linear(3, 2), chain(layer, noop()))
    assert find_crf(model) is layer
    assert find_crf(model.copy()).name == "crf"
    assert find_potentials(model) is None  # not initialised yet


def test_crf_is_not_found_by_its_name_alone():
    other = noop()
    other.name = "crf"
    assert find_crf(chain(Linear(3, 2), other)) is None
