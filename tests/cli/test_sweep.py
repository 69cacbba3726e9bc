import json
import os
import re
import shutil
from pathlib import Path

import pytest
import spacy
import srsly
import typer
from spacy.tokens import DocBin
from spacy.training import Corpus
from spacy.util import load_config
from typer.testing import CliRunner

from spacy_distill.cli.sweep import default_work, sweep_cli
from spacy_distill.files import hold
from spacy_distill.sweep import runner
from spacy_distill.sweep.execute import discard, write_receipt
from spacy_distill.sweep.inputs import Settings, describe_source
from spacy_distill.sweep.plan import training_name

ROOT = Path(__file__).parents[2]
# Number of sentences of each set of the demo corpus.
SENTENCES = {"train": 60, "dev": 20, "test": 30}
SHORTER = {"max_steps": 6, "eval_frequency": 3, "warmup_steps": 1}
SYSTEMS = ("teacher", "baseline-softmax", "student-softmax")


@pytest.fixture
def project(tmp_path):
    """A part of the demo corpus, configs with a few steps, and a small transformer."""
    (tmp_path / "data").mkdir()
    for split, n in SENTENCES.items():
        text = (ROOT / "assets" / "demo" / f"{split}.conll").read_text(encoding="utf-8")
        cut = "\n\n".join(text.strip().split("\n\n")[:n])
        (tmp_path / "data" / f"{split}.conll").write_text(cut + "\n", encoding="utf-8")
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    (tmp_path / "transformer").mkdir()
    (tmp_path / "transformer" / "config.json").write_text("{}")
    for path in (tmp_path / "configs").iterdir():
        text = path.read_text(encoding="utf-8")
        for key, value in SHORTER.items():
            text = re.sub(rf"^{key} = \d+$", f"{key} = {value}", text, flags=re.M)
        path.write_text(text, encoding="utf-8")
    return tmp_path


