import os

import numpy
import pytest
import srsly
from spacy.tokens import DocBin, Span

from spacy_distill.docbins import (
    digest_docs,
    find_docbins,
    pack,
    read_docbins,
    unpack_docs,
    unpack_user_data,
    write_docbin,
)


@pytest.fixture
def write(tmp_path):
    """Write documents: `write("a", doc, other)`."""

    def write_docs(name, *docs, **settings):
        path = tmp_path / f"{name}.spacy"
        DocBin(docs=docs, **settings).to_disk(path)
        return path

    return write_docs


def test_docbins_are_read_in_order_of_their_names(nlp, write, make_doc, tmp_path):
    write("b", make_doc("b0"), make_doc("b1"))
    write("a", make_doc("a0"), make_doc("a1"))
    assert [doc.text for doc in read_docbins(tmp_path, nlp.vocab)] == ["a0 ", "a1 ", "b0 ", "b1 "]


def test_docbins_refuse_an_empty_folder(tmp_path):
    with pytest.raises(ValueError, match=r"\[D009\] '.*0' holds no documents with text"):
        find_docbins(tmp_path)


@pytest.mark.parametrize("has_user_data", [True, False])
def test_docbins_in_memory_can_be_read_repeatedly(nlp, make_doc, has_user_data):
    docs = [make_doc("a b"), make_doc("c")]
    docs[0].user_data.update({"mine": 1, ("._.", "mine", None, None): (2,)})
    docbin = DocBin(docs=docs, store_user_data=has_user_data)
    for _ in range(2):
        found = list(unpack_docs(docbin, nlp.vocab))
        assert [doc.text for doc in found] == ["a b ", "c "]
        assert found[0].user_data == (docs[0].user_data if has_user_data else {})


@pytest.mark.slow
def test_docbins_unpack_large_documents():
    """A single document may have over 100 MiB of soft targets, more than msgpack's limit."""
    packed = srsly.msgpack_dumps({"rows": numpy.zeros((60_000, 1000), dtype="float16")})
    (unpacked,) = unpack_user_data([packed])
    assert unpacked["rows"].shape == (60_000, 1000)


def test_docbins_hold_the_ids_of_entities(nlp, make_doc):
    doc = make_doc("Ann left")
    doc.ents = [Span(doc, 0, 1, label="PER", kb_id="Q1", span_id="ann")]
    docbin, counts = pack([doc, make_doc("Bob Rome", "B-PER B-LOC")])
    (ent,) = next(unpack_docs(docbin, nlp.vocab)).ents
    assert (ent.text, ent.label_, ent.kb_id_, ent.id_) == ("Ann", "PER", "Q1", "ann")
    assert counts == {"PER": 2, "LOC": 1}


def test_docbins_are_only_written_if_they_change(make_doc, tmp_path):
    path = tmp_path / "a.spacy"
    for text, is_new in [("a", True), ("a", False), ("b", True)]:
        write_docbin(pack([make_doc(text)])[0], path)
        assert (path.stat().st_mtime > 0) == is_new
        os.utime(path, (0, 0))


def test_digest_of_docs_without_entities_depends_on_their_words(write, make_doc):
    found = [digest_docs(write("a", make_doc(text), attrs=["LEMMA"])) for text in ("a", "a", "b")]
    assert found[0] == found[1] != found[2]


def test_digest_of_docs_depends_on_their_content(write, make_doc):
    """The digest depends on text and annotation, not on the form of the file."""
    words, tags = "Ann Smith left . Bob too", "B-PER I-PER O O B-PER O"
    doc = make_doc(words, tags)
    known = digest_docs(write("doc", doc))
    attrs = ["ENT_ID", "ENT_TYPE", "LEMMA", "SENT_START", "ENT_KB_ID", "ENT_IOB"]
    assert digest_docs(write("other", doc, attrs=attrs, store_user_data=True)) == known
    for other in (
        make_doc(words.replace("left", "came"), tags),
        make_doc(words, tags.replace("PER", "ORG")),
        make_doc(words, "B-PER B-PER O O B-PER O"),
        make_doc(words),
        make_doc(words, tags, spaces=[True, True, False, True, True, True]),
        make_doc(words, tags, sent_starts=[True, False, False, False, True, False]),
    ):
        assert digest_docs(write("other", other)) != known
    two = [make_doc("Ann Smith left .", "B-PER I-PER O O"), make_doc("Bob too", "B-PER O")]
    assert digest_docs(write("two", *two)) not in (known, digest_docs(write("other", *two[::-1])))
