import warnings

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc, Span
from spacy.training.iob_utils import doc_to_biluo_tags
from spacy.vocab import Vocab

from spacy_distill.decoding import Transitions
from spacy_distill.entities import TokenAttributes, write_entities
from spacy_distill.tags import make_tags, split_tag, tag_in_iob, tags_from_docs

SCHEMES = ("iob", "biluo")
# One label contains a hyphen, one is a prefix of another.
LABELS = ["PER", "PER-X", "L"]


@st.composite
def spans(draw):
    """A document's length and entities, which may be adjacent."""
    length = draw(st.integers(0, 8))
    found = []
    start = 0
    while start < length:
        size = draw(st.integers(0, 3))
        end = min(start + size, length)
        if end > start:
            found.append((start, end, draw(st.sampled_from(LABELS))))
        start = max(end, start + 1)
    return length, found


def make_doc(length, entities):
    doc = Doc(Vocab(), words=[f"w{i}" for i in range(length)])
    doc.set_ents([Span(doc, *entity) for entity in entities], default="outside")
    return doc


def test_tags_of_each_scheme_in_order():
    assert make_tags(["A", "B"], scheme="iob") == ["O", "B-A", "I-A", "B-B", "I-B"]
    assert make_tags(["A"], scheme="biluo") == ["O", "B-A", "I-A", "L-A", "U-A"]
    assert make_tags([], scheme="iob") == ["O"]


@pytest.mark.parametrize("scheme", ["IOB", "bio", "", None])
def test_tags_refuse_unknown_schemes(scheme):
    with pytest.raises(ValueError, match=r"\[D007\].*scheme"):
        make_tags(["A"], scheme=scheme)


def test_tags_split_at_the_first_hyphen():
    assert split_tag("B-PER-X") == ("B", "PER-X")
    assert split_tag("O") == ("O", "")


@pytest.mark.parametrize("scheme", SCHEMES)
@given(documents=st.lists(spans(), max_size=4))
@settings(max_examples=60)
def test_tags_and_entities_round_trip(scheme, documents):
    tags = make_tags(LABELS, scheme=scheme)
    ids = tags_from_docs([make_doc(*document) for document in documents], tags)
    assert len(ids) == sum(length for length, _ in documents)
    docs = [make_doc(length, []) for length, _ in documents]
    write_entities(
        docs,
        ids,
        tags,
        fixed=numpy.zeros(len(ids), dtype=bool),
        attributes=TokenAttributes.from_docs(docs),
    )
    assert [[(ent.start, ent.end, ent.label_) for ent in doc.ents] for doc in docs] == [
        entities for _, entities in documents
    ]


@pytest.mark.parametrize("scheme", SCHEMES)
@given(documents=st.lists(spans(), max_size=4))
@settings(max_examples=60)
def test_tags_do_not_depend_on_the_batch(scheme, documents):
    tags = make_tags(LABELS, scheme=scheme)
    docs = [make_doc(*document) for document in documents]
    alone = [tags_from_docs([doc], tags).tolist() for doc in docs]
    assert tags_from_docs(docs, tags).tolist() == [tag for ids in alone for tag in ids]


@given(document=spans())
@settings(max_examples=60)
def test_tags_of_biluo_are_those_of_spacy(document):
    tags = make_tags(LABELS, scheme="biluo")
    doc = make_doc(*document)
    assert [tags[i] for i in tags_from_docs([doc], tags)] == doc_to_biluo_tags(doc)


@pytest.mark.parametrize("scheme", SCHEMES)
@given(document=spans())
@settings(max_examples=60)
def test_tags_of_documents_are_legal(scheme, document):
    tags = make_tags(LABELS, scheme=scheme)
    legal = Transitions.from_tags(tags)
    ids = tags_from_docs([make_doc(*document)], tags)
    assert not len(ids) or (legal.start[ids[0]] and legal.end[ids[-1]])
    assert legal.follows[ids[:-1], ids[1:]].all()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_tags_are_missing_if_annotation_is_missing(scheme):
    tags = make_tags(["A"], scheme=scheme)
    doc = make_doc(5, [])
    doc.set_ents([Span(doc, 1, 2, "A")], missing=[doc[3:5]], default="outside")
    a = tags.index("B-A" if scheme == "iob" else "U-A")
    assert tags_from_docs([doc], tags).tolist() == [0, a, 0, -1, -1]
    assert tags_from_docs([Doc(Vocab(), words=["x", "y"])], tags).tolist() == [-1, -1]


def test_tags_are_missing_if_the_label_is_unknown():
    tags = make_tags(["A"], scheme="biluo")
    doc = make_doc(5, [(0, 1, "A"), (1, 3, "B")])
    assert tags_from_docs([doc], tags).tolist() == [4, -1, -1, 0, 0]


def test_tags_of_unknown_labels_are_named_by_each_vocabulary():
    docs = [Doc(Vocab(), words=["it", "rains"], ents=["O", "O"])]
    docs.append(Doc(Vocab(), words=["Bob", "left"], ents=["B-SPEAKER", "O"]))
    with pytest.warns(UserWarning, match=r"annotated: SPEAKER\."):
        assert tags_from_docs(docs, make_tags(["A"], scheme="iob")).tolist() == [0, 0, -1, 0]


def test_tags_are_missing_if_a_token_is_blocked():
    """Blocked tokens have no label, so that there is no warning of an unknown one."""
    doc = Doc(Vocab(), words=["a", "Bob", "c"])
    doc.set_ents([], blocked=[doc[1:2]], default="outside")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert tags_from_docs([doc], make_tags(["A"], scheme="iob")).tolist() == [0, -1, 0]


def test_tags_of_an_entity_end_with_its_document():
    """The second document begins inside an entity, which does not continue that of the first."""
    tags = make_tags(["A"], scheme="biluo")
    whole, cut = make_doc(2, [(1, 2, "A")]), make_doc(2, [(0, 2, "A")])
    cut.from_array(["ENT_IOB"], numpy.asarray([1, 1], dtype="uint64"))
    ids = tags_from_docs([whole, make_doc(0, []), cut], tags)
    assert [tags[i] for i in ids] == ["O", "U-A", "I-A", "L-A"]


@pytest.mark.parametrize(
    "tag, expected",
    [("O", "O"), ("U-A", "B-A"), ("L-A-B", "I-A-B"), ("B-LU", "B-LU"), ("I-U-L", "I-U-L")],
)
def test_tags_of_biluo_in_iob(tag, expected):
    assert tag_in_iob(tag) == expected
