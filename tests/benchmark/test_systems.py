from importlib import import_module
from inspect import signature

import pytest

from spacy_distill.benchmark import prepare
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


def test_systems_are_like_the_student_and_the_teacher(student, tmp_path, monkeypatch):
    made = {"tokenizer": {"padding": 0}, "onnx": {"max_pieces": 9}}
    result = {"settings": made, "reasons": {"onnx": "no ONNX"}}
    monkeypatch.setattr(prepare, "export", lambda *args, **options: result)
    monkeypatch.setattr(prepare, "explain_missing", lambda peers, **options: {})
    peers = [PEERS[name] for name in ("teacher", "onnx-int8", "bert-base")]
    options = {"student": student, "teacher": "path", "folder": tmp_path, "threads": 3}
    found = prepare.prepare_peers(peers, **options)
    assert found.left_out == {"onnx-int8": "no ONNX"}
    teacher, bert = (system.settings for system in found.systems)
    assert teacher == {"path": "path", "sort": True}
    assert (bert["n_tags"], bert["padding"]) == (5, 0)  # B and I of two labels, and O
    del result["reasons"]["onnx"]
    onnx = prepare.prepare_peers(peers[1:2], **options).systems[0].settings
    assert onnx == {"file": "int8.onnx", "threads": 3, "max_pieces": 9}


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
