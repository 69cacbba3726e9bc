"""A pipeline that only sets `doc.ents` teaches: rules, spacy-llm, GLiNER and the like.

It says what, and not how surely. So most of the probability goes to the tag that it set, and a
share is spread over the others.
"""

from dataclasses import dataclass
from typing import List, Optional, Sequence

import numpy
from spacy.language import Language
from spacy.tokens import Doc

from ..batches import split_rows
from ..checks import require
from ..decoding import log_softmax
from ..errors import Errors
from ..tags import make_tags, tags_from_docs
from .alignment import align_rows, name_of, retokenise, run_pipes
from .label_map import NO_MAP, LabelMap

DEFAULT_SMOOTHING = 0.1
# Of spaCy's own components those that set no entities, and don't say what they set.
SILENT = {
    *("attribute_ruler", "doc_cleaner", "span_cleaner", "token_splitter"),
    *("merge_entities", "merge_noun_chunks", "merge_subtokens"),
}


@dataclass(frozen=True)
class DocEntsTeacher:
    """A pipeline of which all components are run. It reads a text in its own tokens.

    nlp (Language): The pipeline.
    labels (Optional[Sequence[str]]): Labels of its entities after the map; None: not known.
    smoothing (float): Share of the probability that the other tags get, all the same: above 0 and
        below 0.5.
    label_map (LabelMap): What the labels that the pipeline sets become.
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
        """In the scheme `iob`."""
        return make_tags(self.labels or (), scheme="iob")

    def predict(self, docs: Sequence[Doc]) -> List[numpy.ndarray]:
        """See `Teacher`. RAISES (ValueError): D803 for an entity with another label."""
        own = run_pipes(self.nlp, (retokenise(self.nlp, doc) for doc in docs))
        set_tags = make_tags(self.check_labels(own), scheme="iob")
        columns = numpy.asarray([self.tags.index(self.label_map.of_tag(tag)) for tag in set_tags])
        ids = columns[numpy.maximum(tags_from_docs(own, set_tags), 0)]  # what is missing is outside
        rows = split_rows(smooth(ids, n_tags=len(self.tags), smoothing=self.smoothing), own)
        return [align_rows(*parts, self.tags) for parts in zip(docs, own, rows)]

    def check_labels(self, docs: Sequence[Doc]) -> List[str]:
        """The labels of the documents' entities, before the map. RAISES (ValueError): D803."""
        found = {ent.label_: ent.text for doc in docs for ent in doc.ents}
        known = list(self.labels or ())
        for label, text in found.items():
            if self.label_map(label) not in ("", *known):
                raise ValueError(
                    Errors.D803.format(teacher=self.name, label=label, text=text, labels=known)
                )
        return sorted(found)


def smooth(ids: numpy.ndarray, *, n_tags: int, smoothing: float) -> numpy.ndarray:
    """Log-probabilities (n_tokens, n_tags), float32: 1 - smoothing for the tag that is set."""
    probs = numpy.full((len(ids), n_tags), smoothing / max(n_tags - 1, 1), dtype="f")
    probs[numpy.arange(len(ids)), ids] = 1 - smoothing
    return log_softmax(numpy.log(probs))


def sets_entities(nlp: Language, name: str) -> bool:
    """Whether a component may set `doc.ents`: it says so, or it does not say what it sets."""
    meta = nlp.get_pipe_meta(name)
    is_silent = not meta.assigns and meta.factory not in SILENT
    return is_silent or says_it_sets(nlp, name)


def says_it_sets(nlp: Language, name: str) -> bool:
    """Whether a component says that it sets `doc.ents`."""
    is_declared = "doc.ents" in nlp.get_pipe_meta(name).assigns
    return is_declared or getattr(nlp.get_pipe(name), "annotate_ents", False)


def find_declared_labels(nlp: Language) -> Optional[List[str]]:
    """The labels that a pipeline's components set; None if one of them does not say."""
    found: List[str] = []
    for name, pipe in nlp.pipeline:
        if sets_entities(nlp, name):
            labels = getattr(pipe, "labels", None)
            if not labels:
                return None
            found += [label for label in labels if label not in found]
    return found


def find_entity_labels(nlp: Language) -> List[str]:
    """The labels of the components that say they set entities, sorted."""
    names = [name for name in nlp.pipe_names if says_it_sets(nlp, name)]
    return sorted({label for name in names for label in getattr(nlp.get_pipe(name), "labels", ())})
