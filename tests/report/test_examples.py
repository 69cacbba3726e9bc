import pytest
from spacy.util import get_lang_class

from spacy_distill.report.examples import (
    GROUPS,
    PALETTE,
    choose_colours,
    draw_entities,
    find_examples,
    share_out,
)
from spacy_distill.report.predictions import Entity, Sentence

RIGHT, WRONG, OTHER = [Entity(0, 1, "A", 0.9)], [Entity(0, 1, "B", 0.8)], []


def make_sentence(text="Ann left"):
    return Sentence(text, [(0, 3), (4, 8)], [Entity(0, 1, "A")])


def find(*cases, limit=20):
    """Group sentences, each given by the entities of teacher and student and, optionally, text."""
    sentences = [make_sentence(*case[2:]) for case in cases]
    found = {"teacher": [case[0] for case in cases], "student": [case[1] for case in cases]}
    groups = find_examples(sentences, found, limit=limit)
    titles = {title: name for name, title in GROUPS.items()}
    return {
        titles[group.title]: ([example.position for example in group.examples], group.n_sentences)
        for group in groups
    }


def test_examples_are_grouped_by_who_is_right():
    found = find(
        *[(RIGHT, RIGHT), (RIGHT, WRONG), (WRONG, OTHER), (WRONG, WRONG), (WRONG, RIGHT)],
    )
    assert found == {"lost": ([1], 1), "both": ([2], 1), "gold": ([3], 1), "gained": ([4], 1)}
    assert list(found) == ["lost", "both", "gold", "gained"]


def test_examples_without_a_teacher():
    sentences = [make_sentence("Ann left"), make_sentence("Eve left")]
    groups = find_examples(sentences, {"student": [RIGHT, WRONG]}, limit=5)
    assert [(group.title, group.n_sentences) for group in groups] == [(GROUPS["alone"], 1)]


def test_examples_are_shown_once_and_in_order_of_interest():
    two = [Entity(0, 1, "B", 0.2), Entity(1, 2, "B", 0.2)]
    sure = [Entity(0, 1, "B", 0.99)]
    found = find(
        *[(RIGHT, WRONG, "Eve left"), (RIGHT, WRONG, "EVE LEFT"), (RIGHT, two), (RIGHT, sure)],
    )
    assert found == {"lost": ([2, 3, 0], 3)}


def test_examples_are_distributed_over_groups():
    assert share_out([5, 0, 1, 9], 8) == [4, 0, 1, 3]
    assert share_out([1, 2], 10) == [1, 2]
    assert share_out([3, 3], 0) == [0, 0]
    assert find((RIGHT, WRONG), limit=0) == {}


def test_examples_have_a_colour_for_each_label():
    labels = [f"L{i:02d}" for i in range(len(PALETTE) + 1)]
    colours = choose_colours(reversed(labels))
    assert [colours[label] for label in labels] == [*PALETTE, PALETTE[0]]
    assert choose_colours(["per", "PER"])["per"] != choose_colours(["per", "PER"])["PER"]


def test_examples_are_drawn_and_escaped():
    sentence = Sentence("<b>x</b> & {text}", [(0, 8), (9, 10), (11, 17)], [])
    label = '<script>"A" {bg}'
    entities = [Entity(0, 2, label, 0.875), Entity(2, 3, "B")]
    html = draw_entities(sentence, entities, colours={label: "#aaaaaa", "B": "#bbbbbb"})
    assert "&lt;b&gt;x&lt;/b&gt; &amp;" in html
    assert "&lt;script&gt;" in html
    for hostile in ("<b>", "<script", "& "):
        assert hostile not in html
    assert '<span class="confidence">88%</span>' in html
    assert '<span class="confidence"></span>' in html
    assert "#aaaaaa" in html and "#bbbbbb" in html
    assert "{text}" in html
    assert "ltr" in html


def test_examples_from_right_to_left():
    nlp = get_lang_class("he")()
    direction = nlp.vocab.writing_system["direction"]
    assert direction == "rtl"
    sentence = Sentence("דנה גרה", [(0, 3), (4, 7)], [])
    html = draw_entities(
        sentence, [Entity(0, 1, "A")], colours={"A": "#aaaaaa"}, lang="he", direction=direction
    )
    assert "direction: rtl" in html
    # The writing direction is determined by the style.
    assert "margin-left" not in html and "margin-right" not in html


@pytest.mark.parametrize("text", ["Ann\nleft", "Ann left"])
def test_examples_keep_the_text(text):
    sentence = Sentence(text, [(0, 3), (4, 8)], [])
    html = draw_entities(sentence, [Entity(1, 2, "A")], colours={"A": "#aaaaaa"})
    assert ("<br>" in html) == ("\n" in text)
