import math
from time import perf_counter

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from spacy.lang.lex_attrs import LEX_ATTRS
from spacy.tokens import Doc, Span
from spacy.vocab import Vocab

from spacy_distill.entities import (
    TokenAttributes,
    span_confidence,
    write_confidences,
    write_entities,
)
from spacy_distill.tags import make_tags

SCHEMES = ("iob", "biluo")
# spaCy has a number for PERSON and a hash for the others.
LABELS = ["PERSON", "PER", "PER-X"]
SPACE = "\n"
# All attributes of entities, which fixed tokens keep.
ANNOTATION = ["ENT_IOB", "ENT_TYPE", "ENT_KB_ID", "ENT_ID"]


def number_tags(wanted, tags):
    """Tags in BILUO, as numbers of the scheme that the tags are of."""
    if "L-PER" not in tags:
        wanted = wanted.replace("L-", "I-").replace("U-", "B-")
    return [tags.index(tag) for tag in wanted.split()]


def write(docs, ids, tags):
    """Write entities around the existing ones, as the component does."""
    attributes = TokenAttributes.from_docs(docs)
    write_entities(
        docs,
        numpy.asarray(ids, dtype="i"),
        tags,
        fixed=attributes.preset,
        attributes=attributes,
    )


@pytest.fixture(params=SCHEMES)
def tags(request):
    return make_tags(LABELS, scheme=request.param)


def test_entities_of_many_documents_at_once(tags, make_doc, ents):
    texts = ["", "a", "a b c", "", "a b", "b", ""]
    wanted = "U-PERSON B-PER I-PER L-PER O U-PER-X O"
    docs = [make_doc(text) for text in texts]
    write(docs, number_tags(wanted, tags), tags)
    assert [ents(doc) for doc in docs] == [
        [],
        [(0, 1, "PERSON")],
        [(0, 3, "PER")],
        [],
        [(1, 2, "PER-X")],
        [],
        [],
    ]
    assert [[token.ent_iob_ for token in doc] for doc in docs] == [
        *([], ["B"], ["B", "I", "I"], [], ["O", "B"], ["O"], [])
    ]


def test_entities_of_neighbouring_documents_stay_apart(tags, make_doc, ents):
    docs = [make_doc("a b"), make_doc("c d")]
    write(docs, number_tags("B-PER L-PER B-PER L-PER", tags), tags)
    assert [ents(doc) for doc in docs] == [[(0, 2, "PER")]] * 2


@pytest.mark.parametrize("texts", [[], [""], ["", ""]])
def test_entities_of_no_tokens(tags, make_doc, texts):
    docs = [make_doc(text) for text in texts]
    write(docs, [], tags)
    assert all(doc.ents == () for doc in docs)


def test_entities_that_are_adjacent(tags, make_doc, ents):
    doc = make_doc("a b c d")
    write([doc], number_tags("U-PER U-PER B-PER L-PER", tags), tags)
    assert ents(doc) == [(0, 1, "PER"), (1, 2, "PER"), (2, 4, "PER")]


def test_entities_on_fixed_tokens_are_kept(tags, make_doc, ents):
    docs = [make_doc("a b c d e"), make_doc("f")]
    given = Span(docs[0], 1, 3, "GIVEN", kb_id="Q1", span_id="rule")
    docs[0].set_ents([given], default="missing")
    write(docs, number_tags("U-PER O O B-PER L-PER U-PERSON", tags), tags)
    assert ents(docs[0]) == [(0, 1, "PER"), (1, 3, "GIVEN"), (3, 5, "PER")]
    assert [ent.kb_id_ for ent in docs[0].ents] == ["", "Q1", ""]
    assert [ent.id_ for ent in docs[0].ents] == ["", "rule", ""]
    assert ents(docs[1]) == [(0, 1, "PERSON")]


def test_entities_do_not_get_the_id_of_one_that_was_removed(tags, make_doc):
    doc = make_doc("a b")
    doc.set_ents([Span(doc, 0, 2, "GIVEN", kb_id="Q1", span_id="rule")])
    doc.set_ents([])
    assert (doc[0].ent_kb_id_, doc[0].ent_id_) == ("Q1", "rule")  # spaCy does not remove them
    write([doc], number_tags("U-PER O", tags), tags)
    assert [(ent.label_, ent.kb_id_, ent.id_) for ent in doc.ents] == [("PER", "", "")]


