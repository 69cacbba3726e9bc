import pytest

from spacy_distill.sweep.curves import order_rows, pool_curves, size_curves


@pytest.fixture
def rows(make_row):
    rows = [
        make_row("hot", 300, 0.70, base="student-softmax"),
        *(make_row("student-softmax", 300, 0.5 + 0.1 * s, seed=s) for s in range(3)),
        make_row("student-softmax", 750, 0.8),
        *(make_row("teacher", size, 0.6) for size in (750, 300)),
    ]
    small = [make_row("student-softmax", 300, f1, limit=n) for n, f1 in ((500, 0.3), (1000, 0.4))]
    return rows + small


def test_curves_by_size(rows):
    curves = size_curves(order_rows(rows))
    assert list(curves) == ["teacher", "student-softmax", "hot"]
    assert [point.x for point in curves["teacher"]] == [300, 750]
    point, more = curves["student-softmax"]
    assert (point.x, point.mean, point.sd, point.n) == (300, 60, pytest.approx(10), 3)
    assert (more.mean, more.sd, more.n) == (pytest.approx(80), 0, 1)


def test_curves_by_pool(rows):
    (name,) = curves = pool_curves(rows)
    assert name == "student-softmax"
    assert [(point.x, point.mean, point.n) for point in curves[name]] == [
        (500, pytest.approx(30), 1),
        (1000, pytest.approx(40), 1),
        (5000, pytest.approx(60), 3),
    ]


def test_curves_by_pool_of_several_sizes(rows, make_row):
    rows.append(make_row("student-softmax", 750, 0.5, limit=500))
    assert list(pool_curves(rows)) == [
        "student-softmax, 300 labelled",
        "student-softmax, 750 labelled",
    ]
    assert pool_curves([row for row in rows if row["limit"] == 0]) == {}


def test_curves_by_pool_have_the_same_positions(make_row):
    """Pools that differ by a sentence between seeds have the same position for all systems."""
    rows = [make_row("student-crf", 20, 0.5, limit=50)]
    rows += [make_row("student-crf", 20, 0.5, pool=510 + seed, seed=seed) for seed in (0, 1)]
    rows += [make_row("hot", 20, 0.5, base="student-crf", limit=limit) for limit in (50, 0)]
    rows[-1]["pool"] = 510
    places = [[point.x for point in points] for points in pool_curves(rows).values()]
    assert len(places) == 2 and places[0] == places[1] and places[0][0] == 50


def test_curves_by_size_use_the_largest_pool(make_row):
    """Only runs with the largest pool of their system count, even if others have larger ones."""
    rows = [make_row("student-crf", 300, n / 1000, limit=n) for n in (250, 500, 100)]
    rows += [make_row("student-crf", 750, 0.6), make_row("student-softmax", 300, 0.7)]
    curves = size_curves(rows)
    assert [(point.x, point.mean) for point in curves["student-crf"]] == [(300, 50), (750, 60)]
    assert [(point.x, point.mean) for point in curves["student-softmax"]] == [(300, 70)]


def test_curves_do_not_count_runs_twice(make_row):
    """A run on all of 300 sentences is the same as one of size 300 with the same seed."""
    rows = [make_row("student-crf", 300, 0.5, seed=seed) for seed in (0, 1)]
    doubles = [{**make_row("student-crf", 300, 0.6, seed=seed), "size": 0} for seed in (0, 2)]
    ((point,),) = size_curves([*doubles, *rows]).values()
    assert (point.n, point.mean) == (3, pytest.approx(160 / 3))
    rows += [make_row("student-crf", 300, 0.4, limit=40)]
    ((_, point),) = pool_curves([*doubles, *rows]).values()
    assert point.n == 3
