"""The figures of a sweep: F1 against labelled sentences, and against the pool."""

from pathlib import Path
from typing import List, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..figures import STYLES, draw_grid, label_lines, save_figure
from .curves import Curves, Point
from .plan import BUILT_IN

# The smallest ratio between neighbouring ticks.
TICK_RATIO = 1.15
# Points of the same size are drawn side by side: the ratio between the places of neighbours.
STEP_RATIO = 1.04


def draw_curves(curves: Curves, paths: Sequence[Path], *, title: str, what: str) -> Figure:
    """Draw curves on a logarithmic axis, with their spread shaded, or as a bar on single points.

    curves (Dict[str, List[Point]]): Curves by name. Those with a single point are left out if
        others have more.
    paths (Sequence[Path]): Files to write, each in the format of its suffix.
    title (str): The title, above the figure.
    what (str): The label of the x axis.
    RETURNS (Figure): The figure.
    """
    figure = Figure(figsize=(7.5, 4.8), layout="constrained")
    axes = figure.add_subplot()
    most = max(map(len, curves.values()))
    drawn = {name: points for name, points in curves.items() if len(points) > 1 or most == 1}
    for i, (style, (name, points)) in enumerate(zip(choose_styles([*drawn]), drawn.items())):
        if most == 1:
            draw_point(axes, name, *points, style=style, steps=i - (len(drawn) - 1) / 2)
        else:
            draw_curve(axes, name, points, style=style)
    places = sorted({point.x for points in drawn.values() for point in points})
    scale_axes(axes, places)
    if len(places) == 1:
        axes.set_xlim(places[0] / 2, places[0] * 2)
    axes.set_xlabel(what)
    axes.set_ylabel("F1 (%)")
    axes.set_title(title)
    label_lines(axes)
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


def draw_point(axes: Axes, name: str, point: Point, *, style: Sequence[str], steps: float) -> None:
    """Draw a mean with a bar of one standard deviation to each side, shifted by some steps."""
    marker, _, colour = style
    place = point.x * STEP_RATIO**steps
    axes.errorbar(place, point.mean, point.sd, fmt="none", ecolor=colour, elinewidth=1.6)
    axes.plot(place, point.mean, label=name, marker=marker, color=colour, markersize=6)


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
