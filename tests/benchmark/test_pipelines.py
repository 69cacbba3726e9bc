import subprocess
import sys

import spacy
from thinc.api import Linear, Model, PyTorchWrapper

from spacy_distill.benchmark.pipelines import load_spacy, make_stock_ner
from spacy_distill.benchmark.systems import HEAVY, student_system
from spacy_distill.files import folder_size
from spacy_distill.layers.word_cache import find_caches
from spacy_distill.parameters import count_parameters

HIDDEN = """
import sys

from spacy_distill.benchmark.worker import hide_packages, import_all

hide_packages(sys.argv[2:])
loaded = import_all("pipelines").load_spacy(path=sys.argv[1])
assert loaded.run(["Ann Smith lives in New York ."], 1) == 2
assert loaded.nlp.has_factory("ner_tagger")
loaded = {name.partition(".")[0] for name, module in sys.modules.items() if module is not None}
assert not loaded & set(sys.argv[2:]), loaded
"""


def test_pipelines_run_a_student(student_path, texts):
    loaded = load_spacy(path=str(student_path))
    expected = sum(len(doc.ents) for doc in spacy.load(student_path).pipe(texts))
    assert expected > 10
    for batch_size in (1, 3, 100):
        assert loaded.run(texts, batch_size) == expected
    assert loaded.n_bytes == sum(
        len(path.read_bytes()) for path in student_path.rglob("*") if path.is_file()
    )


def test_pipelines_clear_the_word_cache(student_path, texts):
    loaded = load_spacy(path=str(student_path))
    (cache,) = find_caches(loaded.nlp)
    expected = loaded.run(texts, 4)
    assert len(cache) == len({word for text in texts for word in text.split()})
    loaded.clear_cache()
    assert len(cache) == 0
    assert loaded.run(texts, 4) == expected


def test_pipelines_sort_texts_only_in_batches(student_path, monkeypatch):
    loaded = load_spacy(path=str(student_path), sort=True)
    seen = []
    pipe = loaded.nlp.pipe
    monkeypatch.setattr(
        loaded.nlp, "pipe", lambda texts, **settings: seen.append(texts) or pipe(texts, **settings)
    )
    for batch_size in (1, 2):
        loaded.run(["Ann saw Bob", "Rome", "in Oslo"], batch_size)
    assert seen == [["Ann saw Bob", "Rome", "in Oslo"], ["Rome", "in Oslo", "Ann saw Bob"]]


def test_pipelines_student_needs_no_heavy_packages(student_path, student):
    """Packages that a student does not need are not imported even if they are installed."""
    system = student_system("student", str(student_path), student)
    assert system.hidden == HEAVY
    command = [sys.executable, "-c", HIDDEN, str(student_path), *HEAVY]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr


def test_pipelines_student_may_need_heavy_packages(student):
    student.get_pipe_config("ner")["model"]["bilstm"] = {"@layers": "PyTorchLSTM.v1"}
    assert student_system("student", "path", student).hidden == ()


def test_pipelines_stock_ner_has_the_shape_of_en_core_web_sm():
    nlp = make_stock_ner("en", ["PER", "LOC"])
    assert nlp.get_pipe("ner").labels == ("LOC", "PER")
    nodes = [node for node in nlp.get_pipe("ner").model.walk()]
    tables = [node.get_param("E").shape for node in nodes if node.name == "hashembed"]
    assert sorted(tables, reverse=True) == [(2000, 96), (1000, 96), (1000, 96), (1000, 96)]
    assert sum(node.name == "expand_window" for node in nodes) == 4
    # upper layer: an action for each tag (B, I, L and U of each label, and O)
    assert nlp.get_pipe("ner").model.get_ref("upper").get_param("W").shape == (10, 64)
    doc = nlp("Ann Smith lives in New York .")
    assert doc.has_annotation("ENT_IOB")


def test_pipelines_count_parameters():
    import torch

    linear = Linear(3, 4).initialize()
    unknown = Linear()
    wrapped = PyTorchWrapper(torch.nn.Linear(5, 2))
    together: Model = Model("all", lambda *args: args, layers=[linear, unknown, wrapped])
    assert count_parameters(list(together.walk())) == (3 * 4 + 3) + (5 * 2 + 2)


def test_pipelines_folder_size(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "one").write_bytes(b"123")
    (tmp_path / "a" / "b" / "two").write_bytes(b"4567")
    assert folder_size(tmp_path) == 7
