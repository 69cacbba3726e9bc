"""How readily a pipeline finds entities: one number, chosen on the development set.

The best tags are not those that give the best F1. Where a student is unsure which of many types a
new name has, the types share what probability there is, and `O`, which does not share, wins. A
number taken from the score of `O` mends that, as a threshold chosen for F1 does where texts are
classified (Lewis 1995). It goes into the bias of the output layer, so that nothing changes when the
pipeline is used.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Callable, List, NamedTuple, Sequence, Set, Tuple

import numpy
from spacy.tokens import Doc
from spacy.training import Example

from .entities import Entities, TokenAttributes, find_entities, tags_as_annotation
from .errors import Errors
from .pipeline.score_cache import ScoredDoc, score_docs
from .targets import has_same_tokens

if TYPE_CHECKING:
    from .pipeline.ner_tagger import NERTagger

# What is added to the score of `O`, in nats.
CANDIDATES = (0.0, *(sign * step / 2 for step in range(1, 13) for sign in (-1, 1)))
# The smallest gain in F1, from 0 to 1, that is worth a change: less may be chance.
MIN_GAIN = 0.005
# How far below the best F1 a number counts as next to the best.
TOLERANCE = 0.0025


class Tuned(NamedTuple):
    """What was chosen, and F1 on the development set before and after, from 0 to 1."""

    added: float
    before: float
    after: float


def tune_outside(ner: NERTagger, examples: Sequence[Example]) -> Tuned:
    """Add to the score of `O` what gives the best F1, in the bias of the model's output layer.

    ner (NERTagger): The component. Its model is changed, unless nothing brings half a point.
    examples (Sequence[Example]): The development set. The components before this one have seen
        the predicted documents, and entities that are there already are kept.
    RETURNS (Tuned): What was added, and the F1 that it brings.
    RAISES (ValueError): D013 if the model has no layer called `output_layer`, D014 if no example
        has entity annotation.
    """
    layer = ner.model.maybe_get_ref("output_layer")
    if layer is None:
        raise ValueError(Errors.D013.format(name=ner.name, model=ner.model.name))
    get_scores = partial(score_docs, predict=ner.predict)
    values = score_candidates(ner, examples, get_scores)
    if not values:
        raise ValueError(Errors.D014.format(name=ner.name))
    chosen = choose_candidate(values, CANDIDATES)
    if added := CANDIDATES[chosen]:
        layer.set_param("b", add_outside(layer.get_param("b"), added))
    return Tuned(added, values[CANDIDATES.index(0.0)], values[chosen])


def choose_candidate(values: Sequence[float], candidates: Sequence[float]) -> int:
    """Which number to add to the score of `O`.

    values (Sequence[float]): The F1 that each brings, from 0 to 1.
    candidates (Sequence[float]): The numbers, in nats: 0 and others, in the order of preference.
    RETURNS (int): The index of the first that is within `TOLERANCE` of the best; of 0 if the best
        brings less than `MIN_GAIN`.
    """
    unchanged = candidates.index(0.0)
    if max(values) < values[unchanged] + MIN_GAIN:
        return unchanged
    # Where F1 hardly depends on it, the best of many numbers is the best on this set alone.
    return next(i for i, value in enumerate(values) if value >= max(values) - TOLERANCE)


def score_candidates(
    ner: NERTagger,
    examples: Sequence[Example],
    get_scores: Callable[[List[Doc]], List[ScoredDoc]],
    *,
    candidates: Sequence[float] = CANDIDATES,
) -> List[float]:
    """F1, from 0 to 1, that each number added to the score of `O` gives.

    ner (NERTagger): The component. It is not changed.
    examples (Sequence[Example]): The documents, with whatever a model listens to, and gold
        entities. What is found in other tokens than those of gold is brought to these, as spaCy's
        scorer does; a document without gold entity annotation is left out.
    get_scores (Callable[[List[Doc]], List[ScoredDoc]]): Gives the component's scores of documents,
        and the entities that were there before it and are kept.
    candidates (Sequence[float]): What to add, in nats.
    RETURNS (List[float]): As spaCy's scorer would have them, 0 where there is nothing to find; none
        at all without gold.
    """
    examples = [eg for eg in examples if eg.reference.has_annotation("ENT_IOB")]
    if not examples:
        return []
    docs = [eg.predicted for eg in examples]
    scored = get_scores(docs)
    gold = Gold.from_examples(examples)
    attributes = TokenAttributes.join(part.attributes for part in scored)
    fixed = attributes.preset
    scores = ner.model.ops.flatten([part.scores for part in scored])
    values = []
    for added in candidates:
        changed = [add_outside(scores, added)]
        ids = ner.find_tags(docs, changed, attributes=attributes, fixed=fixed)
        written = tags_as_annotation(ids, ner.tags, fixed=fixed, attributes=attributes)
        values.append(gold.score(find_entities(*written)))
    return values


class Gold(NamedTuple):
    """Gold entities, and how predicted tokens are brought to theirs, all documents in a row.

    expected (Set[Tuple[int, int, int]]): Start, end and label of the entities, in tokens of gold.
    n_missing (ndarray): How many tokens of gold without annotation are before each, and before the
        end: (n_gold_tokens + 1,).
    to_gold (ndarray): The tokens of gold that belong to one predicted token after another.
    n_before (ndarray): How many of `to_gold` are of the predicted tokens before each, and before
        the end: (n_tokens + 1,).
    """

    expected: Set[Tuple[int, int, int]]
    n_missing: numpy.ndarray
    to_gold: numpy.ndarray
    n_before: numpy.ndarray

    @classmethod
    def from_examples(cls, examples: Sequence[Example]) -> Gold:
        tokens = TokenAttributes.from_docs([eg.reference for eg in examples])
        n_missing = numpy.append(0, numpy.cumsum(tokens.ent_iob == 0))
        expected = find_entities(tokens.ent_iob, tokens.ent_type).as_set()
        return cls(expected, n_missing, *align_tokens(examples))

    def score(self, found: Entities) -> float:
        """F1, from 0 to 1, of entities in predicted tokens."""
        found = self.align(found)
        # What is found where gold is silent is neither right nor wrong.
        found = found.chosen(self.n_missing[found.starts] == self.n_missing[found.ends])
        # Two may become the same in tokens of gold: one of them at most is right.
        n_right, n_found = len(found.as_set() & self.expected), len(found.labels)
        return 2 * n_right / max(n_found + len(self.expected), 1)

    def align(self, found: Entities) -> Entities:
        """The same in tokens of gold, of which each has one at least."""
        first, last = self.n_before[found.starts], self.n_before[found.ends] - 1
        has_any = first <= last
        starts, ends = self.to_gold[first[has_any]], self.to_gold[last[has_any]] + 1
        return Entities(starts, ends, found.labels[has_any])


def align_tokens(examples: Sequence[Example]) -> Tuple[numpy.ndarray, numpy.ndarray]:
    """Which tokens of gold the predicted tokens belong to: `Gold.to_gold`, `Gold.n_before`."""
    to_gold, lengths, n_gold = [], [], 0
    for eg in examples:
        if has_same_tokens(eg):
            own, n_own = numpy.arange(len(eg.reference)), numpy.ones(len(eg.reference), dtype="i")
        else:
            # After white space at the end, lengths may have one more, of 0, than there are tokens.
            own, n_own = eg.alignment.x2y.data, eg.alignment.x2y.lengths[: len(eg.predicted)]
        to_gold.append(own + n_gold)
        lengths.append(n_own)
        n_gold += len(eg.reference)
    return numpy.concatenate(to_gold), numpy.append(0, numpy.cumsum(numpy.concatenate(lengths)))


def add_outside(scores: Any, added: float) -> Any:
    """Scores, or biases, of which the last axis is that of the tags: `O` is the first of them."""
    changed = scores.copy()
    changed[..., 0] += added
    return changed
