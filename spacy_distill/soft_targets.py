"""A teacher's distributions on a Doc: write, read, check.

They lie in `doc.user_data` as log-probabilities in float16, because probabilities in float16 lose
the tails that a temperature brings out, beside the tags that their columns belong to. The row of a
token that the teacher says nothing about is NaN. A DocBin keeps them if it is made with
`store_user_data=True`.
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
    """Store a teacher's distributions with the document.

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
    """The log-probability of each token's most probable tag: how sure the teacher is of it.

    doc (Doc): A document with soft targets.
    RETURNS (ndarray): In nats, float16 (n_tokens,), NaN where the token has none.
    """
    return doc.user_data[KEY]["log_probs"].max(axis=1)


def find_taught_labels(doc: Doc) -> Set[str]:
    """The labels of a document's entities, and all that its teacher knows."""
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


# This and `plan_columns` are asked the same of every document.
@lru_cache
def have_same_labels(tags: Tuple[str, ...], others: Tuple[str, ...]) -> bool:
    """Whether tags differ from others in scheme and order alone: each can teach the other."""
    return {tag_in_iob(tag) for tag in tags} == {tag_in_iob(tag) for tag in others}


def change_tags(
    log_probs: numpy.ndarray, tags: Sequence[str], *, wanted: Sequence[str]
) -> numpy.ndarray:
    """A document's distributions over other tags of the same labels.

    From `biluo` to `iob`, the probabilities of B and U, and of I and L, are added; the other way
    round they are split: see `split_by_next`.

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
    """For each wanted tag, the indices in `tags` whose probabilities add up to it; None if `tags`
    are `iob` and `wanted` `biluo`, which needs `split_by_next`."""
    if is_biluo(wanted) and not is_biluo(tags):
        return None
    named = tags if is_biluo(wanted) else [tag_in_iob(tag) for tag in tags]
    return [[i for i, n in enumerate(named) if n == tag] for tag in wanted]


def split_by_next(
    log_probs: numpy.ndarray, tags: Sequence[str], *, closing: Sequence[str]
) -> numpy.ndarray:
    """Distributions over the tags of `biluo`, from those over the tags of `iob`.

    An entity goes on at a token with the probability that the next is I of the same label: of B
    that share is B and the rest U, of I it is I and the rest L. That is exact of a teacher that
    takes each tag by itself, as a softmax does, and an approximation of a CRF's marginals.

    log_probs (ndarray): In nats (n_tokens, n_tags), NaN where there are none.
    tags (Sequence[str]): The tags that the columns belong to.
    closing (Sequence[str]): The tags of the same labels in `biluo`.
    RETURNS (ndarray): Float32 (n_tokens, n_closing), NaN also before a token of which there is
        nothing; no probability is lower than about `LEAST_PROBABILITY`.
    """
    probs = numpy.exp(log_probs)
    following = numpy.zeros_like(probs)  # nothing goes on behind the last token
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