@pytest.fixture
def transformer(project):
    """A small untrained BERT, with the width that a table needs."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    path = project / "transformer"
    letters = "abcdefghijklmnopqrstuvwxyz0123456789.,'-"
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{c}" for c in letters)]
    vocab = path / "words.txt"
    vocab.write_text("\n".join([*pieces, *(f"##{a}{b}" for a in letters for b in "aeiou")]))
    transformers.BertTokenizerFast(str(vocab), do_lower_case=True).save_pretrained(path)
    torch.manual_seed(0)
    sizes = {"hidden_size": 104, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = transformers.BertConfig(vocab_size=285, intermediate_size=32, **sizes)
    transformers.BertModel(config).save_pretrained(path)
    return path


@pytest.fixture
def run(project):
    """Run the command in a project."""
    app = typer.Typer()
    app.command()(sweep_cli)

    def invoke(*arguments, systems=SYSTEMS):
        fixed = ["data", "output"]
        options = {
            "configs": "configs",
            "work": "work",
            "teacher": "transformer",
        }
        words = [str(project / word) for word in fixed]
        words += [w for key, name in options.items() for w in (f"--{key}", str(project / name))]
        words += ["--systems", ",".join(systems), *map(str, arguments)]
        return CliRunner().invoke(app, words)

    return invoke


def set_steps(project, config, steps):
    """Change a setting of a config, as a user does."""
    path = project / "configs" / f"{config}.cfg"
    text = path.read_text(encoding="utf-8")
    path.write_text(re.sub(r"^max_steps = \d+$", f"max_steps = {steps}", text, flags=re.M))


def rows_of(project):
    lines = (project / "output" / "sweep.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def find_run(stage):
    """Return the sample and the name of a stage."""
    size, seed = stage.folder.parts[-2:]
    return f"{size}/{seed} {stage.name}"


@pytest.fixture
def ran(monkeypatch, project):
    """Replace stages by functions that make their products without training; list those that ran.

    A stage whose name is in `ran.broken` fails; at one in `ran.deadly` the sweep is interrupted.
    """

    class Ran(list):
        broken = ()
        deadly = ()

    ran = Ran()

    def make(stage, tick, handle):
        assert handle is not None or os.name != "posix"
        name = find_run(stage)
        if name in ran.deadly:
            raise KeyboardInterrupt
        if name in ran.broken:
            raise ValueError(f"[D602] {name}")
        ran.append(name)
        discard(stage)
        MAKERS[stage.name.partition("-")[0]](stage)
        write_receipt(stage, seconds=60.0)

    monkeypatch.setattr(runner, "run_stage", make)
    return ran


def make_corpus(stage):
    n_labelled, nlp = min(int(stage.folder.parts[-2]) or 50, 50), spacy.blank("en")
    for path, n_docs in zip(stage.products, (n_labelled, 50 - n_labelled, 2, 4)):
        path.parent.mkdir(parents=True, exist_ok=True)
        docs = [nlp.make_doc(f"Ann left {i}") for i in range(n_docs)]
        DocBin(docs=docs).to_disk(path)


def make_training(stage):
    best = stage.products[0].parent
    best.mkdir(parents=True)
    config = load_config(Path(stage.command[2])).to_str()
    (best / "config.cfg").write_text(config, encoding="utf-8")
    srsly.write_json(best / "meta.json", {"performance": {"ents_f": 0.5}})


def make_scores(stage):
    """The teacher predicts three of four entities correctly, the other systems two."""
    metrics, counts = stage.products
    tp = [1, 1, int("teacher" in stage.name), 0]
    f1 = 2 * sum(tp) / (sum(tp) + 4)
    metrics.parent.mkdir(exist_ok=True)
    scores = {"ents_p": 1.0, "ents_r": sum(tp) / 4, "ents_f": f1, "ents_per_type": {}}
    srsly.write_json(metrics, {**scores, "speed": 1000.0})
    found = {"tp": tp, "fp": [0] * 4, "fn": [1 - n for n in tp]}
    srsly.write_json(counts, {"parameters": 9, **found})


def make_tuned(stage):
    (path,) = stage.products
    path.parent.mkdir(exist_ok=True)
    srsly.write_json(path, {"added": -0.5, "before": 0.5, "after": 0.6})


def make_files(stage):
    for path in stage.products:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("made")


MAKERS = {
    "corpus": make_corpus,
    "table": make_files,
    "train": make_training,
    "annotate": make_files,
    "tune": make_tuned,
    "score": make_scores,
}


def test_sweep_runs_each_stage_once(run, ran, project):
    result = run("--sizes", "10,20", "--seeds", "2", "--workers", "2")
    assert result.exit_code == 0, result.output
    assert len(ran) == len(set(ran)) == 1 + 4 * (1 + 3 + 2 + 3 + 3)
    assert ran[:4] != ["10/0 corpus"] * 4
    assert {name.partition(" ")[2] for name in ran[:4]} == {"corpus"}
    rows = rows_of(project)
    assert {(row["system"], row["size"], row["seed"]) for row in rows} == {
        (system, size, seed) for system in SYSTEMS for size in (10, 20) for seed in (0, 1)
    }
    text = (project / "output" / "sweep.jsonl").read_text(encoding="utf-8")
    assert str(project) not in text
    for name in ("sweep.md", "sweep.png", "sweep.svg", "bootstrap.json"):
        assert (project / "output" / name).stat().st_size > 500
    assert "10/0 teacher: F1 85.7" in result.output
    assert "85.7 ±0.0" in result.output


def test_sweep_passes_the_gpu_to_its_stages(run, ran, project):
    run("--sizes", "10", "--seeds", "1", "--gpu", "3", systems=["teacher"])
    receipt = srsly.read_json(project / "work" / "10" / "0" / "logs" / "train-teacher.json")
    assert "--gpu-id 3" in " ".join(receipt["command"])


def test_sweep_counts_the_labelled_sentences(run, ran, project):
    """For size 0, all sentences, this is where the figures have its point."""
    assert run("--sizes", "0", "--seeds", "1", systems=["teacher"]).exit_code == 0
    assert [(row["size"], row["labelled"]) for row in rows_of(project)] == [(0, 50)]


def test_sweep_only_draws_figures_if_it_is_finished(run, ran, project):
    options = ("--sizes", "10", "--seeds", "1")
    run(*options)
    ran.clear()
    (project / "output" / "sweep.png").unlink()
    # Neither the data nor the products are needed any more.
    for name in ("data", "work"):
        shutil.rmtree(project / name)
    before = (project / "output" / "sweep.md").read_text(encoding="utf-8")
    result = run(*options)
    assert result.exit_code == 0, result.output
    assert ran == []
    assert (project / "output" / "sweep.png").exists()
    assert (project / "output" / "sweep.md").read_text(encoding="utf-8") == before


@pytest.mark.parametrize("damaged", ["", '[{"sys', "{}"])
def test_sweep_replaces_unreadable_comparisons(run, ran, project, damaged):
    options = ("--sizes", "10", "--seeds", "1")
    run(*options, systems=SYSTEMS[:1])
    file = project / "output" / "bootstrap.json"
    before = file.read_bytes()
    file.write_text(damaged)
    assert run(*options, systems=SYSTEMS[:1]).exit_code == 0
    assert file.read_bytes() == before


@pytest.mark.parametrize("stage", ["train-teacher", "tune-teacher", "train-student-softmax"])
def test_sweep_resumes_after_an_interruption(run, ran, project, stage):
    options = ("--sizes", "10", "--seeds", "2")
    ran.deadly = (f"10/1 {stage}",)
    assert run(*options).exit_code != 0
    first = [*ran]
    n_rows = len(rows_of(project))
    assert n_rows >= 3
    # The last row was not written completely.
    path = project / "output" / "sweep.jsonl"
    path.write_bytes(path.read_bytes()[:-10])
    ran.clear()
    ran.deadly = ()
    result = run(*options)
    assert result.exit_code == 0, result.output
    assert ran[0] == f"10/1 {stage}"
    assert not set(first) & set(ran)
    assert len(rows_of(project)) == len({(r["system"], r["seed"]) for r in rows_of(project)}) == 6


def test_sweep_continues_after_failed_runs(run, ran, project):
    ran.broken = ("10/0 train-teacher", "10/1 train-student-softmax")
    result = run("--sizes", "10", "--seeds", "2")
    assert "[D613] Runs failed: 3" in str(result.exception)
    assert "[D602] 10/0 train-teacher" in str(result.exception)
    assert {(row["system"], row["seed"]) for row in rows_of(project)} == {
        *(("teacher", 1), ("baseline-softmax", 0), ("baseline-softmax", 1)),
    }
    assert (project / "output" / "sweep.png").exists()
    ran.broken = ()
    assert run("--sizes", "10", "--seeds", "2").exit_code == 0
    assert len(rows_of(project)) == 6


def test_sweep_refuses_missing_teacher_weights(run, ran, project):
    """Without the weights, stages of another teacher could be mistaken for those of this one."""
    options = ("--sizes", "10", "--seeds", "1")
    run(*options)
    shutil.rmtree(project / "transformer")
    assert run(*options).exit_code == 0  # nothing is left to run
    shutil.rmtree(project / "output")
    ran.clear()
    assert "[D401]" in str(run(*options).exception) and ran == []
    assert not (project / "output").exists()


def test_sweep_reports_errors_if_all_runs_fail(run, ran, project):
    ran.broken = ("10/0 train-teacher",)
    result = run("--sizes", "10", "--seeds", "1", systems=["teacher"])
    assert "[D602] 10/0 train-teacher" in str(result.exception)
    assert not (project / "output").exists()


def test_sweep_refuses_rows_with_other_settings(run, ran, project):
    options = ("--sizes", "10", "--seeds", "1")
    run(*options)
    config = project / "configs" / "student.cfg"
    config.write_text(config.read_text().replace("temperature = 1.0", "temperature = 3.0"))
    before = rows_of(project)
    ran.clear()
    result = run(*options)
    assert "[D603]" in str(result.exception)
    assert (
        "made with other settings (their config): student-softmax, 10 labelled, seed 0. Go"
        in str(result.exception)
    )
    assert ran == [] and rows_of(project) == before
    result = run(*options, "--overwrite")
    assert result.exit_code == 0, result.output
    stages = [f"10/0 {stage}-student-softmax" for stage in ("train", "tune", "score")]
    assert ran == stages
    assert rows_of(project)[:2] == before[:2]
    assert rows_of(project)[2]["inputs"]["config"] != before[2]["inputs"]["config"]


def test_sweep_chooses_the_best_on_dev(run, ran, project):
    options = ("--sizes", "10", "--seeds", "1", "--variant")
    options += ("hot=student-softmax --components.ner.loss.temperature 4",)
    result = run(*options, "--choose", "best=student-softmax,hot")
    assert result.exit_code == 0, result.output
    *trained, best = before = rows_of(project)
    assert len(trained) == 4 and (best["system"], best["chosen"]) == ("best", "hot")  # by name
    assert "--choose best=student-softmax,hot" in best["sweep"]
    text = (project / "output" / "sweep.md").read_text(encoding="utf-8")
    assert "| best | teacher | 10 |" in text and "(student-softmax in 0, hot in 1 of 1)" in text
    # Without the option it is kept, and chosen again if the runs are repeated.
    assert run(*options).exit_code == 0
    assert rows_of(project) == before
    config = project / "configs" / "student.cfg"
    config.write_text(config.read_text().replace("task_weight = 1.0", "task_weight = 2.0"))
    assert "student-softmax, 10 labelled, seed 0; hot" in str(run(*options).exception)
    again = run(*options, "--choose", "best=student-softmax,hot", "--overwrite")
    assert again.exit_code == 0, again.output
    assert "2 rows were made with other settings" in again.output
    *trained, best = rows_of(project)
    assert len(trained) == 4 and best["fingerprint"] == trained[3]["fingerprint"]
    named = run(*options[:4], "--variant", "best=student-softmax --training.dropout 0.1")
    assert "[D604] 'best'" in str(named.exception)


def test_sweep_keeps_variants_that_are_not_requested(run, ran, project):
    """What a variant has in common with its seed and its pool is not a setting of its own."""
    options = ("--sizes", "10", "--seeds", "2", "--pool-sizes", "20,all")
    run(*options, "--variant", "hot=student-softmax --components.ner.loss.temperature 4")
    before = rows_of(project)
    ran.clear()
    result = run(*options, "--choose", "best=student-softmax,hot")
    assert result.exit_code == 0, result.output
    assert ran == [] and rows_of(project)[: len(before)] == before
    assert len(rows_of(project)) == len(before) + 4
    assert rows_of(project)[0]["settings"] == {}


def test_sweep_refuses_old_variants_if_the_environment_has_changed(run, ran, project, monkeypatch):
    """Settings of the environment are not those of a variant, even if only it has rows."""
    options = ("--sizes", "10", "--seeds", "1")
    monkeypatch.setenv("SPACY_CONFIG_OVERRIDES", "--training.dropout 0.2")
    variant = "warm=baseline-softmax --training.patience 7"
    run(*options, "--variant", variant, systems=[])
    assert rows_of(project)[0]["settings"]["training.patience"] == "7"
    assert "training.dropout" not in rows_of(project)[0]["settings"]
    text = (project / "output" / "sweep.md").read_text(encoding="utf-8")
    assert "warm: baseline-softmax with `training.patience = 7`." in text
    monkeypatch.delenv("SPACY_CONFIG_OVERRIDES")
    ran.clear()
    assert "[D603]" in str(run(*options, systems=["baseline-softmax"]).exception) and ran == []


def test_sweep_refuses_choices_among_unknown_systems(run, ran):
    result = run("--sizes", "10", "--seeds", "1", "--choose", "best=student-softmax,long")
    assert "[D614]" in str(result.exception) and ran == []


def test_sweep_refuses_old_variants_that_are_not_requested(run, ran, project):
    """Next to new rows of its base, an old variant would seem to differ only in its settings."""
    options = ("--sizes", "10", "--seeds", "1")
    run(*options, "--variant", "hot=student-softmax --components.ner.loss.temperature 4")
    config = project / "configs" / "student.cfg"
    config.write_text(config.read_text().replace("task_weight = 1.0", "task_weight = 2.0"))
    before = rows_of(project)
    result = run(*options, "--overwrite")
    assert "[D603]" in str(result.exception) and "hot, 10 labelled, seed 0" in str(result.exception)
    assert rows_of(project) == before


def test_sweep_refuses_old_rows_that_are_not_requested(run, ran, project):
    """Old rows of runs that are not requested can't be replaced, even with --overwrite."""
    run("--sizes", "10", "--seeds", "2", "--pool-sizes", "20,all")
    config = project / "configs" / "student.cfg"
    config.write_text(config.read_text().replace("temperature = 1.0", "temperature = 3.0"))
    before = rows_of(project)
    ran.clear()
    for more in ([], ["--overwrite"]):
        result = run("--sizes", "10", "--seeds", "2", *more)
        assert "[D603]" in str(result.exception)
        assert (
            "(their config): student-softmax, 10 labelled, seed 0, 20 unlabelled; student-softmax, "
            in (str(result.exception))
        )
        assert "ask for these runs, too" in str(result.exception)
        assert "[D603]" in str(run("--sizes", "20", "--seeds", "7,", *more).exception)
    assert ran == [] and rows_of(project) == before
    more = ("--pool-sizes", "20,all", "--overwrite")
    assert run("--sizes", "10", "--seeds", "2", *more).exit_code == 0
    assert len(rows_of(project)) == len(before)
    assert len({row["inputs"]["config"]["sha256"] for row in rows_of(project)}) == len(before)


