"""Make the tables of a sweep, for the terminal and as Markdown."""

from statistics import mean, median
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from ..text_tables import NOT_KNOWN, TextTable, make_page
from .choices import describe_choices, is_chosen
from .comparisons import Compared
from .curves import (
    Curves,
    Point,
    drop_doubles,
    group_by,
    group_pools,
    of_main_pool,
    pool_curves,
    size_curves,
)
from .plan import BUILT_IN
from .rows import Row

NOTES = (
    "F1 in percent on the test set, of the checkpoint with the best F1 on the development set: "
    "mean ± standard deviation over seeds. The seed determines the sample of labelled sentences "
    "and the initial weights. A number in parentheses is the number of seeds, where some are "
    "missing.",
    "Differences are between means over seeds. The interval is the central 95 % of {resamples:,} "
    "paired bootstrap resamples of the test set; p is the share of resamples in which the "
    "difference is not positive (Efron and Tibshirani, 1993; Berg-Kirkpatrick, Burkett and Klein, "
    "2012). Both cover the choice of the test sentences, not that of the labelled sample.",
)


def make_tables(rows: Sequence[Row], compared: Sequence[Compared]) -> List[TextTable]:
    """Make the tables of a sweep, without empty ones."""
    tables = [
        curve_table("F1 by labelled sentences", size_curves(rows), "labelled"),
        comparison_table(compared),
        curve_table("F1 by unlabelled sentences", pool_curves(rows), "unlabelled"),
        tuning_table(rows),
        minutes_table(rows),
        speed_table(rows),
    ]
    return [table for table in tables if table.rows]


def curve_table(title: str, curves: Curves, what: str) -> TextTable:
    """Make a table with a row for each curve, and a column for each number of sentences."""
    places = sorted({point.x for points in curves.values() for point in points})
    most = max((point.n for points in curves.values() for point in points), default=0)
    rows = []
    for name, points in curves.items():
        found = {point.x: show_point(point, most) for point in points}
        rows.append([name, *(found.get(x, NOT_KNOWN) for x in places)])
    seeds = f"{most} seed{'s' * (most != 1)}"
    return TextTable(f"{title}, {seeds}", [what, *(f"{x:,.0f}" for x in places)], rows)


def show_point(point: Point, most: int) -> str:
    spread = f" ±{point.sd:.1f}" if point.n > 1 else ""
    return f"{point.mean:.1f}{spread}" + show_seeds(point.n, most)


def comparison_table(compared: Sequence[Compared]) -> TextTable:
    header = ["system", "other", "labelled", "F1", "95 % interval", "p"]
    most = max((len(one["seeds"]) for one in compared), default=0)
    rows = [
        [
            one["system"],
            one["against"],
            f"{one['labelled']:,}" + show_seeds(len(one["seeds"]), most),
            f"{100 * one['difference']:+.1f}",
            f"{100 * one['low']:+.1f} to {100 * one['high']:+.1f}",
            f"{one['p']:.4f}" if one["p"] else f"<{1 / one['resamples']:.4f}",
        ]
        for one in sorted(compared, key=lambda one: (one["system"], one["against"]))
    ]
    title = "Paired bootstrap: F1 of the system minus F1 of the other"
    return TextTable(title, header, rows, n_names=2)


def show_seeds(n: int, most: int) -> str:
    """Show the number of seeds in brackets if some are missing."""
    return f" ({n})" if n < most else ""


def tuning_table(rows: Sequence[Row]) -> TextTable:
    """Make a table of F1 on the development set before and after `tune`, mean over seeds."""
    rows = of_main_pool(rows)
    sizes = sorted({row["labelled"] for row in rows})
    body = []
    for system, own in group_by(rows, lambda row: row["system"]).items():
        by_size = group_by(own, lambda row: row["labelled"])
        body.append([system, *(show_tuning(by_size.get(size, [])) for size in sizes)])
    header = ["labelled", *(f"{size:,}" for size in sizes)]
    return TextTable("Tuning: F1 on the development set, before and after", header, body)


def show_tuning(rows: Sequence[Row]) -> str:
    if not rows:
        return NOT_KNOWN
    parts = (100 * mean(row["tuned"][when] for row in rows) for when in ("before", "after"))
    return " → ".join(f"{part:.1f}" for part in parts)


