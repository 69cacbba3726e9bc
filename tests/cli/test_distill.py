import shutil
import subprocess
import sys
import tracemalloc
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest
import spacy
import srsly
from spacy.tokens import DocBin
from spacy.training import Example
from spacy.util import load_config
from thinc.api import NumpyOps, get_current_ops
from typer.testing import CliRunner

from spacy_distill.annotate.job import Job
from spacy_distill.cli import app
from spacy_distill.cli.distill.corpus import Given, hold_out_text, make_corpus
from spacy_distill.cli.distill.scores import report
from spacy_distill.cli.package import read_test_scores
from spacy_distill.data.sources import read_docs
from spacy_distill.docbins import read_docbins
from spacy_distill.files import digest_folder, hold
from spacy_distill.segmentation import word_segmenter
from spacy_distill.table import random_table

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "configs" / "student.cfg"
DEMO = ROOT / "assets" / "demo"
WIDTH = 16
# A small student with a very short training.
TINY = {
    "components.ner.model.lookup.width": WIDTH,
    "components.ner.model.char_cnn.width": 8,
    "components.ner.model.char_cnn.filters": 8,
    "components.ner.model.bilstm.width": 16,
    "training.max_steps": 90,
    "training.eval_frequency": 45,
    "training.optimizer.learn_rate": 0.03,
    "training.optimizer.use_averages": "false",
    "training.dropout": 0.1,
}


@pytest.fixture(scope="module")
def demo():
    """Labelled sentences of the demo corpus."""
    return list(islice(read_docs(DEMO / "train.conll", nlp=spacy.blank("en")), 180))


@pytest.fixture(scope="module")
def rules(demo, tmp_path_factory):
    """A teacher that knows most of the entities by name."""
    nlp = spacy.blank("en")
    ruler = nlp.add_pipe("entity_ruler")
    found = {(ent.label_, ent.text) for doc in demo[:160] for ent in doc.ents}
    ruler.add_patterns([{"label": label, "pattern": text} for label, text in sorted(found)])
    path = tmp_path_factory.mktemp("teacher") / "rules"
    nlp.to_disk(path)
    return path


@pytest.fixture(scope="module")
def table(demo, tmp_path_factory):
    words = Counter(token.lower_ for doc in demo for token in doc)
    path = tmp_path_factory.mktemp("table") / "table.npz"
    random_table(word_segmenter(words), width=WIDTH).to_disk(path)
    return path