def test_entities_leave_blocked_tokens_blocked(tags, make_doc, ents):
    doc = make_doc("a b c")
    doc.set_ents([], blocked=[doc[1:2]], default="missing")
    write([doc], number_tags("U-PER O U-PER", tags), tags)
    assert ents(doc) == [(0, 1, "PER"), (2, 3, "PER")]
    assert_array_equal(doc.to_array(["ENT_IOB", "ENT_TYPE"])[1], [3, 0])


def test_entities_complete_missing_annotation(tags, make_doc):
    doc = make_doc("a b c")
    assert not doc.has_annotation("ENT_IOB")
    write([doc], number_tags("O U-PER O", tags), tags)
    assert doc.has_annotation("ENT_IOB", require_complete=True)


def test_entities_replace_those_that_are_not_fixed(tags, make_doc):
    doc = make_doc("a b c", "B-OLD I-OLD O")
    write_entities(
        [doc],
        numpy.asarray(number_tags("O O U-PER", tags)),
        tags,
        fixed=numpy.asarray([False, False, False]),
        attributes=TokenAttributes.from_docs([doc]),
    )
    assert [(token.ent_iob_, token.ent_type_) for token in doc] == [
        *(("O", ""), ("O", ""), ("B", "PER"))
    ]


@pytest.mark.parametrize(
    "text, wanted, expected",
    [
        ("a _ b", "B-PER I-PER L-PER", [(0, 3)]),
        ("a _ _ b c", "B-PER I-PER I-PER L-PER O", [(0, 4)]),
        ("a _ b", "B-PER L-PER O", [(0, 1)]),
        ("a b _ _ _ c", "B-PER I-PER I-PER I-PER L-PER O", [(0, 2)]),
        ("a _ b _", "B-PER I-PER I-PER L-PER", [(0, 3)]),
        ("a _", "B-PER L-PER", [(0, 1)]),
        ("a _ _ _", "B-PER I-PER I-PER L-PER", [(0, 1)]),
        ("a _ b", "B-PER L-PER U-PER", [(0, 1), (2, 3)]),
        ("a b _ _ c d", "B-PER I-PER I-PER L-PER B-PER L-PER", [(0, 2), (4, 6)]),
        ("_ a _", "O U-PER O", [(1, 2)]),
        ("_ _", "O O", []),
    ],
)
def test_entities_do_not_end_with_whitespace(tags, make_doc, text, wanted, expected):
    """Trailing whitespace is removed at any position of a document in its batch."""
    before, doc, after = make_doc("a _"), make_doc(text), make_doc("a b")
    others = number_tags("B-PER L-PER", tags)
    write([before, doc, after], [*others, *number_tags(wanted, tags), *others], tags)
    assert [(ent.start, ent.end) for ent in doc.ents] == expected
    left_out = set(range(len(doc))) - {i for ent in doc.ents for i in range(ent.start, ent.end)}
    assert all(doc[i].ent_iob_ == "O" and not doc[i].ent_type_ for i in left_out)
    assert [(ent.start, ent.end) for ent in before.ents] == [(0, 1)]
    assert [(ent.start, ent.end) for ent in after.ents] == [(0, 2)]


def test_entities_before_much_whitespace_are_found_in_one_pass(tags):
    doc = Doc(Vocab(lex_attr_getters=LEX_ATTRS), words=["Rome", *["\n"] * 100_000, "left"])
    wanted = " ".join(["B-PER", *["I-PER"] * 99_999, "L-PER", "O"])
    start = perf_counter()
    write([doc], number_tags(wanted, tags), tags)
    assert perf_counter() - start < 5  # it took half a minute
    assert [(ent.start, ent.end) for ent in doc.ents] == [(0, 1)]


def test_entities_do_not_modify_the_given_tags(tags, make_doc):
    docs = [make_doc("a _")]
    ids = numpy.asarray(number_tags("B-PER L-PER", tags))
    before = ids.copy()
    no_token = numpy.asarray([False, False])
    write_entities(docs, ids, tags, fixed=no_token, attributes=TokenAttributes.from_docs(docs))
    assert_array_equal(ids, before)


def test_entities_of_several_vocabularies_have_their_labels(tags):
    shared = Vocab()
    docs = [Doc(vocab, words=["a", "b"]) for vocab in (Vocab(), shared, Vocab(), shared)]
    assert all("PER-X" not in doc.vocab.strings for doc in docs)
    write(docs, number_tags("U-PER-X U-PERSON O U-PER-X U-PER O U-PER O", tags), tags)
    assert [[ent.label_ for ent in doc.ents] for doc in docs] == [
        *(["PER-X", "PERSON"], ["PER-X"], ["PER"], ["PER"])
    ]


