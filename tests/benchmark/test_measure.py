from io import StringIO

import pytest
from tqdm import tqdm

from spacy_distill.benchmark import measure as module
from spacy_distill.benchmark.measure import measure_systems
from spacy_distill.benchmark.plan import Corpus, Settings
from spacy_distill.benchmark.process import WorkerEnded
from spacy_distill.benchmark.systems import PEERS, System

CORPUS = Corpus(["a text"] * 400, [10] * 400)
# Words per second of each system, at any batch size.
SPEEDS = {"student": 100_000.0, "spacy-ner": 3000.0, "bert-large": 50.0}


class Fake:
    """A process that reports the times which follow from the system's speed."""

    def __init__(self, name, log):
        self.name = name
        self.log = log

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.log.append((self.name, "end", {}))

    def fails_at(self, request, settings):
        return False

    def ask(self, request, **settings):
        self.log.append((self.name, request, settings))
        if self.fails_at(request, settings):
            raise WorkerEnded("[D502]", reason=f"no {request}")
        if request == "run":
            seconds = 10 * len(settings["texts"]) * settings["passes"] / SPEEDS[self.name]
            memory = 1000 * settings["batch_size"]
            return {"seconds": seconds, "cpu_seconds": seconds, "peak_memory_bytes": memory}
        if request == "roofline":
            return {"roofline": {"recurrent": 0.5}, "peak_memory_bytes": 10**9}
        if request == "count_cut":
            return {"cut": int(self.name == "bert-large"), "peak_memory_bytes": 10**9}
        return {"has_cache": self.name == "student", "peak_memory_bytes": 500}


@pytest.fixture
def measure(monkeypatch, tmp_path):
    """Measure three systems, and return them and all requests to their processes."""
    log = []
    monkeypatch.setattr(module, "start_worker", lambda name, threads: Fake(name, log))
    student = System("student", "", "pipelines:load_spacy", {}, is_student=True)
    others = [PEERS["spacy-ner"], PEERS["bert-large"]]

    def refuse(system, error):
        raise error

    def measure(*, leave_out=refuse, **settings):
        with tqdm(file=StringIO()) as bar:
            found = measure_systems(
                [student, *others],
                CORPUS,
                Settings(**settings),
                folder=tmp_path,
                bar=bar,
                leave_out=leave_out,
            )
        assert bar.n == bar.total
        return found, log

    return measure


def test_measure_alternates_between_systems(measure):
    found, log = measure(batch_sizes=(1, 64), repeats=3, seconds=3.0)
    assert [name for name, request, _ in log if request == "load"] == list(SPEEDS)
    assert [name for name, request, _ in log if request == "end"] == [*reversed(SPEEDS)]
    n_measured = sum(
        len(timings)
        for one in found
        for by_size in (one.timings, one.cold)
        for timings in by_size.values()
    )
    runs = [(name, asked["batch_size"]) for name, request, asked in log if request == "run"]
    turn = [(name, size) for name in SPEEDS for size in (1, 64)][:-1]
    cold = [("student", 1), ("student", 64)]
    # One batch of BERT-large takes more time than there is for three. Cold runs come last.
    assert runs[-n_measured:] == [*turn, ("bert-large", 64), *turn, *turn, *(cold * 3)]
    cold = [asked["cold"] for _, request, asked in log if request == "run"]
    assert [*map(bool, cold)] == [False] * (len(cold) - 6) + [True] * 6
    assert [one.n_cut for one in found] == [0, 0, 1]


def test_measure_warms_up_first(measure):
    found, log = measure(batch_sizes=(64,), repeats=1)
    n_measured = {"student": 2, "spacy-ner": 1, "bert-large": 1}
    for one in found:
        name = one.system.name
        runs = [asked for who, request, asked in log if (who, request) == (name, "run")]
        warm = [len(asked["texts"]) for asked in runs[: -n_measured[name]]]
        assert warm == sorted(warm)
        # Slow systems stop once they are warm; fast ones have read the whole corpus by then.
        expected = {"student": 400, "spacy-ner": 225, "bert-large": 7}[name]
        assert warm[-1] == expected


def test_measure_reads_all_texts_or_at_least_a_batch(measure):
    student, stock, bert = measure(batch_sizes=(1, 64), repeats=3, seconds=1.0)[0]
    assert len(student.plans[64].texts) == 400
    assert student.timings[64][0].n_words == 400 * 10 * student.plans[64].passes
    assert [timing.n_words for timing in student.cold[64]] == [4000] * 3
    assert len(stock.plans[1].texts) == 300
    assert (len(bert.plans[1].texts), len(bert.timings[1])) == (5, 3)
    assert (len(bert.plans[64].texts), len(bert.timings[64])) == (64, 1)
    assert bert.timings[64][0].n_words / bert.timings[64][0].seconds == pytest.approx(50)


def test_measure_has_cold_cache_and_roofline_only_for_students(measure):
    found, log = measure(batch_sizes=(1, 8), repeats=2)
    for one in found:
        is_student = one.system.name == "student"
        assert set(one.cold) == set(one.roofline) == ({1, 8} if is_student else set())
    cold = [asked for _, request, asked in log if request == "run" and asked["cold"]]
    assert len(cold) == 4
    assert {asked["passes"] for asked in cold} == {1}


def test_measure_peak_memory_is_that_of_runs(measure):
    found, _ = measure(batch_sizes=(1, 8), repeats=1)
    assert [one.peak_memory for one in found] == [8000] * 3


@pytest.mark.parametrize("name, request_", [("spacy-ner", "load"), ("bert-large", "run")])
def test_measure_leaves_out_a_system_that_fails(measure, monkeypatch, name, request_):
    """A system that runs out of memory does not cost the measurements of the others."""

    def fails_at(self, request, settings):
        return (self.name, request) == (name, request_) and settings.get("batch_size") in (None, 8)

    monkeypatch.setattr(Fake, "fails_at", fails_at)
    left_out = {}
    found, _ = measure(
        leave_out=lambda system, error: left_out.update({system.name: error.reason}),
        batch_sizes=(1, 8),
    )
    assert left_out == {name: f"no {request_}"}
    assert [one.system.name for one in found] == [other for other in SPEEDS if other != name]
    with pytest.raises(WorkerEnded):
        measure(batch_sizes=(1, 8))
