"""`spacy-distill benchmark`: compare a student's speed and size with those of other systems."""

import shlex
import sys
from datetime import datetime, timezone
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Dict, List, Optional, Sequence, Tuple

import typer
from tqdm import tqdm
from wasabi import msg

from ..benchmark.measure import measure_systems
from ..benchmark.plan import Settings, read_corpus
from ..benchmark.prepare import prepare_peers
from ..benchmark.process import WorkerEnded
from ..benchmark.results import Results, make_results
from ..benchmark.systems import PEERS, System, check_pipeline, choose_peers, student_system
from ..benchmark.tables import make_tables, to_markdown
from ..checks import is_name, require
from ..errors import Errors
from ..files import make_folder, write_json
from ..loading import load_pipeline
from ..machine import describe_machine
from ..teachers.choose import identify
from .options import read_numbers, split_list
from .showing import show_tables

FIRST, TEACHER = "student", "teacher"
BAR = "{desc:<42} {percentage:3.0f}%|{bar}| {elapsed}, {remaining} left"


def benchmark_cli(
    student: Annotated[str, typer.Argument(help="Trained student: a pipeline's folder or package")],
    teacher: Annotated[
        Optional[str],
        typer.Option(
            "--teacher",
            "-t",
            help="Its teacher: a pipeline's folder or package. Without it, only spacy-ner is "
            "compared",
        ),
    ] = None,
    data: Annotated[
        Path, typer.Option("--data", "-d", help="Texts to read: a .spacy file, or a folder of them")
    ] = Path("corpus/test.spacy"),
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for benchmark.json, .md, .png and .svg")
    ] = Path("metrics"),
    others: Annotated[
        Optional[List[str]],
        typer.Option("--student", help="A further student, NAME=PATH. May be repeated"),
    ] = None,
    systems: Annotated[
        Optional[str],
        typer.Option(
            "--systems",
            help=f"Systems to compare with, separated by commas: {', '.join(PEERS)}. Default: all",
        ),
    ] = None,
    batch_sizes: Annotated[str, typer.Option(help="Batch sizes, in texts")] = "1,32,64,128",
    threads: Annotated[int, typer.Option(min=1, help="Threads for each system")] = 1,
    repeats: Annotated[
        int, typer.Option(min=1, help="Number of measurements of each, interleaved")
    ] = 3,
    seconds: Annotated[
        float,
        typer.Option(
            min=0.01,
            help="Seconds for a measurement. A system that is too slow for all texts reads a "
            "sample of at least one batch, and is measured less often if that takes longer",
        ),
    ] = Settings().seconds,
    seed: Annotated[int, typer.Option(help="Seed of the samples")] = 0,
) -> None:
    """Measure speed, size and memory of a student and of other systems.

    Each runs in its own process on the CPU, from text to entities. This takes up to ten
    minutes, most of them for BERT-large.
    """
    settings = Settings(read_batch_sizes(batch_sizes), threads, repeats, seconds, seed)
    sources = name_students(student, others or [])
    peers = choose_peers(None if systems is None else split_list(systems))
    ours = sources if teacher is None else {**sources, TEACHER: teacher}
    for source in ours.values():
        check_pipeline(source)
    make_folder(output)
    students = {name: load_pipeline(source) for name, source in sources.items()}
    corpus = read_corpus(data, students[FIRST])
    msg.info(f"{len(corpus.texts):,} texts, {sum(corpus.n_words):,} words; preparing the systems")
    machine = describe_machine()
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        prepared = prepare_peers(
            peers, student=students[FIRST], teacher=teacher, folder=folder, threads=threads
        )
        left_out, is_error = prepared.left_out, systems is not None
        warn_left_out(left_out, is_error=is_error)

        def leave_out(system: System, error: WorkerEnded) -> None:
            if is_error or system.is_student:
                raise error
            left_out[system.name] = error.reason
            with tqdm.external_write_mode():
                warn_left_out({system.name: error.reason}, is_error=False)

        measured = [student_system(name, sources[name], nlp) for name, nlp in students.items()]
        with tqdm(total=1, bar_format=BAR, disable=None) as bar:
            found = measure_systems(
                [*measured, *prepared.systems],
                corpus,
                settings,
                folder=folder,
                bar=bar,
                leave_out=leave_out,
            )
    results = make_results(
        found,
        corpus,
        settings,
        left_out=left_out,
        date=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        command=shlex.join(["spacy-distill", *sys.argv[1:]]),
        machine=machine,
        data=str(data),
        digests={name: identify(source) for name, source in ours.items()},
    )
    show_tables(make_tables(results), results["notes"])
    write_results(results, output)


def read_batch_sizes(text: str) -> Tuple[int, ...]:
    """Parse batch sizes, and sort them. RAISES (ValueError): D605 for other text, D007 for 0."""
    sizes = sorted(read_numbers(text, "--batch-sizes"))
    require(sizes[0] > 0, "--batch-sizes", text, "above 0")
    return tuple(sizes)


def name_students(first: str, others: Sequence[str]) -> Dict[str, str]:
    """Return the students' paths by name. RAISES (ValueError): D507 if a name is missing, invalid
    or already taken."""
    sources = {FIRST: first}
    for other in others:
        name, _, source = other.partition("=")
        if not is_name(name) or not source or name in {*sources, *PEERS}:
            raise ValueError(Errors.D507.format(value=other, taken=[*sources, *PEERS]))
        sources[name] = source
    return sources


def warn_left_out(left_out: Dict[str, str], *, is_error: bool) -> None:
    """Warn of systems that are not measured. RAISES (ValueError): D506 if they were asked for."""
    for name, reason in left_out.items():
        if is_error:
            raise ValueError(Errors.D506.format(name=name, reason=reason))
        msg.warn(f"Left out: {name}. Reason: {reason}.")


def write_results(results: Results, output: Path) -> None:
    """Write the results as JSON, as Markdown and, if matplotlib is installed, as a figure."""
    make_folder(output)
    write_json(output / "benchmark.json", results)
    (output / "benchmark.md").write_text(to_markdown(results), encoding="utf-8")
    written = [output / "benchmark.json", output / "benchmark.md"]
    if find_spec("matplotlib") is None:
        msg.warn("No figure: matplotlib is not installed. Install 'spacy-distill[bench]'.")
    else:
        from ..benchmark.figure import draw_figure

        figures = [output / "benchmark.png", output / "benchmark.svg"]
        draw_figure(results, figures)
        written += figures
    msg.good(f"Written: {', '.join(map(str, written))}")
