import json

import pytest

from spacy_distill.benchmark.measure import Measured, Timing
from spacy_distill.benchmark.plan import Corpus, Plan, Settings
from spacy_distill.benchmark.results import make_results, speed_up, spread, summarise
from spacy_distill.benchmark.systems import HEAVY, PEERS, System
from spacy_distill.benchmark.tables import make_tables, to_markdown

SETTINGS = Settings(batch_sizes=(1, 32), repeats=3)
CORPUS = Corpus(["some words", "one"], [600, 400])
LOADED = {"n_bytes": 4_000_000, "import_seconds": 1.5, "load_seconds": 0.25}
SHARES = {"recurrent": 0.5, "end_to_end": 0.25, "gflops": 30.0}


def timed(*seconds, n_words=1000, waiting=0.0):
    return [Timing(n_words, value, value * (1 - waiting)) for value in seconds]


def measured(system, n_parameters, timings, *, n_texts=2, **more):
    plans = {size: Plan([*range(n_texts)], 1, 3, 1.0) for size in timings}
    loaded = {**LOADED, "n_parameters": n_parameters, "has_cache": "cold" in more}
    one = Measured(system, None, loaded, plans, timings, peak_memory=200_000_000)
    for name, value in more.items():
        setattr(one, name, value)
    return one


@pytest.fixture
def results():
    """The results of a student 20 and 50 times as fast as a BERT of 30 times its size."""
    student = System(
        "student", "a student", "pipelines:load_spacy", {}, hidden=HEAVY, is_student=True
    )
    found = [
        measured(
            student,
            3_000_000,
            {1: timed(0.1, 0.11, 0.09), 32: timed(0.01, 0.02, 0.01)},
            cold={1: timed(0.2, 0.2, 0.2), 32: timed(0.02, 0.04, 0.05)},
            roofline={1: SHARES, 32: {**SHARES, "recurrent": 0.75}},
        ),
        measured(
            PEERS["bert-base"],
            90_000_000,
            {1: timed(2.0, 1.0, 4.0), 32: timed(0.05, n_words=100)},
            n_texts=1,
        ),
    ]
    return make_results(
        found,
        CORPUS,
        SETTINGS,
        left_out={"teacher": "none is given"},
        date="2019-12-31",
        command="spacy-distill benchmark",
        machine={"cpu": "abacus", "cores": 2, "python": "3.10"},
    )


def test_results_are_summarised():
    found = summarise(timed(2.0, 4.0, 1.0))
    assert (found["median"], found["min"], found["max"]) == (500.0, 250.0, 1000.0)
    assert (found["words"], found["repeats"]) == (1000, 3)
    assert found["seconds"] == [2.0, 4.0, 1.0]
    assert spread(found) == 1.0
    assert spread(summarise(timed(2.0, 2.5))) == pytest.approx(50 / 450)
    assert spread(summarise(timed(2.0))) is None


def test_results_have_the_speed_up():
    student = {"1": {"median": 100.0}, "32": {"median": 900.0}}
    assert speed_up(student, {"1": {"median": 10.0}, "32": {"median": 3.0}}) == {
        "1": 10.0,
        "32": 300.0,
    }


def test_results_of_a_student_without_parameters():
    """A pipeline of rules has no parameters, so there is no compression."""
    rules = System("rules", "rules", "pipelines:load_spacy", {}, hidden=HEAVY, is_student=True)
    bert = PEERS["bert-base"]
    timings = {1: timed(0.1), 32: timed(0.1)}
    found = [measured(rules, 0, timings), measured(bert, 90_000_000, timings)]
    results = make_results(found, CORPUS, SETTINGS, left_out={})
    assert results["systems"]["bert-base"]["compression"] == {"rules": None}
    _, _, size = make_tables(results)
    assert [row[2] for row in size.rows] == ["-", "-"]


