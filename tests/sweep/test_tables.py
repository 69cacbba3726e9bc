import pytest

from spacy_distill.sweep.choices import Choice, add_chosen
from spacy_distill.sweep.tables import make_notes, make_tables, to_markdown


@pytest.fixture
def rows(make_row):
    rows = [
        make_row(name, size, (50 + 10 * seed + size / 100) / 100, seed=seed)
        for name in ("teacher", "student-crf")
        for size in (300, 1500)
        for seed in (0, 1)
    ]
    rows[0]["seconds"]["annotate-labelled"] = None  # it existed already
    rows[0]["words_per_second"] = 300.0  # on a busy machine
    hot = make_row("hot", 300, 0.5, base="student-crf", limit=40)
    hot["settings"] = {"training.dropout": "0.1"}
    few = make_row("student-crf", 300, 0.4, limit=40, seconds={"train-student-crf": 9000.0})
    return [*rows, few, hot]


@pytest.fixture
def compared():
    first = {"labelled": 300, "system": "student-crf", "against": "teacher", "seeds": [0, 1]}
    numbers = {"difference": 0.0123, "low": -0.0021, "high": 0.034, "p": 0.0456}
    other = {"against": "baseline-crf", "seeds": [1], "p": 0.0}
    one = {**first, **numbers, "resamples": 10_000}
    return [one, {**one, **other}]


def test_tables_by_hand(rows, compared):
    by_size, by_pair, by_pool, tuning, minutes, speed = make_tables(rows, compared)
    assert by_size.title == "F1 by labelled sentences, 2 seeds"
    assert by_size.header == ["labelled", "300", "1,500"]
    assert by_size.rows == [
        ["teacher", "58.0 ±7.1", "70.0 ±7.1"],
        ["student-crf", "58.0 ±7.1", "70.0 ±7.1"],
        ["hot", "50.0 (1)", "-"],
    ]
    assert by_pair.rows == [
        ["student-crf", "baseline-crf", "300 (1)", "+1.2", "-0.2 to +3.4", "<0.0001"],
        ["student-crf", "teacher", "300", "+1.2", "-0.2 to +3.4", "0.0456"],
    ]
    assert by_pool.header == ["unlabelled", "40", "5,000"]
    assert by_pool.rows == [["student-crf", "40.0 (1)", "58.0 ±7.1"]]
    assert tuning.rows == [
        ["teacher", "56.0 → 58.0", "68.0 → 70.0"],
        ["student-crf", "56.0 → 58.0", "68.0 → 70.0"],
        ["hot", "48.0 → 50.0", "-"],
    ]
    assert minutes.rows == [
        ["train-teacher", "2.0", "2.0"],
        ["train-student-crf", "2.0", "2.0"],
        ["train-hot", "1.5", "-"],
    ]
    names = ["teacher", "student-crf", "hot"]
    assert speed.rows == [[name, "3,300,000", "1,500"] for name in names]


def test_tables_have_the_speed_of_trained_systems_only(rows, compared):
    chosen = add_chosen(rows, [Choice("best", ("student-crf", "hot"), "sweep")])
    assert make_tables(chosen, compared)[0].rows[-1][0] == "best"
    assert make_tables(chosen, compared)[-1].rows == make_tables(rows, compared)[-1].rows


def test_tables_without_rows_are_left_out(make_row):
    row = make_row("teacher", 300, 0.5)
    row["seconds"] = {}
    assert [table.title for table in make_tables([row], [])] == [
        "F1 by labelled sentences, 1 seed",
        "Tuning: F1 on the development set, before and after",
        "Parameters, and words/s while scoring",
    ]


def test_tables_as_markdown(rows, compared):
    command = rows[0]["sweep"]
    text = to_markdown([*rows[1:], {**rows[0], "sweep": f"{command} --seeds 9,"}], compared)
    start = f"# Learning curve: tweets\n\n    {command}\n    {command} --seeds 9,\n\n!["
    assert text.startswith(start)
    assert "| teacher | 58.0 ±7.1 | 70.0 ±7.1 |" in text
    assert "| system | other | labelled | F1 |" in text and "\n| --- | --- | ---: | ---: |" in text
    assert "(sweep.svg)" in text and "(pool.svg)" in text
    assert "10,000 paired bootstrap resamples" in text
    assert "- hot: student-crf with `training.dropout = 0.1`." in text


def test_tables_have_notes_on_runs_that_are_left_out(rows, make_row):
    doubles = [{**make_row("student-crf", 300, 0.5, seed=s), "size": 0} for s in (0, 1)]
    by_size = make_tables([*rows, *doubles], [])[0]
    assert by_size.rows == make_tables(rows, [])[0].rows
    notes = make_notes([*rows, *doubles], [])
    start = "By labelled sentences, "
    assert [note.removeprefix(start) for note in notes if note.startswith(start)] == [
        "student-crf at 300: the runs with all unlabelled sentences; left out: those with 40.",
        "hot at 300: the runs with 40 unlabelled sentences.",
    ]
    assert "Left out: 2 runs on all sentences that are the same as runs of another size." in notes
