"""The tables of a report, for the terminal and as Markdown."""

from typing import Any, Dict, List, Optional

from ..text_tables import NOT_KNOWN, TextTable, make_page
from .report import Report, spread


def make_tables(report: Report) -> List[TextTable]:
    """Make the tables of a report: speed, speed-up, size, roofline."""
    students = [name for name, system in report["systems"].items() if system["is_student"]]
    tables = [speed_table(report), *(speed_up_table(report, name) for name in students)]
    tables.append(size_table(report, students[0]))
    tables += [roofline_table(report, name) for name in students]
    return [table for table in tables if table.rows]


def speed_table(report: Report) -> TextTable:
    sizes = batch_sizes(report)
    rows = []
    for name, system in report["systems"].items():
        rows.append([name, *(show_speed(system["speed"][size]) for size in sizes)])
        if "speed_with_cold_cache" in system:
            speeds = system["speed_with_cold_cache"]
            rows.append([f"{name}, cold cache", *(show_speed(speeds[size]) for size in sizes)])
    return TextTable("Words per second", ["batch size", *sizes], rows)


def speed_up_table(report: Report, student: str) -> TextTable:
    sizes = batch_sizes(report)
    rows = [
        [name, *(f"{system['speed_up'][student][size]:,.1f}" for size in sizes)]
        for name, system in report["systems"].items()
        if name != student
    ]
    return TextTable(f"Speed-up of {student}", ["batch size", *sizes], rows)


def size_table(report: Report, student: str) -> TextTable:
    header = ["", "parameters", f"x {student}", "disk (MB)", "load (s)", "import (s)", "peak (MB)"]
    rows = [
        [
            name,
            f"{system['parameters'] / 1e6:,.2f}M",
            NOT_KNOWN if (ratio := system["compression"][student]) is None else f"{ratio:,.1f}",
            f"{system['bytes_on_disk'] / 1e6:,.1f}",
            show_seconds(system["load_seconds"]),
            show_seconds(system["import_seconds"]),
            f"{system['peak_memory_bytes'] / 1e6:,.0f}",
        ]
        for name, system in report["systems"].items()
    ]
    return TextTable("Parameters, disk, time to load beyond imports, peak memory", header, rows)


def roofline_table(report: Report, student: str) -> TextTable:
    shares = report["systems"][student]["roofline"]
    sizes = [size for size in batch_sizes(report) if size in shares]
    rows = [
        [what, *(f"{shares[size][key]:.1%}" for size in sizes)]
        for what, key in (("of the recurrence", "recurrent"), ("of the pipeline", "end_to_end"))
    ]
    rows.append(["GFLOP/s of the products", *(f"{shares[size]['gflops']:.1f}" for size in sizes)])
    title = f"Plain matrix products of the same shapes: share of the time of {student}"
    return TextTable(title, ["batch size", *sizes], rows if sizes else [])


def batch_sizes(report: Report) -> List[str]:
    return [str(size) for size in report["settings"]["batch_sizes"]]


def show_speed(speed: Dict[str, Any]) -> str:
    share = spread(speed)
    return f"{speed['median']:,.0f}" + ("" if share is None else f" ±{share:.0%}")


def show_seconds(seconds: Optional[float]) -> str:
    return NOT_KNOWN if seconds is None else f"{seconds:.2f}"


def to_markdown(report: Report) -> str:
    """Format the whole report as Markdown, including the machine that it ran on."""
    machine, corpus = report["machine"], report["corpus"]
    measured = (
        f"{corpus['texts']:,} texts, {corpus['words']:,} words. {machine['cpu']}, "
        f"{machine['cores']} cores; threads: {report['settings']['threads']}; "
        f"Python {machine['python']}; {report['date']}."
    )
    left_out = [f"Left out: {name}. Reason: {why}." for name, why in report["left_out"].items()]
    return make_page(
        "Benchmark",
        [measured, f"    {report['command']}"],
        tables=make_tables(report),
        notes=[*report["notes"], *left_out],
    )
