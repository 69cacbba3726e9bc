import random

import numpy
import pytest
import spacy
from numpy.testing import assert_allclose
from spacy.tokens import Doc
from spacy.training import Example, biluo_tags_to_spans
from spacy.util import fix_random_seed

from spacy_distill.annotate.docs import annotate_docs
from spacy_distill.soft_targets import get_soft_targets
from spacy_distill.tags import make_tags
from spacy_distill.teachers.choose import choose_teacher
from spacy_distill.teachers.stock_ner import StockNERTeacher, group_docs, list_moves

WORDS = ["Ann", "Bob", "Smith", "New", "York", "Rome", "lives", "in", "saw", "and", ".", "\n"]


def make_texts(n, *, seed=0):
    """Make texts of words in random order, so that predictions are seldom confident."""
    rng = random.Random(seed)
    return [[rng.choice(WORDS) for _ in range(rng.randrange(0, 14))] for _ in range(n)]


def train(nlp, sentences, *, n_updates):
    fix_random_seed(0)
    examples = [
        Example(Doc(nlp.vocab, words=words), Doc(nlp.vocab, words=words, ents=tags))
        for words, tags in sentences
    ]
    nlp.initialize(lambda: examples)
    for _ in range(n_updates):
        nlp.update(examples)
    return nlp


def make_sentences(n):
    """Texts with entities of up to four tokens, by a rule with exceptions that can't be learned."""
    rng = random.Random(1)
    for words in make_texts(n, seed=2):
        tags = []
        while len(tags) < len(words):
            kind = WORDS.index(words[len(tags)])
            if kind < 6 and rng.random() < 0.9:
                label = ("PER", "LOC", "ORG")[kind % 3]
                tags += [f"B-{label}", *[f"I-{label}"] * (kind % 4)]
            else:
                tags.append("O")
        yield words, tags[: len(words)]


@pytest.fixture(scope="module")
def trained():
    """A stock `ner` with a shared `tok2vec`, as in spaCy's own pipelines."""
    nlp = spacy.blank("en")
    nlp.add_pipe("tok2vec")
    model = {
        "@architectures": "spacy.TransitionBasedParser.v2",
        "state_type": "ner",
        "extra_state_tokens": False,
        "hidden_width": 16,
        "maxout_pieces": 2,
        "use_upper": True,
        "tok2vec": {"@architectures": "spacy.Tok2VecListener.v1", "width": 96},
    }
    nlp.add_pipe("ner", config={"model": model})
    return train(nlp, list(make_sentences(40)), n_updates=40)


@pytest.fixture
def stock(trained, tmp_path):
    trained.to_disk(tmp_path)
    return spacy.load(tmp_path)


def make_docs(nlp, n=60, seed=0):
    return [Doc(nlp.vocab, words=words) for words in make_texts(n, seed=seed)]


def run(nlp, docs):
    """Run the pipeline itself on documents of the same words."""
    return list(nlp.pipe([Doc(nlp.vocab, words=[token.text for token in doc]) for doc in docs]))


def ents_of_best(doc, log_probs, tags):
    best = [tags[i] for i in log_probs.argmax(axis=1)]
    return [(span.start, span.end, span.label_) for span in biluo_tags_to_spans(doc, best)]


def check_ents(nlp, docs, expected):
    """Check that the argmax of each token gives the entities, and return them."""
    teacher = choose_teacher(nlp)
    assert isinstance(teacher, StockNERTeacher)
    for doc, wanted, log_probs in zip(docs, expected, teacher.predict_own(docs)):
        assert log_probs.shape == (len(doc), len(teacher.tags))
        assert log_probs.dtype == numpy.float32
        assert_allclose(numpy.exp(log_probs).sum(axis=1), 1, rtol=1e-5)
        # For `biluo_tags_to_spans`, a blocked token is an entity without a label, but not for us.
        found = ents_of_best(doc, log_probs, teacher.tags)
        assert found == [(ent.start, ent.end, ent.label_) for ent in wanted.ents]
    return [ent for doc in expected for ent in doc.ents]


