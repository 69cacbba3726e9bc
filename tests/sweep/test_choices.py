import pytest

from spacy_distill.sweep.choices import add_chosen, describe_choices, read_choices
from spacy_distill.sweep.outdated import drop_outdated
from spacy_distill.sweep.plan import choose_systems
from spacy_distill.sweep.rows import read_rows, row_key, write_rows
from spacy_distill.sweep.tables import make_notes

SYSTEMS = choose_systems(
    ["teacher", "student-crf"],
    ["long=student-crf --training.dropout 0.3", "hot=teacher --training.dropout 0.3"],
)
COMMAND = "sweep --choose"


@pytest.fixture
def best():
    return read_choices(["best=student-crf, long"], SYSTEMS, command=COMMAND)


@pytest.fixture
def rows(make_row):
    """F1 on dev and on test are the same. `long` is better with seed 1, and equal with seed 2."""
    scores = {"student-crf": (0.7, 0.6, 0.5), "long": (0.6, 0.65, 0.5)}
    return [
        make_row(system, 300, f1, seed=seed, base="student-crf")
        for system, own in scores.items()
        for seed, f1 in enumerate(own)
    ]


def test_choices_are_the_best_on_dev_of_each_sample(rows, best, make_row):
    for row in rows:  # neither the test set nor F1 before tuning matters
        row["test"]["ents_f"] = row["tuned"]["before"] = 1 - row["tuned"]["after"]
    rows.append(make_row("student-crf", 750, 0.9))  # `long` was not trained on this sample
    found = add_chosen(rows, best)
    assert found[: len(rows)] == rows
    chosen = found[len(rows) :]
    # Of equally good ones, the first by name is chosen, as by the command `choose`.
    assert [row["chosen"] for row in chosen] == ["student-crf", "long", "long"]
    assert [row["test"]["ents_f"] for row in chosen] == pytest.approx([0.3, 0.35, 0.5])
    for row in chosen:
        assert (row["system"], row["base"], row["sweep"]) == ("best", "student-crf", COMMAND)
    assert describe_choices(found) == [
        "best: of each sample, the one of student-crf, long with the best F1 on the development "
        "set (student-crf in 1, long in 2 of 3)."
    ]


def test_choices_are_made_again_from_stored_rows(rows, best, make_row):
    stored = add_chosen(rows, best)
    assert add_chosen(stored, []) == stored
    better = [*stored, make_row("long", 300, 0.9, base="student-crf", seed=3)]
    better.append(make_row("student-crf", 300, 0.8, seed=3))
    assert [row["chosen"] for row in add_chosen(better, [])[8:]] == [
        *("student-crf", "long", "long", "long")
    ]
    others = read_choices(["best=long,student-crf"], SYSTEMS, command="again")
    assert [row["base"] for row in add_chosen(stored, others)[6:]] == ["long"] * 3


def test_choices_are_described_without_rows_that_the_tables_leave_out(rows, best, make_row):
    """Neither runs on all sentences that repeat others nor smaller pools count."""
    rows += [{**row, "size": 0} for row in rows if row["seed"] == 0]
    rows += [make_row(name, 300, 0.9, base="student-crf", limit=500) for name in best[0].among]
    notes = make_notes(add_chosen(rows, best), [])
    assert any("(student-crf in 1, long in 2 of 3)" in note for note in notes)
    assert any("Left out: 2 runs on all sentences" in note for note in notes)


def test_choices_survive_when_trainings_are_repeated(rows, best, tmp_path):
    path = tmp_path / "sweep.jsonl"
    write_rows(path, add_chosen(rows, best))
    kept = {row_key(row): row for row in rows if row["seed"] == 0}
    drop_outdated(path, kept, lambda text: None)
    assert [row["seed"] for row in add_chosen(read_rows(path).values(), [])] == [0, 0, 0]
    assert len(read_rows(tmp_path / "sweep.old.jsonl")) == 4


@pytest.mark.parametrize(
    "text",
    [
        "best",
        "best=",
        "best=student-crf",
        "best=student-crf,student-crf",
        "best=student-crf,wide",
        "best=student-crf,hot",  # of different configs
        "=student-crf,long",
        "long=student-crf,long",
        "student-softmax=student-crf,long",
        "a/b=student-crf,long",
    ],
)
def test_choices_that_are_malformed_are_refused(text):
    with pytest.raises(ValueError, match=r"\[D614\]"):
        read_choices([text], SYSTEMS, command=COMMAND)


def test_choices_have_different_names():
    with pytest.raises(ValueError, match=r"\[D614\]"):
        read_choices(["best=student-crf,long"] * 2, SYSTEMS, command=COMMAND)
