"""Tag schemes, and the tags of documents' entities.

A scheme defines the tags of every label; tag 0 is always `O`. `iob` has B and I (IOB2, so an entity
always begins with B), `biluo` has B, I, L and U (Ratinov and Roth 2009).
"""

import warnings
from typing import Dict, List, Sequence, Tuple

import numpy
from spacy.attrs import ENT_IOB, ENT_TYPE, IOB_STRINGS
from spacy.strings import get_string_id
from spacy.tokens import Doc

from .checks import require_one_of
from .errors import Warnings
from .types import TagScheme

PREFIXES: Dict[str, str] = {"iob": "BI", "biluo": "BILU"}
OUTSIDE = "O"
# spaCy's values of ENT_IOB; 0 means missing.
IOB_INSIDE, IOB_OUTSIDE, IOB_BEGIN = map(IOB_STRINGS.index, "IOB")
# The prefixes of other schemes in `biluo`: IOBES ends entities with E, BMES has M within entities,
# and a single token is S, U or W.
BILUO: Dict[str, str] = {
    **dict.fromkeys("B", "B"),
    **dict.fromkeys("IM", "I"),
    **dict.fromkeys("LE", "L"),
    **dict.fromkeys("USW", "U"),
}


def make_tags(labels: Sequence[str], *, scheme: TagScheme) -> List[str]:
    """Return the tags of a component, in the order of its model's outputs.

    labels (Sequence[str]): Entity labels, in order.
    scheme (TagScheme): Tag scheme.
    RETURNS (List[str]): `O`, then the tags of each label: 1 + n_labels * (2 or 4) in total.
    RAISES (ValueError): D007 for an unknown scheme.
    """
    require_one_of(TagScheme, "scheme", scheme)
    return [OUTSIDE, *(f"{prefix}-{label}" for label in labels for prefix in PREFIXES[scheme])]


def split_tag(tag: str) -> Tuple[str, str]:
    """Split a tag: `B-PER` -> (`B`, `PER`), `O` -> (`O`, ``). A label may contain a hyphen."""
    prefix, _, label = tag.partition("-")
    return prefix, label


def tag_in_iob(tag: str) -> str:
    """Convert a tag of either scheme to IOB: U becomes B, and L becomes I."""
    prefix, label = split_tag(tag)
    prefix = {"U": "B", "L": "I"}.get(prefix, prefix)
    return f"{prefix}-{label}" if label else tag


def is_biluo(tags: Sequence[str]) -> bool:
    """Return whether the scheme of tags is `biluo` instead of `iob`."""
    return any(split_tag(tag)[0] in "LU" for tag in tags)


def tags_from_docs(docs: Sequence[Doc], tags: Sequence[str]) -> numpy.ndarray:
    """Return the gold tag of each token, from the documents' entities.

    docs (Sequence[Doc]): Documents with entities, possibly annotated in part.
    tags (Sequence[str]): The tags of a component.
    RETURNS (ndarray): Tag indices (n_tokens,), documents concatenated; -1 if the annotation is
        missing or its label is unknown. W002 warns of unknown labels.
    """
    columns = [doc.to_array([ENT_IOB, ENT_TYPE]).reshape(-1, 2) for doc in docs]
    iob, types = numpy.concatenate([numpy.zeros((0, 2), "uint64"), *columns]).T
    begins, outside, inside = iob == IOB_BEGIN, iob == IOB_OUTSIDE, iob == IOB_INSIDE
    # An entity continues if the next token is inside; it ends at the last token of a document.
    goes_on = numpy.append(inside[1:], False)[: len(inside)]
    goes_on[numpy.cumsum([len(doc) for doc in docs if len(doc)], dtype="i") - 1] = False
    ids = numpy.where(outside, 0, -1).astype("i")
    closes = is_biluo(tags)
    chosen = {
        "B": begins & goes_on if closes else begins,
        "I": inside & goes_on if closes else inside,
        "L": inside & ~goes_on,
        "U": begins & ~goes_on,
    }
    for i, tag in enumerate(tags[1:], start=1):
        prefix, label = split_tag(tag)
        ids[chosen[prefix] & (types == numpy.uint64(get_string_id(label)))] = i
    unknown = types[(ids < 0) & (begins | inside)]
    if unknown.any():  # ignoring blocked tokens, which have no label
        known = {label for _, label in map(split_tag, tags)}
        # One warning a label, because Python shows the same text once.
        for label in sorted({ent.label_ for doc in docs for ent in doc.ents} - known):
            warnings.warn(Warnings.W002.format(label=label), stacklevel=2)
    return ids