def test_sweep_keeps_old_rows_until_they_can_be_replaced(run, ran, project):
    options = ("--sizes", "10", "--seeds", "1")
    run(*options)
    before = rows_of(project)
    set_steps(project, "teacher", 12)
    (project / "transformer").rename(project / "elsewhere")
    assert "[D401]" in str(run(*options, "--overwrite").exception)
    assert rows_of(project) == before
    (project / "elsewhere").rename(project / "transformer")
    result = run(*options, "--overwrite")
    assert "2 rows were made with other settings: making them again" in result.output
    old = (project / "output" / "sweep.old.jsonl").read_text(encoding="utf-8").splitlines()
    assert [*map(json.loads, old)] == [row for row in before if row["system"] != "baseline-softmax"]
    assert [row["system"] for row in rows_of(project)] == [
        *("baseline-softmax", "teacher", "student-softmax")
    ]


def test_sweep_refuses_rows_of_other_sources(run, ran, project):
    """Changed sources are recognised even if their names and the digests of the folder agree."""
    options = ("--sizes", "10", "--seeds", "1")
    run(*options)
    ran.clear()
    train, more = project / "data" / "train.conll", project / "more.txt"
    text = train.read_text(encoding="utf-8")
    train.write_text(text + "\nAnn B-PER\n", encoding="utf-8")
    more.write_text("more text\n")
    for changed in (options, (*options, "--unlabelled", str(more))):
        assert "made with other settings (DATA, --unlabelled or --lang)" in str(
            run(*changed).exception
        )
    result = run("--sizes", "10", "--seeds", "1", systems=["baseline-crf"])
    assert "[D603]" in str(result.exception) and "(DATA, --unl" in str(result.exception)
    assert ran == []
    # Rows of earlier releases do not record what they were made from.
    rows = rows_of(project)
    for row in rows:
        del row["inputs"]["source"]
    srsly.write_jsonl(project / "output" / "sweep.jsonl", rows)
    assert run(*options).exit_code == 0
    assert ran == []


