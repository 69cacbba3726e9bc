"""Runs stages, each in a process of its own, and writes receipts."""

import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Callable, List

import srsly
from spacy.util import load_config

from ..benchmark.process import LAST_LINES, THREADS
from ..errors import Errors
from .inputs import Settings, cell_folder, find_differences
from .plan import TEACHER, Run
from .stages import Stage, counts_file, metrics_file, read_receipt

SECONDS_BETWEEN_TICKS = 2.0


def run_stage(stage: Stage, *, tick: Callable[[float], None]) -> None:
    """Run a stage on one thread, its output in its log; write its receipt.

    stage (Stage): What to run.
    tick (Callable[[float], None]): Called now and then with the seconds that it has run so far.
        The process is killed if it raises.
    RAISES (ValueError): D602 if the stage fails, with the last lines of its log.
    """
    stage.log.parent.mkdir(parents=True, exist_ok=True)
    stage.receipt.unlink(missing_ok=True)
    threads = {**dict.fromkeys(THREADS, "1"), "TOKENIZERS_PARALLELISM": "false"}
    start = time.time()
    with (
        stage.log.open("w", encoding="utf-8") as log,
        subprocess.Popen(
            [sys.executable, "-m", *stage.command],
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **threads, "PYTHONUNBUFFERED": "1"},
        ) as process,
    ):
        try:
            while process.poll() is None:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(SECONDS_BETWEEN_TICKS)
                tick(time.time() - start)
        finally:
            process.kill()  # it has ended, or is not to go on
    if process.returncode != 0 or not all(path.exists() for path in stage.products):
        raise ValueError(
            Errors.D602.format(
                name=stage.name, code=process.returncode, log=stage.log, lines=last_lines(stage.log)
            )
        )
    write_receipt(stage, seconds=round(time.time() - start, 1))


def last_lines(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(f"  {line}" for line in lines[-LAST_LINES:] or ["(nothing)"])


def write_receipt(stage: Stage, **more: Any) -> None:
    """Write down that a stage has ended, whole or not at all."""
    stage.receipt.parent.mkdir(parents=True, exist_ok=True)
    unfinished = stage.receipt.with_suffix(".unfinished")
    srsly.write_json(unfinished, {"command": stage.command, "inputs": stage.inputs, **more})
    os.replace(unfinished, stage.receipt)


def accept_stage(stage: Stage) -> None:
    """Take over a stage that is done. RAISES (ValueError): D607 if it was trained otherwise."""
    differences = find_outdated(stage)
    if differences:
        path = stage.products[0].parents[1]
        raise ValueError(Errors.D607.format(path=path, differences=", ".join(differences)))
    if not stage.receipt.exists():
        write_receipt(stage)


def find_outdated(stage: Stage) -> List[str]:
    """In what a training that is done differs from what the sweep would do; nothing of others."""
    if stage.inputs is None:
        return []
    if stage.receipt.exists():
        return find_differences(read_receipt(stage)["inputs"], stage.inputs)
    # It was trained by hand: its config is all that is known of it.
    config = load_config(stage.products[0].with_name("config.cfg"))
    return [
        key
        for key, value in stage.inputs["overrides"].items()
        if find_setting(config, key) != read_value(value)
    ]


def find_setting(config: Any, key: str) -> Any:
    """The value of section.key; None if there is none."""
    for part in key.split("."):
        config = config.get(part) if isinstance(config, dict) else None
    return config


def read_value(text: str) -> Any:
    """A value of the command line, as `spacy train` reads it."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def drop_last(stage: Stage) -> None:
    """Remove a training's last weights, which nothing reads: half of what it takes on the disk."""
    if stage.receipt.exists():
        shutil.rmtree(stage.products[0].parents[1] / "model-last", ignore_errors=True)


def discard(run: Run, settings: Settings) -> None:
    """Remove what a run has made, and, of a teacher, its annotation."""
    folder = cell_folder(settings, run)
    folders = [folder / "training" / run.name]
    if run.name == TEACHER.name:
        folders.append(folder / "corpus" / "annotated")
    for path in folders:
        shutil.rmtree(path, ignore_errors=True)
    for file in (metrics_file(folder, run.name), counts_file(folder, run.name)):
        file.unlink(missing_ok=True)
