"""Documents: copies without annotation, and changes to entities and sentences."""

from typing import Any, List, Optional

import numpy
from spacy.attrs import ORTH, SENT_START, SPACY
from spacy.tokens import Doc, Span
from spacy.vocab import Vocab

# spaCy's value of SENT_START for a token that begins no sentence: -1 as an unsigned integer.
NO_START = 2**64 - 1


def copy_words(doc: Doc, vocab: Optional[Vocab] = None) -> Doc:
    """Return a document with the same words and whitespace, without annotation.

    vocab (Optional[Vocab]): Vocabulary of the copy; None: the document's own.
    """
    orths, spaces = doc.to_array([ORTH, SPACY]).reshape(-1, 2).T
    words = orths if vocab in (None, doc.vocab) else [token.text for token in doc]
    return Doc(vocab or doc.vocab, words=words, spaces=spaces.astype(bool))


def strip_labels(doc: Doc) -> Doc:
    """Remove a document's entities and spans, in place."""
    doc.set_ents([], default="missing")
    doc.spans.clear()
    return doc


def trim_entities(doc: Doc) -> int:
    """Remove whitespace from both ends of entities, because `ner_tagger` never predicts it there.

    RETURNS (int): Number of entities that began or ended with whitespace. If they consist of
        nothing else, they are removed.
    """
    found = [ent for ent in doc.ents if ent[0].is_space or ent[-1].is_space]
    trimmed: List[Span] = []
    outside: List[Span] = []
    for ent in found:
        words = [token.i for token in ent if not token.is_space]
        start, end = (words[0], words[-1] + 1) if words else (ent.end, ent.end)
        outside += [doc[ent.start : start], doc[end : ent.end]]
        if words:
            trimmed.append(Span(doc, start, end, label=ent.label, kb_id=ent.kb_id, span_id=ent.id))
    if found:
        doc.set_ents(trimmed, outside=outside, default="unmodified")
    return len(found)


def join_sentences(doc: Doc) -> int:
    """Remove sentence starts within entities, which could otherwise be neither learned nor scored.

    RETURNS (int): Number of entities that contained a sentence start.
    """
    starts: Any = doc.to_array(SENT_START)
    crossing = [ent for ent in doc.ents if (starts[ent.start + 1 : ent.end] == 1).any()]
    for ent in crossing:
        starts[ent.start + 1 : ent.end] = numpy.uint64(NO_START)
    if crossing:
        doc.from_array([SENT_START], starts.reshape(-1, 1))
    return len(crossing)


def leave_out_labels(doc: Doc, left_out: numpy.ndarray) -> None:
    """Set the annotation of tokens, and of entities with such tokens, to missing.

    doc (Doc): The document. Modified in place.
    left_out (ndarray): Which tokens these are: bool (n_tokens,).
    """
    if not left_out.any():
        return
    left_out = left_out.copy()
    for ent in doc.ents:
        left_out[ent.start : ent.end] |= left_out[ent.start : ent.end].any()
    missing = [doc[int(i) : int(i) + 1] for i in numpy.flatnonzero(left_out)]
    doc.set_ents([], missing=missing, default="unmodified")