@pytest.fixture
def text(demo, tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("\n".join(doc.text for doc in demo[:100]), encoding="utf-8")
    return path


@pytest.fixture
def gold(demo, tmp_path):
    """Two files of labelled sentences."""
    paths = tmp_path / "gold.spacy", tmp_path / "more.spacy"
    for path, docs in zip(paths, (demo[100:150], demo[150:])):
        DocBin(docs=docs, attrs=["ENT_IOB", "ENT_TYPE"]).to_disk(path)
    return paths


@pytest.fixture
def arguments(rules, table, tmp_path):
    """Make a command line: `arguments(unlabelled=text)`, into `tmp_path / "out"`."""

    def make(teacher=rules, config=CONFIG, overrides=TINY, **options):
        given = {"output": tmp_path / "out", "table": table, **options}
        pairs = [(f"--{name.replace('_', '-')}", given[name]) for name in given if given[name]]
        pairs += [(f"--{name}", value) for name, value in overrides.items()]
        return [str(part) for part in (teacher, config, *sum(pairs, ()))]

    return make


@pytest.fixture
def run(arguments):
    def invoke(*args, **options):
        result = CliRunner().invoke(app, ["distill", *arguments(*args, **options)])
        result.text = " ".join(result.output.split())
        return result

    return invoke


def run_process(*args, module="spacy"):
    """Run the real command in its own process."""
    command = [sys.executable, "-m", module, *args]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    return done.returncode, " ".join((done.stdout + done.stderr).split())


def read(path):
    return list(read_docbins(path, spacy.blank("en").vocab))


def contents(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.slow
def test_distill_without_labelled_sentences(arguments, text, rules, tmp_path):
    code, said = run_process("distill", *arguments(unlabelled=text))
    assert code == 0, said
    assert "agreement with the teacher" in said
    out = tmp_path / "out"
    student = spacy.load(out / "model-best")
    config = student.config.interpolate()
    assert config["corpora"]["train"]["labelled"] is None
    assert set(student.get_pipe("ner").labels) == set(
        spacy.load(rules).get_pipe("entity_ruler").labels
    )
    held_out, pool = read(out / "corpus" / "dev.spacy"), read(out / "annotated" / "unlabelled")
    assert (len(held_out), len(pool)) == (10, 90)
    assert not {doc.text for doc in held_out} & {doc.text for doc in pool}
    for doc, expected in zip(held_out, spacy.load(rules).pipe(doc.text for doc in held_out)):
        assert [(ent.text, ent.label_) for ent in doc.ents] == [
            (ent.text, ent.label_) for ent in expected.ents
        ]
    # The student has learned the teacher's labels.
    examples = [Example(student.make_doc(doc.text), doc) for doc in pool]
    assert student.evaluate(examples)["ents_f"] > 0.6
    with pytest.raises(ValueError, match=r"\[D422\].*student\.json"):
        read_test_scores(out / "metrics" / "student.json", out / "model-best")
    assert not (out / "metrics" / "teacher.json").exists()
    assert not [key for key in student.meta["performance"] if key.startswith("ents_")]
    code, said = run_process(
        "evaluate", out, out / "corpus" / "dev.spacy", tmp_path / "again", module="spacy_distill"
    )
    assert code == 0 and "agreement with it, not accuracy" in said
    with pytest.raises(ValueError, match=r"\[D422\]"):
        read_test_scores(tmp_path / "again" / "out.json", out / "model-best")


@pytest.mark.slow
def test_distill_with_labelled_sentences_twice(arguments, run, text, gold, rules, tmp_path):
    options = {"unlabelled": text, "labelled": gold[0], "test": gold[1]}
    code, said = run_process("distill", *arguments(**options), module="spacy_distill")
    assert code == 0, said
    assert "agreement" not in said
    out = tmp_path / "out"
    config = spacy.load(out / "model-best").config.interpolate()
    assert config["corpora"]["train"]["labelled"] == str(out / "annotated" / "labelled")
    # Gold is not part of the text to annotate, and held-out sentences are not trained on.
    assert len(read(out / "annotated" / "labelled")) == 45
    assert len(read(out / "corpus" / "dev.spacy")) == 5
    # The teacher's score is that of its own entities, not of gold.
    nlp = spacy.load(rules)
    examples = [Example(nlp.make_doc(doc.text), doc) for doc in read(gold[1])]
    expected = nlp.evaluate(examples)["ents_f"]
    teacher = srsly.read_json(out / "metrics" / "teacher.json")
    assert teacher["ents_f"] == pytest.approx(expected)
    assert f"teacher {100 * teacher['ents_p']:.2f}" in said
    scores = read_test_scores(out / "metrics" / "student.json", out / "model-best")
    assert scores["made_from"]["pipeline"] == digest_folder(out / "model-best")
    ents = {"ents_p", "ents_r", "ents_f", "ents_per_type"}  # and none of gold's own tokens
    assert scores.keys() == ents | {"speed", "made_from"}
    before = contents(out / "model-best")
    assert "is up to date" in run(**options).text
    assert contents(out / "model-best") == before


def test_distill_without_unlabelled_text(run, gold, tmp_path):
    result = run(labelled=gold[0], dev=gold[1])
    assert result.exit_code == 0, result.output
    assert "only the labelled sentences are left to distil on" in result.text
    assert "Give --test" in result.text
    assert len(read(tmp_path / "out" / "annotated" / "labelled")) == 50
    assert (tmp_path / "out" / "model-best" / "meta.json").exists()


def test_distill_with_other_labels_and_a_config_without_a_table(run, text, tmp_path):
    config = tmp_path / "own.cfg"
    config.write_text(CONFIG.read_text(encoding="utf-8").partition("[initialize]")[0], "utf-8")
    few = {**TINY, "training.max_steps": 2, "training.eval_frequency": 2}
    result = run(config=config, table=None, unlabelled=text, map="ORG=COMPANY", overrides=few)
    assert result.exit_code == 0, result.output
    student = spacy.load(tmp_path / "out" / "model-best")
    assert set(student.get_pipe("ner").labels) == {"COMPANY", "LOC", "PER"}
    assert not (tmp_path / "out" / "table.npz").exists()


def test_distill_warns_of_another_tokenizer(run, text, tmp_path):
    config = tmp_path / "own.cfg"
    block = '[nlp.tokenizer]\n@tokenizers = "between_spaces.v1"\n\n[components]'
    config.write_text(CONFIG.read_text(encoding="utf-8").replace("[components]", block, 1), "utf-8")
    code = tmp_path / "code_of_distill.py"
    code.write_text(
        "import spacy\nfrom spacy.tokenizer import Tokenizer\n\n\n"
        "@spacy.registry.tokenizers('between_spaces.v1')\n"
        "def make():\n    return lambda nlp: Tokenizer(nlp.vocab)\n"
    )
    few = {**TINY, "training.max_steps": 2, "training.eval_frequency": 2}
    result = run(config=config, unlabelled=text, code=code, overrides=few)
    assert result.exit_code == 0, result.output
    assert "The student's tokenizer differs from that of 'en'" in result.text


def test_distill_resumes_after_an_interruption(run, text, tmp_path, monkeypatch):
    def stop(*args, **options):
        raise KeyboardInterrupt

    few = {**TINY, "training.max_steps": 2, "training.eval_frequency": 2}
    with monkeypatch.context() as patch:
        patch.setattr("spacy_distill.cli.distill.student.tune_pipeline", stop)
        assert run(unlabelled=text, overrides=few).exit_code != 0
    result = run(unlabelled=text, overrides=few)
    assert result.exit_code == 0, result.output
    assert "Nothing to do" in result.text  # nothing is annotated again
    assert "is up to date" not in result.text
    assert (tmp_path / "out" / "tuned.json").exists()


def test_distill_trains_again_if_its_inputs_change(run, text, tmp_path):
    few = {**TINY, "training.max_steps": 2, "training.eval_frequency": 2}
    assert run(unlabelled=text, overrides=few).exit_code == 0
    best = tmp_path / "out" / "model-best"
    before = contents(best)
    assert "is up to date" in run(unlabelled=text, overrides=few).text
    assert contents(best) == before
    result = run(unlabelled=text, overrides={**few, "system.seed": 1})
    assert "is up to date" not in result.text
    assert contents(best) != before
    before = contents(best)
    text.write_text(text.read_text(encoding="utf-8") + "\nSomebody left", encoding="utf-8")
    result = run(unlabelled=text, overrides={**few, "system.seed": 1})
    assert "is up to date" not in result.text
    assert contents(best) != before


def given(*sources, **settings):
    return Given("", [*map(str, sources)], "", "", **settings)


def test_distill_splits_sentences(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("One left. Another came.\nA third one slept.", encoding="utf-8")
    text = given(path, split_sentences=True)
    docs = hold_out_text(text, nlp=spacy.blank("en"), share=0.99)
    texts = ["One left.", "Another came.", "A third one slept."]
    assert {doc.text for doc in docs} == set(texts)


def test_distill_holds_out_the_same_texts_in_any_order(tmp_path):
    """A text that occurs twice is either held out or learned from, but not both."""
    nlp = spacy.blank("en")
    lines = [f"text number {i}" for i in range(50)] * 2
    (tmp_path / "a.txt").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "b.txt").write_text("\n".join(reversed(lines)), encoding="utf-8")
    one, other = (
        [doc.text for doc in hold_out_text(given(tmp_path / name), nlp=nlp, share=0.2)]
        for name in ("a.txt", "b.txt")
    )
    assert one == other
    assert len(set(one)) == len(one) == 10


def test_distill_holds_out_from_the_beginning_of_long_sources(tmp_path, monkeypatch):
    monkeypatch.setattr("spacy_distill.cli.distill.corpus.LOOKED_AT", 40)
    for name in "ab":
        lines = [f"{name} number {i}" for i in range(1000)]
        (tmp_path / f"{name}.txt").write_text("\n".join(lines), encoding="utf-8")
    sources = [tmp_path / "a.txt", tmp_path / "b.txt"]
    docs = hold_out_text(given(*sources), nlp=spacy.blank("en"), share=0.5)
    assert len(docs) == 20
    assert {doc[0].text for doc in docs} == {"a", "b"}
    assert max(int(doc[2].text) for doc in docs) < 20


def test_distill_does_not_hold_out_texts_of_the_test_set(tmp_path):
    """If text is split, sentences of texts in the test set are not held out either."""
    lines = [f"Ann saw town number {i}." for i in range(40)]
    (tmp_path / "a.txt").write_text("\n".join(lines), encoding="utf-8")
    rows = [{"text": " ".join(lines[i : i + 2]), "entities": []} for i in range(0, 20, 2)]
    rows += [{"text": line, "entities": [[0, 3, "PER"]]} for line in lines[20:30]]
    srsly.write_jsonl(tmp_path / "test.jsonl", rows)
    for is_split, first in ((False, 0), (True, 20)):
        text = given(tmp_path / "a.txt", split_sentences=is_split)
        text = text._replace(test=str(tmp_path / "test.jsonl"))
        paths = make_corpus(
            tmp_path / str(is_split), text, nlp=spacy.blank("en"), dev_share=0.9, seed=0
        )
        may_be = set(lines[first:20] + lines[30:])
        found = {doc.text for doc in read(paths["held_out"])}
        assert len(found) == round(0.9 * len(may_be)) and found <= may_be


def test_distill_keeps_only_held_out_texts_in_memory(tmp_path):
    path, nlp = tmp_path / "a.txt", spacy.blank("en")
    words = ["town"] * 300
    path.write_text("\n".join(" ".join([*words, str(i)]) for i in range(300)), encoding="utf-8")
    peaks = []
    for share in (0.01, 0.9):
        tracemalloc.start()
        docs = hold_out_text(given(path), nlp=nlp, share=share)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert len(docs) == round(share * 300)
    assert peaks[0] < peaks[1] / 4


@pytest.fixture
def teachers(nlp, tmp_path):
    """A folder of unsuitable teachers: one without entities, and one that predicts none."""
    nlp.add_pipe("sentencizer")
    nlp.to_disk(tmp_path / "mute")
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "LOC", "pattern": "Atlantis"}])
    nlp.to_disk(tmp_path / "blind")
    return tmp_path


