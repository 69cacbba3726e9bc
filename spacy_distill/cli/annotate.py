"""`spacy-distill annotate`: a teacher labels text for its student."""

import sys
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Annotated, Iterator, List, Optional, Sequence

import typer
from tqdm import tqdm
from wasabi import msg

from ..annotate.engines import Engine, Processes, ThisProcess
from ..annotate.job import Job
from ..annotate.run import annotate_source
from ..annotate.shards import Advance
from ..annotate.summary import Summary
from ..checks import require, require_installed
from ..docbins import count_docs
from ..loading import find_code
from ..teachers.doc_ents import DEFAULT_SMOOTHING
from .options import (
    Address,
    Also,
    Code,
    Drop,
    EngineName,
    EngineOption,
    Gpu,
    Iob1,
    Labels,
    Map,
    NProcess,
    Smoothing,
    SplitSentences,
    Weights,
    read_labels,
    read_weights,
    warn_passed_over,
    warn_unpinned_datasets,
    warn_unpinned_teachers,
)

# The user is warned above this share of words without soft targets.
MAX_WITHOUT_TARGETS = 0.05


def annotate_cli(
    teacher: Annotated[
        str,
        typer.Argument(
            help="Teacher: a pipeline's folder or package, or a Hugging Face checkpoint for token "
            "classification: its folder, or OWNER/NAME@REVISION"
        ),
    ],
    source: Annotated[
        str,
        typer.Argument(
            help="Text to label: .txt (one text per line), .jsonl, .parquet, .spacy or column "
            "files, a folder of them, or the id of a dataset on the hub"
        ),
    ],
    output: Annotated[Path, typer.Argument(help="Folder for the annotated .spacy files")],
    also: Also = None,
    weights: Weights = "",
    renames: Map = None,
    drop: Drop = None,
    labels: Labels = "",
    smoothing: Smoothing = DEFAULT_SMOOTHING,
    iob1: Iob1 = False,
    code: Code = None,
    lang: Annotated[
        str,
        typer.Option(
            help="Language whose tokenizer splits the text; by default that of the first pipeline "
            "among the teachers, or English"
        ),
    ] = "",
    exclude: Annotated[
        Optional[List[str]],
        typer.Option(
            "--exclude",
            "-x",
            help="A dev or test set whose texts are left out. May be repeated",
        ),
    ] = None,
    split_sentences: SplitSentences = False,
    shard_size: Annotated[int, typer.Option(help="Documents per output file")] = Job.shard_size,
    batch_size: Annotated[
        int, typer.Option(help="Documents that the teacher reads at once")
    ] = Job.batch_size,
    n_process: NProcess = 0,
    engine: EngineOption = EngineName.local,
    address: Address = "",
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite",
            help="Replace files in OUTPUT that were made by another teacher, with other options "
            "or from other texts",
        ),
    ] = False,
    gpu: Gpu = -1,
) -> None:
    """Label documents with a teacher: soft targets and pseudo-labels.

    A teacher is any spaCy pipeline that finds entities, with scores or without, or a Hugging Face
    checkpoint. Existing gold entities are kept. Each output document stores the teacher's
    log-probabilities, which `spacy-distill.DistillationCorpus.v1` reads.

    If interrupted, run the same command again: it resumes, and OUTPUT is the same as without the
    interruption. OUTPUT/manifest.json records what each file was made from.
    """
    warn_unpinned_teachers([teacher, *(also or [])])
    warn_unpinned_datasets([source, *(exclude or [])])
    warn_passed_over([source, *(exclude or [])])
    job = Job(
        teachers=[teacher, *(also or [])],
        weights=read_weights(weights),
        renames=renames or [],
        drop=drop or [],
        labels=read_labels(labels),
        smoothing=smoothing,
        iob1=iob1,
        gpu=gpu,
        batch_size=batch_size,
        shard_size=shard_size,
        lang=lang,
        code=find_code(code),
    )
    with show_progress([source]) as advance:
        summary = annotate_source(
            job,
            [source],
            output,
            engine=choose_engine(engine, n_process=n_process, address=address),
            exclude=exclude or [],
            overwrite=overwrite,
            split_sentences=split_sentences,
            advance=advance,
        )
    report_summary(summary, output)


def choose_engine(name: EngineName, *, n_process: int = 0, address: str = "") -> Engine:
    """Return the engine that annotates.

    name (EngineName): Its name.
    n_process (int): Number of processes or, with Ray, of workers; see `--n-process`.
    address (str): Address of the Ray cluster; see `RayCluster`.
    RAISES (ValueError): D007 for a negative number of processes, D024 if Ray is not installed.
    """
    require(n_process >= 0, "--n-process", n_process, "0 or more")
    if name == EngineName.local:
        return Processes(n_process) if n_process > 1 else ThisProcess()
    require_installed("ray", purpose="--engine ray", extra="ray")
    from ..annotate.ray_cluster import RayCluster

    return RayCluster(address, n_workers=n_process)


@contextmanager
def show_progress(sources: Sequence[str]) -> Iterator[Advance]:
    """Show the documents, words/s and, if it can be estimated, the time left, on a terminal.

    sources (Sequence[str]): The sources that are annotated.
    YIELDS (Callable[[int, int], None]): To call with numbers of documents and words.
    """
    start, n_words = perf_counter(), 0
    files = [Path(source) for source in sources]
    # Counting loads a file, so it is only done if a progress bar is shown.
    is_counted = sys.stderr.isatty() and all(
        file.suffix == ".spacy" and file.is_file() for file in files
    )
    total = sum(map(count_docs, files)) if is_counted else None
    with tqdm(total=total, unit=" docs", desc="Annotate", disable=None) as bar:

        def advance(docs: int, words: int) -> None:
            nonlocal n_words
            n_words += words
            bar.set_postfix_str(f"{n_words / (perf_counter() - start):,.0f} words/s", refresh=False)
            bar.update(docs)

        yield advance


def report_summary(summary: Summary, output: Path) -> None:
    """Show what was annotated, and how confident the teacher was."""
    for source, n in summary.dropped.items():
        msg.info(f"Left out because the same text is in {source}: {n:,}")
    if not summary.docs:
        msg.warn(f"No text to annotate: the one file in {output} is empty")
        return
    n_without = summary.n_without_targets
    rows = [
        ("documents", f"{summary.docs:,}"),
        ("words", f"{summary.words:,}"),
        *((label, f"{n:,}") for label, n in summary.entities.items()),
        *([("words without soft targets", f"{n_without:,}")] if n_without else []),
        ("mean confidence of a word", f"{summary.confidence:.3f}"),
        *((f"  under {limit}", f"{share:.1%}") for limit, share in summary.shares.items()),
    ]
    msg.table(rows, aligns=["l", "r"])
    if n_without > MAX_WITHOUT_TARGETS * summary.words:
        msg.warn(
            f"The teacher gave no soft targets for {n_without:,} words "
            f"({n_without / summary.words:.1%}), so that nothing is learned from them: they do not "
            "align with its tokens, or lie beyond its maximum length. Check --lang, and split long "
            "texts (--split-sentences)"
        )
    n_old = summary.shards - summary.new_shards
    if not summary.new_shards:
        msg.good(f"Nothing to do: {summary.shards} file(s) in {output} are up to date")
        return
    speed = summary.new_words / summary.seconds
    there = f" ({n_old} of them were there)" if n_old else ""
    n_ents = sum(summary.entities.values())
    msg.good(f"{n_ents:,} entities in {summary.shards} file(s){there} in {output}")
    msg.info(f"{summary.new_words:,} words in {summary.seconds:,.0f} s: {speed:,.0f} words/s")
