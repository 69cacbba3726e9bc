"""A teacher's distributions on a Doc: store, read and check them.

They are stored in `doc.user_data`, together with the tags that their columns belong to, as
log-probabilities in float16. Probabilities in float16 would lose the tails that a temperature
brings out. The row of a token that has no soft targets is NaN. A DocBin keeps them if it is created
with `store_user_data=True`.
"""

from functools import lru_cache
from typing import List, Optional, Sequence, Set, Tuple

import numpy
from spacy.tokens import Doc

from .distributions import add_columns, floor_probs
from .errors import Errors
from .tags import is_biluo, split_tag, tag_in_iob

KEY = "soft_targets"


def set_soft_targets(
    doc: Doc,
    log_probs: numpy.ndarray,
    *,
    tags: Sequence[str],
    disagreement: Optional[numpy.ndarray] = None,
) -> None:
    """Store a teacher's distributions in a document.

    doc (Doc): The document.
    log_probs (ndarray): Log-probabilities in nats (n_tokens, n_tags), NaN where there are none.
    tags (Sequence[str]): The tags that the columns belong to.
    disagreement (Optional[ndarray]): How far several teachers disagreed, in nats (n_tokens,).
    """
    lowest = numpy.finfo("float16").min
    stored = numpy.maximum(log_probs, lowest).astype("float16")
    doc.user_data[KEY] = {"tags": list(tags), "log_probs": stored}
    if disagreement is not None:
        doc.user_data[KEY]["disagreement"] = disagreement.astype("float16")


def has_soft_targets(doc: Doc) -> bool:
    return KEY in doc.user_data


def max_log_probs(doc: Doc) -> numpy.ndarray:
    """Return the log-probability of each token's most probable tag: how confident the teacher is.

    doc (Doc): A document with soft targets.
    RETURNS (ndarray): In nats, float16 (n_tokens,), NaN for tokens that have none.
    """
    return doc.user_data[KEY]["log_probs"].max(axis=1)


def find_taught_labels(doc: Doc) -> Set[str]:
    """Return the labels of a document's entities and of its teacher."""
    tags = doc.user_data.get(KEY, {}).get("tags", ())
    labels = {label for _, label in map(split_tag, tags) if label}
    return labels.union(ent.label_ for ent in doc.ents)


def get_soft_targets(doc: Doc, *, tags: Sequence[str], name: str) -> numpy.ndarray:
    """Read a teacher's distributions, in the order of the student's tags.

    doc (Doc): A document with soft targets.
    tags (Sequence[str]): The student's tags, of the same labels, in either scheme.
    name (str): The student component's name, for the error.
    RETURNS (ndarray): Log-probabilities in float32 (n_tokens, n_tags), NaN where there are none.
    RAISES (ValueError): D003 if the tags differ, D004 if the shape does not fit the document.
    """
    stored = doc.user_data[KEY]
    found, log_probs = tuple(stored["tags"]), stored["log_probs"].astype("float32")
    if log_probs.shape != (len(doc), len(found)):
        rows, columns = (*log_probs.shape, 0)[:2]
        raise ValueError(
            Errors.D004.format(rows=rows, columns=columns, tokens=len(doc), tags=len(found))
        )
    if found == (expected := tuple(tags)):
        return log_probs
    if not have_same_labels(found, expected):
        raise ValueError(Errors.D003.format(found=[*found], name=name, expected=[*expected]))
    return change_tags(log_probs, found, wanted=expected)


# Cached, as `plan_columns` is, because the arguments are the same for every document.
@lru_cache
def have_same_labels(tags: Tuple[str, ...], others: Tuple[str, ...]) -> bool:
    """Return whether tags differ in scheme and order only, so that each can teach the other."""
    return {tag_in_iob(tag) for tag in tags} == {tag_in_iob(tag) for tag in others}


def change_tags(
    log_probs: numpy.ndarray, tags: Sequence[str], *, wanted: Sequence[str]
) -> numpy.ndarray:
    """Convert a document's distributions to other tags with the same labels.

    From `biluo` to `iob`, the probabilities of B and U, and of I and L, are added. From `iob` to
    `biluo`, they are split: see `split_by_next`.

    log_probs (ndarray): In nats (n_tokens, n_tags), NaN where there are none.
    tags (Sequence[str]): The tags that the columns belong to.
    wanted (Sequence[str]): The tags to return.
    RETURNS (ndarray): In nats (n_tokens, n_wanted), NaN where there are none.
    """
    if tuple(tags) == tuple(wanted):
        return log_probs
    columns = plan_columns(tuple(tags), tuple(wanted))
    if columns is None:
        return split_by_next(log_probs, tags, closing=wanted)
    return add_columns(log_probs, columns)


@lru_cache
def plan_columns(tags: Tuple[str, ...], wanted: Tuple[str, ...]) -> Optional[List[List[int]]]:
    """Return, for each wanted tag, the indices in `tags` whose probabilities add up to it.

    None if `tags` are `iob` and `wanted` are `biluo`, which needs `split_by_next`.
    """
    if is_biluo(wanted) and not is_biluo(tags):
        return None
    named = tags if is_biluo(wanted) else [tag_in_iob(tag) for tag in tags]
    return [[i for i, n in enumerate(named) if n == tag] for tag in wanted]


def split_by_next(
    log_probs: numpy.ndarray, tags: Sequence[str], *, closing: Sequence[str]
) -> numpy.ndarray:
    """Convert distributions over the tags of `iob` to distributions over the tags of `biluo`.

    An entity continues after a token with the probability that the next token is I of the same
    label. This share of B stays B and the rest becomes U; this share of I stays I and the rest
    becomes L. This is exact for a teacher that predicts each tag independently, as a softmax does,
    and an approximation for the marginals of a CRF.

    log_probs (ndarray): In nats (n_tokens, n_tags), NaN where there are none.
    tags (Sequence[str]): The tags that the columns belong to.
    closing (Sequence[str]): The tags of the same labels in `biluo`.
    RETURNS (ndarray): Float32 (n_tokens, n_closing), also NaN for a token whose next token is NaN;
        no probability is lower than about `LEAST_PROBABILITY`.
    """
    probs = numpy.exp(log_probs)
    following = numpy.zeros_like(probs)  # no entity continues after the last token
    following[:-1] = probs[1:]
    columns = []
    for tag in closing:
        prefix, label = split_tag(tag)
        column = probs[:, tags.index(tag_in_iob(tag))]
        if label:
            goes_on = following[:, tags.index(f"I-{label}")]
            column = column * (goes_on if prefix in "BI" else 1 - goes_on)
        columns.append(column)
    return floor_probs(numpy.stack(columns, axis=1))
