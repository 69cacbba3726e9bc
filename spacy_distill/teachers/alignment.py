"""Run a teacher's pipeline over existing documents, and align its tokens with theirs."""

from itertools import pairwise
from typing import Dict, Iterable, Iterator, List, Optional, Sequence, Tuple

import numpy
from spacy.language import Language
from spacy.pipeline import Pipe
from spacy.tokens import Doc
from spacy.training import Alignment

from ..distributions import add_columns, floor_probs
from ..tags import split_tag
from ..targets import find_one_to_one

# What the tag of a token becomes, in either scheme, of its first part, of those amid, of its last.
TAG_PARTS: Dict[str, str] = {"B": "BII", "I": "III", "L": "IIL", "U": "BIL"}
# Languages that write no spaces between words.
WITHOUT_SPACES = ("ja", "th", "zh")


def run_pipes(nlp: Language, docs: Iterable[Doc], *, before: Optional[Pipe] = None) -> List[Doc]:
    """Run a pipeline, up to a given component, over documents that use its vocabulary.

    before (Optional[Pipe]): The first component that is not run; those after it are not run either.
        None: all components are run.
    """
    pipes = [pipe for _, pipe in nlp.pipeline]
    disable = [] if before is None else nlp.pipe_names[pipes.index(before) :]
    return list(nlp.pipe(docs, disable=disable))


def retokenise(nlp: Language, doc: Doc) -> Doc:
    """Return the text of a document in a pipeline's own tokenisation, without annotation.

    If a document has only tokens, as rows of a corpus may, it is not known where its text has
    spaces. A word segmenter then gets the tokens without spaces between them.
    """
    text = doc.text
    if doc.has_unknown_spaces and nlp.lang in WITHOUT_SPACES:
        text = join_words([token.text for token in doc])
    # Not `nlp.make_doc`, which refuses long texts: the readers of untokenised text already do.
    return nlp.tokenizer(text)


def join_words(words: Sequence[str]) -> str:
    """Join words of a language that writes no spaces, except between two in ASCII: `Ann Lee`."""
    spaces = [first.isascii() and second.isascii() for first, second in pairwise(words)]
    return "".join(word + " " * space for word, space in zip(words, [*spaces, False]))


def align_rows(doc: Doc, own: Doc, rows: numpy.ndarray, tags: Sequence[str]) -> numpy.ndarray:
    """Convert rows of a teacher's tokens to rows of a document's tokens.

    doc (Doc): The document.
    own (Doc): The same text in the teacher's tokens, which may be merged words.
    rows (ndarray): One row for each of the teacher's tokens (n_own_tokens, n_tags):
        log-probabilities, float32.
    tags (Sequence[str]): The tags (n_tags,).
    RETURNS (ndarray): One row for each token of the document (n_tokens, n_tags). If a token of the
        teacher is split into several, each part gets the corresponding part of its tags, with the
        same probabilities. NaN if spaCy's alignment has no single token of the teacher for a token
        of the document.
    """
    words, own_words = [token.text for token in doc], [token.text for token in own]
    if words == own_words:
        return rows
    alignment = Alignment.from_strings(words, own_words)
    # With whitespace at the end, the alignment may have one token more.
    aligned = find_one_to_one(alignment)[: len(doc)]
    found = numpy.full((len(doc), rows.shape[1]), numpy.nan, dtype=rows.dtype)
    found[aligned >= 0] = rows[aligned[aligned >= 0]]
    if cut := dict(find_parts(alignment, n_tokens=len(doc))):
        for parts, first, amid, last in zip(cut.values(), *split_rows_in_parts(rows[[*cut]], tags)):
            found[parts] = [first, *[amid] * (len(parts) - 2), last]
    return found


def find_parts(alignment: Alignment, *, n_tokens: int) -> Iterator[Tuple[int, List[int]]]:
    """Yield the teacher's tokens that are split into several whole tokens of a document.

    n_tokens (int): Number of tokens of the document.
    YIELDS (Tuple[int, List[int]]): The index of a teacher's token, and the indices of its parts.
    """
    x2y, y2x = alignment.x2y, alignment.y2x
    for i in numpy.flatnonzero(y2x.lengths > 1).tolist():
        parts = y2x[i]
        if parts.max() < n_tokens and (x2y.lengths[parts] == 1).all():
            yield i, parts.tolist()


def split_rows_in_parts(rows: numpy.ndarray, tags: Sequence[str]) -> List[numpy.ndarray]:
    """Convert rows of tokens (n_tokens, n_tags) to rows of their first, middle and last parts."""
    found = []
    for place in range(3):
        parts = [part_of_tag(tag, place) for tag in tags]
        columns = [[i for i, part in enumerate(parts) if part == tag] for tag in tags]
        found.append(floor_probs(numpy.exp(add_columns(rows, columns))))
    return found


def part_of_tag(tag: str, place: int) -> str:
    prefix, label = split_tag(tag)
    return f"{TAG_PARTS[prefix][place]}-{label}" if label else tag


def name_of(nlp: Language) -> str:
    """Return the name of a pipeline for errors: its path if it was loaded from one."""
    return str(nlp.path or f"{nlp.meta['lang']}_{nlp.meta['name']}")