def test_results_have_all_measurements(results):
    assert results == json.loads(json.dumps(results))
    assert [*results][:3] == ["date", "command", "machine"]
    assert results["corpus"] == {"texts": 2, "words": 1000}
    expected = {"batch_sizes": [1, 32], "threads": 1, "repeats": 3, "seconds": 3.0, "seed": 0}
    assert results["settings"] == expected
    assert results["left_out"] == {"teacher": "none is given"}
    student, bert = results["systems"]["student"], results["systems"]["bert-base"]
    assert bert["speed_up"] == {"student": {"1": pytest.approx(20.0), "32": pytest.approx(50.0)}}
    assert student["speed_up"] == {"student": {"1": 1.0, "32": 1.0}}
    assert (student["compression"], bert["compression"]) == ({"student": 1.0}, {"student": 30.0})
    assert student["speed"]["32"]["median"] == pytest.approx(100_000)
    assert student["speed_with_cold_cache"]["32"]["median"] == pytest.approx(25_000)
    assert "speed_with_cold_cache" not in bert
    assert (bert["speed"]["32"]["words"], bert["speed"]["32"]["repeats"]) == (100, 1)
    assert (student["load_seconds"], bert["load_seconds"]) == (0.25, None)
    assert student["import_seconds"] == 1.5
    assert student["peak_memory_bytes"] == 200_000_000
    assert student["roofline"]["32"]["recurrent"] == 0.75


def test_results_have_notes_on_the_systems(results):
    notes = "\n".join(results["notes"])
    assert "bert-base: has random weights" in notes
    assert "bert-base: read texts of similar length together" in notes
    assert "bert-base: was too slow to read all texts in 3 s" in notes
    assert "student: ran as if torch, transformers, spacy_transformers were not" in notes
    assert "student: had cached the words before timing" in notes
    assert "busy" not in notes
    assert results["waiting"] == pytest.approx(0.0)


def test_results_note_if_the_machine_was_busy():
    found = [measured(PEERS["teacher"], 1, {1: timed(1.0, 3.0, waiting=0.06)})]
    results = make_results(found, CORPUS, SETTINGS, left_out={})
    assert results["waiting"] == pytest.approx(0.06)
    assert "6% of the time" in "\n".join(results["notes"])
    several = make_results(found, CORPUS, SETTINGS._replace(threads=2), left_out={})
    assert several["waiting"] is None
    assert "2 threads" in several["notes"][0]


def test_results_as_tables(results):
    speed, speed_up, size, roofline = make_tables(results)
    assert speed.header == ["batch size", "1", "32"]
    assert speed.rows == [
        ["student", "10,000 ±11%", "100,000 ±50%"],
        ["student, cold cache", "5,000 ±0%", "25,000 ±100%"],
        ["bert-base", "500 ±100%", "2,000"],
    ]
    assert speed_up.rows == [["bert-base", "20.0", "50.0"]]
    assert size.rows == [
        ["student", "3.00M", "1.0", "4.0", "0.25", "1.50", "200"],
        ["bert-base", "90.00M", "30.0", "4.0", "-", "1.50", "200"],
    ]
    assert roofline.rows[0] == ["of the recurrence", "50.0%", "75.0%"]
    assert all(
        len(row) == len(table.header) for table in make_tables(results) for row in table.rows
    )


def test_results_without_a_roofline_have_no_such_table(results):
    results["systems"]["student"]["roofline"] = {}
    assert len(make_tables(results)) == 3


def test_results_as_markdown(results):
    lines = to_markdown(results).splitlines()
    assert "| student | 10,000 ±11% | 100,000 ±50% |" in lines
    assert "| --- | ---: | ---: |" in lines
    assert "    spacy-distill benchmark" in lines
    assert "- Left out: teacher. Reason: none is given." in lines
    assert any("abacus" in line for line in lines)


def test_results_note_truncated_texts_and_incomplete_batches():
    student = System("student", "a student", "pipelines:load_spacy", {}, is_student=True)
    found = [
        measured(student, 3_000_000, {1: timed(0.1), 32: timed(0.01)}),
        measured(PEERS["bert-base"], 90_000_000, {1: timed(1.0), 32: timed(1.0)}, n_cut=1),
    ]
    more = {"left_out": {}, "date": "", "command": "", "machine": {}}
    notes = make_results(found, CORPUS, SETTINGS, **more)["notes"]
    assert any(note.startswith("bert-base: cut 1 of 2 texts") for note in notes)
    assert any("There are only 2 texts" in note and "(32)" in note for note in notes)
    alone = make_results(found[:1], CORPUS, SETTINGS, **more)
    assert not any("cut" in note for note in alone["notes"])
    # There is no other system to compare it with.
    assert "Speed-up" not in " ".join(table.title for table in make_tables(alone))
