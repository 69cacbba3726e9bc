"""The figures of a sweep: F1 against labelled sentences, and against the pool."""

from pathlib import Path
from typing import List, Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..figures import STYLES, draw_grid, label_lines, save_figure
from .curves import Curves, Point
from .plan import BUILT_IN

# The smallest ratio between neighbouring ticks.
TICK_RATIO = 1.15
# Inches that a row of points takes, and all rows together at least.
ROW_HEIGHT = 0.28
MIN_HEIGHT = 1.8


def draw_curves(curves: Curves, paths: Sequence[Path], *, title: str, what: str) -> Figure:
    """Draw F1 and its standard deviation: curves on a logarithmic axis, or rows if each curve is a
    single point.

    curves (Dict[str, List[Point]]): Curves by name. Those with a single point are left out if
        others have more.
    paths (Sequence[Path]): Files to write, each in the format of its suffix.
    title (str): The title, above the figure.
    what (str): What the places of the points count.
    RETURNS (Figure): The figure.
    """
    longer = {name: points for name, points in curves.items() if len(points) > 1}
    if longer:
        figure = Figure(figsize=(7.5, 4.8), layout="constrained")
        axes = figure.add_subplot()
        for style, (name, points) in zip(choose_styles([*longer]), longer.items()):
            draw_curve(axes, name, points, style=style)
        scale_axes(axes, sorted({point.x for points in longer.values() for point in points}))
        axes.set_xlabel(what)
        axes.set_ylabel("F1 (%)")
        label_lines(axes)
    else:
        height = 1 + max(MIN_HEIGHT, ROW_HEIGHT * len(curves))
        figure = Figure(figsize=(7.5, height), layout="constrained")
        axes = figure.add_subplot()
        draw_rows(axes, {name: point for name, (point,) in curves.items()}, what=what)
    axes.set_title(title)
    save_figure(figure, paths)
    return figure


def choose_styles(names: Sequence[str]) -> List[Sequence[str]]:
    """Choose a style for each system. That of a built-in system is the same in every figure."""
    others = [name for name in names if name not in BUILT_IN]
    places = {name: i for i, name in enumerate([*BUILT_IN, *others])}
    return [STYLES[places[name] % len(STYLES)] for name in names]


def draw_curve(axes: Axes, name: str, points: List[Point], *, style: Sequence[str]) -> None:
    """Draw a line through the means, and shade the standard deviation."""
    marker, line, colour = style
    places = [point.x for point in points]
    below = [point.mean - point.sd for point in points]
    above = [point.mean + point.sd for point in points]
    axes.fill_between(places, below, above, color=colour, alpha=0.12, linewidth=0)
    axes.plot(
        places,
        [point.mean for point in points],
        label=name,
        marker=marker,
        linestyle=line,
        color=colour,
        linewidth=1.6,
        markersize=6,
    )


def draw_rows(axes: Axes, points: Mapping[str, Point], *, what: str) -> None:
    """Draw a row for each system: the mean, with a bar of one standard deviation to each side."""
    for row, (style, point) in enumerate(zip(choose_styles([*points]), points.values())):
        marker, _, colour = style
        axes.errorbar(point.mean, row, xerr=point.sd, fmt=marker, color=colour, elinewidth=1.6)
    places = {point.x for point in points.values()}
    if len(places) == 1:
        axes.set_yticks(range(len(points)), [*points])
        axes.set_xlabel(f"F1 (%) with {places.pop():,.0f} {what}")
    else:
        names = [f"{name}, {point.x:,.0f}" for name, point in points.items()]
        axes.set_yticks(range(len(points)), names)
        axes.set_xlabel(f"F1 (%) by {what}")
    axes.invert_yaxis()
    draw_grid(axes)


def scale_axes(axes: Axes, places: Sequence[float]) -> None:
    axes.set_xscale("log")
    ticks = thin_out(places)
    axes.set_xticks(ticks, [f"{x:,.0f}" for x in ticks])
    draw_grid(axes)


def thin_out(places: Sequence[float]) -> List[float]:
    """Leave out places (in ascending order) whose label would overlap that of the one before."""
    kept: List[float] = []
    for place in places:
        if not kept or place > TICK_RATIO * kept[-1]:
            kept.append(place)
    return kept
