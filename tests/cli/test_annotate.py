import io
import re
import subprocess
import sys

import numpy
import pytest
import spacy
import typer
from spacy.tokens import DocBin
from typer.testing import CliRunner

from spacy_distill.cli import annotate
from spacy_distill.cli.annotate import annotate_cli, show_progress
from spacy_distill.corpus import build_distillation_corpus_v1
from spacy_distill.docbins import read_docbins
from spacy_distill.soft_targets import KEY, get_soft_targets
from spacy_distill.tags import make_tags


@pytest.fixture
def run(student_path, tmp_path):
    """Annotate `source` with the small student, into `tmp_path / "out"`."""
    app = typer.Typer()
    app.command()(annotate_cli)

    def invoke(source, *args, teacher=student_path):
        result = CliRunner().invoke(app, [str(teacher), str(source), str(tmp_path / "out"), *args])
        result.text = " ".join(result.output.split())
        return result

    return invoke


@pytest.fixture
def read(nlp, tmp_path):
    return lambda: list(read_docbins(tmp_path / "out", nlp.vocab))


@pytest.fixture
def source(tmp_path, texts):
    path = tmp_path / "pool.txt"
    path.write_text("\n".join(texts), encoding="utf-8")
    return path


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_annotate_reports_words_without_soft_targets(run, tmp_path, make_doc):
    """A word gets no soft targets if the rules' tokenizer splits it differently."""
    rules = spacy.blank("en")
    rules.add_pipe("entity_ruler").add_patterns([{"label": "PER", "pattern": "Ann"}])
    rules.to_disk(tmp_path / "rules")
    docs = [make_doc("Ann met Eve-Sue there"), *[make_doc("Ann met Bob there")] * 4]
    for n_docs, is_reported in ((5, False), (1, True)):
        DocBin(docs=docs[:n_docs]).to_disk(tmp_path / "pool.spacy")
        result = run(tmp_path / "pool.spacy", "--overwrite", teacher=tmp_path / "rules")
        assert result.exit_code == 0, result.output
        assert "words without soft targets 1" in result.text
        assert ("gave no soft targets for 1 words (25.0%)" in result.text) == is_reported


def test_annotate_output_can_be_read_by_the_corpus(run, source, read, student, texts, tmp_path):
    result = run(source)
    assert result.exit_code == 0, result.output
    assert "documents 10 words 48" in result.text
    docs = read()
    assert names(tmp_path / "out") == ["00000.spacy", "manifest.json"]
    assert [doc.text for doc in docs] == texts
    for doc, expected in zip(docs, student.pipe(texts)):
        assert [str(ent) for ent in doc.ents] == [str(ent) for ent in expected.ents]
        assert get_soft_targets(doc, tags=student.get_pipe("ner").tags, name="ner").shape[1] == 5
    reader = build_distillation_corpus_v1(labelled=None, unlabelled=tmp_path / "out")
    assert len(list(reader(student))) == 10


def test_annotate_warns_of_datasets_without_revision(run, source, monkeypatch):
    def stop(*args, **kwargs):
        raise ValueError("stopped")

    monkeypatch.setattr(annotate, "annotate_source", stop)
    result = run("some/set", "--exclude", "other/set", "--exclude", "third/set@v1")
    assert re.findall(r"dataset (\S+) given", result.text) == ["some/set", "other/set"]


def test_annotate_passes_iob1_to_the_teacher(run, source, monkeypatch):
    jobs = []

    def stop(job, *args, **kwargs):
        jobs.append(job)
        raise ValueError("stopped")

    monkeypatch.setattr(annotate, "annotate_source", stop)
    run(source)
    run(source, "--iob1")
    assert [job.iob1 for job in jobs] == [False, True]


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_annotate_counts_documents_only_for_a_terminal(make_doc, tmp_path, monkeypatch):
    """Counting loads the whole .spacy file, so it is skipped if no progress bar is shown."""
    path = tmp_path / "pool.spacy"
    DocBin(docs=[make_doc("Ann left"), make_doc("Bob came")]).to_disk(path)
    for stream, shown in ((Terminal(), "1/2"), (io.StringIO(), "")):
        monkeypatch.setattr("sys.stderr", stream)
        if not shown:
            monkeypatch.setattr("spacy_distill.cli.annotate.count_docs", None)
        with show_progress([str(path)]) as advance:
            advance(1, 2)
        assert shown in stream.getvalue() and bool(shown) == bool(stream.getvalue())