def test_sweep_has_a_folder_for_each_corpus(project):
    def default(data, *more):
        settings = Settings(str(data), Path(), Path("configs"), "teacher", unlabelled=more)
        sources = tuple(map(describe_source, (settings.data, *more)))
        return default_work(settings._replace(sources=sources))

    data, other = project / "data", project / "other" / "data"
    shutil.copytree(data, other)
    assert default(other) == default(data)
    assert re.fullmatch("training/sweep/data-[0-9a-f]{6}", default(data).as_posix())
    (other / "dev.conll").write_text("Ann B-PER\n", encoding="utf-8")
    assert len({default(data), default(other), default(data, str(other))}) == 3


@pytest.mark.parametrize("folder", ["work", "output"])
def test_sweep_locks_its_folders(run, ran, project, folder):
    (project / folder).mkdir()
    with hold(project / folder):
        result = run("--sizes", "10", "--seeds", "1")
        assert "[D914]" in str(result.exception) and ran == []
    assert run("--sizes", "10", "--seeds", "1").exit_code == 0


def test_sweep_work_and_output_folder_may_be_the_same(run, ran, project):
    options = ("--sizes", "10", "--seeds", "1", "--work", str(project / "output"))
    assert run(*options, systems=["teacher"]).exit_code == 0


def test_sweep_annotates_again_with_another_teacher(run, ran, project):
    options = ("--sizes", "10", "--seeds", "1")
    run(*options)
    ran.clear()
    set_steps(project, "teacher", 12)
    assert "[D603]" in str(run(*options).exception)
    assert run(*options, "--overwrite").exit_code == 0
    assert [name.partition(" ")[2] for name in ran] == [
        *("train-teacher", "tune-teacher", "score-teacher"),
        *("annotate-labelled", "annotate-unlabelled"),
        *("train-student-softmax", "tune-student-softmax", "score-student-softmax"),
    ]


