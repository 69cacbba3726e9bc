"""The scores of a batch as one array, for the loss."""

from dataclasses import dataclass
from typing import Any, List, Optional, Sequence

import numpy

from ..batches import count_rows, split_rows
from ..distributions import find_unseen
from ..layers.crf import find_potentials
from ..losses import CRFInputs
from ..types import TaggerModel, TagScores


@dataclass(frozen=True)
class FlatScores:
    """The scores of a batch, and what is needed to split their gradient again.

    Tokens that the model saw nothing of, such as whitespace, have no part in the loss.

    model (Model[List[Doc], List[Floats2d]]): The model.
    parts (List[Floats2d]): Its scores of each document, (n_tokens, n_tags).
    seen (ndarray): The tokens that `rows` belong to: bool (n_tokens,).
    rows (Floats2d): Their scores; with a CRF, on the CPU, where the CRF is computed.
    crf (Optional[CRFInputs]): The model's CRF, if it has one.
    """

    model: TaggerModel
    parts: List[TagScores]
    seen: numpy.ndarray
    rows: Any
    crf: Optional[CRFInputs]

    @classmethod
    def of(
        cls, model: TaggerModel, parts: List[TagScores], *, lengths: Optional[Sequence[int]] = None
    ) -> "FlatScores":
        """Join scores. model, parts, lengths: As for `get_log_probs`."""
        rows: Any = model.ops.flatten(parts)
        seen = ~find_unseen(rows)
        rows, seen = rows[seen], model.ops.to_numpy(seen)
        potentials = find_potentials(model)
        if potentials is None:
            return cls(model, parts, seen, rows, None)
        crf = CRFInputs(count_rows(seen, lengths or [*map(len, parts)]), potentials)
        return cls(model, parts, seen, model.ops.to_numpy(rows), crf)

    def split(self, d_rows: Any) -> List[TagScores]:
        """Return the gradient of each document's scores, 0 for tokens that have no row."""
        ops = self.model.ops
        if self.seen.all():
            return split_rows(ops.asarray2f(d_rows), self.parts)
        d_scores = ops.alloc2f(len(self.seen), d_rows.shape[1])
        d_scores[ops.xp.asarray(self.seen)] = ops.asarray2f(d_rows)
        return split_rows(d_scores, self.parts)
