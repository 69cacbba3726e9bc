"""A pipeline whose entities are not those of one component alone: rules beside a model, say."""

from dataclasses import dataclass
from typing import List, Sequence

import numpy
from spacy.language import Language
from spacy.tokens import Doc

from ..types import Teacher
from .doc_ents import DocEntsTeacher


@dataclass(frozen=True)
class WholePipelineTeacher:
    """A component that scores tags, and what the rest of its pipeline makes of them.

    Where the pipeline sets what the component finds most probable, a token has the component's
    distribution; elsewhere what the pipeline sets teaches, as of any `DocEntsTeacher`. The
    component, and what comes before it, run twice: once for the distribution, once as a part of the
    whole pipeline.

    component (Teacher): The component, under the tags of the pipeline.
    pipeline (DocEntsTeacher): All of it.
    """

    component: Teacher
    pipeline: DocEntsTeacher

    @property
    def nlp(self) -> Language:
        return self.pipeline.nlp

    @property
    def name(self) -> str:
        return self.pipeline.name

    @property
    def tags(self) -> List[str]:
        return self.pipeline.tags

    def predict(self, docs: Sequence[Doc]) -> List[numpy.ndarray]:
        """See `Teacher`."""
        parts = zip(self.component.predict(docs), self.pipeline.predict(docs))
        return [override(*log_probs) for log_probs in parts]


def override(
    component_log_probs: numpy.ndarray, pipeline_log_probs: numpy.ndarray
) -> numpy.ndarray:
    """Of two distributions of a token the second, unless they agree on its most probable tag.

    component_log_probs, pipeline_log_probs (ndarray): In nats (n_tokens, n_tags); a row that is NaN
        gives way.
    RETURNS (ndarray): In nats (n_tokens, n_tags).
    """
    # Of a row of NaN, arg max is 0.
    differs = component_log_probs.argmax(axis=1) != pipeline_log_probs.argmax(axis=1)
    differs |= numpy.isnan(component_log_probs).any(axis=1)
    differs &= ~numpy.isnan(pipeline_log_probs).any(axis=1)
    return numpy.where(differs[:, None], pipeline_log_probs, component_log_probs)