@pytest.mark.parametrize(
    "config, at", [("baseline", "baseline"), ("teacher", "student"), ("teacher", "baseline")]
)
def test_sweep_has_no_row_of_settings_that_changed_meanwhile(
    run, ran, project, monkeypatch, config, at
):
    """A config that is edited during a training may have been read before or after it."""
    options = ("--sizes", "10", "--seeds", "1")

    def train(stage):
        make_training(stage)
        if at in stage.name:
            set_steps(project, config, 12)

    monkeypatch.setitem(MAKERS, "train", train)
    result = run(*options)
    name = f"{'student' if config == 'teacher' else config}-softmax"
    assert f"[D610] The settings of '{name}' were changed while" in result.output
    assert name not in {row["system"] for row in rows_of(project)}
    assert len(rows_of(project)) == len(SYSTEMS) - 1
    monkeypatch.setitem(MAKERS, "train", make_training)
    if config == at:
        ran.clear()
        assert run(*options).exit_code == 0
        assert ran[0] == f"10/0 train-{at}-softmax"
    else:  # the teacher's row has the earlier settings
        assert "[D603]" in str(run(*options).exception)


def test_sweep_keeps_the_teacher_if_the_pool_grows(run, ran, project):
    """Teacher and baseline read only labelled sentences, so they need not be trained again."""
    options = ("--sizes", "10", "--seeds", "1")
    more = project / "more.txt"
    more.write_text("Somebody went to Oslo.\n", encoding="utf-8")
    systems = ["teacher", "baseline-crf", "student-crf"]
    run(*options, systems=systems)
    ran.clear()
    options = (*options, "--unlabelled", str(more), "--overwrite")
    assert run(*options, systems=systems).exit_code == 0
    assert [name.partition(" ")[2] for name in ran] == [
        *("corpus", "annotate-labelled", "annotate-unlabelled"),
        *("train-student-crf", "tune-student-crf", "score-student-crf"),
    ]
    assert {tuple(row["inputs"]["source"]["unlabelled"]) for row in rows_of(project)} == {
        ("more.txt",)
    }