@pytest.mark.parametrize(
    "code, options",
    [
        ("D110", {"config": "none.cfg"}),
        ("D110", {"table": "none.npz"}),
        ("D110", {"unlabelled": "none.txt"}),
        ("D808", {"teacher": "mute"}),
        ("D414", {"teacher": "blind"}),
        ("D805", {"teacher": "none"}),
        ("D412", {"unlabelled": None}),
        ("D413", {"unlabelled": "empty.txt"}),
        ("D413", {"unlabelled": "empty.txt", "labelled": "gold.spacy"}),
        ("D131", {"labelled": "text.txt"}),
        ("D801", {"labelled": "other.conll", "dev": "gold.spacy"}),
        ("D415", {"dev": "other.conll"}),
        ("D415", {"test": "other.conll"}),
        ("D007", {"dev_share": 1}),
        ("D901", {"output": "text.txt", "labelled": "gold.spacy", "unlabelled": None}),
        ("D915", {"unlabelled": ".", "output": "out"}),
        ("D915", {"labelled": "out/corpus/dev.spacy", "output": "out"}),
        ("D416", {"config": "other.cfg", "overrides": {}}),
        ("D420", {"overrides": {"training.max_stepz": 20}}),
        ("D420", {"overrides": {"nlp.batch_sizes": 20}}),
        ("D420", {"overrides": {"initialize.init_tok2vek": "null"}}),
        ("D007", {"overrides": {"corpora.dev.path": "mine.spacy"}}),
        ("D007", {"overrides": {"corpora.train.labelled_fraction": 2}}),
        ("D007", {"overrides": {"paths.dev": "mine.spacy"}}),
        ("D007", {"overrides": {"corpora.train.@readers": "spacy.Corpus.v1"}}),
    ],
)
def test_distill_refuses_bad_options_and_sources(
    run, text, gold, teachers, tmp_path, code, options
):
    (tmp_path / "empty.txt").write_text("\n", encoding="utf-8")
    (tmp_path / "out" / "corpus").mkdir(parents=True)
    shutil.copy(gold[0], tmp_path / "out" / "corpus" / "dev.spacy")
    srsly.write_json(tmp_path / "out" / "distilled.json", {})
    (tmp_path / "other.conll").write_text("Bob\tB-X\nleft\tO\n\n" * 2, encoding="utf-8")
    (tmp_path / "other.cfg").write_text('[nlp]\nlang = "en"\n\n[components]\n', encoding="utf-8")
    given = {"unlabelled": text, **options}
    for name, value in options.items():
        if isinstance(value, str):
            given[name] = tmp_path / value
    result = run(**given)
    assert f"[{code}]" in str(result.exception)
    assert code != "D805" or "Corpus" not in result.text
    assert not (tmp_path / "out" / "model-best").exists()
    assert "overrides" not in options or not (tmp_path / "out" / "annotated").exists()


