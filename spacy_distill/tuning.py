"""Tune how readily a pipeline predicts entities: one number, chosen on the development set.

The most probable tags do not give the best F1. If a student is not confident which of many types a
new name has, the types share the probability, and `O`, which does not share, wins. Subtracting a
number from the score of `O` corrects this, as a threshold chosen for F1 does in text classification
(Lewis 1995). The number is included in the bias of the output layer, so the pipeline is used as
before.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Callable, List, NamedTuple, Sequence, Set, Tuple

import numpy
from spacy.attrs import ORTH
from spacy.tokens import Doc
from spacy.training import Example

from .batches import split_rows
from .entities import Entities, TokenAttributes, find_entities, tags_as_annotation
from .errors import Errors
from .pipeline.score_cache import ScoredDoc, score_docs
from .targets import has_same_tokens

if TYPE_CHECKING:
    from .pipeline.ner_tagger import NERTagger

# Numbers that may be added to the score of `O`, in nats.
CANDIDATES = (0.0, *(sign * step / 2 for step in range(1, 13) for sign in (-1, 1)))
# The smallest gain in F1, from 0 to 1, that justifies a change; less may be chance.
MIN_GAIN = 0.005
# How far below the best F1 a candidate may be to count as nearly the best.
TOLERANCE = 0.0025
# With fewer gold entities than this, both are larger: the shares that are 2.5 and 1.25 entities. In
# a development set of 30 sentences, gains of several points are chance.
ENOUGH = 500


class Tuned(NamedTuple):
    """The chosen number, and F1 on the development set before and after, from 0 to 1."""

    added: float
    before: float
    after: float


def tune_outside(ner: NERTagger, examples: Sequence[Example]) -> Tuned:
    """Add the number that gives the best F1 to the score of `O`, in the bias of the output layer.

    ner (NERTagger): The component. Its model is changed if the gain is large enough: see
        `choose_candidate`.
    examples (Sequence[Example]): The development set. The components before this one have processed
        the predicted documents, and their entities are kept.
    RETURNS (Tuned): The number that was added, and F1 before and after.
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
    n_entities = sum(len(eg.reference.ents) for eg in examples)
    chosen = choose_candidate(values, CANDIDATES, n_entities=n_entities)
    if added := CANDIDATES[chosen]:
        layer.set_param("b", add_outside(layer.get_param("b"), added))
    return Tuned(added, values[CANDIDATES.index(0.0)], values[chosen])


def choose_candidate(
    values: Sequence[float], candidates: Sequence[float], *, n_entities: int
) -> int:
    """Choose the number to add to the score of `O`.

    values (Sequence[float]): The F1 with each candidate, from 0 to 1.
    candidates (Sequence[float]): The numbers, in nats: 0 and others, in the order of preference.
    n_entities (int): Number of gold entities.
    RETURNS (int): The index of the first candidate whose F1 is within `TOLERANCE` of the best, or
        of 0 if the best one gains less than `MIN_GAIN`. Both are larger below `ENOUGH` entities.
    """
    unchanged = candidates.index(0.0)
    chance = max(1.0, ENOUGH / max(n_entities, 1))
    if max(values) < values[unchanged] + MIN_GAIN * chance:
        return unchanged
    # If F1 hardly depends on the number, the best one is best on this development set only.
    return next(i for i, value in enumerate(values) if value >= max(values) - TOLERANCE * chance)