def test_sweep_refuses_products_of_other_data(run, ran, project, monkeypatch):
    """Neither products without a row nor rows of another corpus are mixed with new ones."""
    options = ("--sizes", "10", "--seeds", "1")
    more = project / "more.txt"
    more.write_text("more text\n")
    ran.deadly = ("10/0 train-teacher",)
    run(*options)
    ran.deadly = ()
    result = run(*options, "--unlabelled", str(more))
    assert "[D607]" in str(result.exception)
    assert "(unlabelled, sources)" in str(result.exception)
    run(*options)
    shutil.rmtree(project / "work")
    docs = [spacy.blank("en").make_doc("another test set")]

    def make_other(stage):
        make_corpus(stage)
        DocBin(docs=docs).to_disk(stage.products[3])

    monkeypatch.setitem(MAKERS, "corpus", make_other)
    result = run("--sizes", "20", "--seeds", "1")
    assert "[D609]" in str(result.exception)


def test_sweep_does_not_reuse_products_without_receipts(run, ran, project):
    """It is not known how products without a receipt were made, so they are made again."""
    options = ("--sizes", "10", "--seeds", "1")
    assert run(*options).exit_code == 0
    first = [*ran]
    shutil.rmtree(project / "output")
    for logs in [*project.glob("work/**/logs")]:
        shutil.rmtree(logs)
    ran.clear()
    assert run(*options).exit_code == 0
    assert ran == first


def test_sweep_records_the_command_of_each_row(run, ran, project):
    more = project / "more.txt"
    more.write_text("Somebody went to Oslo.\n", encoding="utf-8")
    variant = "hot=student-softmax --components.ner.loss.temperature 2"
    options = ("--sizes", "10", "--seeds", "1", "--unlabelled", more, "--lang", "en")
    assert run(*options).exit_code == 0
    assert run(*options, "--variant", variant, "--workers", "2", systems=[]).exit_code == 0
    start = "python -m spacy_distill sweep DATA/data output --sizes 10 --seeds 1 --systems"
    end = "--unlabelled more.txt --teacher TEACHER --configs CONFIGS"
    said = {row["system"]: row["sweep"] for row in rows_of(project)}
    systems = ",".join(SYSTEMS)
    assert said.pop("hot") == f"{start} '' --variant '{variant}' {end}"
    assert {*said.values()} == {f"{start} {systems} {end}"}
    text = (project / "output" / "sweep.md").read_text(encoding="utf-8")
    assert [line.strip() for line in text.splitlines() if line.startswith("    ")] == [
        f"{start} {systems} {end}",
        f"{start} '' --variant '{variant}' {end}",
    ]


