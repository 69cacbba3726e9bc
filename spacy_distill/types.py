"""The data flow as names: what the parts of the package hand to each other."""

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

# What the factory `ner_tagger` asks of its model: for each Doc its TagScores.
TaggerModel = Model[List[Doc], List[TagScores]]

# One tag index a token, -1 where there is none: (n_tokens,).
TagIds = Ints1d

# How entities become tags: one scheme for a whole component.
TagScheme = Literal["iob", "biluo"]

# Which way the divergence goes: KL(student || teacher) as in the paper of 2019, or
# KL(teacher || student) as in Hinton et al. (2015).
Direction = Literal["student_teacher", "teacher_student"]

# How the student's scores become a sequence of tags: each token for itself, or a CRF.
Classifier = Literal["softmax", "crf"]

# Which distribution of a CRF is compared with the teacher's: its posterior marginals, or the
# softmax of its scores without what it says about neighbours.
CRFDistribution = Literal["marginals", "emissions"]

# The examples of a reader, as spaCy's training loop wants them.
GetExamples = Callable[[], Iterable[Example]]
Reader = Callable[[Language], Iterable[Example]]

# Called by `initialize` with the model, before its shapes are inferred.
InitModel = Callable[[TaggerModel], TaggerModel]


class Teacher(Protocol):
    """Whatever can teach: it has a distribution over the same tags for every token."""

    @property
    def name(self) -> str:
        """What errors call it."""

    @property
    def tags(self) -> List[str]:
        """The tags that the columns belong to, IOB or BILUO; `O` is the first."""

    def predict(self, docs: Sequence[Doc]) -> List[numpy.ndarray]:
        """Log-probabilities in nats, float32 (n_tokens, n_tags) of each document.

        Rows of tokens that the teacher has nothing to say about are NaN. The documents may be of
        any vocabulary, and are not changed.
        """
