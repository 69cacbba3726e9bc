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
        scored, said = self.component.predict(docs), self.pipeline.predict(docs)
        return [override(*rows) for rows in zip(scored, said)]


def override(scored: numpy.ndarray, said: numpy.ndarray) -> numpy.ndarray:
    """Of two distributions of a token the second, unless they agree on its most probable tag.

    scored, said (ndarray): Log-probabilities (n_tokens, n_tags); one that is NaN gives way.
    """
    differs = scored.argmax(axis=1) != said.argmax(axis=1)  # of NaN it is 0
    differs |= numpy.isnan(scored).any(axis=1)
    differs &= ~numpy.isnan(said).any(axis=1)
    return numpy.where(differs[:, None], said, scored)
