"""Functions and constants that all figures share."""

from itertools import pairwise
from pathlib import Path
from typing import Any, List, Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

# Marker, line style and colour of each system in turn. They are distinguishable without colours.
STYLES = (
    ("o", "-", "#000000"),
    ("s", "-", "#666666"),
    ("^", "--", "#1f4e79"),
    ("D", "-.", "#b35900"),
    ("v", ":", "#2e7d32"),
    ("P", "--", "#8e3b8e"),
    ("X", "-.", "#a61c1c"),
    ("*", ":", "#3d3d3d"),
)
# Minimum distance between the names beside the lines, as a fraction of the axis.
LABEL_DISTANCE = 0.05


def draw_grid(axes: Axes) -> None:
    axes.xaxis.set_minor_locator(NullLocator())
    axes.grid(True, which="major", linewidth=0.5, color="#dddddd")
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def save_figure(figure: Figure, paths: Sequence[Path]) -> None:
    """Write a figure to files, each in the format of its suffix."""
    # A fixed salt and no date, so that the same numbers give the same file.
    with matplotlib.rc_context({"svg.hashsalt": "spacy-distill", "svg.fonttype": "none"}):
        for path in paths:
            metadata = {"Date": None} if path.suffix == ".svg" else {}
            figure.savefig(path, dpi=160, metadata=metadata)


def label_lines(axes: Axes) -> None:
    """Write each system's name at the right end of its line, without overlaps."""
    handles, names = axes.get_legend_handles_labels()
    # With error bars, the line is the first of several objects.
    lines: List[Any] = [handle[0] if isinstance(handle, tuple) else handle for handle in handles]
    to_axes = axes.transScale + axes.transLimits
    ends = [to_axes.transform((line.get_xdata()[-1], line.get_ydata()[-1]))[1] for line in lines]
    for place, (name, line) in zip(spread_out(ends, LABEL_DISTANCE), zip(names, lines)):
        axes.annotate(
            name,
            xy=(line.get_xdata()[-1], line.get_ydata()[-1]),
            xytext=(1.03, place),
            textcoords=axes.transAxes,
            color=line.get_color(),
            va="center",
            arrowprops={"arrowstyle": "-", "color": "#aaaaaa", "linewidth": 0.6, "shrinkB": 5},
            annotation_clip=False,
        )


def spread_out(places: Sequence[float], distance: float) -> List[float]:
    """Move numbers apart until any two of them differ by `distance`, keeping their order."""
    order = sorted(range(len(places)), key=lambda i: places[i])
    moved = list(places)
    for _ in range(100):
        for lower, upper in pairwise(order):
            missing = distance - (moved[upper] - moved[lower])
            if missing > 0:
                moved[lower] -= missing / 2
                moved[upper] += missing / 2
    return moved
