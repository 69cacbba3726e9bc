"""A teacher from a pipeline with our `ner_tagger`: its model's distribution for each token."""

from dataclasses import dataclass
from typing import List, Optional, Sequence

import numpy
from spacy.language import Language
from spacy.tokens import Doc

from ..distributions import get_teacher_log_probs
from ..docs import copy_words
from ..errors import Errors
from ..pipeline.ner_tagger import NERTagger
from ..targets import has_same_tokens
from ..types import TagScores
from .alignment import name_of, run_pipes


@dataclass(frozen=True)
class NERTaggerTeacher:
    """A pipeline, and the component of it that teaches, on the documents' own tokens."""

    nlp: Language
    ner: NERTagger

    @property
    def name(self) -> str:
        return name_of(self.nlp)

    @property
    def tags(self) -> List[str]:
        return self.ner.tags

    def score(self, docs: Sequence[Doc]) -> List[TagScores]:
        """Return the component's tag scores of documents: (n_tokens, n_tags) each.

        RAISES (ValueError): D809 if a component before it changes the tokens.
        """
        # Other pipes of the teacher modify the documents, so they get copies of the words.
        copies = (copy_words(doc, self.nlp.vocab) for doc in docs)
        found = run_pipes(self.nlp, copies, before=self.ner)
        for doc, own in zip(docs, found):
            if not has_same_tokens(doc, own):
                self.refuse_change(doc)
        return self.ner.predict(found)

    def refuse_change(self, doc: Doc) -> None:
        """Find the component that changes a document's tokens. RAISES (ValueError): D809."""
        own = copy_words(doc, self.nlp.vocab)
        for name, pipe in self.nlp.pipeline:
            own = pipe(own)
            if not has_same_tokens(doc, own):
                word = next((a.text for a, b in zip(doc, own) if a.text != b.text), doc.text)
                raise ValueError(Errors.D809.format(name=name, teacher=self.name, word=word))

    def predict(self, docs: Sequence[Doc]) -> List[numpy.ndarray]:
        """See `Teacher`. Uses the softmax, or the marginals of the model's CRF.

        RAISES (ValueError): D809 if an earlier component changes the tokens.
        """
        return self.to_log_probs(self.score(docs), lengths=self.ner.find_lengths(docs))

    def to_log_probs(
        self, scores: Sequence[TagScores], *, lengths: Sequence[int]
    ) -> List[numpy.ndarray]:
        """Convert scores to log-probabilities; NaN for tokens that the model saw nothing of.

        lengths (Sequence[int]): Numbers of tokens of all lines, which a CRF covers one by one.
        """
        return get_teacher_log_probs(self.ner.model, scores, lengths=lengths)


def find_ner_tagger(nlp: Language, *, name: Optional[str] = None) -> NERTagger:
    """Return the `ner_tagger` of a pipeline that is called `name`; None: the last one.

    RAISES (ValueError): D012 if there is none.
    """
    taggers = [
        pipe
        for pipe_name, pipe in nlp.pipeline
        if isinstance(pipe, NERTagger) and name in (None, pipe_name)
    ]
    if not taggers:
        raise ValueError(Errors.D012.format(pipes=nlp.pipe_names))
    return taggers[-1]
