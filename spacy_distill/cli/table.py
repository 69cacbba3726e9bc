"""`spacy-distill table`: make the student's lookup table."""

import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Annotated, Dict, List, Optional, Sequence

import typer
from spacy.vocab import Vocab
from tqdm import tqdm
from wasabi import msg

from ..checks import require, require_installed, require_one_of
from ..docbins import read_docbins
from ..errors import Errors
from ..files import make_parent
from ..layers.lookup import DEFAULT_WIDTH
from ..segmentation import Kind, Segmenter, word_segmenter
from ..table import Table, glove_table, random_table
from .options import Gpu

# The values of `--vectors` that are not a file.
BUILT_IN = ("encoder", "random")
# The user is warned below this share of words that a table covers.
MIN_COVERAGE = 0.9


def table_cli(
    output: Annotated[Path, typer.Argument(help="File for the table")],
    teacher: Annotated[
        str,
        typer.Option(
            "--teacher",
            "-t",
            help="Transformer: a folder, or its name on the hub. Not needed for random rows of "
            "words, or with a file of vectors",
        ),
    ] = "",
    kind: Annotated[
        str,
        typer.Option(
            "--kind",
            "-k",
            help="'pieces': a row for each word piece of the teacher; 'words': a row for each word",
        ),
    ] = "pieces",
    vectors: Annotated[
        str,
        typer.Option(
            "--vectors",
            "-v",
            help="Initial values of the rows: 'encoder' (the teacher's output for each entry), "
            "'random', or a text file of word vectors, such as glove.6B.100d.txt (only for "
            "words)",
        ),
    ] = "encoder",
    corpus: Annotated[
        Optional[List[Path]],
        typer.Option(
            "--corpus",
            "-c",
            help="A .spacy file, or a folder of them, with or without labels. May be repeated. "
            "Tables of words are made of its words; for others its coverage is reported",
        ),
    ] = None,
    min_count: Annotated[
        int, typer.Option(min=1, help="Only for words: minimum frequency of a word")
    ] = 1,
    width: Annotated[int, typer.Option(min=1, help="Dimensions of a row")] = DEFAULT_WIDTH,
    seed: Annotated[int, typer.Option(help="Seed of random rows")] = 0,
    gpu: Gpu = -1,
) -> None:
    """Make the lookup table that a student starts with.

    By default it has a row for each word piece of the teacher, so that no word is
    unknown. The rows are trained with the rest of the student.
    """
    start = time.perf_counter()
    check_settings(output, kind=kind, vectors=vectors)
    counts = count_words(corpus or [])
    words = [word for word, count in counts.items() if count >= min_count]
    if kind == "words" and not words and (corpus or vectors in BUILT_IN):
        raise ValueError(Errors.D313)
    if corpus:
        msg.info(f"{sum(counts.values()):,} words in the corpus, {len(counts):,} different ones")
    table = build_table(
        kind,
        vectors,
        teacher=teacher,
        words=words if corpus else None,
        width=width,
        seed=seed,
        gpu=gpu,
    )
    table.to_disk(output)
    if counts:
        covered = coverage(table.segmenter, counts)
        text = f"The table covers {covered:.2%} of the words in the corpus"
        if kind == "pieces" and covered < MIN_COVERAGE:
            msg.warn(f"{text}. Does the teacher know their language?")
        else:
            msg.info(text)
    seconds = time.perf_counter() - start
    msg.good(f"{len(table.rows):,} rows of {width} dimensions in {output} ({seconds:.1f} s)")


def build_table(
    kind: str,
    vectors: str,
    *,
    teacher: str,
    words: Optional[List[str]],
    width: int,
    seed: int,
    gpu: int,
) -> Table:
    """Build a table, and show how well its source covers it.

    kind (Literal["words", "pieces"]): Whether a row is a word's or a word piece's.
    vectors (str): "encoder", "random", or a file of word vectors.
    teacher (str): A transformer: a folder, or its name on the hub. Not needed for random rows of
        words, or with a file.
    words (Optional[List[str]]): The words of the corpus; None without one.
    width (int): Dimensions of a row.
    seed (int): Seed of random rows.
    gpu (int): Which GPU to use, -1 for the CPU.
    RETURNS (Table): The table.
    RAISES (ValueError): D314 if a teacher is needed and missing, D024 without the libraries that
        load it, and errors of `glove_table` and `encoder_table`.
    """
    if vectors not in BUILT_IN:
        table, share = glove_table(Path(vectors), words=words, width=width, seed=seed)
        msg.info(f"{share:.1%} of the table's words are in {vectors}; the others get random rows")
        return table
    if vectors == "random" and kind == "words":
        segmenter = word_segmenter(map(str.lower, words or ()))
        return random_table(segmenter, width=width, seed=seed)
    require_teacher(teacher)
    from ..encoder import encoder_table, load_tokenizer, make_segmenter

    if vectors == "random":
        segmenter = make_segmenter(load_tokenizer(teacher), teacher=teacher)
        return random_table(segmenter, width=width, seed=seed)
    table, share = encoder_table(
        teacher,
        words=words if kind == "words" else None,
        width=width,
        gpu=gpu,
        progress=partial(tqdm, desc="Encode", unit=" batches", disable=None),
    )
    msg.info(f"{width} dimensions explain {share:.1%} of the variance of the vectors")
    return table


def check_settings(output: Path, *, kind: str, vectors: str) -> None:
    """Refuse wrong options before the slow steps begin.

    RAISES (OSError): D901 if the output is a folder, or its own folder can't be made.
        (FileNotFoundError): D110 if the file of vectors does not exist. (ValueError): D007 for an
        unknown kind, or for a file of vectors with another kind than words.
    """
    require_one_of(Kind, "--kind", kind)
    if vectors not in BUILT_IN:
        choices = f"{' or '.join(BUILT_IN)} with --kind pieces, because a file has vectors of words"
        require(kind == "words", "--vectors", vectors, choices)
        if not Path(vectors).exists():
            raise FileNotFoundError(Errors.D110.format(source=vectors))
        require(Path(vectors).is_file(), "--vectors", vectors, "a file")
    make_parent(output)


def require_teacher(teacher: str) -> None:
    """Check that a teacher is given, and that the packages to read it are installed.

    RAISES (ValueError): D314 if no teacher is given, D024 without torch or transformers.
    """
    if not teacher:
        raise ValueError(Errors.D314)
    purpose = f"Reading the teacher '{teacher}'"
    require_installed("torch", "transformers", purpose=purpose, extra="train")


def count_words(paths: Sequence[Path]) -> Dict[str, int]:
    """Count the words of a corpus, case-sensitively. Whitespace is not counted.

    paths (Sequence[Path]): `.spacy` files, or folders of them.
    RETURNS (Dict[str, int]): The frequency of each word, in order of first occurrence.
    RAISES (FileNotFoundError): D008 if a path does not exist. (ValueError): D009 if none of them
        has a word.
    """
    counts: Counter = Counter()
    vocab = Vocab()
    for path in paths:
        for doc in read_docbins(path, vocab):
            counts.update(token.text for token in doc if not token.text.isspace())
    if paths and not counts:
        raise ValueError(Errors.D009.format(path="', '".join(map(str, paths))))
    return dict(counts)


def coverage(segmenter: Segmenter, counts: Dict[str, int]) -> float:
    """Return the share of a corpus's words that have no unknown part."""
    known = sum(count for word, count in counts.items() if segmenter.unknown not in segmenter(word))
    return known / sum(counts.values())