def before_ner(nlp, docs):
    """Return documents of the same words, as the `ner` gets them from earlier components."""
    names = nlp.pipe_names
    copies = [Doc(nlp.vocab, words=[token.text for token in doc]) for doc in docs]
    return list(nlp.pipe(copies, disable=names[names.index("ner") :]))


def test_stock_ner_argmax_gives_the_entities_of_the_component(stock):
    docs = make_docs(stock, 200)
    ents = check_ents(stock, before_ner(stock, docs), run(stock, docs))
    assert len(ents) > 100
    assert max(len(ent) for ent in ents) > 2
    assert {ent.label_ for ent in ents} == {"PER", "LOC", "ORG"}


def test_stock_ner_of_a_component_with_its_own_tok2vec():
    nlp = spacy.blank("en")
    nlp.add_pipe("ner")
    train(nlp, list(make_sentences(20)), n_updates=30)
    docs = make_docs(nlp)
    assert check_ents(nlp, before_ner(nlp, docs), run(nlp, docs))


def test_stock_ner_is_exact_if_the_component_has_memorised_the_text(examples):
    nlp = spacy.blank("en")
    nlp.add_pipe("ner")
    sentences = [
        (
            [token.text for token in eg.reference],
            [f"{token.ent_iob_}-{token.ent_type_}".rstrip("-") for token in eg.reference],
        )
        for eg in examples
    ]
    train(nlp, sentences, n_updates=40)
    docs = [Doc(nlp.vocab, words=words) for words, _ in sentences]
    assert nlp.evaluate([Example(doc.copy(), eg.reference) for doc, eg in zip(docs, examples)])[
        "ents_f"
    ] == pytest.approx(1.0)
    assert len(check_ents(nlp, before_ner(nlp, docs), run(nlp, docs))) == 16


def test_stock_ner_does_not_cross_sentence_starts(stock):
    @spacy.Language.component("start_sentences_at_random")
    def start_sentences(doc):
        rng = random.Random(len(doc))
        for token in list(doc)[1:]:
            token.is_sent_start = rng.random() < 0.4
        return doc

    stock.add_pipe("start_sentences_at_random", first=True)
    docs = make_docs(stock, 200)
    ents = check_ents(stock, before_ner(stock, docs), run(stock, docs))
    assert any(len(ent) > 1 for ent in ents)
    assert not any(token.is_sent_start for ent in ents for token in list(ent)[1:])


def test_stock_ner_keeps_preset_entities(stock):
    """Some of the preset entities have a label that the component does not have."""
    ruler = stock.add_pipe("entity_ruler", before="ner")
    ruler.add_patterns(
        [
            {"label": "VERB", "pattern": "saw"},
            {"label": "ORG", "pattern": "and"},
            {"label": "LOC", "pattern": "lives in"},
            {"label": "PER", "pattern": [{"TEXT": "."}, {"TEXT": "."}, {"TEXT": "Ann"}]},
        ]
    )
    teacher = choose_teacher(stock)
    assert teacher.tags == make_tags(["LOC", "ORG", "PER", "VERB"], scheme="biluo")
    docs = make_docs(stock, 200)
    ents = check_ents(stock, before_ner(stock, docs), run(stock, docs))
    assert {"VERB", "PER", "ORG"} <= {ent.label_ for ent in ents}
    assert any(ent.text == "lives in" for ent in ents)


def test_stock_ner_keeps_blocked_tokens(stock):
    def make():
        docs = make_docs(stock)
        for doc in docs:
            doc.set_ents([], blocked=[doc[i : i + 1] for i in range(1, len(doc), 3)])
            stock.get_pipe("tok2vec")(doc)
        return docs

    expected = list(stock.get_pipe("ner").pipe(make()))
    assert check_ents(stock, make(), expected)