def test_entities_read_the_attributes_of_tokens(make_doc):
    docs = [
        make_doc("a _ b", sent_starts=[True, False, True]),
        make_doc(""),
        make_doc("c d", "O O"),
    ]
    given = Span(docs[0], 0, 2, "PERSON", kb_id="Q1", span_id="rule")
    docs[0].set_ents([given], default="missing")
    attributes = TokenAttributes.from_docs(docs)
    assert_array_equal(attributes.ent_iob, [3, 1, 0, 2, 2])
    assert_array_equal(attributes.preset, [True, True, False, False, False])
    strings = docs[0].vocab.strings
    assert_array_equal(attributes.ent_type, [strings["PERSON"]] * 2 + [0] * 3)
    assert_array_equal(attributes.ent_kb_id, [strings["Q1"]] * 2 + [0] * 3)
    assert_array_equal(attributes.ent_id, [strings["rule"]] * 2 + [0] * 3)
    assert_array_equal(attributes.is_space, [False, True, False, False, False])
    # Without the first token of each document, which spaCy always sets
    assert_array_equal(attributes.sent_start, [False, False, True, False, False])
    assert all(column.shape == (0,) for column in TokenAttributes.from_docs([]))


# Parts of a document: their kind, which of their tokens are whitespace, and their label.
parts = st.tuples(
    st.sampled_from(["new", "new", "preset", "blocked", "missing", "outside"]),
    st.lists(st.booleans(), min_size=1, max_size=4),
    st.sampled_from(LABELS),
)


def make_parts(vocab, document):
    """Make a document with existing annotation, BILUO tags to write, and the spans of each kind.

    All of its tokens once belonged to an entity with ids, which was removed.
    """
    words, wanted = [], []
    places = {kind: [] for kind in ("new", "preset", "blocked", "missing", "outside")}
    for kind, is_space, label in document:
        start, size = len(words), len(is_space)
        words += [SPACE if space else "a" for space in is_space]
        if kind == "new":
            words[start] = "a"
            inside = [f"I-{label}"] * (size - 2)
            wanted += [f"U-{label}"] if size == 1 else [f"B-{label}", *inside, f"L-{label}"]
            places[kind].append((start, start + len("".join(words[start:]).rstrip()), label))
        else:
            wanted += ["O"] * size
            places[kind].append((start, start + size, label))
    doc = Doc(vocab, words=words)
    doc.set_ents([Span(doc, 0, len(doc), "OLD", kb_id="Q0", span_id="old")] if words else [])
    doc.set_ents([])
    spans = {
        kind: [Span(doc, *place) for place in found if kind != "preset"]
        for kind, found in places.items()
    }
    spans["preset"] = [
        Span(doc, start, end, label, kb_id="Q1", span_id="rule")
        for start, end, label in places["preset"]
    ]
    doc.set_ents(
        spans["preset"],
        **{kind: spans[kind] for kind in ("blocked", "missing", "outside")},
        default="missing",
    )
    return doc, " ".join(wanted), spans


@pytest.mark.parametrize("scheme", SCHEMES)
@given(documents=st.lists(st.lists(parts, max_size=5), max_size=4))
@settings(max_examples=150)
def test_entities_agree_with_set_ents(scheme, documents):
    tags = make_tags(LABELS, scheme=scheme)
    vocab = Vocab(lex_attr_getters=LEX_ATTRS)  # `is_space` is a lexical attribute
    docs, wanted, expected = [], [], []
    for document in documents:
        doc, doc_wanted, spans = make_parts(vocab, document)
        docs.append(doc)
        wanted.append(doc_wanted)
        copied = doc.copy()
        copied.set_ents(
            [*spans["preset"], *spans["new"]], blocked=spans["blocked"], default="outside"
        )
        for token in (token for span in spans["new"] for token in copied[span.start : span.end]):
            token.ent_id = 0  # `set_ents` leaves that of the entity that was removed
        expected.append(copied)
    write(docs, number_tags(" ".join(wanted), tags), tags)
    for doc, copied in zip(docs, expected):
        assert_array_equal(doc.to_array(ANNOTATION), copied.to_array(ANNOTATION))
        assert [(e.start, e.end, e.label_, e.kb_id_, e.id_) for e in doc.ents] == [
            (e.start, e.end, e.label_, e.kb_id_, e.id_) for e in copied.ents
        ]


def test_entities_confidence_is_the_geometric_mean():
    probs = numpy.asarray([[0.5, 0.5, 0.0], [0.0, 0.8, 0.2], [0.1, 0.4, 0.5], [1.0, 0.0, 0.0]])
    with numpy.errstate(divide="ignore"):
        log_probs = numpy.log(probs)
    assert_allclose(span_confidence(log_probs[1:3], numpy.asarray([1, 2])), math.sqrt(0.8 * 0.5))
    assert_allclose(span_confidence(log_probs[3:4], numpy.asarray([0])), 1.0)


