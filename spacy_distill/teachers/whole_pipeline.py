"""A teacher from a pipeline in which several components set entities, such as a model and rules."""

from dataclasses import dataclass, replace
from typing import List, Sequence

import numpy
from spacy.language import Language
from spacy.tokens import Doc

from ..types import Teacher
from .doc_ents import DocEntsTeacher
from .label_map import LabelMap, map_tags


@dataclass(frozen=True)
class WholePipelineTeacher:
    """A component that scores tags, combined with what the rest of its pipeline makes of them.

    If the pipeline sets the tag that the component finds most probable, a token gets the
    component's distribution. Otherwise it gets the distribution of the tag that the pipeline sets,
    as in `DocEntsTeacher`. The component, and those before it, run twice: once for the
    distribution, and once as part of the whole pipeline.

    component (Teacher): The component, with the tags of the pipeline.
    pipeline (DocEntsTeacher): The whole pipeline.
    is_open (bool): Whether the pipeline may set labels that none of its components declares.
    """

    component: Teacher
    pipeline: DocEntsTeacher
    is_open: bool = False

    @property
    def nlp(self) -> Language:
        return self.pipeline.nlp

    @property
    def name(self) -> str:
        return self.pipeline.name

    @property
    def tags(self) -> List[str]:
        return self.pipeline.tags

    def with_labels(self, labels: Sequence[str], label_map: LabelMap) -> "WholePipelineTeacher":
        """See `DocEntsTeacher.with_labels`."""
        pipeline = self.pipeline.with_labels(labels, label_map)
        component = map_tags(self.component, pipeline.tags, label_map)
        return replace(self, component=component, pipeline=pipeline)

    def predict(self, docs: Sequence[Doc]) -> List[numpy.ndarray]:
        """See `Teacher`. RAISES (ValueError): D803 for an entity with an unknown label."""
        parts = zip(self.component.predict(docs), self.pipeline.predict(docs))
        return [override(*log_probs) for log_probs in parts]


def override(
    component_log_probs: numpy.ndarray, pipeline_log_probs: numpy.ndarray
) -> numpy.ndarray:
    """Return the pipeline's distribution of each token, or the component's if both have the same
    most probable tag.

    component_log_probs, pipeline_log_probs (ndarray): Log-probabilities (n_tokens, n_tags). If a
        row of one of them is NaN, that of the other is returned.
    """
    # The argmax of a row of NaN is 0.
    differs = component_log_probs.argmax(axis=1) != pipeline_log_probs.argmax(axis=1)
    differs |= numpy.isnan(component_log_probs).any(axis=1)
    differs &= ~numpy.isnan(pipeline_log_probs).any(axis=1)
    return numpy.where(differs[:, None], pipeline_log_probs, component_log_probs)
