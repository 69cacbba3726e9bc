"""How readily a pipeline finds entities: one number, chosen on the development set.

The best tags are not those that give the best F1. Where a student is unsure which of many types a
new name has, the types share what probability there is, and `O`, which does not share, wins. A
number taken from the score of `O` mends that, as a threshold chosen for F1 does where texts are
classified (Lewis 1995). It goes into the bias of the output layer, so that nothing changes when the
pipeline is used.
"""

from typing import Any, List, NamedTuple, Sequence

from spacy.scorer import get_ner_prf
from spacy.training import Example

from .corpus import copy_words
from .errors import Errors
from .pipeline.ner_tagger import NERTagger

# What is added to the score of `O`, in nats.
CANDIDATES = (0.0, *(sign * step / 2 for step in range(1, 13) for sign in (-1, 1)))
# F1, from 0 to 1, that is worth a change: what is less may be chance.
MIN_GAIN = 0.005


class Tuned(NamedTuple):
    """What was chosen, and F1 on the development set before and after, from 0 to 1."""

    added: float
    before: float
    after: float


def tune_outside(
    ner: NERTagger, examples: Sequence[Example], *, candidates: Sequence[float] = CANDIDATES
) -> Tuned:
    """Add to the score of `O` what gives the best F1, in the bias of the model's output layer.

    ner (NERTagger): The component. Its model is changed, unless nothing is better than as it is.
    examples (Sequence[Example]): The development set. The words are those of its references.
    candidates (Sequence[float]): What to try, in nats: 0 and others. The first of the best is
        taken, if it brings half a point.
    RETURNS (Tuned): What was added, and the F1 that it brings.
    RAISES (ValueError): D013 if the model has no layer called `output_layer`.
    """
    layer = ner.model.maybe_get_ref("output_layer")
    if layer is None:
        raise ValueError(Errors.D013.format(name=ner.name, model=ner.model.name))
    scores = ner.predict([copy_words(eg.reference) for eg in examples])
    values: List[float] = []
    for added in candidates:
        docs = [copy_words(eg.reference) for eg in examples]
        ner.set_annotations(docs, [add_outside(part, added) for part in scores])
        found = get_ner_prf([Example(doc, eg.reference) for doc, eg in zip(docs, examples)])
        values.append(found["ents_f"] or 0.0)
    before = values[list(candidates).index(0.0)]
    best = max(range(len(candidates)), key=lambda i: values[i])
    if values[best] < before + MIN_GAIN:
        return Tuned(0.0, before, before)
    layer.set_param("b", add_outside(layer.get_param("b"), candidates[best]))
    return Tuned(candidates[best], before, values[best])


def add_outside(scores: Any, added: float) -> Any:
    """Scores, or biases, of which the last axis is that of the tags: `O` is the first of them."""
    changed = scores.copy()
    changed[..., 0] += added
    return changed
