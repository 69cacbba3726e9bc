import re

import pytest

from spacy_distill.figures import STYLES
from spacy_distill.sweep.curves import Point
from spacy_distill.sweep.figure import choose_styles, draw_curves, thin_out
from spacy_distill.sweep.plan import BUILT_IN

SIZES = (150, 300, 750, 1500, 3000)


@pytest.fixture
def curves():
    """Curves that are close together, as in practice."""
    curves = {
        name: [Point(x, 40 + i + x / 100, 2.0, 3) for x in SIZES] for i, name in enumerate(BUILT_IN)
    }
    return {**curves, "variant": [Point(300, 50, 1.0, 3)]}


def test_figure_has_a_line_per_system_and_a_tick_per_size(curves, tmp_path):
    paths = [tmp_path / "sweep.png", tmp_path / "sweep.svg"]
    (drawn,) = draw_curves(curves, paths, title="tweets", what="labelled sentences").axes
    assert [line.get_label() for line in drawn.lines] == list(BUILT_IN)
    assert list(drawn.lines[1].get_xdata()) == list(SIZES)
    assert list(drawn.lines[1].get_ydata()) == [42.5, 44, 48.5, 56, 71]
    assert drawn.get_xscale() == "log"
    assert list(drawn.get_xticks()) == list(SIZES)
    assert [tick.get_text() for tick in drawn.get_xticklabels()][-2:] == ["1,500", "3,000"]
    shade = drawn.collections[1].get_paths()[0].get_extents()
    assert (shade.y0, shade.y1) == (40.5, 73)  # a standard deviation below and above
    assert paths[0].read_bytes().startswith(b"\x89PNG")
    svg = paths[1].read_text(encoding="utf-8")
    for name in (*BUILT_IN, "tweets", "labelled sentences", "F1 (%)"):
        assert re.search(rf">{re.escape(name)}</text>", svg)
    draw_curves(curves, paths, title="tweets", what="labelled sentences")
    assert paths[1].read_text(encoding="utf-8") == svg


def test_figure_with_a_single_size(tmp_path):
    """With one size there are no lines, but a row for each system, with error bars."""
    curves = {"teacher": [Point(3000, 50, 1.0, 3)], "hot": [Point(3000, 51, 2.0, 3)]}
    (axes,) = draw_curves(curves, [tmp_path / "sweep.svg"], title="", what="sentences").axes
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["teacher", "hot"]
    assert axes.yaxis_inverted()  # the first at the top
    assert [line.get_xydata().tolist() for line in axes.lines] == [[[50, 0]], [[51, 1]]]
    bars = [bar.get_segments()[0][:, 0].tolist() for bar in axes.collections]
    assert bars == [[49, 51], [49, 53]]
    assert axes.get_xlabel() == "F1 (%) with 3,000 sentences"
    curves = {"teacher": [Point(300, 50, 1.0, 3)], "hot": [Point(3000, 51, 2.0, 3)]}
    (axes,) = draw_curves(curves, [tmp_path / "sweep.svg"], title="", what="sentences").axes
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["teacher, 300", "hot, 3,000"]
    assert axes.get_xlabel() == "F1 (%) by sentences"


def test_figure_systems_always_have_the_same_style():
    both = choose_styles([*BUILT_IN])
    assert choose_styles(["student-crf", "hot", "teacher"]) == [both[4], STYLES[5], both[0]]
    assert len(set(both)) == len(BUILT_IN)


def test_figure_tick_labels_do_not_overlap():
    assert thin_out([500, 1000, 4588, 5038, 5188, 6000]) == [500, 1000, 4588, 6000]
