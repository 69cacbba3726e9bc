"""A teacher from a pipeline that only sets `doc.ents`: rules, spacy-llm, GLiNER and the like.

Such a pipeline predicts entities without probabilities. Most of the probability is therefore given
to the tag that it sets, and the rest is spread over the other tags.
"""

from dataclasses import dataclass, replace
from typing import List, Optional, Sequence

import numpy
from spacy.language import Language
from spacy.tokens import Doc

from ..batches import split_rows
from ..checks import require
from ..distributions import log_softmax
from ..errors import Errors
from ..tags import make_tags, tags_from_docs
from .alignment import align_rows, name_of, retokenise, run_pipes
from .label_map import NO_MAP, LabelMap

DEFAULT_SMOOTHING = 0.1
# Components of spaCy that set no entities, though they do not declare what they set.
SET_NO_ENTITIES = {
    *("attribute_ruler", "doc_cleaner", "nn_labeller", "span_cleaner", "token_splitter"),
    *("merge_entities", "merge_noun_chunks", "merge_subtokens"),
}


@dataclass(frozen=True)
class DocEntsTeacher:
    """A pipeline of which all components are run, on its own tokenisation of the text.

    nlp (Language): The pipeline.
    labels (Optional[Sequence[str]]): Labels of its entities after mapping; None: unknown.
    smoothing (float): Share of the probability that is divided equally among the other tags: above
        0 and below 0.5.
    label_map (LabelMap): Map of the labels that the pipeline sets.
    """

    nlp: Language
    labels: Optional[Sequence[str]]
    smoothing: float = DEFAULT_SMOOTHING
    label_map: LabelMap = NO_MAP

    def __post_init__(self) -> None:
        holds = 0 < self.smoothing < 0.5
        require(holds, "smoothing", self.smoothing, "above 0 and below 0.5")

    @property
    def name(self) -> str:
        return name_of(self.nlp)

    @property
    def tags(self) -> List[str]:
        """The tags, in the scheme `iob`."""
        return make_tags(self.labels or (), scheme="iob")

    @property
    def is_open(self) -> bool:
        """Whether the pipeline may set labels that none of its components declares."""
        return not self.labels

    def with_labels(self, labels: Sequence[str], label_map: LabelMap) -> "DocEntsTeacher":
        """Return the same teacher with other labels.

        labels (Sequence[str]): The labels after mapping.
        label_map (LabelMap): Map of the labels that the pipeline sets.
        """
        return replace(self, labels=labels, label_map=label_map)

    def predict(self, docs: Sequence[Doc]) -> List[numpy.ndarray]:
        """See `Teacher`. RAISES (ValueError): D803 for an entity with an unknown label."""
        own = run_pipes(self.nlp, (retokenise(self.nlp, doc) for doc in docs))
        set_tags = make_tags(self.check_labels(own), scheme="iob")
        columns = numpy.asarray([self.tags.index(self.label_map.of_tag(tag)) for tag in set_tags])
        ids = columns[numpy.maximum(tags_from_docs(own, set_tags), 0)]  # missing tags are outside
        rows = split_rows(smooth(ids, n_tags=len(self.tags), smoothing=self.smoothing), own)
        return [align_rows(*parts, self.tags) for parts in zip(docs, own, rows)]

    def check_labels(self, docs: Sequence[Doc]) -> List[str]:
        """Return the labels of the documents' entities before mapping.

        RAISES (ValueError): D803 if one of them is unknown.
        """
        found = {ent.label_: ent.text for doc in docs for ent in doc.ents}
        known = list(self.labels or ())
        for label, text in found.items():
            if self.label_map(label) not in ("", *known):
                raise ValueError(
                    Errors.D803.format(teacher=self.name, label=label, text=text, labels=known)
                )
        return sorted(found)


def smooth(ids: numpy.ndarray, *, n_tags: int, smoothing: float) -> numpy.ndarray:
    """Return log-probabilities (n_tokens, n_tags), float32; the set tag has 1 - smoothing."""
    probs = numpy.full((len(ids), n_tags), smoothing / max(n_tags - 1, 1), dtype="f")
    probs[numpy.arange(len(ids)), ids] = 1 - smoothing
    return log_softmax(numpy.log(probs))


def sets_entities(nlp: Language, name: str) -> bool:
    """Return whether a component may set `doc.ents`: it declares this, or declares nothing."""
    meta = nlp.get_pipe_meta(name)
    is_unknown = not meta.assigns and meta.factory not in SET_NO_ENTITIES
    return is_unknown or says_it_sets(nlp, name)


def says_it_sets(nlp: Language, name: str) -> bool:
    """Return whether a component declares that it sets `doc.ents`."""
    is_declared = "doc.ents" in nlp.get_pipe_meta(name).assigns
    return is_declared or getattr(nlp.get_pipe(name), "annotate_ents", False)


def find_declared_labels(nlp: Language) -> Optional[List[str]]:
    """Return the labels that a pipeline's components set, or None if any does not declare them."""
    found: List[str] = []
    for name, pipe in nlp.pipeline:
        if sets_entities(nlp, name):
            labels = getattr(pipe, "labels", None)
            if not labels:
                return None
            found += [label for label in labels if label not in found]
    return found


def find_entity_labels(nlp: Language) -> List[str]:
    """Return the labels of the components that declare that they set entities, sorted."""
    names = [name for name in nlp.pipe_names if says_it_sets(nlp, name)]
    return sorted({label for name in names for label in getattr(nlp.get_pipe(name), "labels", ())})
