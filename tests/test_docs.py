"""Copies of documents, and changes to their entities and sentences."""

from spacy_distill.docs import join_sentences, strip_labels, trim_entities


def test_trim_entities_removes_whitespace_at_their_ends(make_doc, ents):
    """An underscore is a line break here. Missing annotation stays missing."""
    doc = make_doc("Bank _ x _ Ann _ Lee", "B-ORG I-ORG O B-PER I-PER I-PER I-PER")
    assert trim_entities(doc) == 2
    assert ents(doc) == [(0, 1, "ORG"), (4, 7, "PER")]
    assert [token.ent_iob_ for token in doc] == ["B", "O", "O", "O", "B", "I", "I"]
    assert trim_entities(doc) == 0
    doc = make_doc("_ _ Ann x", "B-ORG I-ORG B-PER O")
    doc.set_ents(doc.ents, default="missing")
    assert trim_entities(doc) == 1
    assert ents(doc) == [(2, 3, "PER")]
    assert [token.ent_iob_ for token in doc] == ["O", "O", "B", ""]


def test_strip_labels_removes_entities_and_spans(make_doc):
    doc = make_doc("Ann left", "B-PER O")
    doc.spans["sc"] = [doc[0:1]]
    stripped = strip_labels(doc)
    assert not stripped.ents and not stripped.spans
    assert [token.ent_iob for token in stripped] == [0, 0]


def test_join_sentences_within_entities(make_doc):
    doc = make_doc("a b c d e", "B-X I-X I-X O O")
    for i, token in enumerate(doc):
        token.is_sent_start = i in (0, 2, 4)
    assert join_sentences(doc) == 1
    assert [token.is_sent_start for token in doc] == [True, False, False, False, True]
    assert join_sentences(doc) == 0
