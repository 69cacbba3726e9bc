"""Runs stages, each in a process of its own, and writes receipts."""

import os
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from typing import Any, Callable, Iterable, List, Optional

import srsly

from ..benchmark.process import last_lines
from ..errors import Errors
from ..files import write_whole
from ..threads import thread_variables
from .inputs import find_differences
from .stages import Stage, is_done, read_receipt

SECONDS_BETWEEN_TICKS = 2.0


def run_stage(stage: Stage, *, tick: Callable[[float], None], handle: Optional[int] = None) -> None:
    """Run a stage on one thread, its output in its log; write its receipt.

    stage (Stage): What to run.
    tick (Callable[[float], None]): Called now and then with the seconds that it has run so far.
        The process is killed if it raises.
    handle (Optional[int]): What holds the folder in which it writes. The process holds that, too,
        so that no other sweep begins beside it if this one is killed.
    RAISES (ValueError): D602 if the stage fails, with the last lines of its log.
    """
    stage.log.parent.mkdir(parents=True, exist_ok=True)
    discard(stage)
    start = time.time()
    with (
        stage.log.open("w", encoding="utf-8") as log,
        subprocess.Popen(
            [sys.executable, "-m", *stage.command],
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **thread_variables(1), "PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1"},
            pass_fds=() if handle is None else (handle,),
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
        lines = last_lines(stage.log.read_text(encoding="utf-8", errors="replace"))
        raise ValueError(
            Errors.D602.format(name=stage.name, code=process.returncode, log=stage.log, lines=lines)
        )
    write_receipt(stage, seconds=round(time.time() - start, 1))


def write_receipt(stage: Stage, **more: Any) -> None:
    """Write down that a stage has ended, whole or not at all."""
    stage.receipt.parent.mkdir(parents=True, exist_ok=True)
    receipt = {"command": stage.command, "inputs": stage.inputs, **more}
    write_whole(stage.receipt, srsly.json_dumps(receipt, indent=2).encode("utf-8"))


def clear_outdated(stages: Iterable[Stage], *, overwrite: bool) -> None:
    """Refuse what is done already, but with other inputs; or remove it, to be made anew.

    RAISES (ValueError): D607, unless it may be overwritten.
    """
    for stage in stages:
        differences = find_outdated(stage) if is_done(stage) else []
        if differences and not overwrite:
            raise ValueError(
                Errors.D607.format(path=stage.removes[0], differences=", ".join(differences))
            )
        if differences:
            discard(stage)


def find_outdated(stage: Stage) -> List[str]:
    """What of a stage that is done differs from what the sweep would do."""
    return find_differences(read_receipt(stage)["inputs"] or {}, stage.inputs or {})


def drop_last(stage: Stage) -> None:
    """Remove a training's last weights, which nothing reads: half of what it takes on the disk."""
    shutil.rmtree(stage.removes[0] / "model-last", ignore_errors=True)


def discard(stage: Stage) -> None:
    """Remove what a stage has made, and what was made from it."""
    for path in (stage.receipt, *stage.removes):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
