"""Read rows of JSONL files and of datasets: a text with character spans, or tokens with tags."""

import json
import re
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple, TypeGuard

from spacy.language import Language
from spacy.tokens import Doc
from spacy.vocab import Vocab

from ..errors import Errors
from ..tags import OUTSIDE
from .columns import is_closing, make_tagged_doc, read_lines, to_iob
from .raw_text import make_docs
from .row_entities import (
    ENOUGH,
    ENTITIES,
    MAY_BE_OF_TEXT,
    Boundaries,
    check_boundaries,
    is_accepted,
    read_entities,
    set_entities,
)

# Keys that may hold the tags of a row's tokens. In a dataset the tags may be class labels.
TAGS = ("ner_tags", "tags", "labels", "label")
COLUMNS = ("text", "tokens", *dict.fromkeys(TAGS + ENTITIES))
SURROGATE = re.compile("[\ud800-\udfff]")


def read_jsonl(path: Path, *, nlp: Language, split_sentences: bool = False) -> Iterator[Doc]:
    """Read one JSON object per line. Rows that an annotator did not accept are left out.

    path (Path): The file, in UTF-8.
    nlp (Language): Pipeline that tokenises text that has no tokens.
    split_sentences (bool): Make one document per sentence of unlabelled text.
    YIELDS (Doc): One document per line or sentence, with entities if it is labelled; none is empty.
    RAISES (ValueError): D107 if a line is not JSON, D136 for a binary annotation, or an error of
        `make_row_docs`. D104 or D126 for a file that can't be decoded or decompressed, D109 for
        entities that do not fit the tokens.
    """
    with check_boundaries(path) as boundaries:
        for number, line in read_lines(path):
            boundaries.check(at_least=ENOUGH)
            yield from make_line_docs(
                number, line, nlp=nlp, split_sentences=split_sentences, boundaries=boundaries
            )


def make_line_docs(
    number: int,
    line: str,
    *,
    nlp: Language,
    split_sentences: bool,
    boundaries: Boundaries,
) -> Iterator[Doc]:
    """Make the documents of a line, which may be blank: see `read_jsonl` and `make_row_docs`."""
    source = boundaries.source
    if not line.strip():
        return
    try:
        row = json.loads(line, strict=False)
    except (ValueError, RecursionError) as error:
        reason = str(error).replace("line 1 ", "")  # the parser counts lines from this one
        raise ValueError(Errors.D107.format(source=source, line=number, reason=reason)) from error
    if not isinstance(row, dict):
        found = f"a {type(row).__name__}, not an object"
        raise ValueError(Errors.D108.format(source=source, line=number, found=found))
    if not is_accepted(row):
        return
    if row.get("_is_binary") and read_entities(row):
        raise ValueError(Errors.D136.format(source=source, line=number))
    yield from make_row_docs(
        row, nlp=nlp, split_sentences=split_sentences, line=number, boundaries=boundaries
    )


def make_row_docs(
    row: Dict[str, Any],
    *,
    nlp: Language,
    split_sentences: bool,
    line: int,
    boundaries: Boundaries,
) -> Iterator[Doc]:
    """Make the documents of one row.

    The row has `text` and, if labelled, one of `ENTITIES`: a list of `[start, end, label]` or of
    `{"start", "end", "label"}`, with offsets in characters (doccano's `start_offset` and
    `end_offset` also work). Whitespace at the edges of an entity is left out.

    Or it has `tokens` and, if labelled, one of `TAGS`. Tokens with tags take precedence over
    everything else in the row. If it has both `text` and `tokens`, but neither tags nor character
    spans, its tokens are kept.

    row (Dict[str, Any]): The row.
    nlp (Language): Pipeline that tokenises `text`.
    split_sentences (bool): Make one document per sentence of unlabelled text.
    line (int): Its number from 1, for errors.
    boundaries (Boundaries): Where the row comes from, for errors. Counts the entities that begin or
        end inside a token.
    YIELDS (Doc): The document, or those of its sentences, without entity annotation if the row is
        unlabelled. No document and no token is empty.
    RAISES (ValueError): D108 if the row has none of these, D102, D103 or D106 for its tags, D115 or
        D130 for its entities, D125 for a text that is too long, D127 for half a character.
    """
    source = boundaries.source
    text: Any = row.get("text")
    tokens: Any = row.get("tokens")
    if text is None and tokens is None and ("text" in row or "tokens" in row):
        return  # an empty text in a table
    check_characters(row, source=source, line=line)
    check_lists(row, source=source, line=line)
    tags, entities = read_tags(row), read_entities(row)
    docs: Iterable[Doc]
    if is_strings(tokens) and tags is not None:
        docs = [make_tagged_row(tokens, tags, vocab=nlp.vocab, source=source, line=line)]
    elif found := find_fault(row, tags=tags, entities=entities):
        raise ValueError(Errors.D108.format(source=source, line=line, found=found))
    elif entities is not None:
        (doc,) = make_docs(text, nlp=nlp, split_sentences=False, source=source, line=line)
        set_entities(doc, entities, line=line, boundaries=boundaries)
        # If an entity begins or ends inside each of its tokens, nothing in a text is annotated.
        docs = [doc] if doc.has_annotation("ENT_IOB") else []
    elif isinstance(text, str) and not (tokens and is_strings(tokens)):
        docs = make_docs(text, nlp=nlp, split_sentences=split_sentences, source=source, line=line)
    else:
        docs = [Doc(nlp.vocab, words=[token for token in tokens if token])]
    yield from (doc for doc in docs if doc.text.strip())


