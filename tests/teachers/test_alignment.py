import re

import numpy
import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from spacy.tokens import Doc
from spacy.vocab import Vocab

from spacy_distill.annotate.docs import annotate_docs
from spacy_distill.corpus import build_distillation_corpus_v1, leave_out_unsure
from spacy_distill.soft_targets import KEY
from spacy_distill.tags import make_tags
from spacy_distill.targets import get_targets
from spacy_distill.teachers.alignment import align_rows, retokenise

VOCAB = Vocab()


def rows_of(chosen, tags):
    """Log-probabilities that make the given tag of each token certain: (n_tokens, n_tags)."""
    probs = numpy.full((len(chosen), len(tags)), 0.1 / (len(tags) - 1), dtype="f")
    probs[numpy.arange(len(chosen)), [tags.index(tag) for tag in chosen]] = 0.9
    return numpy.log(probs)


@pytest.mark.parametrize(
    "words, own_words, own_tags, expected",
    [
        ("a b c", "a b c", "B-X I-X O", "B-X I-X O"),
        ("ab c", "a b c", "B-X I-X O", "- O"),
        ("a bc d", "ab c d", "B-X I-X O", "- - O"),
        ("x ab c", "x a bc", "O B-X I-X", "O - -"),
        ("", "", "", ""),
        # Parts of a token of the teacher:
        ("a b c", "ab c", "B-X O", "B-X I-X O"),
        ("a b c d", "abc d", "U-X O", "B-X I-X L-X O"),
        ("a b c d", "ab cd", "B-X L-X", "B-X I-X I-X L-X"),
        ("a b c d e", "a bc de", "B-X I-X L-X", "B-X I-X I-X I-X L-X"),
        ("a b c", "ab c", "O U-X", "O O U-X"),
    ],
)
def test_alignment_aligns_whole_tokens(words, own_words, own_tags, expected):
    tags = make_tags(["X"], scheme="biluo" if {"L-X", "U-X"} & {*own_tags.split()} else "iob")
    docs = [Doc(VOCAB, words=text.split()) for text in (words, own_words)]
    rows = align_rows(*docs, rows_of(own_tags.split(), tags), tags)
    found = ["-" if numpy.isnan(row).any() else tags[row.argmax()] for row in rows]
    assert " ".join(found) == expected
    aligned = rows[~numpy.isnan(rows).any(axis=1)]
    assert_allclose(numpy.exp(aligned).sum(axis=1), 1, rtol=1e-5)
    assert (aligned.max(axis=1) > numpy.log(0.899)).all()


def test_alignment_adds_tags_that_give_a_part_the_same_tag():
    """The first part of a token with tag L or I is I, so their probabilities are added."""
    tags = make_tags(["X"], scheme="biluo")  # O B I L U
    docs = [Doc(VOCAB, words=words) for words in (["a", "b"], ["ab"])]
    own = numpy.log(numpy.asarray([[0.05, 0.15, 0.2, 0.3, 0.3]], dtype="f"))
    found = numpy.exp(align_rows(*docs, own, tags))
    expected = [[0.05, 0.15 + 0.3, 0.2 + 0.3, 0, 0], [0.05, 0, 0.15 + 0.2, 0.3 + 0.3, 0]]
    assert_allclose(found, expected, atol=5e-5)


@given(text=st.text("ab -'\n.", max_size=12), data=st.data())
@settings(max_examples=60)
def test_alignment_aligns_any_two_tokenisations_of_a_text(text, data):
    """A row goes to a token of the same characters, to each such token, and to its parts."""

    def tokenise():
        words = text.split(" ")
        cuts = data.draw(st.lists(st.integers(0, 3), min_size=len(words), max_size=len(words)))
        parts = [[word[:cut], word[cut:]] for word, cut in zip(words, cuts)]
        found = [[part for part in pair if part] for pair in parts]
        spaces = [i == len(pair) - 1 for pair in found for i in range(len(pair))]
        return Doc(VOCAB, words=[part for pair in found for part in pair], spaces=spaces)

    doc, own = tokenise(), tokenise()
    tags = make_tags(["X"], scheme="iob")
    own_rows = rows_of([data.draw(st.sampled_from(tags)) for _ in own], tags)
    where = {(token.idx, token.text): token.i for token in own}
    edges = {token.idx for token in doc} | {token.idx + len(token) for token in doc}
    rows = align_rows(doc, own, own_rows, tags)
    for token, row in zip(doc, rows):
        if not token.text.strip():  # spaCy's alignment of whitespace is arbitrary
            continue
        if (token.idx, token.text) in where:
            assert_array_equal(row, own_rows[where[token.idx, token.text]])
        else:
            is_part = any(
                {one.idx, one.idx + len(one)} <= edges and one.idx <= token.idx < one.idx + len(one)
                for one in own
                if one.text.strip()
            )
            assert numpy.isnan(row).any() != is_part


def test_alignment_retokenises_without_modifying_the_document(make_doc):
    other = spacy.blank("en")
    doc = make_doc("Ann's dog-food")
    own = retokenise(other, doc)
    assert [token.text for token in own] == ["Ann", "'s", "dog", "-", "food"]
    assert own.vocab is other.vocab
    assert len(doc) == 2
    assert len(retokenise(other, make_doc(""))) == 0
    other.max_length = 10  # limits texts, but not existing documents
    assert len(retokenise(other, doc)) == 5


