import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_distill.benchmark.figure import draw_figure
from spacy_distill.benchmark.systems import PEERS
from spacy_distill.figures import STYLES, spread_out


@pytest.fixture
def results():
    """The results of systems whose speeds are close together."""
    names = ("student", *PEERS)
    speeds = {name: 1000.0 * (1 + 0.01 * i) for i, name in enumerate(names)}
    systems = {
        name: {
            "speed": {
                size: {"median": speed, "min": 0.9 * speed, "max": 1.2 * speed}
                for size in ("1", "32")
            }
        }
        for name, speed in speeds.items()
    }
    return {"settings": {"batch_sizes": [1, 32], "threads": 1}, "systems": systems}


def test_figure_is_written(results, tmp_path):
    paths = [tmp_path / "benchmark.png", tmp_path / "benchmark.svg"]
    draw_figure(results, paths)
    assert paths[0].read_bytes().startswith(b"\x89PNG")
    assert paths[0].stat().st_size > 10_000
    svg = paths[1].read_text(encoding="utf-8")
    for name in results["systems"]:
        assert re.search(rf">{name}</text>", svg)
    draw_figure(results, paths)
    assert paths[1].read_text(encoding="utf-8") == svg


def test_figure_systems_differ_in_markers_and_lines():
    assert len({(marker, line) for marker, line, _ in STYLES}) == len(STYLES) > len(PEERS)
    assert len({marker for marker, _, _ in STYLES}) == len(STYLES)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_figure_labels_do_not_overlap(places):
    moved = spread_out(places, 0.05)
    order = sorted(range(len(places)), key=lambda i: places[i])
    for lower, upper in zip(order, order[1:]):  # noqa: RUF007
        assert moved[upper] - moved[lower] > 0.045


def test_figure_labels_that_do_not_overlap_stay():
    places = [random.Random(0).random(), 2.0, -1.0]
    assert spread_out(places, 0.05) == places
