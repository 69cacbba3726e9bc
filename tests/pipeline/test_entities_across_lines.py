"""Entities across line breaks that separate texts, such as addresses, can be learned."""

import pytest
import spacy
from spacy.training import Example
from thinc.api import Adam, chain, noop

from spacy_distill.annotate.docs import annotate_docs

SCHEMES = [("softmax", "biluo"), ("crf", "iob"), ("crf", "biluo")]


def make_letters(nlp, *, share):
    """Twenty letters with a name and an address; in a share of them it is labelled as a whole."""
    examples = []
    for i in range(20):
        text = f"To:\nAnn Lee\n{i} Main Street\nSpringfield\nTotal: {i} EUR"
        end = "Springfield" if i < 20 * share else "Street"
        address = (15 - 3, text.index(end) + len(end), "ADDRESS")
        gold = {"entities": [(4, 11, "PER"), address]}
        examples.append(Example.from_dict(nlp.make_doc(text), gold))
    return examples


@pytest.fixture(params=SCHEMES, ids="-".join)
def make_tagger(request, tiny):
    def make(share):
        nlp = spacy.blank("en")
        classifier, scheme = request.param
        config = {"model": {**tiny["model"], "classifier": classifier}, "scheme": scheme}
        nlp.add_pipe("ner_tagger", name="ner", config=config)
        examples = make_letters(nlp, share=share)
        nlp.initialize(lambda: examples)
        return nlp, examples

    return make


def test_entities_across_lines_are_learned(make_tagger, tmp_path):
    nlp, examples = make_tagger(share=1)
    optimizer = Adam(0.02)
    for _ in range(60):
        nlp.update(examples, sgd=optimizer)
    assert nlp.evaluate(examples)["ents_f"] == 1.0
    nlp.to_disk(tmp_path / "trained")
    loaded = spacy.load(tmp_path / "trained")
    text = examples[3].reference.text
    found = [(ent.text, ent.label_) for ent in loaded(text).ents]
    assert found == [("Ann Lee", "PER"), ("3 Main Street\nSpringfield", "ADDRESS")]
    # As a teacher, it labels them in the same way.
    (doc,) = annotate_docs(loaded, [loaded.make_doc(text)])
    assert [(ent.text, ent.label_) for ent in doc.ents] == found


@pytest.mark.parametrize("share, are_lines", [(0, True), (0.05, False), (1, False)])
def test_entities_across_lines_decide_whether_lines_are_texts(make_tagger, share, are_lines):
    nlp, examples = make_tagger(share=share)
    ner, doc = nlp.get_pipe("ner"), examples[0].predicted
    lengths = [3, 3, 4, 2, 4] if are_lines else [len(doc)]
    assert ner.find_lengths([doc]) == lengths
    # Every word has scores of its own, also of a document that is read as a whole.
    (scores,) = ner.predict([doc])
    assert scores.shape == (len(doc), len(ner.tags))
    one_line = nlp.make_doc(doc.text.replace("\n", " "))
    is_word = [not token.is_space for token in doc]
    is_same = bool((abs(scores[is_word] - ner.predict([one_line])[0]) < 1e-5).all())
    assert is_same == (not are_lines)
    (plain,) = ner.predict([nlp.make_doc("Ann Lee left")])  # without line breaks, nothing changes
    assert plain.shape == (3, len(ner.tags))


def test_entities_across_lines_are_decided_again(make_tagger):
    nlp, _ = make_tagger(share=1)
    others = make_letters(nlp, share=0)
    nlp.initialize(lambda: others)
    assert len(nlp.get_pipe("ner").find_lengths([others[0].predicted])) == 5


def test_entities_across_lines_are_learned_by_a_model_within_another(make_tagger):
    nlp, examples = make_tagger(share=1)
    ner = nlp.get_pipe("ner")
    ner.model.attrs["separate_lines"] = True
    ner.model = chain(ner.model, noop())
    ner.initialize(lambda: examples, nlp=nlp)
    doc = examples[0].predicted
    assert ner.find_lengths([doc]) == [len(doc)]
    assert [node.attrs.get("separate_lines") for node in ner.model.walk()][:2] == [False, False]


def test_entities_across_lines_are_learned_by_the_model_of_a_teacher(tmp_path):
    nlp = spacy.blank("en")
    tok2vec = {
        "@architectures": "spacy.HashEmbedCNN.v2",
        "pretrained_vectors": None,
        "width": 32,
        "depth": 2,
        "embed_size": 200,
        "window_size": 1,
        "maxout_pieces": 2,
        "subword_features": True,
    }
    model = {"@architectures": "spacy-distill.LinearTagger.v1", "tok2vec": tok2vec}
    nlp.add_pipe("ner_tagger", name="ner", config={"model": model})
    examples = make_letters(nlp, share=1)
    nlp.initialize(lambda: examples)
    optimizer = Adam(0.02)
    for _ in range(30):
        nlp.update(examples, sgd=optimizer)
    nlp.to_disk(tmp_path / "teacher")
    loaded = spacy.load(tmp_path / "teacher")
    doc = examples[0].predicted
    assert loaded.get_pipe("ner").find_lengths([doc]) == [len(doc)]
    assert loaded.evaluate(examples)["ents_f"] == 1.0
