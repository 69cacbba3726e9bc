"""Turn the rows of a sweep into curves: F1 against labelled sentences, and against the pool."""

import math
from statistics import mean, stdev
from typing import (
    Any,
    Callable,
    Dict,
    Hashable,
    Iterable,
    List,
    NamedTuple,
    Sequence,
    Tuple,
    TypeVar,
)

from .plan import BUILT_IN
from .rows import Row

T = TypeVar("T")


class Point(NamedTuple):
    """A point of a curve: the F1 of one system, over seeds.

    x (float): Number of sentences.
    mean, sd (float): Mean and standard deviation of F1 on the test set, in percent. With one seed
        the standard deviation is 0.
    n (int): Number of seeds.
    """

    x: float
    mean: float
    sd: float
    n: int


# Points by the name of the line.
Curves = Dict[str, List[Point]]


def order_rows(rows: Iterable[Row]) -> List[Row]:
    """Sort rows by system: the built-in ones in their order, then the others as they are."""
    places = {name: i for i, name in enumerate(BUILT_IN)}
    return sorted(rows, key=lambda row: places.get(row["system"], len(places)))


def size_curves(rows: Iterable[Row]) -> Curves:
    """F1 against labelled sentences: one line per system, with the largest pool it was given."""
    rows = of_main_pool(rows)
    return {
        system: [make_point(size, group) for size, group in sort_by(own, "labelled")]
        for system, own in group_by(rows, lambda row: row["system"]).items()
    }


def pool_curves(rows: Iterable[Row]) -> Curves:
    """F1 against unlabelled sentences: one line per system and size that have several pools."""
    found = {key: pools for key, pools in group_pools(rows).items() if len(pools) > 1}
    one_size = len({size for _, size in found}) == 1
    of_found = [row for pools in found.values() for own in pools.values() for row in own]
    # What is left of the text differs by a few sentences between samples, so that the mean over all
    # samples gives the systems the same x.
    places = {
        key: mean(row["pool"] for row in own)
        for key, own in group_by(of_found, lambda row: (row["labelled"], row["limit"])).items()
    }
    return {
        system if one_size else f"{system}, {size:,} labelled": sorted(
            make_point(places[size, limit], own) for limit, own in pools.items()
        )
        for (system, size), pools in found.items()
    }


def of_main_pool(rows: Iterable[Row]) -> List[Row]:
    """Select rows without a pool, and those with the largest pool their system has results for."""
    rows = drop_doubles(rows)
    main = {key: next(iter(pools)) for key, pools in group_pools(rows).items()}
    return [row for row in rows if row["pool"] is None or row["limit"] == main[pool_key(row)]]


def group_pools(rows: Iterable[Row]) -> Dict[Tuple[str, int], Dict[int, List[Row]]]:
    """Group rows with a pool by system and labelled sentences, then by limit, largest first."""
    found = group_by((row for row in drop_doubles(rows) if row["pool"] is not None), pool_key)
    return {
        key: group_by(
            sorted(own, key=lambda row: row["limit"] or math.inf, reverse=True),
            lambda row: row["limit"],
        )
        for key, own in found.items()
    }


def pool_key(row: Row) -> Tuple[str, int]:
    return row["system"], row["labelled"]


def drop_doubles(rows: Iterable[Row]) -> List[Row]:
    """Leave out runs on all sentences (size 0) that repeat a run of a named size."""
    rows = list(rows)
    known = {run_key(row) for row in rows if row["size"]}
    return [row for row in rows if row["size"] or run_key(row) not in known]


def run_key(row: Row) -> Tuple[str, int, int, int]:
    """Return what identifies a run, whether its size was given as a number or as 0."""
    return *pool_key(row), row["seed"], row["limit"]


def make_point(x: float, rows: Sequence[Row]) -> Point:
    scores = [100 * (row["test"]["ents_f"] or 0.0) for row in rows]
    return Point(x, mean(scores), stdev(scores) if len(scores) > 1 else 0.0, len(scores))


def group_by(items: Iterable[T], key: Callable[[T], Hashable]) -> Dict[Any, List[T]]:
    """Group items by a key, in order of the first occurrence of each key."""
    groups: Dict[Any, List[T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def sort_by(rows: Iterable[Row], key: str) -> List[Any]:
    """Group rows by a value, as (value, rows), in ascending order of the values."""
    return sorted(group_by(rows, lambda row: row[key]).items())
