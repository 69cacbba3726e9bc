"""Convert the labels of a checkpoint, in IO, IOB1, IOB2, BILUO, IOBES or BMES, to tags."""

import re
from dataclasses import dataclass
from typing import Dict, List, Sequence

import numpy

from ..distributions import floor_probs
from ..errors import Errors
from ..tags import BILUO, OUTSIDE, make_tags

# A label whose prefix is at its end, such as PER-B.
SUFFIXED = re.compile(rf"(.+)[-_]([{''.join(BILUO)}])")
# A label whose prefix may have another form, such as i-PER or B:PER.
ANY_PREFIX = re.compile(r"([BI])([\W_].+)", re.IGNORECASE)
# Labels of special tokens, and of word pieces that do not begin a word. They are not part of the
# scheme, and mean O.
SPECIAL = {"X", "PAD", "[PAD]", "<pad>", "[CLS]", "[SEP]", "<s>", "</s>"}


@dataclass(frozen=True)
class LabelScheme:
    """How a checkpoint's labels are converted to tags.

    tags (List[str]): The tags: BILUO if the labels mark the ends of entities, else IOB.
    columns (List[List[int]]): For each tag, the indices of the labels that mean it.
    begins_with_inside (bool): Whether an entity may begin with I, as in IO and IOB1.
    """

    tags: List[str]
    columns: List[List[int]]
    begins_with_inside: bool

    def to_tags(self, log_probs: numpy.ndarray) -> numpy.ndarray:
        """Convert log-probabilities of labels to those of tags, in nats. NaN stays NaN.

        log_probs (ndarray): (n_tokens, n_labels).
        RETURNS (ndarray): (n_tokens, n_tags).
        """
        probs = numpy.exp(log_probs)
        by_tag = numpy.stack([probs[:, of_tag].sum(axis=1) for of_tag in self.columns], axis=1)
        if self.begins_with_inside:
            begin_entities(by_tag)
        return floor_probs(by_tag)


def read_scheme(labels: Sequence[str], *, teacher: str, iob1: bool = False) -> LabelScheme:
    """Determine what a checkpoint's labels mean.

    labels (Sequence[str]): The labels in its `id2label`: with prefixes (`B-PER`, `E_PER`), with
        prefixes at the end (`PER-B`), or without (`PER`).
    teacher (str): Name of the checkpoint, for the error.
    iob1 (bool): See `HFTokenClassifier.load`.
    RETURNS (LabelScheme): The scheme.
    RAISES (ValueError): D806 if none of the labels is `O`, if no other label names an entity, if
        only some of those that do have a prefix, or if the prefixes have another form.
    """
    given, labels = labels, put_in_front(labels)
    prefixed = [label for label in labels if has_prefix(label)]
    others = [label for label in labels if label not in (OUTSIDE, *prefixed)]
    is_scheme = bool(prefixed) and SPECIAL.issuperset(others)
    # Labels are mixed only if B and one of I, M, L and E have the same type, because a type may
    # itself be called `I-9`.
    begin = [label[1:] for label in prefixed if label[0] == "B"]
    is_mixed = any(label[1:] in begin for label in prefixed if label[0] in "IMLE")
    is_unclear = not is_scheme and (is_mixed or has_other_prefixes(labels))
    # Without a scheme, "X" may be an entity type.
    named = prefixed if is_scheme else [*prefixed, *(o for o in others if o not in SPECIAL - {"X"})]
    if OUTSIDE not in labels or is_unclear or not named or {"B", "I"}.issuperset(named):
        raise ValueError(Errors.D806.format(teacher=teacher, labels=list(given)))
    as_tags: Dict[str, str] = {
        label: f"{BILUO[label[0]]}-{label[2:]}" if is_scheme else f"I-{label}"
        for label in labels
        if label in named
    }
    begun, inside = ({tag[2:] for tag in as_tags.values() if tag[0] == prefix} for prefix in "BI")
    names = list(dict.fromkeys(tag[2:] for tag in as_tags.values()))
    closes = any(tag[0] in "LU" for tag in as_tags.values())
    tags = make_tags(names, scheme="biluo" if closes else "iob")
    columns = [
        [i for i, label in enumerate(labels) if as_tags.get(label, OUTSIDE) == tag] for tag in tags
    ]
    # In IOB2, every entity begins with B. In IOB1, a label gets a B only if two entities of it are
    # adjacent somewhere in the training data.
    lacks_begin = not inside <= begun
    return LabelScheme(tags, columns, not closes and (iob1 or lacks_begin))


def put_in_front(labels: Sequence[str]) -> List[str]:
    """Move prefixes to the front, if all labels have them at the end: `PER-B` -> `B-PER`."""
    named = [label for label in labels if label not in (OUTSIDE, *SPECIAL)]
    parts = {label: match.groups() for label in named if (match := SUFFIXED.fullmatch(label))}
    begun = {name for name, prefix in parts.values() if prefix == "B"}
    goes_on = any(name in begun for name, prefix in parts.values() if prefix != "B")
    if len(parts) < len(named) or all(map(has_prefix, named)) or not goes_on:
        return list(labels)
    return ["-".join(reversed(parts[label])) if label in parts else label for label in labels]


def has_prefix(label: str) -> bool:
    return label[:1] in BILUO and label[1:2] in ("-", "_")


def has_other_prefixes(labels: Sequence[str]) -> bool:
    """Return whether two labels only differ in a B and an I in front: `b-per` and `i-per`."""
    parts = [match.groups() for label in labels if (match := ANY_PREFIX.fullmatch(label))]
    begin, inside = ({name for found, name in parts if found.upper() == prefix} for prefix in "BI")
    return bool(begin & inside)


def begin_entities(probs: numpy.ndarray) -> None:
    """Move probability from I to B where no entity of the label can continue. In place.

    An entity can continue if the most probable label of the previous token is the same. Tokens
    without probabilities, such as line breaks, are skipped.

    probs (ndarray): Probabilities of IOB tags (n_tokens, n_tags); NaN for tokens without.
    """
    n_labels = (probs.shape[1] - 1) // 2
    by_label = numpy.concatenate([probs[:, :1], probs[:, 1::2] + probs[:, 2::2]], axis=1)
    places = numpy.where(numpy.isnan(probs[:, 0]), 0, numpy.arange(len(probs)))
    last = numpy.maximum.accumulate(places)  # the last token with probabilities, up to each token
    before = numpy.zeros(len(probs), dtype="i")
    before[1:] = by_label[last[:-1]].argmax(axis=1)  # 0 for O, and if there is no such token
    for label in range(n_labels):
        begin, inside = 1 + 2 * label, 2 + 2 * label
        new = before != label + 1
        probs[new, begin] += probs[new, inside]
        probs[new, inside] = 0.0