def test_sweep_leaves_out_sizes_beyond_the_corpus(run, ran, project):
    result = run("--sizes", "10,80", "--seeds", "2", "--pool-sizes", "20,45,all")
    assert result.exit_code == 0, result.output
    assert result.output.count("Left out: 80 labelled sentences: data has 50") == 1
    assert result.output.count("Left out: 45 unlabelled sentences: with 10 labelled") == 1
    students = [row for row in rows_of(project) if row["system"].startswith("student")]
    assert {(row["limit"], row["pool"]) for row in students} == {(20, 20), (0, 40)}
    assert (project / "output" / "pool.svg").exists()
    assert "F1 by unlabelled sentences" in result.output
    shutil.rmtree(project / "output")
    assert "[D612]" in str(run("--sizes", "80", "--seeds", "1").exception)


@pytest.mark.parametrize(
    "arguments, code",
    [
        (["--sizes", "many"], "D605"),
        (["--seeds", "0"], "D007"),
        (["--pool-sizes", "most"], "D605"),
        (["--variant", "hot=student"], "D604"),
        (["--variant", "hot=student-softmax --training.heat 1"], "D606"),
        (["--systems", "student"], "D601"),
        (["--configs", "none"], "D008"),
        (["--unlabelled", "none.txt"], "D110"),
        (["--work", "data/work"], "D915"),
    ],
)
def test_sweep_refuses_bad_options(run, ran, project, monkeypatch, arguments, code):
    monkeypatch.chdir(project)
    assert f"[{code}]" in str(run(*arguments).exception)
    assert ran == []
    assert not (project / "output").exists()


def test_sweep_needs_matplotlib_before_it_runs_anything(run, ran, monkeypatch):
    monkeypatch.setattr("spacy_distill.checks.find_spec", lambda name: None)
    assert "[D024]" in str(run().exception)
    assert ran == []


@pytest.mark.slow
def test_sweep_from_end_to_end(run, project, transformer):
    """Run the real commands, which are replaced in the other tests of this file."""
    options = ["--sizes", "8", "--seeds", "1", "--pool-sizes", "20", "--workers", "2"]
    result = run(*options, systems=["teacher", "baseline-softmax"])
    assert result.exit_code == 0, result.output + str(result.exception)
    hinton = "hinton=student-softmax --components.ner.loss.direction teacher_student"
    result = run(*options, "--variant", hinton, systems=[])
    assert result.exit_code == 0, result.output + str(result.exception)
    rows = {row["system"]: row for row in rows_of(project)}
    assert list(rows) == ["teacher", "baseline-softmax", "hinton"]
    for row in rows.values():
        assert row["labelled"] == 8
        assert 0 <= row["test"]["ents_f"] < 1
        assert row["words_per_second"] > 0
        assert row["parameters"] > 1000
        assert all(seconds > 0 for seconds in row["seconds"].values())
        assert row["versions"]["spacy"] == spacy.__version__
        counts = srsly.read_json(
            project
            / "work/8/0/metrics"
            / f"{training_name(row['system'], row['limit'])}.counts.json"
        )
        assert len(counts["tp"]) == SENTENCES["test"]
    assert rows["hinton"]["pool"] == rows["hinton"]["limit"] == 20
    model = project / "work/8/0/training/hinton-pool-20/model-best"
    config = load_config(model / "config.cfg")
    assert config["components"]["ner"]["loss"]["direction"] == "teacher_student"
    assert config["corpora"]["train"]["limit"] == 20
    # The row has the scores of `spacy evaluate`.
    nlp = spacy.load(model)
    corpus = Corpus(project / "work/8/0/corpus/test.spacy", gold_preproc=True)
    expected = nlp.evaluate([*corpus(nlp)])["ents_f"]
    assert rows["hinton"]["test"]["ents_f"] == pytest.approx(expected or 0.0)
