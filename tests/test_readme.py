"""README.md and other texts agree with the project, the package and the measurements."""

import configparser
import re
from pathlib import Path

import pytest
import srsly

from spacy_distill.cli import app
from spacy_distill.sweep.curves import size_curves
from spacy_distill.sweep.rows import read_rows

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
RESULTS = (ROOT / "results" / "README.md").read_text(encoding="utf-8")
SCALING = (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")
TEXTS = [
    path
    for pattern in (
        "*.md",
        "docs/*.md",
        "results/*.md",
        "results/*/*.md",
        "results/*/*/*.md",
        "assets/*/*.md",
    )
    for path in sorted(ROOT.glob(pattern))
]
PROJECT = srsly.read_yaml(ROOT / "project.yml")
CORPORA = ("btc", "wikigold", "wnut17", "wikiann_en")
SYSTEMS = {
    README: ("baseline-crf", "teacher", "student-crf", "student-softmax"),
    RESULTS: ("teacher", "baseline-softmax", "baseline-crf", "student-softmax", "student-crf"),
}


def read_table(text, header):
    """The rows of the table that begins with this text, each a list of cells."""
    lines = text[text.index(header) :].splitlines()
    rows = []
    for line in lines[2:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    return rows


def quoted(cell):
    return re.findall(r"`([^`]*)`", cell)


def test_readme_names_the_variables_of_the_project():
    found = {}
    for names, defaults, _ in read_table(README, "| variable | default"):
        names, defaults = quoted(names), quoted(defaults)
        is_told = len(names) == len(defaults) and not any("..." in value for value in defaults)
        found.update(zip(names, defaults if is_told else [None] * len(names)))
    # Two more are there only to be refused.
    assert {*found, "labeled", "unlabeled"} == set(PROJECT["vars"])
    for name, default in found.items():
        assert default in (None, str(PROJECT["vars"][name])), name


def test_readme_names_the_stages_of_the_project():
    stages = [name for row in read_table(README, "| stage | makes") for name in quoted(row[0])]
    assert sorted(stages) == sorted(command["name"] for command in PROJECT["commands"])
    named = {*re.findall(r"project run (?!all\b)(\w+)", README)}
    assert named
    for workflow in named:
        assert workflow in {*PROJECT["workflows"], *stages}


def test_readme_names_registered_functions():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    lines = [line for group in setup["options.entry_points"].values() for line in group.split("\n")]
    registered = {name for line in lines if (name := line.partition(" = ")[0]).endswith(".v1")}
    table = read_table(README, "| name | |")
    found = {name.removeprefix("spacy-distill.") for row in table for name in quoted(row[0])}
    assert found == {name.removeprefix("spacy-distill.") for name in registered} | {"ner_tagger"}


def test_readme_names_only_existing_commands():
    commands = {command.name or command.callback.__name__ for command in app.registered_commands}
    for text in (README, RESULTS, SCALING):
        names = {*re.findall(r"python -m spacy_distill ([a-z_]+)", text)}
        assert names and names <= commands


@pytest.mark.parametrize("text", [README, RESULTS], ids=["README.md", "results/README.md"])
def test_readme_has_the_scores_of_the_sweeps(text):
    """The mean and standard deviation over the seeds, for each corpus and size."""
    is_readme = text is README
    header = "| text | labelled sentences" if is_readme else "| corpus | labelled | pool"
    told, corpus = {}, ""
    for name, size, *cells in read_table(text, header):
        corpus = (quoted(name) or [corpus])[0]
        told[corpus, int(size.replace(",", ""))] = cells if is_readme else cells[1:]
    assert told == read_scores(SYSTEMS[text])


def read_scores(systems):
    """The cells of systems for each corpus and size."""
    found = {}
    for corpus in CORPORA:
        path = ROOT / "results" / corpus / "sweep.jsonl"
        curves = size_curves(read_rows(path).values())
        for system in systems:
            for point in curves[system]:
                cell = f"{point.mean:.1f} ± {point.sd:.1f}"
                found.setdefault((corpus, point.x), []).append(cell)
    return found


def test_readme_of_scaling_has_the_speeds_of_the_benchmark():
    (student,) = (row for row in read_table(RESULTS, "| `btc`, batch") if row[0] == "student")
    (bert,) = (row for row in read_table(RESULTS, "| `btc`, batch") if row[0] == "bert-base")
    fastest = max(int(cell.split(" ")[0].replace(",", "")) for cell in student[1:])
    assert f"{round(fastest, -3):,} words/s" in SCALING
    (teacher,) = (row for row in read_table(RESULTS, "| `btc`, batch") if row[0] == "teacher")
    speeds = [
        max(int(cell.split(" ")[0].replace(",", "")) for cell in row[1:]) for row in (teacher, bert)
    ]
    slower = round(speeds[0] / speeds[1], 1)
    assert f"k = {slower}" in SCALING
    hours = int(re.search(r"550,000 s, (\d+) hours", SCALING)[1])
    assert f"{round(hours * slower, -1):,.0f} hours" in SCALING


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_have_a_target(path):
    """Check relative links of the texts, and links to headings."""
    text = path.read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, heading = link.partition("#")
        target = (path.parent / name) if name else path
        assert target.exists(), link
        if heading:
            titles = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), flags=re.M)
            # As GitHub makes them from the headings
            anchors = [re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles]
            assert heading in anchors, link
