"""Convert tags to entities of documents, as arrays, for all documents of a batch at once."""

from functools import lru_cache
from typing import Any, Dict, Iterable, List, NamedTuple, Sequence, Set, Tuple

import numpy
from spacy.attrs import ENT_ID, ENT_IOB, ENT_KB_ID, ENT_TYPE, IS_SPACE, SENT_START
from spacy.strings import get_string_id
from spacy.tokens import Doc, SpanGroup

from .batches import split_rows
from .lines import find_line_starts
from .tags import IOB_BEGIN, IOB_INSIDE, IOB_OUTSIDE, split_tag

# spaCy's value of ENT_IOB for each prefix of a tag.
IOB: Dict[str, int] = {
    **dict.fromkeys("BU", IOB_BEGIN),
    **dict.fromkeys("IL", IOB_INSIDE),
    "O": IOB_OUTSIDE,
}


class TokenAttributes(NamedTuple):
    """Those attributes of a batch's tokens that entities depend on: (n_tokens,) each."""

    ent_iob: numpy.ndarray  # int: 0 missing, 1 inside, 2 outside, 3 begin
    ent_type: numpy.ndarray  # uint64: hash of the label, or 0
    ent_kb_id: numpy.ndarray  # uint64: hash of the entity's id in a knowledge base, or 0
    ent_id: numpy.ndarray  # uint64: hash of the entity's own id, such as that of a rule, or 0
    is_space: numpy.ndarray  # bool
    sent_start: numpy.ndarray  # bool: annotated as a sentence start, not the document's first
    line_start: numpy.ndarray  # bool: the first word after a line break that separates text

    @classmethod
    def from_docs(cls, docs: Sequence[Doc]) -> "TokenAttributes":
        attrs = [ENT_IOB, ENT_TYPE, ENT_KB_ID, ENT_ID, IS_SPACE, SENT_START]
        columns = [numpy.zeros((0, len(attrs)), "uint64")]
        columns += [doc.to_array(attrs).reshape(-1, len(attrs)) for doc in docs]
        flat = numpy.concatenate(columns).T
        ent_iob, ent_type, ent_kb_id, ent_id, is_space, sent_start = flat
        lengths = numpy.asarray([len(doc) for doc in docs if len(doc)], dtype="i")
        sent_start[numpy.cumsum(lengths) - lengths] = 0  # spaCy always marks the first token
        has_lines = is_space.any()
        line_start = find_line_starts(docs) if has_lines else numpy.zeros(len(is_space), dtype=bool)
        flags = (is_space == 1, sent_start == 1, line_start)
        return cls(ent_iob.astype("i"), ent_type, ent_kb_id, ent_id, *flags)

    @property
    def preset(self) -> numpy.ndarray:
        """Tokens of entities that are already set: bool (n_tokens,)."""
        return (self.ent_iob == IOB_BEGIN) | (self.ent_iob == IOB_INSIDE)

    @classmethod
    def join(cls, parts: Iterable["TokenAttributes"]) -> "TokenAttributes":
        """Concatenate the attributes of several documents."""
        return cls(*map(numpy.concatenate, zip(*parts)))

    def split(self, docs: Sequence[Doc]) -> List["TokenAttributes"]:
        """Split the attributes of a batch into those of each document."""
        columns = [split_rows(column, docs) for column in self]
        return [TokenAttributes(*parts) for parts in zip(*columns)]


def write_entities(
    docs: Sequence[Doc],
    ids: numpy.ndarray,
    tags: Sequence[str],
    *,
    fixed: numpy.ndarray,
    attributes: TokenAttributes,
) -> None:
    """Set the entities of documents. Whitespace at the end of an entity is excluded from it.

    docs (Sequence[Doc]): The documents. Modified in place.
    ids (ndarray): Tag indices (n_tokens,), legal in each document, documents concatenated.
    tags (Sequence[str]): The tags of a component.
    fixed (ndarray): Tokens whose annotation stays as it is, bool (n_tokens,).
    attributes (TokenAttributes): Attributes of the documents' tokens before the call.
    """
    for vocab in {doc.vocab for doc in docs}:
        for label in values_of_tags(tuple(tags)).labels:
            vocab.strings.add(label)
    ent_iob, ent_type = tags_as_annotation(ids, tags, fixed=fixed, attributes=attributes)
    columns = {ENT_IOB: ent_iob.astype("uint64"), ENT_TYPE: ent_type}
    # Ids that another component set for these tokens do not apply to a new entity.
    is_kept = fixed | (ent_iob == IOB_OUTSIDE)
    for attr, old in ((ENT_KB_ID, attributes.ent_kb_id), (ENT_ID, attributes.ent_id)):
        if old.any():
            columns[attr] = old * is_kept
    annotation: Any = numpy.stack([*columns.values()], axis=1)
    for doc, rows in zip(docs, split_rows(annotation, docs)):
        doc.from_array([*columns], rows)


def tags_as_annotation(
    ids: numpy.ndarray, tags: Sequence[str], *, fixed: numpy.ndarray, attributes: TokenAttributes
) -> Tuple[numpy.ndarray, numpy.ndarray]:
    """Return spaCy's values of ENT_IOB and ENT_TYPE, (n_tokens,) each: see `write_entities`."""
    values = values_of_tags(tuple(tags))
    ids = leave_out_final_space(ids, values.ent_iob, attributes.is_space)
    ent_iob = numpy.where(fixed, attributes.ent_iob, values.ent_iob[ids])
    return ent_iob, numpy.where(fixed, attributes.ent_type, values.ent_type[ids])


