"""Types of the data that the parts of the package pass to each other."""

from typing import Any, Callable, Iterable, List, Literal, Protocol, Sequence

import numpy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import Model
from thinc.types import Floats2d, Ints1d

# An array whose shape a comment gives. NumPy's type hides from mypy what indexing and sums return,
# and thinc's Floats1d to Floats4d know neither slices nor NumPy's functions.
Array = Any

# One row of tag scores (logits) a token: (n_tokens, n_tags).
TagScores = Floats2d

# What the factory `ner_tagger` requires of its model: TagScores for each Doc.
TaggerModel = Model[List[Doc], List[TagScores]]

# One tag index per token, -1 if there is none: (n_tokens,).
TagIds = Ints1d

# How entities are encoded as tags: one scheme for a whole component.
TagScheme = Literal["iob", "biluo"]

# Direction of the divergence: KL(student || teacher) as in Izsak et al. (2019), or KL(teacher ||
# student) as in Hinton et al. (2015).
Direction = Literal["student_teacher", "teacher_student"]

# How the student's scores become a sequence of tags: independently for each token, or by a CRF.
Classifier = Literal["softmax", "crf"]

# Which distribution of a CRF is compared with the teacher's: its posterior marginals, or the
# softmax of its scores without its transitions.
CRFDistribution = Literal["marginals", "emissions"]

# Functions that return examples, as spaCy's training loop expects them.
GetExamples = Callable[[], Iterable[Example]]
Reader = Callable[[Language], Iterable[Example]]

# Called by `initialize` with the model, before its shapes are inferred.
InitModel = Callable[[TaggerModel], TaggerModel]


class Teacher(Protocol):
    """Anything that can teach: it predicts a distribution over the same tags for every token."""

    @property
    def name(self) -> str:
        """The name that errors use."""

    @property
    def tags(self) -> List[str]:
        """The tags that the columns belong to, IOB or BILUO; `O` is the first."""

    def predict(self, docs: Sequence[Doc]) -> List[numpy.ndarray]:
        """Predict log-probabilities in nats, float32 (n_tokens, n_tags) for each document.

        Rows of tokens for which the teacher has no distribution are NaN. The documents may have
        the vocabulary of any pipeline, and are not changed.
        """
