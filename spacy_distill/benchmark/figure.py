"""The figure of a benchmark: words per second against batch size."""

from pathlib import Path
from typing import Any, Dict, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from ..figures import STYLES, draw_grid, label_lines, save_figure
from .results import Results


def draw_figure(results: Results, paths: Sequence[Path]) -> None:
    """Draw the results.

    results (Dict[str, Any]): The results, as returned by `make_results`.
    paths (Sequence[Path]): Files to write, each in the format of its suffix.
    """
    sizes = results["settings"]["batch_sizes"]
    figure = Figure(figsize=(7.5, 4.8), layout="constrained")
    axes = figure.add_subplot()
    for i, (name, system) in enumerate(results["systems"].items()):
        draw_system(axes, name, system["speed"], sizes, style=STYLES[i % len(STYLES)])
    scale_axes(axes, sizes)
    label_lines(axes)
    threads = results["settings"]["threads"]
    axes.set_title(f"Text to entities on a CPU, {threads} thread{'s' * (threads > 1)}")
    save_figure(figure, paths)


def draw_system(
    axes: Axes, name: str, speed: Dict[str, Any], sizes: Sequence[int], *, style: Sequence[str]
) -> None:
    """Draw a line through the medians, with error bars from the lowest to the highest
    measurement."""
    found = [speed[str(size)] for size in sizes]
    medians = [one["median"] for one in found]
    below = [one["median"] - one["min"] for one in found]
    above = [one["max"] - one["median"] for one in found]
    marker, line, colour = style
    axes.errorbar(
        sizes,
        medians,
        yerr=[below, above],
        label=name,
        marker=marker,
        linestyle=line,
        color=colour,
        linewidth=1.6,
        markersize=6,
        elinewidth=1,
        capsize=2,
    )


def scale_axes(axes: Axes, sizes: Sequence[int]) -> None:
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.set_xlabel("texts in a batch")
    axes.set_ylabel("words per second")
    draw_grid(axes)
