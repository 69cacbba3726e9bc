import subprocess
import sys
from pathlib import Path
from typing import List

import numpy
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from spacy.tokens import Doc
from spacy.vocab import Vocab
from thinc.api import Adam

from spacy_distill.layers.bilstm import build_bilstm_v1
from spacy_distill.layers.char_cnn import build_char_cnn_v1
from spacy_distill.layers.lookup import build_lookup_v1, set_table
from spacy_distill.models.char_cnn_bilstm import build_char_cnn_bilstm_v1
from spacy_distill.segmentation import Segmenter
from spacy_distill.types import TaggerModel

N_TAGS = 5
# Run in a process of its own, where neither can be imported: load the model, print its scores.
# (Thinc imports torch wherever it finds it, so that looking at sys.modules would not tell.)
LOAD = """
import sys
sys.modules.update({"torch": None, "transformers": None})
from pathlib import Path
from spacy.tokens import Doc
from spacy.vocab import Vocab
from spacy_distill.layers.bilstm import build_bilstm_v1
from spacy_distill.layers.char_cnn import build_char_cnn_v1
from spacy_distill.layers.lookup import build_lookup_v1
from spacy_distill.models.char_cnn_bilstm import build_char_cnn_bilstm_v1
model = build_char_cnn_bilstm_v1(build_lookup_v1(), build_char_cnn_v1(), build_bilstm_v1())
model.from_disk(Path(sys.argv[1]))
for row in model.predict([Doc(Vocab(), words=["Anna", "saw", "unheard-of", "Berlin"])])[0]:
    print(*row)
"""


def build_student(**settings: float) -> TaggerModel:
    return build_char_cnn_bilstm_v1(
        build_lookup_v1(), build_char_cnn_v1(), build_bilstm_v1(), **settings
    )


def make_docs(texts: List[str]) -> List[Doc]:
    vocab = Vocab()
    return [Doc(vocab, words=text.split()) for text in texts]


def initialised(docs: List[Doc]) -> TaggerModel:
    numpy.random.seed(0)
    targets = [numpy.zeros((len(doc), N_TAGS), dtype="f") for doc in docs]
    return build_student().initialize(X=docs, Y=targets)


def test_student_gives_scores_to_documents_with_and_without_tokens() -> None:
    docs = make_docs(["Anna saw Berlin", "", "Berlin"])
    model = initialised(docs)
    scores = model.predict(docs)
    assert [rows.shape for rows in scores] == [(3, N_TAGS), (0, N_TAGS), (1, N_TAGS)]
    none, backprop = model.begin_update(docs[1:2])
    assert none[0].shape == (0, N_TAGS)
    assert backprop(none) == []


def test_student_vocabulary_comes_from_all_documents() -> None:
    docs = make_docs([f"w{i}" for i in range(100)] + ["Last Last"])
    model = initialised(docs)
    entries = model.get_ref("lookup").attrs["segmenter"].entries
    assert len(entries) == 102
    assert "Last" in entries
    assert set("0123456789w") <= set(model.get_ref("char_cnn").attrs["chars"])


def test_student_number_of_tags_is_given_or_inferred() -> None:
    docs = make_docs(["Anna saw Berlin"])
    assert build_student(nO=4).initialize(X=docs).predict(docs)[0].shape == (3, 4)
    later = build_student()
    later.set_dim("nO", 6)
    later.initialize(X=docs)
    assert later.predict(docs)[0].shape == (3, 6)
    assert later.get_ref("output_layer").get_dim("nO") == 6
    with pytest.raises(ValueError, match="nO"):
        build_student().initialize(X=docs)


def test_student_takes_a_table_before_it_is_initialised() -> None:
    segmenter = Segmenter(
        entries=("[UNK]", "anna"), kind="pieces", unknown=0, lowercase=True, strip_accents=True
    )
    model = build_student(nO=2)
    set_table(model.get_ref("lookup"), segmenter=segmenter, rows=numpy.ones((2, 100), dtype="f"))
    docs = make_docs(["Anna saw"])
    model.initialize(X=docs)
    assert model.get_ref("lookup").get_param("E").shape == (2, 100)
    assert model.predict(docs)[0].shape == (2, 2)


def test_student_drops_out_in_training_only() -> None:
    docs = make_docs(["Anna saw Berlin", "Berlin"])
    model = initialised(docs)
    first, again = model.predict(docs), model.predict(docs)
    assert_array_equal(first[0], again[0])
    first, again = model.begin_update(docs)[0], model.begin_update(docs)[0]
    assert not numpy.allclose(first[0], again[0])


def test_student_learns() -> None:
    docs = make_docs(["Anna saw Berlin", "Anna", "Berlin saw Anna"])
    ids = {"Anna": 1, "saw": 0, "Berlin": 2}
    gold = [numpy.eye(N_TAGS, dtype="f")[[ids[token.text] for token in doc]] for doc in docs]
    model = initialised(docs)
    optimizer = Adam(0.01)
    for _ in range(30):
        scores, backprop = model.begin_update(docs)
        odds = [numpy.exp(rows) for rows in scores]
        backprop([e / e.sum(axis=1, keepdims=True) - y for e, y in zip(odds, gold)])
        model.finish_update(optimizer)
    for rows, y in zip(model.predict(docs), gold):
        assert_array_equal(rows.argmax(axis=1), y.argmax(axis=1))


def test_student_loads_where_there_is_no_torch(tmp_path: Path) -> None:
    model = initialised(make_docs(["Anna saw Berlin", "Berlin"]))
    model.to_disk(tmp_path / "model")
    command = [sys.executable, "-c", LOAD, str(tmp_path / "model")]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    scores = model.predict(make_docs(["Anna saw unheard-of Berlin"]))[0]
    loaded = [[float(score) for score in row.split()] for row in output.splitlines()]
    assert_allclose(loaded, scores, atol=1e-5)
