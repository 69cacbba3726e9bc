from importlib import import_module
from inspect import signature

import pytest

from spacy_distill.benchmark import systems as module
from spacy_distill.benchmark.systems import (
    PEERS,
    check_pipeline,
    choose_peers,
    explain_missing,
)


def test_systems_are_chosen_in_the_order_of_the_report():
    assert choose_peers(None) == list(PEERS.values())
    assert choose_peers(["bert-base", "spacy-ner"]) == [PEERS["spacy-ner"], PEERS["bert-base"]]
    assert choose_peers([]) == []


def test_systems_that_are_unknown_are_refused():
    with pytest.raises(ValueError, match=r"\[D601\].*\['bert-huge'\].*'bert-large'"):
        choose_peers(["bert-huge", "teacher"])


def test_systems_need_a_teacher():
    reasons = explain_missing(list(PEERS.values()), teacher=None, labels=["PER"])
    assert set(reasons) == set(PEERS) - {"spacy-ner"}
    assert "tokenizer" in reasons["bert-base"]
    assert "--teacher" in reasons["onnx-int8"]
    assert explain_missing(list(PEERS.values()), teacher="path", labels=["PER"]) == {}
    assert list(explain_missing(list(PEERS.values()), teacher="path", labels=[])) == ["spacy-ner"]


def test_systems_name_the_missing_extra(monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda name: None if name == "onnxruntime" else 1)
    reasons = explain_missing(list(PEERS.values()), teacher="path", labels=["PER"])
    expected = "no onnxruntime here; install 'spacy-distill[bench]'"
    assert reasons == {"onnx-fp32": expected, "onnx-int8": expected}


def test_systems_of_transformers_need_torch(monkeypatch):
    """The teacher itself may be a pipeline that needs none."""
    monkeypatch.setattr(module, "find_spec", lambda name: None if name == "torch" else 1)
    reasons = explain_missing(list(PEERS.values()), teacher="path", labels=["PER"])
    assert set(reasons) == {"onnx-fp32", "onnx-int8", "bert-base", "bert-large"}
    assert {*reasons.values()} == {"no torch here; install 'spacy-distill[bench]'"}


@pytest.mark.parametrize("peer", PEERS.values(), ids=PEERS)
def test_systems_have_loaders_of_their_settings(peer):
    for package in peer.packages:
        pytest.importorskip(package, reason="the extra 'bench' is not installed")
    file, _, function = peer.loader.partition(":")
    load = getattr(import_module(f"spacy_distill.benchmark.{file}"), function)
    assert set(peer.settings) < set(signature(load).parameters)


def test_systems_need_a_pipeline(tmp_path, student_path):
    check_pipeline(str(student_path))
    with pytest.raises(ValueError, match=r"\[D505\].*nothing_here"):
        check_pipeline("nothing_here")
    with pytest.raises(ValueError, match=r"\[D505\]"):
        check_pipeline(str(tmp_path))
