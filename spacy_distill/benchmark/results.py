"""The results of a benchmark: medians, ratios, and notes on them."""

from statistics import median
from typing import Any, Dict, List, Optional, Sequence, Tuple

from .measure import Measured, Timing
from .plan import Corpus, Settings
from .systems import HEAVY

# A JSON object.
Results = Dict[str, Any]
# The machine is reported as busy if the processes waited for more than this share of the time.
BUSY = 0.05


def make_results(
    found: Sequence[Measured],
    corpus: Corpus,
    settings: Settings,
    *,
    left_out: Dict[str, str],
    **more: Any,
) -> Results:
    """Make the results, which are written as JSON and shown as tables.

    found (Sequence[Measured]): The measured systems, students first.
    corpus (Corpus): The texts that they read.
    settings (Settings): The settings of the measurements.
    left_out (Dict[str, str]): The reasons why other systems were not measured.
    **more: Further entries, which come first, such as their date.
    RETURNS (Dict[str, Any]): The results. Keys name their units; batch sizes are strings, because
        they are keys in JSON.
    """
    systems = {one.system.name: describe(one) for one in found}
    students = [one.system.name for one in found if one.system.is_student]
    for system in systems.values():
        system["compression"] = {
            name: system["parameters"] / own if (own := systems[name]["parameters"]) else None
            for name in students
        }
        system["speed_up"] = {
            name: speed_up(systems[name]["speed"], system["speed"]) for name in students
        }
    return {
        **more,
        "settings": {**settings._asdict(), "batch_sizes": list(settings.batch_sizes)},
        "corpus": {"texts": len(corpus.texts), "words": sum(corpus.n_words)},
        "systems": systems,
        "left_out": left_out,
        "waiting": waiting(found) if settings.threads == 1 else None,
        "notes": make_notes(found, corpus, settings),
    }


def describe(one: Measured) -> Dict[str, Any]:
    """Describe a system and its measurements."""
    description: Dict[str, Any] = {
        "description": one.system.description,
        "is_student": one.system.is_student,
        "parameters": one.loaded["n_parameters"],
        "bytes_on_disk": one.loaded["n_bytes"],
        "import_seconds": one.loaded["import_seconds"],
        # BERT is made from a configuration, not loaded.
        "load_seconds": None if one.system.needs == "tokenizer" else one.loaded["load_seconds"],
        "peak_memory_bytes": one.peak_memory,
        "without_packages": list(one.system.hidden),
        "sorted_by_length": one.system.sorts,
        "texts_cut": one.n_cut,
        "speed": {str(size): summarise(timings) for size, timings in one.timings.items()},
    }
    if one.cold:
        description["speed_with_cold_cache"] = {
            str(size): summarise(timings) for size, timings in one.cold.items()
        }
    if one.system.is_student:
        description["roofline"] = {str(size): share for size, share in one.roofline.items()}
    return description


def summarise(timings: Sequence[Timing]) -> Dict[str, Any]:
    """Summarise the speeds of several measurements.

    timings (Sequence[Timing]): The measurements, at least one.
    RETURNS (Dict[str, Any]): `median`, `min` and `max` in words/s; `repeats`, the number of
        measurements; `words`, the number read in the first; `seconds` and `cpu_seconds` of each.
    """
    speeds = [timing.n_words / timing.seconds for timing in timings]
    return {
        "median": median(speeds),
        "min": min(speeds),
        "max": max(speeds),
        "repeats": len(speeds),
        "words": timings[0].n_words,
        "seconds": [timing.seconds for timing in timings],
        "cpu_seconds": [timing.cpu_seconds for timing in timings],
    }


def speed_up(student: Dict[str, Any], other: Dict[str, Any]) -> Dict[str, float]:
    """Return the ratio of a student's median speed to another system's, for each batch size."""
    return {size: student[size]["median"] / other[size]["median"] for size in student}


def spread(speed: Dict[str, Any]) -> Optional[float]:
    """Return the largest deviation from the median, as a share of it; None if measured only
    once."""
    if speed["repeats"] == 1:
        return None
    return max(speed["max"] - speed["median"], speed["median"] - speed["min"]) / speed["median"]


def make_notes(found: Sequence[Measured], corpus: Corpus, settings: Settings) -> List[str]:
    """Make the notes that a reader needs to understand the numbers."""
    threads = "1 thread" if settings.threads == 1 else f"{settings.threads} threads"
    notes = [
        f"Words are the student's tokens. Each system ran in its own process, on {threads}; their "
        "runs were interleaved. Median of the runs ± the largest deviation from it; no ± means a "
        "single run."
    ]
    groups: List[Tuple[List[Measured], str]] = [
        (
            [one for one in found if one.cold],
            "had cached the words before timing, as in a long-running process; in the rows 'cold "
            "cache' the cache was emptied before each pass.",
        ),
        (
            [one for one in found if one.system.needs == "tokenizer"],
            "has random weights, because speed does not depend on them. It was made from its "
            "configuration, not loaded; on disk, four bytes per parameter.",
        ),
        (
            [one for one in found if one.system.sorts],
            "read texts of similar length together at batch sizes above 1; the others read them in "
            "their order.",
        ),
        (
            [one for one in found if is_sampled(one, corpus)],
            f"was too slow to read all texts in {settings.seconds:g} s at every batch size, and "
            "read a sample of at least one batch.",
        ),
        (
            [one for one in found if one.system.hidden],
            f"ran as if {', '.join(HEAVY)} were not installed.",
        ),
    ]
    groups += [
        (
            [one for one in found if one.n_cut == n_cut],
            f"cut {n_cut:,} of {len(corpus.texts):,} texts, which are too long for it. All their "
            "words are counted, so its real speed is lower.",
        )
        for n_cut in sorted({one.n_cut for one in found} - {0})
    ]
    for group, what in groups:
        if group:
            names = [one.system.name for one in group]
            notes.append(f"{', '.join(names)}: {'each ' if len(names) > 1 else ''}{what}")
    return notes + warn_notes(found, corpus, settings)


def is_sampled(one: Measured, corpus: Corpus) -> bool:
    """Whether a system did not read all texts at some batch size."""
    return any(len(plan.texts) < len(corpus.texts) for plan in one.plans.values())


def warn_notes(found: Sequence[Measured], corpus: Corpus, settings: Settings) -> List[str]:
    """Make notes on what distorts the numbers: too few texts for a batch, a busy machine."""
    notes = []
    n_texts = len(corpus.texts)
    too_large = [f"{size:,}" for size in settings.batch_sizes if size > n_texts]
    if too_large:
        notes.append(
            f"There are only {n_texts:,} texts: in the columns of larger batches "
            f"({', '.join(too_large)}) all texts are one batch."
        )
    if settings.threads == 1 and waiting(found) > BUSY:
        notes.append(
            f"The machine was busy: for {waiting(found):.0%} of the time the systems waited for a "
            "processor, so real speeds are higher. Measure again when it is idle."
        )
    return notes


def waiting(found: Sequence[Measured]) -> float:
    """Return the share of all measured time in which the processes, of one thread, did not
    compute."""
    timings = [timing for one in found for several in one.timings.values() for timing in several]
    return 1 - sum(one.cpu_seconds for one in timings) / sum(one.seconds for one in timings)
