"""Run stages, each in its own process, and write receipts."""

import os
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from typing import Callable, Iterable, List, Optional

from ..errors import Errors, last_lines
from ..files import read_json, write_json
from ..threads import thread_variables
from .inputs import find_differences
from .stages import Stage, is_done

SECONDS_BETWEEN_TICKS = 2.0


def run_stage(stage: Stage, *, tick: Callable[[float], None], handle: Optional[int] = None) -> None:
    """Run a stage on one thread, with its output in its log, and write its receipt.

    stage (Stage): The stage.
    tick (Callable[[float], None]): Called every few seconds with the seconds that the stage has run
        so far. The process is killed if it raises.
    handle (Optional[int]): File descriptor that locks the folder in which the stage writes. The
        process inherits it, so that no other sweep can start there if only this one is killed.
    RAISES (ValueError): D602 if the stage fails, with the last lines of its log. (OSError): D901 if
        the receipt can't be written.
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
            process.kill()  # no effect if it has ended
    if process.returncode != 0 or not all(path.exists() for path in stage.products):
        lines = last_lines(stage.log.read_text(encoding="utf-8", errors="replace"))
        raise ValueError(
            Errors.D602.format(name=stage.name, code=process.returncode, log=stage.log, lines=lines)
        )
    write_receipt(stage, seconds=round(time.time() - start, 1))
    if stage.leftover is not None:
        shutil.rmtree(stage.leftover, ignore_errors=True)


def write_receipt(stage: Stage, *, seconds: float) -> None:
    """Write the receipt of a stage that has ended. The file is either whole or not there."""
    stage.receipt.parent.mkdir(parents=True, exist_ok=True)
    receipt = {"command": stage.command, "inputs": stage.inputs, "seconds": seconds}
    write_json(stage.receipt, receipt)


def clear_outdated(stages: Iterable[Stage], *, overwrite: bool) -> None:
    """Refuse stages that were done with other inputs, or remove their products.

    stages (Iterable[Stage]): The stages of a sweep.
    overwrite (bool): Whether to remove the products, so that they are made again.
    RAISES (ValueError): D607 if there are such stages, unless `overwrite` is set.
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
    """List the inputs in which a stage that is done differs from what the sweep would do."""
    return find_differences(read_json(stage.receipt)["inputs"] or {}, stage.inputs or {})


def discard(stage: Stage) -> None:
    """Remove the products of a stage, and what was made from them."""
    for path in (stage.receipt, *stage.removes):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