@pytest.mark.parametrize("batch", [1, 7, 60])
def test_stock_ner_distribution_is_the_softmax_over_valid_moves(stock, batch):
    """Compare with a loop over single documents, in which spaCy decides which moves are valid."""
    teacher = choose_teacher(stock)
    ner = stock.get_pipe("ner")
    docs = before_ner(stock, make_docs(stock))
    found = [
        rows
        for start in range(0, len(docs), batch)
        for rows in teacher.predict_own(docs[start : start + batch])
    ]
    moves = list_moves(ner)
    named = [i for i, move in enumerate(moves) if move != "U-"]
    for doc, log_probs in zip(docs, found):
        if not len(doc):
            continue
        model = ner.model.predict([doc])
        (state,) = ner.moves.init_batch([doc])
        for row in log_probs:
            (scores,) = model.predict([state])
            valid = [i for i in named if ner.moves.is_valid(state, moves[i])]
            exps = numpy.exp(scores[valid].astype("d") - scores[valid].max())
            probs = dict(zip((moves[i] for i in valid), exps / exps.sum()))
            expected = [probs.get(tag, 0.0) for tag in teacher.tags]
            assert_allclose(numpy.exp(row), expected, atol=3e-4)
            ner.moves.apply_transition(state, max(probs, key=probs.get))
        assert state.is_final()


def test_stock_ner_annotates(stock):
    """Pseudo-labels are the component's entities, without whitespace at their edges."""
    docs = [doc for doc in make_docs(stock) if "\n" not in doc.text]
    expected = [[(e.start, e.end, e.label_) for e in doc.ents] for doc in run(stock, docs)]
    # The pipeline tokenises the text itself, here into the same tokens.
    assert [len(stock.make_doc(doc.text)) for doc in docs] == [len(doc) for doc in docs]
    annotated = list(annotate_docs(stock, docs))
    assert [[(e.start, e.end, e.label_) for e in doc.ents] for doc in annotated] == expected
    iob = make_tags(["PER", "LOC", "ORG"], scheme="iob")
    for doc in annotated:
        rows = get_soft_targets(doc, tags=iob, name="ner")
        assert rows.shape == (len(doc), 7)
        assert (rows > -14).all()  # no tag is impossible
    assert not any(doc.has_annotation("SENT_START") and len(doc) > 1 for doc in annotated)


def test_stock_ner_refuses_preset_entities_with_unknown_labels(stock, make_doc):
    doc = make_doc("Ann saw", "B-NEW O", vocab=stock.vocab)
    stock.get_pipe("tok2vec")(doc)
    with pytest.raises(ValueError, match=r"\[D807\].*\['NEW'\]"):
        choose_teacher(stock).predict_own([doc])


def test_stock_ner_of_documents_without_tokens(stock, make_doc):
    teacher = choose_teacher(stock)
    shapes = [rows.shape for rows in teacher.predict([make_doc(""), make_doc("Ann"), make_doc("")])]
    assert shapes == [(0, 13), (1, 13), (0, 13)]
    assert [rows.shape for rows in teacher.predict([make_doc("")])] == [(0, 13)]
    assert teacher.predict([]) == []


def test_stock_ner_keeps_the_order_of_documents_in_groups(stock, monkeypatch):
    docs = make_docs(stock)
    groups = list(group_docs(docs, n_tokens=30))
    assert [doc for group in groups for doc in group] == docs
    assert 8 < len(groups) < 20
    assert max(sum(map(len, group)) for group in groups) < 30 + max(map(len, docs))
    teacher = choose_teacher(stock)
    together = teacher.predict(docs)
    monkeypatch.setattr(group_docs, "__kwdefaults__", {"n_tokens": 30})
    for rows, others in zip(together, teacher.predict(docs)):
        assert_allclose(rows, others, atol=1e-5)
