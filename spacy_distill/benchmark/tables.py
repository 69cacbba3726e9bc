"""The tables of the results, for the terminal and as Markdown."""

from typing import Any, Dict, List, Optional

from ..text_tables import NOT_KNOWN, TextTable, make_page
from .results import Results, spread


def make_tables(results: Results) -> List[TextTable]:
    """Make all tables: speed, speed-up, size, roofline."""
    students = [name for name, system in results["systems"].items() if system["is_student"]]
    tables = [speed_table(results), *(speed_up_table(results, name) for name in students)]
    tables.append(size_table(results, students[0]))
    tables += [roofline_table(results, name) for name in students]
    return [table for table in tables if table.rows]


def speed_table(results: Results) -> TextTable:
    sizes = batch_sizes(results)
    rows = []
    for name, system in results["systems"].items():
        rows.append([name, *(show_speed(system["speed"][size]) for size in sizes)])
        if "speed_with_cold_cache" in system:
            speeds = system["speed_with_cold_cache"]
            rows.append([f"{name}, cold cache", *(show_speed(speeds[size]) for size in sizes)])
    return TextTable("Words per second", ["batch size", *sizes], rows)


def speed_up_table(results: Results, student: str) -> TextTable:
    sizes = batch_sizes(results)
    rows = [
        [name, *(f"{system['speed_up'][student][size]:,.1f}" for size in sizes)]
        for name, system in results["systems"].items()
        if name != student
    ]
    return TextTable(f"Speed-up of {student}", ["batch size", *sizes], rows)


def size_table(results: Results, student: str) -> TextTable:
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
        for name, system in results["systems"].items()
    ]
    return TextTable("Parameters, disk, time to load beyond imports, peak memory", header, rows)


def roofline_table(results: Results, student: str) -> TextTable:
    shares = results["systems"][student]["roofline"]
    sizes = [size for size in batch_sizes(results) if size in shares]
    rows = [
        [what, *(f"{shares[size][key]:.1%}" for size in sizes)]
        for what, key in (("of the recurrence", "recurrent"), ("of the pipeline", "end_to_end"))
    ]
    rows.append(["GFLOP/s of the products", *(f"{shares[size]['gflops']:.1f}" for size in sizes)])
    title = f"Plain matrix products of the same shapes: share of the time of {student}"
    return TextTable(title, ["batch size", *sizes], rows if sizes else [])


def batch_sizes(results: Results) -> List[str]:
    return [str(size) for size in results["settings"]["batch_sizes"]]


def show_speed(speed: Dict[str, Any]) -> str:
    share = spread(speed)
    return f"{speed['median']:,.0f}" + ("" if share is None else f" ±{share:.0%}")


def show_seconds(seconds: Optional[float]) -> str:
    return NOT_KNOWN if seconds is None else f"{seconds:.2f}"


def to_markdown(results: Results) -> str:
    """Format the results as Markdown, including the machine that they were measured on."""
    machine, corpus = results["machine"], results["corpus"]
    measured = (
        f"{corpus['texts']:,} texts, {corpus['words']:,} words. {machine['cpu']}, "
        f"{machine['cores']} cores; threads: {results['settings']['threads']}; "
        f"Python {machine['python']}; {results['date']}."
    )
    left_out = [f"Left out: {name}. Reason: {why}." for name, why in results["left_out"].items()]
    return make_page(
        "Benchmark",
        [measured, f"    {results['command']}"],
        tables=make_tables(results),
        notes=[*results["notes"], *left_out],
    )