def score_candidates(
    ner: NERTagger,
    examples: Sequence[Example],
    get_scores: Callable[[List[Doc]], List[ScoredDoc]],
    *,
    candidates: Sequence[float] = CANDIDATES,
) -> List[float]:
    """Return the F1, from 0 to 1, that each number gives if added to the score of `O`.

    ner (NERTagger): The component. It is not changed.
    examples (Sequence[Example]): The documents, with everything that a listening model needs, and
        gold entities. Predicted entities are aligned to the tokens of the gold document, as by
        spaCy's scorer. Documents without gold entity annotation are left out.
    get_scores (Callable[[List[Doc]], List[ScoredDoc]]): Returns the component's scores of
        documents, and the attributes with preset entities, which are kept.
    candidates (Sequence[float]): Numbers to add, in nats.
    RETURNS (List[float]): F1 as spaCy's scorer computes it, 0 if there is nothing to find; an empty
        list without gold annotation.
    """
    examples = [eg for eg in examples if eg.reference.has_annotation("ENT_IOB")]
    if not examples:
        return []
    scored = get_scores([eg.predicted for eg in examples])
    examples = [*map(with_scored_tokens, examples, scored)]
    docs = [eg.predicted for eg in examples]
    gold = Gold.from_examples(examples)
    attributes = TokenAttributes.join(part.attributes for part in scored)
    fixed = attributes.preset
    scores = ner.model.ops.flatten([part.scores for part in scored])
    values = []
    for added in candidates:
        changed = split_rows(add_outside(scores, added), docs)
        ids = ner.find_tags(changed, attributes=attributes, fixed=fixed)
        written = tags_as_annotation(ids, ner.tags, fixed=fixed, attributes=attributes)
        values.append(gold.score(find_entities(*written)))
    return values


def with_scored_tokens(eg: Example, scored: ScoredDoc) -> Example:
    """Return an example with the tokens that were scored, if a later component changed them."""
    doc = eg.predicted
    if numpy.array_equal(doc.to_array(ORTH), scored.words):
        return eg
    words = [doc.vocab.strings[word] for word in scored.words]
    return Example(Doc(doc.vocab, words=words), eg.reference)


class Gold(NamedTuple):
    """Gold entities, and the alignment of predicted to gold tokens, documents concatenated.

    expected (Set[Tuple[int, int, int]]): Start, end and label of the entities, in gold tokens.
    n_missing (ndarray): Number of gold tokens without annotation before each gold token, and before
        the end: (n_gold_tokens + 1,).
    to_gold (ndarray): The gold tokens of each predicted token, concatenated.
    n_before (ndarray): Number of items of `to_gold` before those of each predicted token, and
        before the end: (n_tokens + 1,).
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
        """Return the F1, from 0 to 1, of entities in predicted tokens."""
        found = self.align(found)
        # Entities with gold tokens that are not annotated are neither right nor wrong.
        found = found.chosen(self.n_missing[found.starts] == self.n_missing[found.ends])
        # Two entities may become the same in gold tokens: at most one of them is right.
        n_right, n_found = len(found.as_set() & self.expected), len(found.labels)
        return 2 * n_right / max(n_found + len(self.expected), 1)

    def align(self, found: Entities) -> Entities:
        """Convert entities to gold tokens; those without any gold token are left out."""
        first, last = self.n_before[found.starts], self.n_before[found.ends] - 1
        has_any = first <= last
        starts, ends = self.to_gold[first[has_any]], self.to_gold[last[has_any]] + 1
        return Entities(starts, ends, found.labels[has_any])


def align_tokens(examples: Sequence[Example]) -> Tuple[numpy.ndarray, numpy.ndarray]:
    """Return the gold tokens of the predicted tokens: `Gold.to_gold`, `Gold.n_before`."""
    to_gold, lengths, n_gold = [], [], 0
    for eg in examples:
        if has_same_tokens(eg.predicted, eg.reference):
            own, n_own = numpy.arange(len(eg.reference)), numpy.ones(len(eg.reference), dtype="i")
        else:
            # With whitespace at the end, there may be one more length, of 0, than there are tokens.
            own, n_own = eg.alignment.x2y.data, eg.alignment.x2y.lengths[: len(eg.predicted)]
        to_gold.append(own + n_gold)
        lengths.append(n_own)
        n_gold += len(eg.reference)
    return numpy.concatenate(to_gold), numpy.append(0, numpy.cumsum(numpy.concatenate(lengths)))


def add_outside(scores: Any, added: float) -> Any:
    """Add a number to the scores or biases of `O`, the first tag on the last axis, in a copy."""
    changed = scores.copy()
    changed[..., 0] += added
    return changed
