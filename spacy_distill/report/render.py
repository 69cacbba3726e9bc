"""Render the page as a single HTML file that loads nothing else."""

from typing import Optional

from jinja2 import Environment, PackageLoader, StrictUndefined

from ..text_tables import NOT_KNOWN
from .page import Report, make_content

TEMPLATE = "report.html.jinja"


def render_report(report: Report) -> str:
    """Render the page of a report.

    report (Report): The report.
    RETURNS (str): HTML, in which everything from users' data is escaped. It contains no scripts and
        nothing that a browser would load.
    """
    return make_environment().get_template(TEMPLATE).render(make_content(report))


def make_environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("spacy_distill.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(percent=percent, number=number, times=times, size=size)
    return environment


def percent(share: Optional[float], digits: int = 1) -> str:
    """Format a share from 0 to 1 in percent, without the percent sign."""
    return NOT_KNOWN if share is None else f"{100 * share:.{digits}f}"


def number(value: float) -> str:
    """Format a count with commas, or a measured number, rounded to three significant digits."""
    return f"{value:,}" if isinstance(value, int) else f"{float(f'{value:.3g}'):,.0f}"


def times(ratio: float) -> str:
    """Format a ratio: 95, 6.9, 0.71."""
    if ratio >= 20:
        return number(ratio)
    return f"{ratio:.1f}" if ratio >= 1 else f"{ratio:.2f}"


def size(n_bytes: int) -> str:
    """Format a size in megabytes."""
    return f"{n_bytes / 1e6:,.1f} MB"