@pytest.mark.parametrize("batch_size", ["1", "3", "99"])
def test_annotate_writes_shards_in_order(run, source, read, texts, tmp_path, batch_size):
    assert run(source, "--shard-size", "4", "--batch-size", batch_size).exit_code == 0
    assert names(tmp_path / "out") == [*(f"0000{i}.spacy" for i in range(3)), "manifest.json"]
    assert [doc.text for doc in read()] == texts


def test_annotate_replaces_output_only_with_overwrite(run, source, read, tmp_path):
    run(source, "--shard-size", "4")
    result = run(source, "--shard-size", "6")
    assert "[D902]" in str(result.exception)
    assert "shard_size (4, now 6)" in str(result.exception)
    assert names(tmp_path / "out") == [f"0000{i}.spacy" for i in range(3)] + ["manifest.json"]
    assert run(source, "--shard-size", "6", "--overwrite").exit_code == 0
    assert names(tmp_path / "out") == ["00000.spacy", "00001.spacy", "manifest.json"]
    assert len(read()) == 10
    assert "Nothing to do" in run(source, "--shard-size", "6", "--overwrite").text


def test_annotate_splits_sentences(run, read, tmp_path):
    (tmp_path / "pool.txt").write_text("Ann left. Bob went to Rome.", encoding="utf-8")
    assert run(tmp_path / "pool.txt", "--split-sentences").exit_code == 0
    assert [doc.text for doc in read()] == ["Ann left.", "Bob went to Rome."]


def test_annotate_excludes_texts_of_a_test_set(run, source, read, texts, tmp_path):
    (tmp_path / "test.jsonl").write_text(f'{{"text": "{texts[2]}"}}', encoding="utf-8")
    result = run(source, "--exclude", str(tmp_path / "test.jsonl"))
    assert "test.jsonl: 1" in result.text
    assert [doc.text for doc in read()] == [*texts[:2], *texts[3:]]


def test_annotate_refuses_a_negative_number_of_processes(run, source):
    assert "[D007] --n-process" in str(run(source, "--n-process", "-1").exception)


def test_annotate_keeps_gold_and_sentences(run, read, make_doc, tmp_path):
    starts = [True, False, False, True, False]
    gold = make_doc("Ann saw Rome Bob left", "O O B-X O O", sent_starts=starts)
    DocBin(docs=[gold], attrs=["ENT_IOB", "ENT_TYPE", "SENT_START"]).to_disk(tmp_path / "g.spacy")
    # The teacher does not have the label X.
    assert "[D801]" in str(run(tmp_path / "g.spacy").exception)
    assert run(tmp_path / "g.spacy", "--labels", "LOC,PER,X").exit_code == 0
    (doc,) = read()
    assert [(ent.text, ent.label_) for ent in doc.ents] == [("Rome", "X")]
    assert [token.is_sent_start for token in doc] == starts
    assert doc.user_data[KEY]["log_probs"].shape == (5, 7)


def test_annotate_of_no_text_gives_one_empty_file(run, read, tmp_path):
    (tmp_path / "pool.jsonl").write_text("", encoding="utf-8")
    result = run(tmp_path / "pool.jsonl")
    assert result.exit_code == 0 and "No text to annotate" in result.text
    assert names(tmp_path / "out") == ["00000.spacy", "manifest.json"]
    assert read() == []
    # Nothing is lost if there is text later.
    (tmp_path / "pool.jsonl").write_text('{"text": "Ann left"}', encoding="utf-8")
    assert run(tmp_path / "pool.jsonl").exit_code == 0
    assert [doc.text for doc in read()] == ["Ann left"]
    assert run(tmp_path / "none.jsonl").exit_code == 1
    (tmp_path / "pool.jsonl").write_text("", encoding="utf-8")
    assert run(tmp_path / "pool.jsonl").exit_code == 1
    assert [doc.text for doc in read()] == ["Ann left"]


