import json

import pytest

from spacy_distill.sweep.choices import Choice, add_chosen
from spacy_distill.sweep.comparisons import compare_systems, find_pairs, read_counts
from spacy_distill.sweep.plan import training_name


@pytest.fixture
def add(tmp_path, make_row):
    """Make a row and the counts of ten sentences: `add("teacher", right=6)` finds 6 of 10."""

    def make(system, right, **more):
        tp = [int(i < right) for i in range(10)]
        counts = {"parameters": 9, "tp": tp, "fp": [0] * 10, "fn": [1 - n for n in tp]}
        row = make_row(system, more.pop("size", 300), 2 * right / (right + 10), **more)
        folder = tmp_path / str(row["size"]) / str(row["seed"]) / "metrics"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{training_name(system, row['limit'])}.counts.json"
        path.write_text(json.dumps(counts))
        return row

    return make


def test_comparisons_are_with_teacher_baseline_and_base(add):
    rows = [
        *(add(system, 5) for system in ("teacher", "baseline-crf", "baseline-softmax")),
        *(add(system, 5, seed=seed) for system in ("teacher", "student-crf") for seed in (1, 0)),
        add("student-crf", 5, size=750),  # nothing to compare it with
        add("student-crf", 5, limit=50),  # another pool than the others
        add("hot", 5, base="student-crf", seed=1),
        add("cold", 5, base="student-crf", seed=1, limit=500),  # its base has no run with that pool
        add("mild", 5, base="student-crf", limit=50),
    ]
    found = [
        (pair.labelled, pair.ours[0]["system"], pair.theirs[0]["system"], len(pair.ours))
        for pair in find_pairs(rows)
    ]
    assert found == [
        (300, "student-crf", "teacher", 2),
        (300, "student-crf", "baseline-crf", 1),
        (300, "hot", "student-crf", 1),
        (300, "mild", "student-crf", 1),
    ]
    for pair in find_pairs(rows):
        assert [row["seed"] for row in pair.ours] == [row["seed"] for row in pair.theirs]


def test_comparisons_of_choices(add, tmp_path):
    """A choice is compared by the counts of the system that was chosen."""
    rows = [add(system, 5) for system in ("teacher", "baseline-crf", "student-crf")]
    rows += [add("hot", 8, base="student-crf"), add("warm", 7, base="baseline-crf")]
    choices = [
        Choice("best", ("student-crf", "hot"), "sweep"),
        Choice("best-baseline", ("baseline-crf", "warm"), "sweep"),
    ]
    found = compare_systems(add_chosen(rows, choices), tmp_path)
    differences = {(one["system"], one["against"]): one["difference"] for one in found}
    expected = 16 / 18 - 10 / 15
    assert differences["best", "teacher"] == pytest.approx(expected)
    assert differences["best", "student-crf"] == pytest.approx(expected)
    assert differences["best-baseline", "baseline-crf"] == pytest.approx(14 / 17 - 10 / 15)
    assert ("best-baseline", "teacher") not in differences


def test_comparisons_of_repeated_runs(add, tmp_path):
    """A comparison is not reused if a run was repeated and its scores have changed."""
    teacher = add("teacher", 5)
    known = compare_systems([add("student-crf", 6), teacher], tmp_path)
    rows = [add("student-crf", 9), teacher]
    (found,) = compare_systems(rows, tmp_path, known)
    assert found["difference"] == pytest.approx(18 / 19 - 10 / 15)
    assert compare_systems(rows, tmp_path / "none", [found]) == [found]
    assert compare_systems(rows, tmp_path / "none", known) == []


def test_comparisons_of_means_over_seeds(add, tmp_path):
    rows = [add("student-crf", right, seed=seed) for seed, right in enumerate((9, 8))]
    rows += [add("teacher", right, seed=seed) for seed, right in enumerate((5, 6))]
    (found,) = compare_systems(rows, tmp_path)
    expected = (18 / 19 + 16 / 18 - 10 / 15 - 12 / 16) / 2
    assert found["difference"] == pytest.approx(expected)
    assert found["low"] < expected < found["high"]
    # It is worse in no sentence, and equal only if a draw has none of the differing sentences.
    assert 0 < found["p"] < 0.05
    assert found["seeds"] == [0, 1]
    assert found["resamples"] == 10_000


def test_comparisons_are_reused_without_counts(add, tmp_path):
    rows = [add("student-crf", 9), add("teacher", 5)]
    known = compare_systems(rows, tmp_path)
    assert compare_systems(rows, tmp_path / "none", known) == known
    assert compare_systems(rows, tmp_path / "none") == []
    other = [rows[0], {**rows[1], "fingerprint": "of other settings"}]
    assert compare_systems(other, tmp_path / "none", known) == []
    # A repeated run with other scores counts as another run.
    rows[1] = add("teacher", 7)
    assert compare_systems(rows, tmp_path / "none", known) == []
    assert compare_systems(rows, tmp_path, known) != known


def test_comparisons_ignore_counts_of_another_run(add, tmp_path):
    row = add("teacher", 5)
    assert read_counts(row, tmp_path).shape == (10, 3)
    row["test"]["ents_f"] += 0.005
    assert read_counts(row, tmp_path) is None