class TagValues(NamedTuple):
    """What tags mean in spaCy's annotation."""

    ent_iob: numpy.ndarray  # int (n_tags,)
    ent_type: numpy.ndarray  # uint64 (n_tags,)
    labels: List[str]  # sorted


@lru_cache
def values_of_tags(tags: Tuple[str, ...]) -> TagValues:
    parts = [split_tag(tag) for tag in tags]
    return TagValues(
        numpy.asarray([IOB[prefix] for prefix, _ in parts], dtype="i"),
        numpy.asarray([get_string_id(label) for _, label in parts], dtype="uint64"),
        sorted({label for _, label in parts if label}),
    )


class Entities(NamedTuple):
    """Entities of concatenated documents: (n_entities,) each."""

    starts: numpy.ndarray  # int: the first token
    ends: numpy.ndarray  # int: the token after the last one
    labels: numpy.ndarray  # uint64: hash of the label

    def chosen(self, which: numpy.ndarray) -> "Entities":
        """Return some of the entities. which (ndarray): bool (n_entities,)."""
        return Entities(*(part[which] for part in self))

    def as_set(self) -> Set[Tuple[int, int, int]]:
        return {*zip(*(part.tolist() for part in self))}


def find_entities(ent_iob: numpy.ndarray, ent_type: numpy.ndarray) -> Entities:
    """Find the entities of tokens, except those that only block a token, which have no label.

    ent_iob (ndarray): spaCy's values of ENT_IOB (n_tokens,), documents concatenated.
    ent_type (ndarray): spaCy's values of ENT_TYPE: uint64 (n_tokens,).
    """
    starts = numpy.flatnonzero(ent_iob == IOB_BEGIN)
    others = numpy.append(numpy.flatnonzero(ent_iob != IOB_INSIDE), len(ent_iob))
    ends = others[numpy.searchsorted(others, starts, side="right")]
    found = Entities(starts, ends, ent_type[starts])
    return found.chosen(found.labels != 0)


def leave_out_final_space(
    ids: numpy.ndarray, iob_of_tag: numpy.ndarray, is_space: numpy.ndarray
) -> numpy.ndarray:
    """Set the tags of whitespace at the end of entities to O (0).

    It is assumed that no entity begins with whitespace, and that no document begins with a tag that
    continues an entity.
    """
    ids = ids.copy()
    starts = numpy.flatnonzero(iob_of_tag[ids] == IOB_BEGIN)
    if is_space.any() and len(starts):
        places = numpy.arange(len(ids))
        # The last token of each entity that is not whitespace; all tokens after it become O.
        with_text = numpy.where((ids > 0) & ~is_space, places, -1)
        last = numpy.maximum.reduceat(with_text, starts)
        entity = numpy.cumsum(iob_of_tag[ids] == IOB_BEGIN) - 1
        ids[(ids > 0) & (places > last[entity])] = 0
    return ids


def span_confidence(log_probs: numpy.ndarray, ids: numpy.ndarray) -> float:
    """Return the geometric mean of the probabilities of an entity's tags, from 0 to 1.

    log_probs (ndarray): Log-probabilities of the entity's tokens, (n_tokens, n_tags).
    ids (ndarray): Their tags (n_tokens,).
    """
    return float(numpy.exp(log_probs[numpy.arange(len(ids)), ids].mean()))


def write_confidences(
    docs: Sequence[Doc],
    ids: numpy.ndarray,
    log_probs: Sequence[numpy.ndarray],
    *,
    fixed: numpy.ndarray,
    is_space: numpy.ndarray,
    key: str,
) -> None:
    """Put all entities into `doc.spans[key]`, with their confidences.

    A preset entity keeps the confidence that the key already has for it, which is that of another
    component or of an earlier run. Otherwise it gets 1.0.

    docs (Sequence[Doc]): The documents, with their entities. Modified in place.
    ids (ndarray): The tags that the entities were made from (n_tokens,), documents concatenated.
    log_probs (Sequence[ndarray]): Log-probabilities of each document's tags, (n_tokens, n_tags).
    fixed (ndarray): Tokens of preset entities, bool (n_tokens,).
    is_space (ndarray): Whitespace tokens, which do not count: bool (n_tokens,).
    key (str): Key of `doc.spans`.
    """
    columns = (ids, fixed, ~is_space)
    parts = zip(docs, *(split_rows(column, docs) for column in columns), log_probs)
    for doc, doc_ids, doc_fixed, is_word, doc_log_probs in parts:
        known = read_confidences(doc, key) if doc_fixed.any() else {}
        scores: List[float] = [
            known.get((ent.start_char, ent.end_char, ent.label_), 1.0)
            if doc_fixed[ent.start]
            else span_confidence(doc_log_probs[words], doc_ids[words])
            for ent in doc.ents
            for words in [ent.start + numpy.flatnonzero(is_word[ent.start : ent.end])]
        ]
        offsets = [(ent.start_char, ent.end_char, ent.label_) for ent in doc.ents]
        attrs = {"scores": scores, "offsets": offsets}
        doc.spans[key] = SpanGroup(doc, name=key, attrs=attrs, spans=doc.ents)


def read_confidences(doc: Doc, key: str) -> Dict[Tuple[int, int, str], float]:
    """Return the confidences in `doc.spans[key]` by the characters and label of their entities.

    The spans themselves can't be used, because they become invalid if tokens are merged or split.
    """
    attrs = doc.spans[key].attrs if key in doc.spans else {}
    return dict(zip(map(tuple, attrs.get("offsets", ())), attrs.get("scores", ())))
