"""A pipeline reads documents that were made elsewhere: in their tokens, or in its own."""

from typing import Iterable, List, Optional

import numpy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Alignment

from ..docbins import copy_words
from ..targets import find_one_to_one


def run_pipes(nlp: Language, docs: Iterable[Doc], *, before: Optional[str] = None) -> List[Doc]:
    """Run a pipeline up to a component, over documents of its own vocabulary.

    before (Optional[str]): The component that is not run, nor any after it; None: all are run.
    """
    names = nlp.pipe_names
    disable = [] if before is None else names[names.index(before) :]
    return list(nlp.pipe(docs, disable=disable))


def retokenise(nlp: Language, doc: Doc) -> Doc:
    """The text of a document in a pipeline's own tokens, without annotation."""
    # A document without text has no tokens, though it may be made of empty words. `make_doc` would
    # refuse one that is long: whoever reads text refuses what has no tokens yet.
    return nlp.tokenizer(doc.text) if doc.text else copy_words(doc, nlp.vocab)


def align_rows(doc: Doc, own: Doc, rows: numpy.ndarray) -> numpy.ndarray:
    """Rows of a teacher's tokens as rows of a document's tokens.

    doc (Doc): The document.
    own (Doc): The same text in the teacher's tokens.
    rows (ndarray): A row for each of these (n_own_tokens, n_tags).
    RETURNS (ndarray): A row for each token of the document (n_tokens, n_tags); NaN where spaCy's
        alignment has no single token of the teacher's for it, or that one is of several tokens.
    """
    words, own_words = [token.text for token in doc], [token.text for token in own]
    if words == own_words:
        return rows
    # The alignment of white space at the end may have one token more.
    aligned = find_one_to_one(Alignment.from_strings(words, own_words))[: len(doc)]
    found = numpy.full((len(doc), rows.shape[1]), numpy.nan, dtype=rows.dtype)
    found[aligned >= 0] = rows[aligned[aligned >= 0]]
    return found


def name_of(nlp: Language) -> str:
    """What errors call a pipeline: where it was loaded from, if it was."""
    return str(nlp.path or f"{nlp.meta['lang']}_{nlp.meta['name']}")