def test_distill_with_a_config_that_leaves_settings_to_spacy(run, text, tmp_path):
    config = load_config(CONFIG)
    for name in ("seed", "gpu_allocator"):
        del config["training"][name]
    config.to_disk(tmp_path / "student.cfg")
    assert run(config=tmp_path / "student.cfg", unlabelled=text).exit_code == 0


def test_distill_trains_a_sourced_student_further(run, text, tmp_path):
    """It is trained again if its source has changed, but its source is not overwritten."""
    assert run(unlabelled=text).exit_code == 0
    first = tmp_path / "out" / "model-best"
    config = load_config(CONFIG)
    config["paths"]["first"] = None
    config["components"]["ner"] = {"source": "${paths.first}"}
    del config["initialize"]
    config.to_disk(tmp_path / "further.cfg")
    steps = {"training.max_steps": 2, "training.eval_frequency": 1, "paths.first": first}
    options = {"table": None, "unlabelled": text, "config": tmp_path / "further.cfg"}
    assert "[D915]" in str(run(**options, overrides=steps).exception)
    options["output"] = tmp_path / "further"
    for is_new in (True, False, True):
        result = run(**options, overrides=steps)
        assert result.exit_code == 0, result.output
        assert ("further/model-best' is up to date" in result.text) != is_new
        if not is_new:
            meta = srsly.read_json(first / "meta.json")
            srsly.write_json(first / "meta.json", {**meta, "author": "another"})
    trained = spacy.load(tmp_path / "further" / "model-best").config
    width = trained["components"]["ner"]["model"]["lookup"]["width"]
    assert width == WIDTH  # which only the source says
    shutil.rmtree(first)
    spacy.blank("en").to_disk(first)
    assert "[D416]" in str(run(**options, overrides=steps).exception)


