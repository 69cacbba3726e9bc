"""How readily a pipeline finds entities: one number, chosen on the development set.

The best tags are not those that give the best F1. Where a student is unsure which of many types a
new name has, the types share what probability there is, and `O`, which does not share, wins. A
number taken from the score of `O` mends that, as a threshold chosen for F1 does where texts are
classified (Lewis 1995). It goes into the bias of the output layer, so that nothing changes when the
pipeline is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, List, NamedTuple, Sequence, Set, Tuple

import numpy
from spacy.strings import get_string_id
from spacy.tokens import Doc

from .corpus import copy_words
from .entities import IOB, TokenAttributes, find_ends, leave_out_final_space
from .errors import Errors
from .tags import split_tag

if TYPE_CHECKING:
    from .pipeline.ner_tagger import NERTagger

# What is added to the score of `O`, in nats.
CANDIDATES = (0.0, *(sign * step / 2 for step in range(1, 13) for sign in (-1, 1)))
# F1, from 0 to 1, that is worth a change, or a larger one: what is less may be chance.
MIN_GAIN = 0.005
TOLERANCE = 0.0025


class Tuned(NamedTuple):
    """What was chosen, and F1 on the development set before and after, from 0 to 1."""

    added: float
    before: float
    after: float


def tune_outside(
    ner: NERTagger, references: Sequence[Doc], *, candidates: Sequence[float] = CANDIDATES
) -> Tuned:
    """Add to the score of `O` what gives the best F1, in the bias of the model's output layer.

    ner (NERTagger): The component. Its model is changed, unless nothing is better than as it is.
    references (Sequence[Doc]): The development set.
    candidates (Sequence[float]): What to try, in nats: 0 and others, in the order of preference.
        The first that is next to the best is taken, if the best brings half a point.
    RETURNS (Tuned): What was added, and the F1 that it brings.
    RAISES (ValueError): D013 if the model has no layer called `output_layer`.
    """
    layer = ner.model.maybe_get_ref("output_layer")
    if layer is None:
        raise ValueError(Errors.D013.format(name=ner.name, model=ner.model.name))
    values = score_candidates(ner, references, candidates=candidates)
    before = values[list(candidates).index(0.0)]
    if max(values) < before + MIN_GAIN:
        return Tuned(0.0, before, before)
    # Where F1 hardly depends on it, the best of many numbers is the best on this set alone.
    chosen = next(i for i, value in enumerate(values) if value >= max(values) - TOLERANCE)
    layer.set_param("b", add_outside(layer.get_param("b"), candidates[chosen]))
    return Tuned(candidates[chosen], before, values[chosen])


def score_candidates(
    ner: NERTagger, references: Sequence[Doc], *, candidates: Sequence[float] = CANDIDATES
) -> List[float]:
    """F1, from 0 to 1, that each number added to the score of `O` gives.

    ner (NERTagger): The component. It is not changed.
    references (Sequence[Doc]): Documents with gold entities, whose words are read; those without
        entity annotation are left out.
    candidates (Sequence[float]): What to add, in nats.
    RETURNS (List[float]): As spaCy's scorer would have them; 0 where there is nothing to find.
    """
    references = [doc for doc in references if doc.has_annotation("ENT_IOB")]
    docs = [copy_words(doc) for doc in references]
    gold = TokenAttributes.from_docs(references)
    attributes = TokenAttributes.from_docs(docs)
    expected = list_entities(gold.ent_iob, gold.ent_type)
    parts = [split_tag(tag) for tag in ner.tags]
    iob_of_tag = numpy.asarray([IOB[prefix] for prefix, _ in parts])
    type_of_tag = numpy.asarray([get_string_id(label) for _, label in parts], dtype="uint64")
    missing = numpy.append(0, numpy.cumsum(gold.ent_iob == 0))
    scores = ner.model.ops.flatten(ner.predict(docs))
    fixed = numpy.zeros(len(gold.ent_iob), dtype=bool)
    values = []
    for added in candidates:
        changed = [add_outside(scores, added)]
        ids = ner.find_tags(docs, changed, attributes=attributes, fixed=fixed)
        ids = leave_out_final_space(ids, iob_of_tag, attributes.is_space)
        found = list_entities(iob_of_tag[ids], type_of_tag[ids])
        # What is found where gold is silent is neither right nor wrong.
        found = {key for key in found if missing[key[0]] == missing[key[1]]}
        hits = len(found & expected)
        values.append(2 * hits / max(len(found) + len(expected), 1))
    return values


def list_entities(ent_iob: numpy.ndarray, ent_type: numpy.ndarray) -> Set[Tuple[int, int, int]]:
    """Start, end and label's hash of each entity of documents that follow each other."""
    starts, ends = find_ends(ent_iob)
    return set(zip(starts.tolist(), ends.tolist(), ent_type[starts].tolist()))


def add_outside(scores: Any, added: float) -> Any:
    """Scores, or biases, of which the last axis is that of the tags: `O` is the first of them."""
    changed = scores.copy()
    changed[..., 0] += added
    return changed
