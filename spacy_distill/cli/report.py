"""`spacy-distill report`: describe a finished project on one page."""

from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated, Dict, Optional, Tuple

import typer
from wasabi import msg

from ..docbins import digest_docs
from ..files import make_parent, write_whole
from ..loading import load_pipeline, use_gpu
from ..machine import PACKAGES, find_cpu, find_versions
from ..provenance import find_changed, waits_for_tuning
from ..report.page import Report
from ..report.predictions import read_sentences
from ..report.project import (
    STUDENT,
    Sweep,
    count_parts,
    count_teachers,
    describe_weights,
    find_systems,
    find_test,
    read_measurement,
    read_sweep,
)
from ..report.render import render_report
from ..report.systems import Examined, examine
from .options import Gpu


def report_cli(
    project: Annotated[Path, typer.Argument(help="Folder of the project")] = Path("."),
    output: Annotated[
        Optional[Path],
        typer.Option("--output", "-o", help="The page. Default: PROJECT/metrics/report.html"),
    ] = None,
    sweep: Annotated[
        Optional[Path],
        typer.Option(
            "--sweep",
            help="Folder of the learning curve that `sweep` made: also shown if it exists and "
            "has the same test set",
        ),
    ] = None,
    title: Annotated[
        str, typer.Option(help="What to call the project. Default: the name of its folder")
    ] = "",
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=0, help="Maximum number of test documents; 0: all")
    ] = 0,
    examples: Annotated[
        int, typer.Option(min=0, help="Number of sentences to show on which the systems disagree")
    ] = 20,
    gpu: Gpu = -1,
) -> None:
    """Write a page about a finished project: one HTML file that needs neither network nor scripts.

    It shows what was distilled from what, F1 by label, the learning curve and the benchmark if they
    exist, calibration, the most frequent mistakes, and sentences on which the systems disagree.
    """
    test, paths = find_test(project), find_systems(project)
    curve = None if sweep is None else find_curve(sweep, test)
    measurement = read_measurement(project)
    path = project / "metrics" / "report.html" if output is None else output
    make_parent(path)
    use_gpu(gpu)
    sentences = read_sentences(test, load_pipeline(paths[STUDENT]), limit=limit)
    systems, left_out = examine_all(paths, test=test, limit=limit)
    report = Report(
        project=title or project.resolve().name,
        date=datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        sentences=sentences,
        systems=systems,
        left_out=left_out,
        changed={name: find_changed(paths[name], project) for name in systems},
        untuned=[name for name in systems if waits_for_tuning(paths[name])],
        parts=count_parts(project),
        weights=describe_weights(project),
        versions=find_versions(PACKAGES),
        machine=find_cpu() if gpu < 0 else f"GPU {gpu}",
        sweep=curve,
        measurement=measurement,
        limit=limit,
        n_examples=examples,
        n_teachers=count_teachers(project),
    )
    write_whole(path, render_report(report).encode("utf-8"))
    msg.good(f"Report in {path} ({path.stat().st_size / 1000:,.0f} kB)")


def find_curve(folder: Path, test: Path) -> Optional[Sweep]:
    """Read the learning curve in a folder; None if there is none, or on another test set."""
    found = read_sweep(folder)
    if found is None:
        msg.info(f"No learning curve in '{folder}': 'sweep' makes one")
    elif found.tests != {digest_docs(test)}:
        msg.info(
            f"Left out: the learning curve in '{folder}'. Reason: it is of {found.corpus}, "
            f"measured on another test set than '{test}'"
        )
        return None
    return found


def examine_all(
    paths: Dict[str, Path], *, test: Path, limit: int
) -> Tuple[Dict[str, Examined], Dict[str, str]]:
    """Run each pipeline on the test set. Those that can't be loaded are left out, except the
    student, whose error is raised.

    RETURNS (Tuple[Dict[str, Examined], Dict[str, str]]): The systems, and the reasons why others
        are left out.
    """
    systems, left_out = {}, {}
    for name, path in paths.items():
        try:
            systems[name] = examine(name, path, test=test, limit=limit)
        except (ImportError, ValueError, OSError) as error:
            # A teacher needs torch and transformers, which users of a student may not have.
            if name == STUDENT:
                raise
            left_out[name] = (str(error).strip().splitlines() or [type(error).__name__])[0]
            msg.warn(f"Left out: {name}. Reason: {left_out[name]}")
    return systems, left_out