def test_distill_is_a_command_of_spacy(rules, tmp_path):
    code, said = run_process("--help")
    assert code == 0 and " distill " in said
    code, said = run_process("distill", str(rules), str(tmp_path / "none.cfg"), "-o", str(tmp_path))
    assert code == 1 and "[D110]" in said and "Traceback" not in said


def test_distill_does_not_overwrite_files_of_others(run, rules, text, tmp_path):
    teacher = tmp_path / "out" / "model-best"
    shutil.copytree(rules, teacher)
    before = digest_folder(teacher)
    result = run(teacher=teacher, unlabelled=text)
    assert result.exit_code == 1
    assert "[D915]" in str(result.exception)
    assert digest_folder(teacher) == before
    shutil.rmtree(teacher)
    mine = tmp_path / "out" / "corpus" / "dev.spacy"
    mine.parent.mkdir()
    mine.write_bytes(b"mine")
    result = run(unlabelled=text)
    assert "[D417]" in str(result.exception)
    assert mine.read_bytes() == b"mine"
    mine = mine.parent.rename(tmp_path / "mine") / "dev.spacy"
    mine = mine.rename(tmp_path / "out" / "table.npz")
    assert "[D417]" in str(run(unlabelled=text, table=None).exception)
    assert mine.read_bytes() == b"mine"
    mine.unlink()
    mine = shutil.copytree(rules, tmp_path / "out" / "model-best")
    assert "[D417]" in str(run(unlabelled=text).exception)
    assert digest_folder(mine) == before


def test_distill_depends_on_folders_in_the_paths_of_the_config(run, text, tmp_path):
    (tmp_path / "more").mkdir()
    config = tmp_path / "student.cfg"
    paths = f'[paths]\nmore = "{tmp_path / "more"}"'
    config.write_text(CONFIG.read_text(encoding="utf-8").replace("[paths]", paths))
    assert run(config=config, unlabelled=text).exit_code == 0
    assert "model-best' is up to date" in run(config=config, unlabelled=text).text
    (tmp_path / "more" / "file").write_text("")
    assert "model-best' is up to date" not in run(config=config, unlabelled=text).text


def test_distill_names_unknown_options(run, text):
    result = run(unlabelled=text, overrides={"unlabeled": "text.txt"})
    assert "[D420]" in str(result.exception)
    assert "--unlabeled" in str(result.exception)