def make_tagged_row(
    tokens: List[str], tags: Any, *, vocab: Vocab, source: object, line: int
) -> Doc:
    """Make the document of a row whose tokens have tags.

    RAISES (ValueError): D108 if the tags do not fit the tokens, D106 for a tag without token, D102
        for an invalid tag, D103 for a tag that can't follow the one before it.
    """
    if not is_strings(tags) or len(tokens) != len(tags):
        found = f"{len(tokens)} tokens with tags {str(tags)[:80]}"
        if tags and isinstance(tags, list) and all(isinstance(tag, int) for tag in tags):
            found = f"class ids {str(tags)[:80]} without names: write the tags themselves"
        raise ValueError(Errors.D108.format(source=source, line=line, found=found))
    tags = [tag.strip() for tag in tags]
    tokens, tags = leave_out_empty(tokens, tags, source=source, line=line)
    lines, closes = [line] * len(tokens), is_closing(tags)
    return make_tagged_doc(tokens, tags, vocab=vocab, source=source, lines=lines, closes=closes)


def read_tags(row: Dict[str, Any]) -> Any:
    """Return the tags of a row's tokens, None if it has none.

    A `label` or `labels` of another length than `tokens` is ignored: it labels the whole text, or
    holds spans.
    """
    found = {key: row[key] for key in TAGS if row.get(key) is not None}
    tokens = row.get("tokens")
    n_tokens = len(tokens) if isinstance(tokens, list) else 0
    for key in MAY_BE_OF_TEXT:
        labels = found.get(key, [])
        if not isinstance(labels, list) or len(labels) != n_tokens:
            found.pop(key, None)
    return next(iter(found.values()), None)


def are_tags(values: Any) -> bool:
    """Whether values are the tags of tokens, and not topics such as E-commerce."""
    return is_strings(values) and OUTSIDE in values and all(map(to_iob, values))


def find_fault(row: Dict[str, Any], *, tags: Any, entities: Optional[Sequence[Any]]) -> str:
    """Describe what is wrong with a row that has no tokens with tags. Return '' if nothing is."""
    text, tokens = row.get("text"), row.get("tokens")
    if tokens is None and entities is None and are_tags(tags):
        return "tags, but no 'tokens' that they belong to"
    if is_strings(tokens) and entities is not None and not isinstance(text, str):
        return "'tokens' and entities, but no 'text' that their characters are in"
    if isinstance(text, str) or is_strings(tokens):
        return ""
    if text is not None:
        return f"'text' is a {type(text).__name__}, not a string"
    if isinstance(tokens, list):
        wrong = next(token for token in tokens if not isinstance(token, str))
        return f"{str(wrong)[:80]} among the 'tokens' is a {type(wrong).__name__}, not a string"
    if tokens is not None:
        return f"'tokens' is a {type(tokens).__name__}, not a list"
    return f"neither 'text' nor 'tokens' among {sorted(row)}"


def is_strings(values: Any) -> TypeGuard[List[str]]:
    return isinstance(values, list) and all(isinstance(value, str) for value in values)


def leave_out_empty(
    tokens: Sequence[str], tags: Sequence[str], *, source: object, line: int
) -> Tuple[List[str], List[str]]:
    """Leave out empty tokens and their tags.

    RAISES (ValueError): D106 if an empty token is part of an entity.
    """
    for token, tag in zip(tokens, tags):
        if not token and tag != OUTSIDE:
            raise ValueError(Errors.D106.format(source=source, line=line, tag=tag))
    kept = [i for i, token in enumerate(tokens) if token]
    return [tokens[i] for i in kept], [tags[i] for i in kept]


def check_characters(row: Dict[str, Any], *, source: object, line: int) -> None:
    """Refuse lone surrogates: JSON can contain them, UTF-8 can't. RAISES (ValueError): D127."""
    for key in COLUMNS:
        if has_surrogate(row.get(key)):
            raise ValueError(Errors.D127.format(source=source, line=line, key=key))


def check_lists(row: Dict[str, Any], *, source: object, line: int) -> None:
    """Refuse entities that are not a list: they would be ignored. RAISES (ValueError): D108."""
    for key in ENTITIES:
        value = row.get(key)
        is_of_text = key in MAY_BE_OF_TEXT and not isinstance(value, dict)
        if value is not None and not isinstance(value, list) and not is_of_text:
            found = f"'{key}' is a {type(value).__name__}, not a list"
            raise ValueError(Errors.D108.format(source=source, line=line, found=found))


def has_surrogate(value: Any) -> bool:
    if isinstance(value, str):
        return not value.isascii() and SURROGATE.search(value) is not None
    parts = value.values() if isinstance(value, dict) else value
    return isinstance(value, (list, tuple, dict)) and any(map(has_surrogate, parts))
