"""The rows of a sweep as curves: F1 against labelled sentences, and against the pool."""

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
    """F1 of one system at one place of a curve, over seeds.

    x (float): Sentences.
    mean, sd (float): Of F1 on the test set, in percent. With one seed the sd is 0.
    n (int): How many seeds.
    """

    x: float
    mean: float
    sd: float
    n: int


# By the name of a line.
Curves = Dict[str, List[Point]]


def order_rows(rows: Iterable[Row]) -> List[Row]:
    """Rows in the order of the built-in systems, those of variants after them."""
    places = {name: i for i, name in enumerate(BUILT_IN)}
    return sorted(rows, key=lambda row: places.get(row["system"], len(places)))


def size_curves(rows: Iterable[Row]) -> Curves:
    """F1 against labelled sentences, a line a system, with the largest pool that it was given."""
    rows = of_main_pool(rows)
    return {
        system: [make_point(size, group) for size, group in sort_by(own, "labelled")]
        for system, own in group_by(rows, lambda row: row["system"]).items()
    }


def pool_curves(rows: Iterable[Row]) -> Curves:
    """F1 against unlabelled sentences, a line a system and size, of those with several pools."""
    found = {key: pools for key, pools in group_pools(rows).items() if len(pools) > 1}
    one_size = len({size for _, size in found}) == 1
    of_found = [row for pools in found.values() for own in pools.values() for row in own]
    # Samples differ by a few sentences in what is left of the text: systems have the same mean.
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
    """Rows without a pool, and those with the largest that their system has results of."""
    rows = drop_doubles(rows)
    main = {key: next(iter(pools)) for key, pools in group_pools(rows).items()}
    return [row for row in rows if row["pool"] is None or row["limit"] == main[pool_key(row)]]


def group_pools(rows: Iterable[Row]) -> Dict[Tuple[str, int], Dict[int, List[Row]]]:
    """Rows with a pool, by system and labelled sentences, then by limit, the largest pool first."""
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
    """What is run, however its size was asked for."""
    return *pool_key(row), row["seed"], row["limit"]


def make_point(x: float, rows: Sequence[Row]) -> Point:
    scores = [100 * (row["test"]["ents_f"] or 0.0) for row in rows]
    return Point(x, mean(scores), stdev(scores) if len(scores) > 1 else 0.0, len(scores))


def group_by(items: Iterable[T], key: Callable[[T], Hashable]) -> Dict[Any, List[T]]:
    """Items by what they have in common, in order of first occurrence."""
    groups: Dict[Any, List[T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def sort_by(rows: Iterable[Row], key: str) -> List[Any]:
    """Groups of rows with the same value, as (value, rows), ascending."""
    return sorted(group_by(rows, lambda row: row[key]).items())
