"""A student learns from a teacher of another kind than `ner_tagger`, as in the workflow."""

import pytest
import spacy
from spacy.tokens import Doc, DocBin

from spacy_distill.annotate.docs import annotate_docs
from spacy_distill.corpus import build_distillation_corpus_v1


@pytest.fixture
def stock(examples):
    nlp = spacy.blank("en")
    nlp.add_pipe("ner")
    optimizer = nlp.initialize(lambda: examples)
    for _ in range(50):
        nlp.update(examples, sgd=optimizer)
    return nlp


@pytest.fixture
def rules(examples):
    nlp = spacy.blank("en")
    ents = {(ent.label_, ent.text) for eg in examples for ent in eg.reference.ents}
    patterns = [{"label": label, "pattern": text} for label, text in sorted(ents)]
    nlp.add_pipe("entity_ruler").add_patterns(patterns)
    return nlp


@pytest.mark.parametrize("kind", ["stock", "rules"])
def test_teaching_with_other_components(request, kind, texts, nlp, tiny, examples, tmp_path):
    teacher = request.getfixturevalue(kind)
    annotated = annotate_docs(teacher, [Doc(nlp.vocab, words=text.split()) for text in texts])
    DocBin(docs=list(annotated), store_user_data=True).to_disk(tmp_path / "pool.spacy")
    reader = build_distillation_corpus_v1(labelled=None, unlabelled=tmp_path)
    nlp.add_pipe("ner_tagger", name="ner", config=tiny)
    optimizer = nlp.initialize(lambda: list(reader(nlp)))
    optimizer.learn_rate = 0.02
    for _ in range(40):
        losses = nlp.update(list(reader(nlp)), sgd=optimizer)
    assert 0 < losses["ner_distillation"] < 0.5
    # The student was not trained on gold, only on its teacher's annotation.
    assert nlp.evaluate(examples)["ents_f"] > 0.9
