import re
from html.parser import HTMLParser

import pytest

from spacy_distill.report.examples import PALETTE
from spacy_distill.report.page import make_content, measured_speed_up
from spacy_distill.report.project import Measurement
from spacy_distill.report.render import make_environment, number, percent, times

# Attributes that load or run something, by the name of the element.
ACTIVE = {"script", "link", "iframe", "object", "embed", "base", "form", "audio", "video"}
VOID = {"meta", "img", "br", "wbr", "line", "rect"}


class Page(HTMLParser):
    """Collects the text of a page, and its errors."""

    def __init__(self, html):
        super().__init__()
        self.found, self.open, self.ids, self.headings, self.text = [], [], [], [], ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag in ACTIVE or any(name.startswith("on") for name in attrs):
            self.found.append(tag)
        for name in ("src", "href", "srcset", "data", "action"):
            if name in attrs and not attrs[name].startswith(("#", "data:image/")):
                self.found.append(attrs[name])
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        self.ids += [attrs["id"]] if "id" in attrs else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_render_whole_page(render, make_report):
    html = render(make_report())
    page = Page(html)
    assert page.found == []
    assert page.headings[0] == 1 and page.headings.count(1) == 1
    assert all(b - a <= 1 for a, b in zip(page.headings, page.headings[1:]))
    expected = ["setting", "scores", "sweep", "speed", "calibration", "mistakes", "sentences"]
    assert page.ids == expected
    text = " ".join(page.text.split())
    assert "the student reaches an F1 of 66.7, its teacher 100.0." in text
    assert "10.0 times smaller and 4.0 times faster" in text
    assert ", one of its 3 teachers 100.0." in " ".join(
        Page(render(make_report()._replace(n_teachers=3))).text.split()
    )
    for setting in ("scheme", "loss.crf_distribution"):
        assert f"<code>{setting}<" in html.replace("<wbr>", "")
    assert "number of labelled training sentences of corpus of Ann" in text
    assert "labelled150300Ann70.0±1.0-" in text.replace(" ", "")
    assert "a note on Ann" in text
    for said in ("a rough figure", "Left out: Ann"):
        assert said in text


def test_render_notes_systems_that_were_not_tuned(render, make_report):
    text = " ".join(Page(render(make_report()._replace(untuned=["student"]))).text.split())
    assert "The student was not tuned after its training." in text


def test_render_notes_that_other_pipelines_were_measured(render, make_report):
    report = make_report()
    others = report.measurement._replace(others=["teacher", "student"])
    text = " ".join(Page(render(report._replace(measurement=others))).text.split())
    assert "the speed of another teacher and another student than" in text
    assert "10.0 times smaller and 2.0 times faster" in text  # formatted once for the whole page
    assert "words/s, student / teacher, roughly" in text


def test_render_leaves_out_missing_parts(render, make_report):
    report = make_report()
    systems = {"student": report.systems["student"]}
    bare = report._replace(
        systems=systems, left_out={}, sweep=None, measurement=None, weights=None, parts=[]
    )
    html = render(bare)
    page = Page(html)
    assert page.found == []
    assert "sweep" not in page.ids
    assert "No teacher in" in page.text and "No baseline" in page.text
    assert "<code>benchmark</code> and <code>report</code>" in html
    without = render(bare._replace(left_out={"teacher": "torch is not installed"}))
    assert "torch is not installed" in without and "No teacher in" not in without
    assert "<code>--examples</code> is 0" in render(bare._replace(n_examples=0))


def test_render_without_predicted_entities(render, make_report):
    report = make_report()
    student = report.systems["student"]
    scores = dict.fromkeys(("ents_p", "ents_r", "ents_f", "ents_per_type"))
    nothing = student.predictions._replace(entities=[[], []], scores=scores)
    page = Page(render(report._replace(systems={"student": student._replace(predictions=nothing)})))
    assert "reaches an F1 of 0.0" in " ".join(page.text.split())
    assert "predicted no entities" in page.text