def minutes_table(rows: Sequence[Row]) -> TextTable:
    """Make a table of the minutes of each stage by size, mean over seeds, as a rough guide."""
    rows = of_main_pool(rows)
    found: Dict[str, Dict[int, Dict[int, float]]] = {}
    for row in rows:
        for stage, seconds in row["seconds"].items():
            if seconds is not None and stage.startswith(("train-", "annotate-")):
                seeds = found.setdefault(stage, {}).setdefault(row["labelled"], {})
                seeds[row["seed"]] = seconds / 60
    sizes = sorted({row["labelled"] for row in rows})
    body = [
        [stage, *(f"{mean(by[x].values()):.1f}" if x in by else NOT_KNOWN for x in sizes)]
        for stage, by in found.items()
    ]
    header = ["labelled", *(f"{size:,}" for size in sizes)]
    return TextTable("Minutes by labelled sentences, one thread", header, body)


def speed_table(rows: Sequence[Row]) -> TextTable:
    """Make a table of parameters, and of words/s on the test set as in `spacy evaluate`."""
    body = []
    trained = (row for row in rows if not is_chosen(row))
    for system, own in group_by(trained, lambda row: row["system"]).items():
        parameters: Any = median(row["parameters"] for row in own)
        speed = median(row["words_per_second"] for row in own)
        body.append([system, f"{parameters:,.0f}", f"{speed:,.0f}"])
    return TextTable("Parameters, and words/s while scoring", ["", "parameters", "words/s"], body)


def to_markdown(rows: Sequence[Row], compared: Sequence[Compared]) -> str:
    """Return all tables as Markdown, with the figures and the notes needed to read them."""
    figures = ["![F1 against labelled sentences](sweep.svg)"]
    if pool_curves(rows):
        figures.append("![F1 against unlabelled sentences](pool.svg)")
    commands = dict.fromkeys(f"    {row['sweep']}" for row in rows)
    return make_page(
        f"Learning curve: {name_corpus(rows)}",
        ["\n".join(commands), *figures],
        tables=make_tables(rows, compared),
        notes=make_notes(rows, compared),
    )


def name_corpus(rows: Sequence[Row]) -> str:
    return ", ".join(dict.fromkeys(row["corpus"] for row in rows))


def make_notes(rows: Sequence[Row], compared: Sequence[Compared]) -> List[str]:
    """Collect the notes that explain the tables."""
    notes = [NOTES[0]]
    if compared:
        notes.append(NOTES[1].format(resamples=compared[0]["resamples"]))
    notes += pool_notes(rows)
    trained = [row for row in rows if not is_chosen(row)]
    doubles = len(trained) - len(drop_doubles(trained))
    if doubles:
        notes.append(
            f"Left out: {doubles} runs on all sentences that are the same as runs of another size."
        )
    known = {row["system"]: row for row in trained}
    for system, row in known.items():
        if row["base"] != system:
            changed = variant_settings(row, known.get(row["base"]))
            settings = [f"`{key} = {value}`" for key, value in changed.items()]
            told = ", ".join(settings) or "the same settings"
            notes.append(f"{system}: {row['base']} with {told}.")
    return [*notes, *describe_choices(of_main_pool(rows))]


def variant_settings(row: Row, base: Optional[Row]) -> Dict[str, str]:
    """Return the settings in which a variant differs from its base.

    row (Dict[str, Any]): A row of the variant.
    base (Optional[Dict[str, Any]]): A row of its base, if there is one.
    RETURNS (Dict[str, str]): section.key to value.
    """
    built_in: Mapping[str, str] = BUILT_IN[row["base"]].overrides if row["base"] in BUILT_IN else {}
    known = base["settings"] if base else built_in
    return {key: value for key, value in row["settings"].items() if known.get(key) != value}


def pool_notes(rows: Sequence[Row]) -> Iterator[str]:
    """Note which runs the tables by labelled sentences show of systems with a limited pool."""
    places: Dict[Tuple[str, ...], List[str]] = {}
    for (system, labelled), pools in group_pools(rows).items():
        limits = [f"{limit:,}" if limit else "all" for limit in pools]
        if limits != ["all"]:
            places.setdefault((system, *limits), []).append(f"{labelled:,}")
    for (system, main, *others), found in places.items():
        left_out = f"; left out: those with {', '.join(others)}" if others else ""
        yield (
            f"By labelled sentences, {system} at {', '.join(found)}: the runs with {main} "
            f"unlabelled sentences{left_out}."
        )
