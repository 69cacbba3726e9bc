import numpy
import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from spacy.tokens import Doc
from spacy.vocab import Vocab

from spacy_distill.annotate.docs import annotate_docs
from spacy_distill.corpus import build_distillation_corpus_v1, leave_out_unsure
from spacy_distill.soft_targets import KEY
from spacy_distill.tags import make_tags
from spacy_distill.targets import get_targets
from spacy_distill.teachers.reading import align_rows, retokenise

VOCAB = Vocab()


def number(n_tokens):
    """Rows that say which token they are of: (n_tokens, 2)."""
    return numpy.repeat(numpy.arange(n_tokens, dtype="f")[:, None], 2, axis=1)


@pytest.mark.parametrize(
    "words, own_words, expected",
    [
        ("a b c", "a b c", [0, 1, 2]),
        ("ab c", "a b c", [-1, 2]),
        ("a b c", "ab c", [-1, -1, 1]),
        ("a bc d", "ab c d", [-1, -1, 2]),
        ("x ab c", "x a bc", [0, -1, -1]),
        ("", "", []),
    ],
)
def test_reading_aligns_one_to_one(words, own_words, expected):
    docs = [Doc(VOCAB, words=text.split()) for text in (words, own_words)]
    rows = align_rows(*docs, number(len(docs[1])))
    assert [-1 if numpy.isnan(row).any() else int(row[0]) for row in rows] == expected


@given(text=st.text("ab -'\n.", max_size=12), data=st.data())
@settings(max_examples=60)
def test_reading_aligns_any_two_tokenisations_of_a_text(text, data):
    """A row goes to a token of the same characters, and to each such token."""

    def tokenise():
        words = text.split(" ")
        cuts = data.draw(st.lists(st.integers(0, 3), min_size=len(words), max_size=len(words)))
        parts = [[word[:cut], word[cut:]] for word, cut in zip(words, cuts)]
        found = [[part for part in pair if part] for pair in parts]
        spaces = [i == len(pair) - 1 for pair in found for i in range(len(pair))]
        return Doc(VOCAB, words=[part for pair in found for part in pair], spaces=spaces)

    doc, own = tokenise(), tokenise()
    where = {(token.idx, token.text): token.i for token in own}
    rows = align_rows(doc, own, number(len(own)))
    for token, row in zip(doc, rows):
        if token.text.strip():  # spaCy aligns white space as it likes
            expected = where.get((token.idx, token.text), numpy.nan)
            assert_array_equal(row, [expected, expected])


def test_reading_retokenises_text_and_leaves_the_document_alone(make_doc):
    other = spacy.blank("en")
    doc = make_doc("Ann's dog-food")
    own = retokenise(other, doc)
    assert [token.text for token in own] == ["Ann", "'s", "dog", "-", "food"]
    assert own.vocab is other.vocab
    assert len(doc) == 2
    assert len(retokenise(other, make_doc(""))) == 0
    other.max_length = 10  # of a text, where nobody has made a document of it
    assert len(retokenise(other, doc)) == 5


@pytest.fixture
def rules():
    nlp = spacy.blank("en")
    patterns = [("LOC", "New-York"), ("LOC", "Rome"), ("PER", "Ann"), ("PER", "Eve-Sue Jones")]
    ruler = nlp.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": label, "pattern": text} for label, text in patterns])
    return nlp


def test_reading_leaves_out_what_has_no_match(rules, make_doc, tmp_path, tiny, nlp, ents):
    """`Eve-Sue` is three tokens of the teacher's: nothing is known of the person at all."""
    doc = make_doc("Ann met Eve-Sue Jones in New-York or Rome")
    (doc,) = annotate_docs(rules, [doc])
    said = ~numpy.isnan(doc.user_data[KEY]["log_probs"]).any(axis=1)
    assert said.tolist() == [True, True, False, True, True, False, True, True]
    assert ents(doc) == [(0, 1, "PER"), (7, 8, "LOC")]
    assert [token.ent_iob for token in doc] == [3, 2, 0, 0, 2, 0, 2, 3]
    # What is stored is read by the reader and the loss.
    path = tmp_path / "pool.spacy"
    spacy.tokens.DocBin(docs=[doc], store_user_data=True).to_disk(path)
    (eg,) = build_distillation_corpus_v1(labelled=None, unlabelled=path)(nlp)
    tags = make_tags(["PER", "LOC"], scheme="iob")
    targets = get_targets([eg], tags=tags, name="ner")
    assert targets.taught.tolist() == [0, 1, 3, 4, 6, 7]
    assert targets.tags.tolist() == [1, 0, -1, -1, 0, -1, 0, 3]
    assert numpy.isfinite(targets.teacher_scores).all()
    nlp.add_pipe("ner_tagger", name="ner", config=tiny)
    nlp.initialize(lambda: [eg])
    losses = nlp.update([eg])
    assert numpy.isfinite(losses["ner"]) and losses["ner_distillation"] > 0


def test_reading_leaves_out_what_may_go_on_where_nothing_is_said(nlp, make_doc, ents):
    """To the rules `Jean Dupont-Martin` is four tokens, of which one alone is here, too."""
    ruler = nlp.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": "PER", "pattern": "Jean Dupont-Martin"}])
    docs = [make_doc("Jean Dupont-Martin left"), make_doc("Jean Dupont-Martin left", "O B-X O")]
    found, kept = annotate_docs(nlp, docs)
    assert [token.ent_iob for token in found] == [0, 0, 2]
    assert ents(kept) == [(1, 2, "X")]


def test_reading_takes_white_space_at_the_end(rules):
    """spaCy's alignment has a token more than the document then."""
    doc = Doc(rules.vocab, words=["well-known", "  "], spaces=[False, False])
    (doc,) = annotate_docs(rules, [doc])
    assert len(doc.user_data[KEY]["log_probs"]) == 2


def test_reading_keeps_gold_on_tokens_without_a_match(rules, make_doc, ents):
    doc = make_doc("Ann met Eve-Sue Jones", "O O B-PER I-PER")
    (doc,) = annotate_docs(rules, [doc])
    assert ents(doc) == [(2, 4, "PER")]
    assert [token.ent_iob for token in doc] == [2, 2, 3, 1]


def test_reading_what_is_missing_stays_missing_where_more_is_left_out(rules, make_doc, ents):
    (doc,) = annotate_docs(rules, [make_doc("Ann met Eve-Sue in Rome")])
    log_probs = doc.user_data[KEY]["log_probs"]
    log_probs[0] = numpy.log(0.2)
    leave_out_unsure(doc, 0.5)
    assert ents(doc) == [(4, 5, "LOC")]
    assert [token.ent_iob for token in doc] == [0, 2, 0, 2, 3]