def test_render_teacher_without_parameters(render, make_report):
    """A teacher of rules has no parameters, so only the speed is compared."""
    report = make_report()
    rules = report.systems["teacher"]._replace(n_parameters=0)
    page = Page(render(report._replace(systems={**report.systems, "teacher": rules})))
    assert "The student is 4.0 times faster." in " ".join(page.text.split())
    assert "parameters, teacher / student" not in page.text


def test_render_escapes_text_of_users(render, make_report, hostile):
    html = render(make_report(text=hostile, label=hostile))
    assert "<script" not in html and "<img src=x" not in html and "onerror=" in html
    page = Page(html)
    assert page.found == []
    assert page.text.count("<script>alert(1)</script>") > 10


def test_render_numbers():
    assert [percent(value) for value in (0.6346, 0, 1, None)] == ["63.5", "0.0", "100.0", "-"]
    assert [number(value) for value in (12345, 12345.6, 94.6)] == ["12,345", "12,300", "95"]
    assert [times(value) for value in (1234.0, 94.6, 6.94, 0.712)] == ["1,230", "95", "6.9", "0.71"]
    ratio = make_environment().get_template("figures.html.jinja").module.ratio
    assert ratio(6.94, "smaller", "larger") == "6.9 times smaller"
    assert ratio(0.5, "smaller", "larger") == "2.0 times larger"


def test_render_takes_speed_from_the_benchmark():
    def speeds(*medians):
        return {"speed": {str(i): {"median": median} for i, median in enumerate(medians)}}

    systems = {"student": speeds(10, 90), "teacher": speeds(30, 20)}
    assert measured_speed_up(Measurement({"systems": systems}, None, [])) == 3.0
    assert measured_speed_up(Measurement({"systems": systems}, None, ["teacher"])) is None
    del systems["teacher"]
    assert measured_speed_up(Measurement({"systems": systems}, None, [])) is None
    assert measured_speed_up(None) is None


def test_render_ranks_the_mistakes_of_the_student(make_report):
    report = make_report()
    teacher = report.systems["teacher"]
    nothing = teacher._replace(predictions=teacher.predictions._replace(entities=[[], []]))
    content = make_content(report._replace(systems={**report.systems, "teacher": nothing}))
    assert [mistake.kind for mistake, _ in content["mistakes"]] == ["label", "missed", "missed"]


def test_render_content_is_consistent(make_report):
    report = make_report()
    content = make_content(report)
    assert content["support"] == {"PER": 2, "LOC": 1}
    for name, system in report.systems.items():
        n_found = sum(map(len, system.predictions.entities))
        cells = dict(content["matrices"][name])
        assert sum(cells["PER"]) == 2 and sum(cells["LOC"]) == 1
        assert sum(sum(of_gold[:-1]) for of_gold in cells.values()) == n_found


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear))


def contrast(one, other):
    """The contrast of WCAG 2.1, which must be at least 4.5 for text."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_render_is_readable_in_both_colour_schemes():
    style = make_environment().loader.get_source(make_environment(), "style.css")[0]
    light, dark = (
        dict(re.findall(r"--(\w+): (#\w{6});", block))
        for block in re.findall(r":root \{(.*?)\}", style, flags=re.DOTALL)
    )
    assert set(light) == set(dark) and len(light) > 10
    for colours in (light, dark):
        for text in ("text", "faint", "link", "student", "teacher", "baseline", "right", "wrong"):
            for ground in ("page", "box"):
                assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground, colours)
        assert contrast(colours["text"], colours["note"]) >= 4.5
    assert all(contrast("#14171a", colour) >= 7 for colour in PALETTE)


@pytest.mark.parametrize("name", ["report.html.jinja", "style.css", "figures.html.jinja"])
def test_render_finds_its_templates(name):
    assert make_environment().loader.get_source(make_environment(), name)
