import json

import pytest
import spacy
from spacy.tokens import DocBin
from spacy.training import Example

from spacy_distill.sweep.score import count_sentence, score_cli


@pytest.fixture
def scored(tmp_path, student_path, make_doc):
    """Score the student on sentences with some errors, and return metrics and counts."""

    def score(sentences):
        docs = [make_doc(*sentence) for sentence in sentences]
        DocBin(docs=docs).to_disk(tmp_path / "test.spacy")
        metrics, counts = tmp_path / "metrics" / "a.json", tmp_path / "metrics" / "a.counts.json"
        score_cli(student_path, tmp_path / "test.spacy", metrics, counts)
        return json.loads(metrics.read_text()), json.loads(counts.read_text())

    return score


def test_score_counts_each_sentence(scored, student):
    metrics, counts = scored(
        [
            ("Ann Smith lives in New York .", "B-PER I-PER O O B-LOC I-LOC O"),  # as it was learned
            ("Bob went to Rome", "B-PER O O O"),  # one entity is spurious
            ("nobody went home", "B-PER O B-LOC"),  # two are missing
            ("Eve likes Ann", "B-LOC O B-PER"),  # another label: wrong and missing
        ]
    )
    assert (counts["tp"], counts["fp"], counts["fn"]) == ([2, 1, 0, 1], [0, 1, 0, 1], [0, 0, 2, 1])
    assert metrics["ents_f"] == pytest.approx(2 * 4 / (2 * 4 + 2 + 3))
    expected = sum(
        node.get_param(n).size
        for node in student.get_pipe("ner").model.walk()
        for n in node.param_names
        if node.has_param(n)
    )
    assert counts["parameters"] == expected > 1000


def test_score_agrees_with_spacy(scored, student_path, tmp_path):
    """F1 is that of `nlp.evaluate` on the same documents."""
    metrics, counts = scored([("Bob saw Rome Eve likes Oslo", "B-PER O B-LOC O O B-LOC")] * 2)
    nlp = spacy.load(student_path)
    docs = [*DocBin().from_disk(tmp_path / "test.spacy").get_docs(nlp.vocab)]
    expected = nlp.evaluate([Example(nlp.make_doc(doc.text), doc) for doc in docs])
    assert metrics["ents_f"] == pytest.approx(expected["ents_f"])
    assert metrics["ents_per_type"].keys() == expected["ents_per_type"].keys()
    assert metrics["speed"] > 0
    assert len(counts["tp"]) == 2


def test_score_ignores_predictions_without_gold(make_doc):
    predicted = make_doc("Ann met Bob", "B-PER O B-PER")
    gold = make_doc("Ann met Bob", "B-PER O O")
    gold.set_ents([gold.ents[0]], missing=[gold[2:3]], default="outside")
    score = count_sentence(Example(predicted, gold))
    assert (score.tp, score.fp, score.fn) == (1, 0, 0)