def test_annotate_refuses_missing_texts_and_teachers(run, source, nlp, tmp_path):
    result = run(tmp_path / "none.txt")
    assert result.exit_code == 1
    assert "none.txt" in str(result.exception)
    assert "[D110]" in str(result.exception)
    nlp.add_pipe("sentencizer")
    nlp.to_disk(tmp_path / "other")
    result = run(source, teacher=tmp_path / "other")
    assert "[D808]" in str(result.exception)
    assert not (tmp_path / "out").exists()


def test_annotate_averages_teachers(run, source, read, student_path):
    result = run(source, "--also", str(student_path), "--weights", "2,1")
    assert result.exit_code == 0, result.output
    for doc in read():
        assert (doc.user_data[KEY]["disagreement"] < 1e-3).all()
    assert "[D007]" in str(run(source, "--weights", "2,x").exception)
    assert "[D007]" in str(run(source, "--weights", "2,1").exception)


@pytest.fixture
def rules_path(nlp, tmp_path):
    """A pipeline of rules, whose labels are not those of the student."""
    ruler = nlp.add_pipe("entity_ruler")
    for label, text in (("PERSON", "Bob"), ("GPE", "Rome"), ("NORP", "home")):
        ruler.add_patterns([{"label": label, "pattern": text}])
    nlp.to_disk(tmp_path / "rules")
    return tmp_path / "rules"


def test_annotate_maps_the_labels_of_rules(run, source, read, rules_path):
    options = ["--map", "PERSON=PER", "--map", "GPE=LOC", "--drop", "NORP", "--smoothing", "0.2"]
    result = run(source, *options, teacher=rules_path)
    assert result.exit_code == 0, result.output
    docs = read()
    found = [(ent.text, ent.label_) for doc in docs for ent in doc.ents]
    assert set(found) == {("Bob", "PER"), ("Rome", "LOC")}
    for doc in docs:
        assert doc.user_data[KEY]["tags"] == ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
        assert numpy.exp(doc.user_data[KEY]["log_probs"]).max(axis=1) == pytest.approx(0.8, 0.01)


def test_annotate_joins_teachers_of_different_kinds(run, source, read, rules_path):
    options = ["--map", "PERSON=PER", "--map", "GPE=LOC", "--drop", "NORP"]
    result = run(source, "--also", str(rules_path), "--weights", "9,1", *options)
    assert result.exit_code == 0, result.output
    assert max(doc.user_data[KEY]["disagreement"].max() for doc in read()) > 0.01
    result = run(source, "--also", str(rules_path))
    assert "[D801]" in str(result.exception)
    assert "['GPE', 'NORP', 'PERSON']" in str(result.exception)
    assert "['LOC', 'PER']" in str(result.exception)
    assert "[D802]" in str(run(source, "--drop", "MISC").exception)
    assert "some of the labels, not all" in str(
        run(source, "--drop", "LOC", "--drop", "PER").exception
    )


def test_annotate_uses_the_labels_of_gold(run, read, make_doc, tmp_path):
    """The student will have these labels, so the teacher must have them, too."""
    docs = [make_doc("Ann saw Rome", "B-PER O B-LOC"), make_doc("Bob went home")]
    DocBin(docs=docs, attrs=["ENT_IOB", "ENT_TYPE"]).to_disk(tmp_path / "gold.spacy")
    assert run(tmp_path / "gold.spacy").exit_code == 0
    DocBin(docs=docs[:1], attrs=["ENT_IOB", "ENT_TYPE"]).to_disk(tmp_path / "gold.spacy")
    assert run(tmp_path / "gold.spacy", "--labels", "LOC, PER,ORG", "--overwrite").exit_code == 0
    tags = read()[0].user_data[KEY]["tags"]
    assert tags == tuple(make_tags(["LOC", "PER", "ORG"], scheme="iob"))
    assert "[D007]" in str(run(tmp_path / "gold.spacy", "--labels", "LOC,,PER").exception)


