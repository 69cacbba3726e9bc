"""The content of the page: the numbers of a report, prepared for the template."""

from collections import Counter
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from markupsafe import Markup

from ..benchmark.tables import make_tables
from .calibration import calibrate
from .confusions import KINDS, count_kinds, count_mistakes, make_matrix, rank_mistakes
from .examples import ExampleSentence, choose_colours, draw_entities, find_examples
from .predictions import Sentence
from .project import STUDENT, TEACHER, Measurement, Part, Sweep
from .systems import ALL_SETTINGS, Examined


class Report(NamedTuple):
    """Everything that the page is made from."""

    project: str  # its name
    date: str
    sentences: List[Sentence]
    systems: Dict[str, Examined]  # the teacher first, the student last
    left_out: Dict[str, str]  # pipelines that could not be examined, and why
    changed: Dict[str, List[Path]]  # training data of each system that have changed since
    untuned: List[str]  # systems that should have been tuned but were not
    parts: List[Part]
    weights: Optional[str]  # the pre-trained weights of the teacher
    versions: Dict[str, str]  # of packages
    machine: str
    sweep: Optional[Sweep]
    measurement: Optional[Measurement]
    limit: int = 0  # the most documents of the test set that were read; 0: all
    n_examples: int = 20  # sentences to show
    n_teachers: int = 1  # teachers whose averaged predictions the student learned from


class Headline(NamedTuple):
    """The student compared with its teacher. Numbers of the teacher are None if there is none."""

    f1: float  # from 0 to 1
    teacher_f1: Optional[float]
    times_smaller: Optional[float]  # in parameters; also None if the teacher has none
    times_faster: Optional[float]
    is_measured: bool  # True: measured by `benchmark`; False: only timed while making the page


def make_content(report: Report) -> Dict[str, Any]:
    """Make the variables for the template.

    report (Report): The report.
    RETURNS (Dict[str, Any]): The variables of the template `report.html.jinja`.
    """
    found = {name: system.predictions.entities for name, system in report.systems.items()}
    support = Counter(ent.label for sentence in report.sentences for ent in sentence.gold)
    found_labels = {ent.label for of_one in found.values() for ents in of_one for ent in ents}
    labels = sorted({*support, *found_labels})
    colours = choose_colours(labels)
    counts = {name: count_mistakes(report.sentences, entities) for name, entities in found.items()}
    compared = {name: found[name] for name in (TEACHER, STUDENT) if name in found}
    groups = find_examples(report.sentences, compared, limit=report.n_examples)
    return {
        "report": report,
        "student": report.systems[STUDENT],
        "teacher": report.systems.get(TEACHER),
        "headline": make_headline(report),
        "setting_names": [
            name
            for name in ALL_SETTINGS
            if any(name in system.settings for system in report.systems.values())
        ],
        "labels": labels,
        "support": support,
        "colours": colours,
        "tables": make_tables(report.measurement.results) if report.measurement else [],
        "calibrations": {
            name: calibrate(report.sentences, entities) for name, entities in found.items()
        },
        "kinds": {name: count_kinds(of_one) for name, of_one in counts.items()},
        "kind_texts": KINDS,
        "mistakes": [
            (mistake, {name: of_one[mistake] for name, of_one in counts.items()})
            for mistake in rank_mistakes(counts, by=STUDENT)
        ],
        "matrices": {name: list(make_matrix(of_one, labels)) for name, of_one in counts.items()},
        "groups": [
            (
                group,
                [
                    draw_rows(example, report.systems[STUDENT], colours)
                    for example in group.examples
                ],
            )
            for group in groups
        ],
    }


def make_headline(report: Report) -> Headline:
    """Compare the student with its teacher in F1, size and speed."""
    student, teacher = report.systems[STUDENT], report.systems.get(TEACHER)
    f1 = student.predictions.scores["ents_f"] or 0.0
    if teacher is None:
        return Headline(f1, None, None, None, is_measured=False)
    measured = measured_speed_up(report.measurement)
    passing = student.predictions.words_per_second / teacher.predictions.words_per_second
    return Headline(
        f1,
        teacher.predictions.scores["ents_f"] or 0.0,
        teacher.n_parameters / max(student.n_parameters, 1) or None,
        measured or passing,
        is_measured=measured is not None,
    )


def measured_speed_up(measurement: Optional[Measurement]) -> Optional[float]:
    """Return how many times as fast as the teacher the student is.

    Both are taken at the batch size at which they are fastest.

    RETURNS (Optional[float]): None if these two pipelines were not measured.
    """
    if measurement is None or measurement.others:
        return None
    systems = measurement.results["systems"]
    if not {STUDENT, TEACHER} <= set(systems):
        return None
    student, teacher = (
        max(speed["median"] for speed in systems[name]["speed"].values())
        for name in (STUDENT, TEACHER)
    )
    return student / teacher


def draw_rows(
    example: ExampleSentence, student: Examined, colours: Dict[str, str]
) -> List[Tuple[str, Optional[bool], Markup]]:
    """Render a sentence with the entities of gold and of each system.

    RETURNS (List[Tuple[str, Optional[bool], Markup]]): The name, whether the entities are correct
        (None for gold), and the rendered sentence.
    """
    gold = {ent.key for ent in example.sentence.gold}
    rows: List[Tuple[str, Optional[bool], Markup]] = []
    for name, entities in {"gold": example.sentence.gold, **example.found}.items():
        drawing = draw_entities(
            example.sentence,
            entities,
            colours=colours,
            lang=student.lang,
            direction=student.direction,
        )
        is_right = None if name == "gold" else {ent.key for ent in entities} == gold
        rows.append((name, is_right, Markup(drawing)))
    return rows