def test_distill_with_the_teacher_on_a_gpu(run, text, student_path, tmp_path, gpu):
    """The student is still trained on the CPU."""
    result = run(student_path, unlabelled=text, gpu_id=str(gpu))
    assert result.exit_code == 0, result.output
    assert isinstance(get_current_ops(), NumpyOps)
    manifest = srsly.read_json(tmp_path / "out" / "annotated" / "unlabelled" / "manifest.json")
    assert manifest["settings"]["device"] == "gpu"


def test_distill_locks_its_folder(run, text, tmp_path):
    (tmp_path / "out").mkdir()
    with hold(tmp_path / "out"):
        assert "[D914]" in str(run(unlabelled=text).exception)
    assert not [*(tmp_path / "out").iterdir()]


def test_distill_warns_of_a_teacher_without_a_revision(run, text, monkeypatch):
    monkeypatch.setattr("spacy_distill.cli.distill.command.distill", lambda *args, **options: None)
    assert "Use owner/name@REVISION" in run(teacher="owner/name", unlabelled=text).text
    assert "REVISION" not in run(teacher="owner/name@0123abc", unlabelled=text).text


def test_distill_passes_its_options_to_the_teachers(arguments, text, rules, tmp_path, monkeypatch):
    jobs = []
    monkeypatch.setattr(
        "spacy_distill.cli.distill.command.distill", lambda job, *args, **options: jobs.append(job)
    )
    code = tmp_path / "nothing.py"
    code.touch()
    options = {"map": "PER=ORG", "drop": "LOC", "labels": "ORG,X", "smoothing": 0.3, "gpu_id": 3}
    line = arguments(unlabelled=text, also=rules, weights="2,1", code=code, **options)
    result = CliRunner().invoke(app, ["distill", *line, "--iob1"])
    assert result.exit_code == 0, result.output
    assert jobs == [
        Job(
            teachers=[str(rules)] * 2,
            weights=[2, 1],
            renames=["PER=ORG"],
            drop=["LOC"],
            labels=["ORG", "X"],
            smoothing=0.3,
            iob1=True,
            gpu=3,
            code=str(code),
        )
    ]


def test_distill_holds_out_sentences_by_the_seed_of_the_config(run, gold, monkeypatch):
    seeds = []

    def stop(*args, seed, **options):
        seeds.append(seed)
        raise ValueError("stopped")

    monkeypatch.setattr("spacy_distill.cli.distill.command.make_corpus", stop)
    run(labelled=gold[0], overrides={**TINY, "system.seed": 3})
    assert seeds == [3]


def test_distill_removes_the_scores_of_an_earlier_teacher(student_path, gold, tmp_path):
    """They are of other labels, if nothing is labelled now."""
    best = shutil.copytree(student_path, tmp_path / "out" / "model-best")
    scores = best.parent / "metrics" / "teacher.json"
    scores.parent.mkdir()
    scores.write_text("{}")
    report(best, gold[0], scored=None)
    assert [path.name for path in scores.parent.iterdir()] == ["student.json"]


def test_distill_refuses_a_table_that_the_config_does_not_load(run, text, tmp_path):
    config = load_config(CONFIG)
    del config["initialize"]["components"]["ner"]["init_model"]
    config.to_disk(tmp_path / "student.cfg")
    result = run(config=tmp_path / "student.cfg", unlabelled=text)
    assert "[D007] --table is" in str(result.exception)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "code, options",
    [
        ("D303", {"table": "text.txt"}),
        ("D306", {"table": "narrow.npz"}),
        ("D309", {"table": None, "encoder": "mute"}),
    ],
)
def test_distill_refuses_a_bad_table_or_encoder_before_annotation(
    run, text, teachers, tmp_path, code, options
):
    random_table(word_segmenter(["ann"]), width=WIDTH - 1).to_disk(tmp_path / "narrow.npz")
    result = run(
        unlabelled=text, **{name: value and tmp_path / value for name, value in options.items()}
    )
    assert f"[{code}]" in str(result.exception)
    assert not (tmp_path / "out" / "annotated").exists()


@pytest.mark.parametrize(
    "setting, value", [("components.ner.scheme", "none"), ("training.max_steps", "many")]
)
def test_distill_refuses_a_bad_config_before_annotation(run, text, tmp_path, setting, value):
    result = run(unlabelled=text, overrides={**TINY, setting: value})
    assert result.exit_code == 1 and setting.split(".")[-1] in result.text
    assert not (tmp_path / "out" / "annotated").exists()
