"""Run what a sweep has not run yet: samples in parallel, the stages of each in order."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, Lock
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from tqdm import tqdm

from ..docbins import count_docs, digest_docs
from ..errors import Errors
from .curves import group_by
from .describe import make_row
from .execute import clear_outdated, discard, find_outdated, run_stage
from .inputs import Settings, digest_once
from .plan import Run
from .rows import Key, Row, append_row
from .stages import Stage, corpus_stage, is_done, make_stages, table_stage, train_stage

# A sample, given by its size and its seed.
Sample = Tuple[int, int]


class Stopped(Exception):
    """The sweep was interrupted, and running stages must stop."""


def group_by_sample(runs: Sequence[Run]) -> Dict[Sample, List[Run]]:
    return group_by(runs, lambda run: (run.size, run.seed))


def check_test_sets(
    runs: Sequence[Run], rows: Mapping[Key, Row], path: Path, settings: Settings
) -> None:
    """Check that corpora and rows have the same test set. RAISES (ValueError): D609 if not."""
    known = {row["inputs"]["corpus"]["test"] for row in rows.values()}
    for own in group_by_sample(runs).values():
        test = own[0].files(settings.work).corpus["test"]
        known.add(digest_once(digest_docs, test))
        if len(known) > 1:
            raise ValueError(Errors.D609.format(path=test, rows=path))


def leave_out(runs: Sequence[Run], settings: Settings) -> Tuple[List[Run], List[str]]:
    """Select the runs that the corpus has enough sentences for.

    RETURNS (Tuple[List[Run], List[str]]): The runs, and reasons for leaving out the others.
    """
    kept, reasons = [], []
    for (size, _), own in group_by_sample(runs).items():
        files = own[0].files(settings.work).corpus
        n_labelled = count_docs(files["labelled"])
        n_pool = count_docs(files["unlabelled"]) if any(run.limit for run in own) else 0
        if n_labelled < size:
            reasons.append(f"{size:,} labelled sentences: {settings.name} has {n_labelled:,}")
            continue
        kept += [run for run in own if run.limit <= n_pool]
        reasons += [
            f"{run.limit:,} unlabelled sentences: with {n_labelled:,} labelled, {settings.name} "
            f"has {n_pool:,}"
            for run in own
            if run.limit > n_pool
        ]
    return kept, list(dict.fromkeys(reasons))


class Runner:
    """Makes corpora and executes runs. Keeps track of progress and failures.

    settings (Settings): The settings that the runs share.
    rows (Path): The file to which a row is appended for each run.
    bar (tqdm): Progress bar, in the expected seconds of the stages.
    say (Callable[[str], None]): Called with a message for each run that has ended.
    handle (Optional[int]): File descriptor that locks the folder of the sweep, if there is one.
    """

    def __init__(
        self,
        settings: Settings,
        rows: Path,
        *,
        bar: tqdm,
        say: Callable[[str], None],
        handle: Optional[int] = None,
    ) -> None:
        self.settings = settings
        self.rows = rows
        self.bar = bar
        self.say = say
        self.handle = handle
        self.failures: List[str] = []
        self._broken: Dict[Path, str] = {}
        self._now: Dict[Path, str] = {}
        self._lock = Lock()
        self._stop = Event()

    def make_corpora(self, runs: Sequence[Run], *, workers: int, overwrite: bool) -> None:
        """Make the corpus of each sample.

        runs (Sequence[Run]): The runs whose corpora to make.
        workers (int): How many corpora to make in parallel.
        overwrite (bool): Whether corpora that were made with other settings may be replaced.
        RAISES (ValueError): D602 if one can't be made, D607 if one was made with other settings.
        """
        stages = [corpus_stage(own[0], self.settings) for own in group_by_sample(runs).values()]
        clear_outdated(stages, overwrite=overwrite)
        self._expect([stage for stage in stages if not is_done(stage)])
        self._side_by_side(stages, self._make_corpus, workers=workers)

    def run(self, runs: Sequence[Run], *, workers: int, overwrite: bool) -> List[str]:
        """Execute runs, and append a row for each. A failed run does not stop the others.

        runs (Sequence[Run]): The runs that have no row. Their corpora must exist.
        workers (int): How many samples to process in parallel.
        overwrite (bool): Whether stages that were done with other settings may be done again.
        RETURNS (List[str]): The error message of each run that failed.
        RAISES (ValueError): D607 for a stage that was done with other settings, D602 if the lookup
            table can't be made.
        """
        stages = {
            stage.products[0]: stage for run in runs for stage in make_stages(run, self.settings)
        }
        clear_outdated(stages.values(), overwrite=overwrite)
        waiting = [stage for stage in stages.values() if not is_done(stage)]
        self._expect(waiting)
        table = table_stage(self.settings)
        if table.products[0] in {stage.products[0] for stage in waiting}:
            # All samples need the table, so it is made before any of them begins.
            self._make(table, "table")
        self._side_by_side([*group_by_sample(runs).values()], self._run_all, workers=workers)
        return self.failures

    def _side_by_side(self, items: Sequence[Any], function: Any, *, workers: int) -> None:
        with ThreadPoolExecutor(workers) as pool:
            futures = [pool.submit(function, item) for item in items]
            try:
                for future in futures:
                    future.result()
            except BaseException:
                self._stop.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _make_corpus(self, stage: Stage) -> None:
        if not is_done(stage):
            sample = stage.folder.relative_to(self.settings.work).as_posix()
            self._make(stage, f"{sample} {stage.name}")

    def _run_all(self, runs: Sequence[Run]) -> None:
        for run in runs:
            try:
                self._run_one(run)
            except ValueError as error:
                with self._lock:
                    self.failures.append(str(error))
                    self.say(f"{run.size}/{run.seed} {run.name}: {error}")

    def _run_one(self, run: Run) -> None:
        for stage in make_stages(run, self.settings):
            if not is_done(stage):
                self._make(stage, f"{run.size}/{run.seed} {stage.name}")
        # A config may have been edited since a stage began, in this run or an earlier one.
        stages = make_stages(run, self.settings)
        differences = dict.fromkeys(name for stage in stages for name in find_outdated(stage))
        if differences:
            discard(train_stage(run, self.settings))
            names = ", ".join(differences)
            raise ValueError(Errors.D610.format(name=run.name, differences=names))
        row = make_row(run, self.settings)
        with self._lock:
            append_row(self.rows, row)
            f1 = 100 * (row["test"]["ents_f"] or 0.0)
            self.say(f"{run.size}/{run.seed} {run.name}: F1 {f1:.1f}")

    def _make(self, stage: Stage, name: str) -> None:
        product = stage.products[0]
        if product in self._broken:  # another run needed it, too
            raise ValueError(self._broken[product])
        counted = 0.0

        def tick(seconds: float) -> None:
            nonlocal counted
            if self._stop.is_set():
                raise Stopped
            # If a stage takes longer than expected, the bar stops a little before its end.
            reached = min(seconds, 0.95 * stage.seconds)
            self._count(reached - counted)
            counted = reached

        self._say(product, name)
        try:
            run_stage(stage, tick=tick, handle=self.handle)
        except ValueError as error:
            self._broken[product] = str(error)
            raise
        finally:
            self._say(product, None)
        self._count(stage.seconds - counted)

    def _expect(self, stages: Sequence[Stage]) -> None:
        self.bar.total = self.bar.n + sum(stage.seconds for stage in stages)
        self.bar.refresh()

    def _count(self, seconds: float) -> None:
        with self._lock:
            self.bar.update(seconds)

    def _say(self, product: Path, name: Optional[str]) -> None:
        """Show in the progress bar which stages are running.

        product (Path): The first product of a stage.
        name (Optional[str]): The name of the stage that has begun, None if it has ended.
        """
        with self._lock:
            self._now.pop(product, None)
            if name is not None:
                self._now[product] = name
            self.bar.set_description_str(", ".join(self._now.values()))