def test_entities_confidences_are_of_their_own_tokens(tags, make_doc):
    """Computed by hand: whitespace and preset entities are not counted."""
    doc = make_doc("a b _ c d")
    doc.set_ents([Span(doc, 3, 4, "GIVEN")], default="missing")
    ids = number_tags("B-PER I-PER L-PER O U-PER", tags)
    preset = numpy.asarray([False, False, False, True, False])
    log_probs = numpy.full((5, len(tags)), -9.0)
    log_probs[range(5), ids] = numpy.log([0.9, 0.4, 0.001, 0.002, 0.7])
    write([doc], ids, tags)
    is_space = TokenAttributes.from_docs([doc]).is_space
    ids = numpy.asarray(ids)
    write_confidences([doc], ids, [log_probs], fixed=preset, is_space=is_space, key="sure")
    assert [(span.text, span.label_) for span in doc.spans["sure"]] == [
        *(("a b", "PER"), ("c", "GIVEN"), ("d", "PER"))
    ]
    assert_allclose(doc.spans["sure"].attrs["scores"], [math.sqrt(0.9 * 0.4), 1.0, 0.7])


def test_entities_confidences_do_not_count_whitespace_within(tags, make_doc):
    doc = make_doc("New _ York")
    ids = numpy.asarray(number_tags("B-PER I-PER L-PER", tags))
    is_space = numpy.asarray([False, True, False])
    log_probs = numpy.full((3, len(tags)), -9.0)
    log_probs[range(3), ids] = numpy.log([0.9, 0.001, 0.4])
    write([doc], ids, tags)
    write_confidences([doc], ids, [log_probs], fixed=ids < 0, is_space=is_space, key="sure")
    assert_allclose(doc.spans["sure"].attrs["scores"], [math.sqrt(0.9 * 0.4)])


def test_entities_confidences_of_preset_entities_are_kept(tags, make_doc):
    """Also after the document was stored, and after the tokens of an entity were merged."""
    doc = make_doc("a b c d")
    ids = numpy.asarray(number_tags("B-PER L-PER O U-PER", tags))
    log_probs = numpy.log(numpy.full((4, len(tags)), 0.4))
    free = numpy.zeros(4, dtype=bool)
    write([doc], ids, tags)
    write_confidences([doc], ids, [log_probs], fixed=free, is_space=free, key="sure")
    doc = Doc(doc.vocab).from_bytes(doc.to_bytes())
    with doc.retokenize() as retokenizer:
        retokenizer.merge(doc[0:2])
    # A new entity, and another label of the same tokens, were not predicted.
    doc.set_ents([doc.ents[0], Span(doc, 1, 2, "GIVEN"), Span(doc, 2, 3, "PER-X")])
    preset, no_space = numpy.ones(3, dtype=bool), free[:3]
    for key, expected in {"sure": [0.4, 1.0, 1.0], "other": [1.0, 1.0, 1.0]}.items():
        write_confidences([doc], ids[:3], [log_probs[:3]], fixed=preset, is_space=no_space, key=key)
        assert [span.text for span in doc.spans[key]] == ["a b", "c", "d"]
        assert_allclose(doc.spans[key].attrs["scores"], expected)


def test_entities_confidences_are_kept_next_to_new_entities(tags, make_doc):
    doc = make_doc("a b")
    ids = numpy.asarray(number_tags("U-PER U-PER", tags))
    none = numpy.zeros(2, dtype=bool)
    write([doc], ids, tags)
    for confidence, fixed in ((0.4, none), (0.7, numpy.asarray([True, False]))):
        log_probs = numpy.log(numpy.full((2, len(tags)), confidence))
        write_confidences([doc], ids, [log_probs], fixed=fixed, is_space=none, key="sure")
    assert_allclose(doc.spans["sure"].attrs["scores"], [0.4, 0.7])


def test_entities_confidences_of_no_entities(tags, make_doc):
    for text in ("", "a b"):
        doc = make_doc(text)
        n_tokens = len(doc)
        nothing, none = numpy.zeros(n_tokens, dtype="i"), numpy.zeros(n_tokens, dtype=bool)
        log_probs = numpy.zeros((n_tokens, len(tags)))
        write_confidences([doc], nothing, [log_probs], fixed=none, is_space=none, key="sure")
        assert len(doc.spans["sure"]) == 0
        assert doc.spans["sure"].attrs["scores"] == []