def test_annotate_tokenises_text_as_the_student_does(run, read, rules_path, tmp_path):
    (tmp_path / "pool.txt").write_text("l'Uomo vede Bob", encoding="utf-8")
    assert run(tmp_path / "pool.txt", "--lang", "it", teacher=rules_path).exit_code == 0
    assert [token.text for token in read()[0]] == ["l'", "Uomo", "vede", "Bob"]
    assert run(tmp_path / "pool.txt", "--overwrite", teacher=rules_path).exit_code == 0
    assert [token.text for token in read()[0]] == ["l'Uomo", "vede", "Bob"]
    assert "[D121]" in str(run(tmp_path / "pool.txt", "--lang", "zz").exception)


def test_annotate_reports_ignored_files(run, source, tmp_path):
    folder = tmp_path / "texts"
    folder.mkdir()
    source.rename(folder / "a.txt")
    assert "Ignored in" not in run(folder).text
    (folder / "b.json").write_text("[]")
    assert f"Ignored in {folder}: 1 .json" in run(folder).text


def test_annotate_warns_of_a_checkpoint_without_a_revision(run, source, monkeypatch):
    def refuse(name, **options):
        raise ValueError(f"asked for {name}")

    monkeypatch.setattr("spacy_distill.annotate.job.load_teacher", refuse)
    result = run(source, teacher="owner/name")
    assert "Use owner/name@REVISION" in result.text
    assert str(result.exception) == "asked for owner/name"
    assert "REVISION" not in run(source, teacher="owner/name@0123abc").text


@pytest.mark.parametrize("options", [(), ("--n-process", "2")])
def test_annotate_imports_code_of_the_teacher(run, source, nlp, read, tmp_path, options):
    """Code is imported only once in each process, because a class can't be registered twice."""
    name = f"of_a_test_{len(options)}"  # registrations last as long as the process
    code = tmp_path / "parts.py"
    code.write_text(
        "import spacy\n"
        "from spacy.lang.en import English\n"
        "from spacy.language import Language\n"
        "from spacy.tokens import Span\n\n"
        f"@Language.factory('find_bob_{name}', assigns=['doc.ents'])\n"
        "class FindBob:\n"
        "    def __init__(self, nlp, name):\n"
        "        pass\n\n"
        "    def __call__(self, doc):\n"
        "        doc.ents = [Span(doc, t.i, t.i + 1, 'PER') for t in doc if t.text == 'Bob']\n"
        "        return doc\n\n"
        f"@spacy.registry.languages('lang_{name}')\n"
        "class LanguageOfATest(English):\n"
        f"    lang = 'lang_{name}'\n",
        encoding="utf-8",
    )
    teacher = tmp_path / "teacher"
    make = (
        "import sys, runpy, spacy\nrunpy.run_path(sys.argv[1])\n"
        f"nlp = spacy.blank('lang_{name}')\n"
        f"nlp.add_pipe('find_bob_{name}')\nnlp.to_disk(sys.argv[2])"
    )
    subprocess.run([sys.executable, "-c", make, str(code), str(teacher)], check=True)
    named = ("--labels", "PER", *options)
    for _ in range(2):
        result = run(source, *named, "--code", str(code), teacher=teacher)
        assert result.exit_code == 0, result.output
    assert {ent.text for doc in read() for ent in doc.ents} == {"Bob"}
    for none in ("none.py", teacher):
        result = run(source, *named, "--code", none, teacher=teacher)
        assert "[D016]" in str(result.exception)
    code.with_name("broken.py").write_text("import nothing_of_this_name")
    result = run(source, *named, "--code", code.with_name("broken.py"), teacher=teacher)
    assert re.search(r"\[D018\].*broken\.py.*nothing_of_this_name", str(result.exception))


def test_annotate_refuses_ray_if_it_is_not_installed(monkeypatch):
    monkeypatch.setattr("spacy_distill.checks.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"\[D024\].*spacy-distill\[ray\]"):
        annotate.choose_engine(annotate.EngineName.ray)
