"""Choose which systems of a sweep to compare, and test whether one is better than the other."""

from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import numpy

from ..files import read_json
from .bootstrap import RESAMPLES, compare, micro_f1, resample_f1
from .choices import CHOSEN, is_chosen
from .curves import drop_doubles, group_by, of_main_pool, sort_by
from .layout import Files
from .plan import BUILT_IN, TEACHER, training_name
from .rows import Row, row_key

# The largest difference between two values of the same F1, which is rounded when it is written.
SAME_F1 = 1e-5
# A result as it is stored in JSON.
Compared = Dict[str, Any]


class Pair(NamedTuple):
    """The rows of two systems that were trained on the same samples, one of each per seed."""

    labelled: int
    ours: List[Row]
    theirs: List[Row]


def compare_systems(
    rows: Sequence[Row], work: Path, known: Sequence[Compared] = ()
) -> List[Compared]:
    """Compare students with the teacher and the baseline, variants with their base, choices with
    their first system and, if they are students, with the teacher.

    rows (Sequence[Dict[str, Any]]): The rows of a sweep.
    work (Path): Folder in which the runs have stored the counts of each sentence.
    known (Sequence[Dict[str, Any]]): Earlier results, which are reused for pairs of the same runs.
    RETURNS (List[Dict[str, Any]]): For each pair `labelled`, `system`, `against` and `seeds`; the
        `difference`, `low`, `high` and `p` of F1, from `compare`; `resamples` and `fingerprints`. A
        pair is left out if it has neither counts nor an earlier result.
    """
    pairs = {identity(describe(pair)): pair for pair in find_pairs(rows)}
    found = {}
    for one in known:
        pair = pairs.get(identity(one))
        # A run that was repeated, perhaps with other software, may have another F1.
        if pair and abs(find_difference(pair) - one["difference"]) < SAME_F1:
            found[identity(one)] = one
    missing = {key: pair for key, pair in pairs.items() if key not in found}
    runs = {row_key(row): row for pair in missing.values() for row in (*pair.ours, *pair.theirs)}
    read = {key: read_counts(row, work) for key, row in runs.items()}
    counts = {key: one for key, one in read.items() if one is not None}
    if counts:
        stacked = numpy.stack([*counts.values()], axis=1)  # (n_sentences, n_runs, 3)
        f1, resampled = micro_f1(stacked), resample_f1(stacked)
        place = {key: i for i, key in enumerate(counts)}
        for key, pair in missing.items():
            if place.keys() >= {row_key(row) for row in (*pair.ours, *pair.theirs)}:
                ours, theirs = (
                    [place[row_key(row)] for row in side] for side in (pair.ours, pair.theirs)
                )
                result = compare(f1, resampled, ours=ours, theirs=theirs)
                found[key] = {**describe(pair), **result._asdict(), "resamples": RESAMPLES}
    return [found[key] for key in pairs if key in found]


def find_pairs(rows: Sequence[Row]) -> Iterator[Pair]:
    """Find the pairs to compare, with the same pool and the seeds that both have runs for."""
    for labelled, group in sort_by(drop_doubles(rows), "labelled"):
        systems = group_by(group, lambda row: row["system"])
        for own in group_by(of_main_pool(group), lambda row: row["system"]).values():
            for other in find_rivals(own[0]):
                theirs = {
                    row["seed"]: row
                    for row in systems.get(other, [])
                    if row["pool"] is None or row["limit"] == own[0]["limit"]
                }
                ours = {row["seed"]: row for row in own if row["seed"] in theirs}
                seeds = sorted(ours)
                if seeds:
                    yield Pair(labelled, [ours[s] for s in seeds], [theirs[s] for s in seeds])


def find_difference(pair: Pair) -> float:
    """Compute the difference in F1 on the test set, ours minus theirs, of the means over seeds."""
    ours, theirs = (
        [row["test"]["ents_f"] or 0.0 for row in side] for side in (pair.ours, pair.theirs)
    )
    return float(numpy.mean(ours) - numpy.mean(theirs))


def find_rivals(row: Row) -> List[str]:
    """List the systems that the system of a row is compared with."""
    name, base = row["system"], row["base"]
    if is_chosen(row):
        return [TEACHER.name, base] if row["pool"] is not None else [base]
    if name not in BUILT_IN:
        return [base]
    if BUILT_IN[name].config != "student":
        return []
    return [TEACHER.name, name.replace("student", "baseline")]


def describe(pair: Pair) -> Compared:
    return {
        "labelled": pair.labelled,
        "system": pair.ours[0]["system"],
        "against": pair.theirs[0]["system"],
        "seeds": [row["seed"] for row in pair.ours],
        "fingerprints": [row["fingerprint"] for row in (*pair.ours, *pair.theirs)],
    }


def identity(one: Compared) -> Tuple:
    return one["system"], one["against"], *one["fingerprints"]


def read_counts(row: Row, work: Path) -> Optional[numpy.ndarray]:
    """Read the counts of correct, wrong and missed entities of a run, for each sentence.

    row (Dict[str, Any]): The row of the run.
    work (Path): Folder of the sweep.
    RETURNS (Optional[ndarray]): The counts. None if there are none, or if their F1 is not that of
        the row. (n_sentences, 3)
    """
    name = training_name(row[CHOSEN if is_chosen(row) else "system"], row["limit"])
    path = Files(work, row["size"], row["seed"], name).counts
    if not path.exists():
        return None
    found = read_json(path)
    counts = numpy.array([found["tp"], found["fp"], found["fn"]]).T
    is_same = abs(micro_f1(counts[:, None])[0] - (row["test"]["ents_f"] or 0.0)) < SAME_F1
    return counts if is_same else None