class SegmentedWords:
    """A tokenizer that finds known words in text without spaces, like a word segmenter."""

    def __init__(self, vocab, words):
        self.vocab = vocab
        self.pattern = re.compile("|".join([*words, r"\w+(?<=[a-zA-Z])", r"\S"]))

    def __call__(self, text):
        found = [*self.pattern.finditer(text)]
        spaces = [text[part.end() : part.end() + 1] == " " for part in found]
        return Doc(self.vocab, words=[part[0] for part in found], spaces=spaces)


@pytest.mark.parametrize("lang", ["zh", "ja"])
def test_alignment_joins_words_of_languages_without_spaces(lang, ents):
    """The tokens of a row have unknown spaces. A segmenter finds no word across a space."""
    nlp = spacy.blank("xx")
    nlp.lang = lang
    nlp.tokenizer = SegmentedWords(nlp.vocab, ["北京", "工作"])
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "LOC", "pattern": [{"TEXT": "北京"}]}])
    words = ["Ann", "Lee", "在", "北", "京", "工作", "。"]
    unknown, known = Doc(nlp.vocab, words=words), Doc(nlp.vocab, words=words, spaces=[True] * 7)
    assert retokenise(nlp, unknown).text == "Ann Lee在北京工作。"
    assert retokenise(nlp, known).text.strip() == "Ann Lee 在 北 京 工作 。"
    rows = next(annotate_docs(nlp, [unknown])).user_data[KEY]["log_probs"]
    assert ents(unknown) == [(3, 5, "LOC")]
    assert rows.argmax(axis=1).tolist() == [0, 0, 0, 1, 2, 0, 0]  # O B-LOC I-LOC
    nlp.lang = "xx"
    assert retokenise(nlp, unknown).text.strip() == "Ann Lee 在 北 京 工作 。"


@pytest.fixture
def rules():
    nlp = spacy.blank("en")
    patterns = [("LOC", "New-York"), ("LOC", "Rome"), ("PER", "Ann"), ("PER", "Eve-Sue Jones")]
    ruler = nlp.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": label, "pattern": text} for label, text in patterns])
    return nlp


def test_alignment_leaves_out_tokens_without_a_match(rules, make_doc, tmp_path, tiny, nlp, ents):
    """`Eve-Sue` is three tokens of the teacher, so there is no annotation of the person."""
    doc = make_doc("Ann met Eve-Sue Jones in New-York or Rome")
    (doc,) = annotate_docs(rules, [doc])
    said = ~numpy.isnan(doc.user_data[KEY]["log_probs"]).any(axis=1)
    assert said.tolist() == [True, True, False, True, True, False, True, True]
    assert ents(doc) == [(0, 1, "PER"), (7, 8, "LOC")]
    assert [token.ent_iob for token in doc] == [3, 2, 0, 0, 2, 0, 2, 3]
    # The reader and the loss can read what is stored.
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


def test_alignment_leaves_out_entities_that_may_continue_in_unmatched_tokens(nlp, make_doc, ents):
    """`Jean Dupont-Martin` is four tokens for the rules, only one of which is a token here."""
    ruler = nlp.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": "PER", "pattern": "Jean Dupont-Martin"}])
    docs = [make_doc("Jean Dupont-Martin left"), make_doc("Jean Dupont-Martin left", "O B-X O")]
    found, kept = annotate_docs(nlp, docs)
    assert [token.ent_iob for token in found] == [0, 0, 2]
    assert ents(kept) == [(1, 2, "X")]


def test_alignment_finds_entities_that_are_merged_into_a_token(nlp, make_doc, ents):
    ruler = nlp.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": "PER", "pattern": "Jean Paul Martin"}])
    nlp.add_pipe("merge_entities")
    (doc,) = annotate_docs(nlp, [make_doc("Jean Paul Martin left")])
    assert ents(doc) == [(0, 3, "PER")]
    assert [token.ent_iob for token in doc] == [3, 1, 1, 2]


def test_alignment_of_whitespace_at_the_end(rules):
    """If a text ends with whitespace, spaCy's alignment has one token too many."""
    doc = Doc(rules.vocab, words=["well-known", "  "], spaces=[False, False])
    (doc,) = annotate_docs(rules, [doc])
    assert len(doc.user_data[KEY]["log_probs"]) == 2


def test_alignment_keeps_gold_on_tokens_without_a_match(rules, make_doc, ents):
    doc = make_doc("Ann met Eve-Sue Jones", "O O B-PER I-PER")
    (doc,) = annotate_docs(rules, [doc])
    assert ents(doc) == [(2, 4, "PER")]
    assert [token.ent_iob for token in doc] == [2, 2, 3, 1]


def test_alignment_missing_tokens_stay_missing_if_more_are_left_out(rules, make_doc, ents):
    (doc,) = annotate_docs(rules, [make_doc("Ann met Eve-Sue in Rome")])
    log_probs = doc.user_data[KEY]["log_probs"]
    log_probs[0] = numpy.log(0.2)
    leave_out_unsure(doc, 0.5)
    assert ents(doc) == [(4, 5, "LOC")]
    assert [token.ent_iob for token in doc] == [0, 2, 0, 2, 3]
