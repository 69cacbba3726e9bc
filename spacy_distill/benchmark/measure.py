"""Measures systems, each in its own process, in turns."""

from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Sequence

import srsly
from tqdm import tqdm

from .plan import Corpus, Plan, Settings, draw_texts, make_plan
from .process import Worker, WorkerEnded, start_worker
from .systems import System

# A warm-up reads this number of words first, then more until a run takes about this long.
FIRST_WORDS = 64
WARM_SECONDS = 0.5
# The progress bar counts expected milliseconds. This is a guess for loading a system.
LOAD_TICKS = 5000


class Timing(NamedTuple):
    """One measurement."""

    n_words: int
    seconds: float
    cpu_seconds: float  # of all threads; with one, less than `seconds` if the process had to wait


@dataclass
class Measured:
    """A system and its measurements. The keys of the dictionaries are batch sizes."""

    system: System
    worker: Worker
    loaded: Dict[str, Any] = field(default_factory=dict)  # the answer of `worker.Served.load`
    plans: Dict[int, Plan] = field(default_factory=dict)
    timings: Dict[int, List[Timing]] = field(default_factory=dict)
    # From a cold cache of words; only of students.
    cold: Dict[int, List[Timing]] = field(default_factory=dict)
    roofline: Dict[int, Any] = field(default_factory=dict)
    peak_memory: int = 0  # bytes
    n_cut: int = 0  # texts of the corpus that are too long for the system and truncated

    @property
    def has_cold(self) -> bool:
        return self.system.is_student and self.loaded["has_cache"]


def measure_systems(
    systems: Sequence[System],
    corpus: Corpus,
    settings: Settings,
    *,
    folder: Path,
    bar: tqdm,
    leave_out: Callable[[System, WorkerEnded], None],
) -> List[Measured]:
    """Measure systems in interleaved repeats, so that other load on the machine affects all alike.

    systems (Sequence[System]): The systems.
    corpus (Corpus): The texts to read.
    settings (Settings): The settings of the measurements.
    folder (Path): Folder for the file with the texts, which the processes read.
    bar (tqdm): Progress bar, which counts expected milliseconds and shows the current step.
    leave_out (Callable[[System, WorkerEnded], None]): Called with a system that can't be loaded or
        run, and the error. It is left out unless this raises.
    RETURNS (List[Measured]): The measurements, in the order of the systems.
    RAISES (WorkerEnded): If a process ends after its warm-up.
    """
    path = folder / "texts.json"
    srsly.write_json(path, corpus.texts)
    per_size = (settings.repeats + 1) * to_ticks(settings.seconds)
    bar.reset(len(systems) * (LOAD_TICKS + len(settings.batch_sizes) * per_size))
    with ExitStack() as stack:
        found = []
        for system in systems:
            worker = start_worker(system.name, threads=settings.threads)
            one = Measured(system, stack.enter_context(worker))
            try:
                load(one, path, settings, bar=bar)
                for batch_size in settings.batch_sizes:
                    warm_up(one, corpus, settings, batch_size=batch_size, bar=bar)
            except WorkerEnded as error:
                leave_out(system, error)
            else:
                found.append(one)
        bar.total = bar.n + sum(remaining_ticks(one, settings) for one in found)
        # Runs with a cold cache come last, after all that profit from a warm one.
        for cold in (False, True):
            for repeat in range(settings.repeats):
                for one in [one for one in found if one.has_cold or not cold]:
                    for batch_size, plan in one.plans.items():
                        if repeat < plan.repeats:
                            show(bar, one, batch_size, f"{repeat + 1} of {plan.repeats}")
                            measure(one, corpus, plan, batch_size=batch_size, cold=cold, bar=bar)
        for one in found:
            measure_roofline(one, settings, bar=bar)
            one.n_cut = one.worker.ask("count_cut")["cut"]
    return found


def load(one: Measured, corpus: Path, settings: Settings, *, bar: tqdm) -> None:
    """Load a system in its process."""
    bar.set_description(f"{one.system.name}, loading")
    one.loaded = one.worker.ask(
        "load",
        corpus=str(corpus),
        loader=one.system.loader,
        settings=one.system.settings,
        hidden=one.system.hidden,
        threads=settings.threads,
    )
    bar.update(LOAD_TICKS)


def warm_up(
    one: Measured, corpus: Corpus, settings: Settings, *, batch_size: int, bar: tqdm
) -> None:
    """Run a system until it is warm, and plan its measurements by its speed.

    A fast system reads the whole corpus twice, a slow one possibly less than a batch.
    """
    show(bar, one, batch_size, "warm-up")
    n_words = corpus.n_words
    wanted: float = FIRST_WORDS
    seen_all = False
    while True:
        texts = draw_texts(n_words, wanted=wanted, at_least=1, seed=settings.seed)
        timing = run(one, corpus, texts, batch_size=batch_size)
        if timing.seconds >= WARM_SECONDS or seen_all:
            break
        seen_all = len(texts) == len(n_words)
        speed = timing.n_words / timing.seconds
        wanted = max(4.0 * timing.n_words, 1.5 * WARM_SECONDS * speed)
    one.plans[batch_size] = make_plan(
        n_words,
        speed=timing.n_words / timing.seconds,
        batch_size=batch_size,
        sorts=one.system.sorts,
        settings=settings,
    )
    bar.update(to_ticks(settings.seconds))


def measure(
    one: Measured, corpus: Corpus, plan: Plan, *, batch_size: int, cold: bool, bar: tqdm
) -> None:
    """Measure a system once; with `cold`, in a single pass from a cold cache of words."""
    passes = 1 if cold else plan.passes
    timing = run(one, corpus, plan.texts, batch_size=batch_size, passes=passes, cold=cold)
    timings = one.cold if cold else one.timings
    timings.setdefault(batch_size, []).append(timing)
    bar.update(to_ticks(plan.seconds))


def run(
    one: Measured,
    corpus: Corpus,
    texts: Sequence[int],
    *,
    batch_size: int,
    passes: int = 1,
    cold: bool = False,
) -> Timing:
    """Time a process that reads texts. The arguments are those of `worker.Served.run`."""
    answer = one.worker.ask("run", texts=texts, batch_size=batch_size, passes=passes, cold=cold)
    one.peak_memory = answer["peak_memory_bytes"]
    n_words = passes * sum(corpus.n_words[i] for i in texts)
    return Timing(n_words, answer["seconds"], answer["cpu_seconds"])


def measure_roofline(one: Measured, settings: Settings, *, bar: tqdm) -> None:
    """Time a student and plain matrix products. This is done last, because it needs more memory."""
    if not one.system.is_student:
        return
    for batch_size, plan in one.plans.items():
        show(bar, one, batch_size, "matrix products")
        answer = one.worker.ask(
            "roofline", texts=plan.texts, batch_size=batch_size, repeats=settings.repeats
        )
        if answer["roofline"] is not None:
            one.roofline[batch_size] = answer["roofline"]
        bar.update(settings.repeats * to_ticks(plan.seconds))


def remaining_ticks(one: Measured, settings: Settings) -> int:
    """Return the expected milliseconds of all measurements of a system, including a student's
    matrix products."""
    per_repeat = 2 if one.has_cold else 1
    products = settings.repeats if one.system.is_student else 0
    return sum(
        (per_repeat * plan.repeats + products) * to_ticks(plan.seconds)
        for plan in one.plans.values()
    )


def to_ticks(seconds: float) -> int:
    return round(1000 * seconds)


def show(bar: tqdm, one: Measured, batch_size: int, what: str) -> None:
    bar.set_description(f"{one.system.name}, batch {batch_size}, {what}")
