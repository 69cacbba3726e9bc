"""Sentences in which gold, teacher and student disagree, rendered by displaCy."""

from html import escape
from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Sequence, Set, Tuple

from spacy import displacy

from .confusions import kind_of, match
from .predictions import Entity, Sentence

# Background colours of labels, in turn: light enough for dark text in any colour scheme.
PALETTE = (
    *("#8fd3f4", "#ffd27f", "#b8e08c", "#f7b3c6", "#c9b6f2", "#ffb38a"),
    *("#9be3d3", "#e6d98a", "#d9c2ad", "#a9c4ff", "#e0a8e8", "#c8cdd4"),
)
# Like displaCy's own template, but with the confidence, and without its margin on one side only,
# which would be wrong in scripts that run from right to left.
ENTITY = (
    '<mark class="entity" style="background: {bg}">{text}<span class="label">{label}'
    '<span class="confidence">{confidence}</span></span></mark>'
)
# The titles of the groups of examples, in the order of the page: see `find_group`.
GROUPS = {
    "lost": "The student is wrong, the teacher is right",
    "both": "Both are wrong, in different ways",
    "gold": "Both agree, against gold: check the gold label",
    "gained": "The student is right, the teacher is wrong",
    "alone": "The student is wrong",
}


class ExampleSentence(NamedTuple):
    """A sentence, and the entities that each system predicts in it."""

    position: int  # in the test set
    sentence: Sentence
    found: Dict[str, List[Entity]]  # by system: the teacher, if there is one, and the student


class Group(NamedTuple):
    """Examples of one kind of disagreement."""

    title: str
    examples: List[ExampleSentence]
    n_sentences: int  # all different sentences of this kind, shown or not


def find_examples(
    sentences: Sequence[Sentence], found: Dict[str, List[List[Entity]]], *, limit: int
) -> List[Group]:
    """Choose sentences to show: the same number for each kind of disagreement, if there are enough.

    Sentences with more mistakes come first, then those with a more confident mistake. A sentence
    that occurs several times with the same entities is shown once.

    sentences (Sequence[Sentence]): The test set.
    found (Dict[str, List[List[Entity]]]): The entities that `student` and, if there is one,
        `teacher` predict in each sentence.
    limit (int): How many sentences to show in all.
    RETURNS (List[Group]): The groups that have sentences to show.
    """
    grouped: Dict[str, List[ExampleSentence]] = {name: [] for name in GROUPS}
    for i, sentence in enumerate(sentences):
        example = ExampleSentence(
            i, sentence, {name: entities[i] for name, entities in found.items()}
        )
        name = find_group(example)
        if name is not None:
            grouped[name].append(example)
    grouped = {name: sort_examples(drop_repeated(found)) for name, found in grouped.items()}
    shares = share_out([len(examples) for examples in grouped.values()], limit)
    return [
        Group(GROUPS[name], examples[:share], len(examples))
        for (name, examples), share in zip(grouped.items(), shares)
        if share
    ]


def find_group(example: ExampleSentence) -> Optional[str]:
    """Return the group of an example, one of `GROUPS`; None if there is no disagreement."""
    gold = keys(example.sentence.gold)
    student = keys(example.found["student"])
    if "teacher" not in example.found:
        return "alone" if student != gold else None
    teacher = keys(example.found["teacher"])
    if student == gold:
        return "gained" if teacher != gold else None
    if teacher == gold:
        return "lost"
    return "gold" if student == teacher else "both"


def keys(entities: Iterable[Entity]) -> Set[Tuple[int, int, str]]:
    return {ent.key for ent in entities}


def drop_repeated(examples: Sequence[ExampleSentence]) -> List[ExampleSentence]:
    """Leave out examples whose text, in lower case, and entities are those of an earlier one."""
    seen: Dict[Any, ExampleSentence] = {}
    for example in examples:
        sets = [example.sentence.gold, *example.found.values()]
        key = (example.sentence.text.lower(), *(frozenset(keys(entities)) for entities in sets))
        seen.setdefault(key, example)
    return list(seen.values())


def sort_examples(examples: Sequence[ExampleSentence]) -> List[ExampleSentence]:
    """Sort by mistakes, most first, then by the most confident mistake, then by position."""

    def interest(example: ExampleSentence) -> Tuple[int, float, int]:
        wrong = [
            pair
            for entities in example.found.values()
            for pair in match(example.sentence.gold, entities)
            if kind_of(pair) != "correct"
        ]
        surest = max((pair.found.confidence or 0.0 for pair in wrong if pair.found), default=0.0)
        return -len(wrong), -surest, example.position

    return sorted(examples, key=interest)


def share_out(sizes: Sequence[int], limit: int) -> List[int]:
    """Divide a limit evenly among groups, first to last, without exceeding the size of any."""
    shares = [0] * len(sizes)
    while sum(shares) < min(limit, sum(sizes)):
        for i, size in enumerate(sizes):
            if shares[i] < size and sum(shares) < limit:
                shares[i] += 1
    return shares


def choose_colours(labels: Iterable[str]) -> Dict[str, str]:
    """Choose a background colour for each label, the same throughout the page."""
    return {label: PALETTE[i % len(PALETTE)] for i, label in enumerate(sorted(set(labels)))}


def draw_entities(
    sentence: Sentence,
    entities: Sequence[Entity],
    *,
    colours: Dict[str, str],
    lang: str = "en",
    direction: str = "ltr",
) -> str:
    """Render a sentence with its entities.

    displaCy escapes the text but not the labels, so they are escaped here.

    sentence (Sentence): The sentence.
    entities (Sequence[Entity]): Its entities.
    colours (Dict[str, str]): The background of each label.
    lang (str): Code of the language.
    direction (Literal["ltr", "rtl"]): Direction of the language's script.
    RETURNS (str): HTML.
    """
    # The background is given with each entity, because displaCy looks up colours by the label in
    # upper case, in which two labels may be the same.
    parsed = {
        "text": sentence.text,
        "ents": [
            {
                "start": sentence.offsets[ent.start][0],
                "end": sentence.offsets[ent.end - 1][1],
                "label": escape(ent.label),
                "params": {
                    "bg": colours[ent.label],
                    "confidence": "" if ent.confidence is None else f"{100 * ent.confidence:.0f}%",
                },
            }
            for ent in entities
        ],
        "settings": {"lang": lang, "direction": direction},
    }
    return displacy.render(
        parsed, style="ent", page=False, manual=True, jupyter=False, options={"template": ENTITY}
    )
