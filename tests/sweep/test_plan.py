import pytest

from spacy_distill.sweep.plan import BUILT_IN, choose_systems, make_runs


def test_plan_variants_extend_their_base():
    variants = [
        "hinton=student-crf --components.ner.loss.direction teacher_student",
        "hot = hinton --components.ner.loss.temperature 4 --training.dropout '0.25'",
    ]
    with pytest.raises(ValueError, match=r"\[D604\]"):
        choose_systems([], variants)  # a name does not end in a space
    found = choose_systems(["teacher"], [text.replace(" = ", "=") for text in variants])
    assert list(found) == ["teacher", "hinton", "hot"]
    assert found["hinton"].config == found["hot"].config == "student"
    assert (found["hinton"].base, found["hot"].base) == ("student-crf", "hinton")
    assert dict(found["hot"].overrides) == {
        "components.ner.model.classifier": "crf",
        "components.ner.loss.direction": "teacher_student",
        "components.ner.loss.temperature": "4",
        "training.dropout": "0.25",
    }


@pytest.mark.parametrize(
    "system, path",
    [("posix", r"C:data"), ("nt", r"C:\data")],
)
def test_plan_variants_keep_backslashes_on_windows(monkeypatch, system, path):
    monkeypatch.setattr("spacy_distill.sweep.plan.os.name", system)
    (variant,) = choose_systems(
        [], [r"x=student-crf --paths.table C:\data --paths.dev 'a b'"]
    ).values()
    assert variant.overrides["paths.table"] == path
    assert variant.overrides["paths.dev"] == "a b"


@pytest.mark.parametrize(
    "text",
    [
        "hinton",
        "hinton=",
        "hinton=student-softmax",
        "=student-softmax --a.b 1",
        "hinton=student --a.b 1",
        "teacher=student-softmax --a.b 1",
        "../x=student-softmax --a.b 1",
        "hinton=student-softmax --a.b",
        "hinton=student-softmax a.b 1",
        "hinton=student-softmax --dropout 1",
        "_x=student-softmax --a.b 1",
        "hinton-pool-5=student-softmax --a.b 1",
        "hinton=student-softmax --a.b '1",
    ],
)
def test_plan_refuses_malformed_variants(text):
    with pytest.raises(ValueError, match=r"\[D604\]"):
        choose_systems(["teacher"], [text])


def test_plan_refuses_unknown_systems():
    for names in (["student"], ["teacher", "bert"], []):
        with pytest.raises(ValueError, match=r"\[D601\].*baseline-softmax"):
            choose_systems(names, [])


def test_plan_runs_a_whole_curve_before_the_next_seed():
    systems = [BUILT_IN["teacher"], BUILT_IN["student-crf"]]
    runs = make_runs(systems, sizes=[0, 300, 150], seeds=[0, 1], limits=[500, 0])
    assert [run.key for run in runs[:6]] == [
        ("teacher", 150, 0, 0),
        ("student-crf", 150, 0, 500),
        ("student-crf", 150, 0, 0),
        ("teacher", 300, 0, 0),
        ("student-crf", 300, 0, 500),
        ("student-crf", 300, 0, 0),
    ]
    assert [run.size for run in runs[6:9]] == [0, 0, 0]  # 0 is all sentences, the most
    assert [run.seed for run in runs] == [0] * 9 + [1] * 9
    assert [run.name for run in runs[:3]] == ["teacher", "student-crf-pool-500", "student-crf"]
