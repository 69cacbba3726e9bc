"""The training targets of a batch of examples: tags and a teacher's distributions, by token."""

from dataclasses import dataclass
from typing import List, Sequence

import numpy
from spacy.attrs import ORTH
from spacy.tokens import Doc
from spacy.training import Alignment, Example

from .batches import split_rows
from .soft_targets import get_soft_targets, has_soft_targets
from .tags import is_biluo, tag_in_iob, tags_from_docs


@dataclass(frozen=True)
class Targets:
    """The targets of a batch, documents concatenated.

    tags (ndarray): Gold tag or pseudo-label of each token (n_tokens,), -1 if there is none.
    teacher_scores (ndarray): Log-probabilities (n_taught, n_tags) of the tokens that have them.
    taught (ndarray): Indices of these tokens (n_taught,).
    """

    tags: numpy.ndarray
    teacher_scores: numpy.ndarray
    taught: numpy.ndarray

    def of_tokens(self, chosen: numpy.ndarray) -> "Targets":
        """Return the targets of some of the tokens. chosen (ndarray): bool (n_tokens,)."""
        places = numpy.cumsum(chosen) - 1
        kept = chosen[self.taught]
        return Targets(self.tags[chosen], self.teacher_scores[kept], places[self.taught[kept]])


def get_targets(examples: Sequence[Example], *, tags: Sequence[str], name: str) -> Targets:
    """Read the targets of a batch from the references of its examples.

    If the reference and the predicted document differ in their tokens, the tags come from spaCy's
    alignment, and only tokens that are aligned one to one have soft targets.

    examples (Sequence[Example]): The batch.
    tags (Sequence[str]): The component's tags.
    name (str): The component's name, for errors.
    RETURNS (Targets): The targets of all tokens of the predicted documents.
    RAISES (ValueError): D003 or D004 for soft targets that do not fit.
    """
    index = {tag: i for i, tag in enumerate(tags)}
    in_scheme = str if is_biluo(tags) else tag_in_iob
    references = [eg.reference for eg in examples]
    tag_ids = split_rows(tags_from_docs(references, tags), references)
    teacher_scores: List[numpy.ndarray] = [numpy.zeros((0, len(tags)), dtype="f")]
    taught: List[numpy.ndarray] = [numpy.zeros(0, dtype="i")]
    offset = 0
    for i, eg in enumerate(examples):
        same_tokens = has_same_tokens(eg.predicted, eg.reference)
        if not same_tokens:
            # spaCy returns BILUO tags, or None.
            aligned_tags = [in_scheme(tag or "") for tag in eg.get_aligned_ner()]
            tag_ids[i] = numpy.asarray([index.get(tag, -1) for tag in aligned_tags], dtype="i")
        if has_soft_targets(eg.reference):
            log_probs = get_soft_targets(eg.reference, tags=tags, name=name)
            aligned = numpy.arange(len(eg.reference), dtype="i")
            if not same_tokens:
                aligned = find_one_to_one(eg.alignment)
            has_targets = ~numpy.isnan(log_probs).any(axis=1)
            rows = numpy.flatnonzero(aligned >= 0).astype("i")
            rows = rows[has_targets[aligned[rows]]]
            teacher_scores.append(log_probs[aligned[rows]])
            taught.append(rows + offset)
        offset += len(eg.predicted)
    return Targets(
        numpy.concatenate(tag_ids), numpy.concatenate(teacher_scores), numpy.concatenate(taught)
    )


def has_same_tokens(doc: Doc, other: Doc) -> bool:
    """Return whether two documents have the same tokens."""
    return numpy.array_equal(doc.to_array(ORTH), other.to_array(ORTH))


def find_one_to_one(alignment: Alignment) -> numpy.ndarray:
    """Return the one token that each token is aligned with: (n_tokens,), -1 if not one to one."""
    x2y, y2x = alignment.x2y, alignment.y2x
    aligned = numpy.full(len(x2y.lengths), -1, dtype="i")
    for i in numpy.flatnonzero(x2y.lengths == 1):
        (j,) = x2y[int(i)]
        if y2x.lengths[j] == 1:
            aligned[i] = j
    return aligned
