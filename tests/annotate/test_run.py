import json
import os
import random
import resource
import signal
import subprocess
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy
import pytest
import spacy
from numpy.testing import assert_allclose
from spacy.tokens import Doc, DocBin

from spacy_distill.annotate.docs import annotate_batch
from spacy_distill.annotate.engines import Processes
from spacy_distill.annotate.job import Job
from spacy_distill.annotate.run import annotate_source
from spacy_distill.annotate.shards import Annotator, pack_shards
from spacy_distill.data.sources import read_docs
from spacy_distill.docbins import count_docs, read_docbins
from spacy_distill.files import PART, hold
from spacy_distill.layers.word_cache import find_caches
from spacy_distill.loading import import_code
from spacy_distill.manifest import JOURNAL, MANIFEST, find_counts
from spacy_distill.provenance import digest_input
from spacy_distill.soft_targets import KEY

# Number of times that a run is killed. Set SPACY_DISTILL_KILLS=20 for a longer test.
KILLS = int(os.environ.get("SPACY_DISTILL_KILLS", 3))


@pytest.fixture
def job(student_path):
    return Job([str(student_path)], shard_size=4, batch_size=3)


@pytest.fixture
def source(tmp_path, texts):
    path = tmp_path / "pool.txt"
    path.write_text("\n".join(texts * 3), encoding="utf-8")  # 30 texts: 8 shards
    return path


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


@pytest.mark.parametrize("engine", [None, Processes(2)])
def test_run_warns_once_of_components_that_declare_nothing(job, source, out, tmp_path, engine):
    code, teacher = tmp_path / "code.py", tmp_path / "teacher"
    name = f"of_a_test_{bool(engine)}"  # registrations last as long as the process
    code.write_text(
        "from spacy.language import Language\n\n"
        f"@Language.component('{name}')\n"
        "def keep(doc):\n    return doc\n"
    )
    import_code(str(code))
    nlp = spacy.load(job.teachers[0])
    nlp.add_pipe(name)
    nlp.to_disk(teacher)
    job = replace(job, teachers=[str(teacher)], code=str(code))
    with pytest.warns(UserWarning, match=rf"\[W003\].*'{name}'") as warned:
        annotate_source(job, [source], out, engine=engine)
    assert len(warned) == 1


def test_run_records_each_shard_in_the_manifest(job, source, out, nlp):
    summary = annotate_source(job, [source], out)
    manifest = json.loads((out / MANIFEST).read_text())
    assert len(manifest["shards"]) == summary.shards == summary.new_shards == 8
    assert manifest["settings"]["tags"] == ["O", "B-LOC", "I-LOC", "B-PER", "I-PER"]
    docs = list(read_docbins(out, nlp.vocab))
    assert summary.docs == len(docs) == 30 == sum(find_counts(out).values())
    assert summary.words == sum(map(len, docs))
    assert summary.entities == {
        label: sum(ent.label_ == label for doc in docs for ent in doc.ents)
        for label in ("LOC", "PER")
    }
    highest = numpy.concatenate(
        [d.user_data["soft_targets"]["log_probs"].max(axis=1) for d in docs]
    )
    assert summary.confidence == pytest.approx(numpy.exp(highest.astype("d")).mean())
    for limit, share in summary.shares.items():
        assert share == pytest.approx((highest < numpy.log(limit)).mean())
    assert not (out / JOURNAL).exists()


def test_run_does_not_count_whitespace(job, out, nlp):
    wrapped = out.parent / "wrapped.spacy"
    DocBin(docs=[Doc(nlp.vocab, words=["Bob", "\n\n", "left", "Rome", " "])]).to_disk(wrapped)
    done = []
    summary = annotate_source(job, [wrapped], out, advance=lambda *n: done.append(n))
    assert summary.words == 3 and summary.n_without_targets == 0
    assert numpy.sum(done, axis=0).tolist() == [1, 3]


def test_run_needs_the_packages_of_the_tokenizer_or_another_language(job, out, make_doc, korean):
    korean.add_pipe("entity_ruler").add_patterns([{"label": "PER", "pattern": "Bob"}])
    korean.to_disk(out.parent / "rules")
    rules = replace(job, teachers=[str(out.parent / "rules")])
    pool = out.parent / "pool.spacy"
    DocBin(docs=[make_doc("Bob left")]).to_disk(pool)
    with pytest.raises(ValueError, match=r"\[D121\].*'ko'"):
        annotate_source(rules, [pool], out)
    assert not out.exists()
    assert annotate_source(replace(rules, lang="xx"), [pool], out).entities == {"PER": 1}


def test_run_counts_words_of_low_confidence(job, source, out, make_doc, nlp):
    """With rules smoothed to 0.8, all words are below 0.9, and none is below 0.7."""
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "PER", "pattern": "Bob"}])
    nlp.to_disk(out.parent / "rules")
    rules = replace(job, teachers=[str(out.parent / "rules")], smoothing=0.2)
    summary = annotate_source(rules, [source], out)
    assert summary.shares == {0.5: 0.0, 0.7: 0.0, 0.9: 1.0, 0.95: 1.0}


def test_run_shards_do_not_depend_on_earlier_ones(job, source, out, digests, texts):
    """A shard depends neither on words that the teacher has seen nor on its place in a source."""
    annotate_source(job, [source], out)
    last = out.parent / "last.txt"
    last.write_text("\n".join((texts * 3)[28:]), encoding="utf-8")
    annotate_source(job, [last], out.parent / "alone")
    assert digests(out.parent / "alone")["00000.spacy"] == digests(out)["00007.spacy"]


def test_run_clears_the_word_cache_before_each_shard(job, source, out, monkeypatch):
    """The row of a word may differ in its last digit if it is computed together with others."""
    kept = []

    def annotate(teacher, docs):
        (cache,) = find_caches(teacher.nlp)
        kept.append(len(cache))
        annotate_batch(teacher, docs)

    monkeypatch.setattr("spacy_distill.annotate.shards.annotate_batch", annotate)
    annotate_source(replace(job, batch_size=4), [source], out)
    assert kept == [0] * 8


def test_run_in_several_processes_gives_the_same(job, source, out, digests):
    annotate_source(job, [source], out)
    done = []
    several = annotate_source(
        job,
        [source],
        out.parent / "several",
        engine=Processes(2),
        advance=lambda *n: done.append(n),
    )
    assert several.new_shards == 8
    assert numpy.sum(done, axis=0).tolist() == [30, several.words]
    assert digests(out.parent / "several") == digests(out)


def test_run_resumes_after_an_interruption(job, source, out, digests):
    annotate_source(job, [source], out)
    whole = digests(out)

    def stop_after(n):
        def read(source, **settings):
            for i, doc in enumerate(read_docs(source, **settings)):
                if i == n:
                    raise KeyboardInterrupt
                yield doc

        return read

    again = out.parent / "again"
    for n in (2, 13, 25):
        with pytest.raises(KeyboardInterrupt):
            annotate_source(job, [source], again, read=stop_after(n))
        assert not (again / MANIFEST).exists()
    # As if the run had been killed while writing a line, and a file.
    with (again / JOURNAL).open("a") as file:
        file.write('{"name": "00006.spa')
    (again / PART.format(name="00006.spacy", unique="1")).write_bytes(b"half")
    assert annotate_source(job, [source], again).new_shards == 2
    assert digests(again) == whole
    assert annotate_source(job, [source], again).new_shards == 0
    assert digests(again) == whole


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: b"y" + data[1:], None])
def test_run_replaces_damaged_shards(job, source, out, digests, damage):
    annotate_source(job, [source], out)
    whole = digests(out)
    path = out / "00002.spacy"
    if damage is None:
        path.unlink()
    else:
        path.write_bytes(damage(path.read_bytes()))
    assert annotate_source(job, [source], out).new_shards == 1
    assert digests(out) == whole


def test_run_refuses_a_folder_annotated_with_other_settings(job, source, out, digests, nlp):
    annotate_source(job, [source], out)
    whole = digests(out)
    with pytest.raises(ValueError, match=r"\[D902\].*batch_size \(3, now 2\)\)"):
        annotate_source(replace(job, batch_size=2), [source], out)
    other = spacy.load(job.teachers[0])
    other.get_pipe("ner").model.get_ref("output_layer").get_param("b")[0] += 0.5
    other.to_disk(out.parent / "other")
    others = replace(job, teachers=[str(out.parent / "other")])
    with pytest.raises(ValueError, match=r"\[D902\].*settings \(teachers\).*--overwrite"):
        annotate_source(others, [source], out)
    assert digests(out) == whole
    assert annotate_source(others, [source], out, overwrite=True).new_shards == 8
    assert digests(out).keys() == whole.keys()
    assert annotate_source(others, [source], out, overwrite=True).new_shards == 0
    # A copy of the teacher elsewhere counts as the same.
    other.to_disk(out.parent / "moved")
    moved = replace(job, teachers=[str(out.parent / "moved")])
    assert annotate_source(moved, [source], out).new_shards == 0


def test_run_refuses_a_folder_annotated_from_other_texts(job, source, out, texts, digests):
    annotate_source(job, [source], out)
    changed = out.parent / "changed.txt"
    changed.write_text("\n".join([*texts * 2, "Eve likes Rome"]), encoding="utf-8")
    with pytest.raises(ValueError, match=r"\[D903\].*those of 00005.spacy are others"):
        annotate_source(job, [changed], out)
    # Unchanged shards are kept, and superfluous ones removed.
    assert annotate_source(job, [changed], out, overwrite=True).new_shards == 1
    annotate_source(job, [changed], out.parent / "new")
    assert digests(out) == digests(out.parent / "new")
    assert len(digests(out)) == 7


@pytest.mark.parametrize("text", ['{"name": "a web page"}', "[1]"])
def test_run_keeps_the_manifest_of_another_program(job, source, out, text):
    out.mkdir()
    (out / "manifest.json").write_text(text)
    for overwrite in (False, True):
        with pytest.raises(ValueError, match=r"\[D904\].*: manifest.json\."):
            annotate_source(job, [source], out, overwrite=overwrite)
    assert (out / "manifest.json").read_text() == text
    assert [path.name for path in out.iterdir()] == ["manifest.json"]


def test_run_refuses_a_folder_with_other_files(job, source, out, nlp):
    out.mkdir()
    for name in ("dev.spacy", "00000.spacy"):
        DocBin().to_disk(out / name)
    for overwrite in (False, True):
        with pytest.raises(ValueError, match=r"\[D904\].*: 00000.spacy, dev.spacy\."):
            annotate_source(job, [source], out, overwrite=overwrite)
        assert sorted(path.name for path in out.iterdir()) == ["00000.spacy", "dev.spacy"]
    (out / "dev.spacy").unlink()
    for overwrite in (False, True):
        with pytest.raises(ValueError, match=r"\[D904\].*: 00000.spacy\."):
            annotate_source(job, [source], out, overwrite=overwrite)
    (out / "00000.spacy").unlink()
    annotate_source(job, [source], out)
    assert len(list(out.glob("*.spacy"))) == 8
    # In a finished folder, a file that is named like a shard may be the user's.
    DocBin().to_disk(out / "00077.spacy")
    for overwrite in (False, True):
        with pytest.raises(ValueError, match=r"\[D904\].*: 00077.spacy\."):
            annotate_source(job, [source], out, overwrite=overwrite)
    (out / "00077.spacy").unlink()
    (out / MANIFEST).write_text('{"format": 7}')
    with pytest.raises(ValueError, match=r"\[D905\].*format is 7"):
        annotate_source(job, [source], out)
    for text in ("[]", "3", '{"format": 1}', '{"format": 1, "settings": {}}\n{"foo": 1}'):
        (out / JOURNAL).write_text(f"{text}\n")
        with pytest.raises(ValueError, match=rf"\[D905\].*{JOURNAL}"):
            annotate_source(job, [source], out)
        assert not find_counts(out)


@pytest.mark.parametrize(
    "output, read",
    [
        ("data", "data"),
        ("data/out", "data"),
        ("link/out", "data"),
        ("data", "data/pool.txt"),
        ("data", "data/more"),
        ("data/pool.txt", "data/pool.txt"),
    ],
)
@pytest.mark.parametrize("is_excluded", [False, True])
def test_run_refuses_to_write_into_its_sources(job, source, tmp_path, output, read, is_excluded):
    (tmp_path / "data" / "more").mkdir(parents=True)
    (tmp_path / "data" / "pool.txt").write_text("Bob left")
    (tmp_path / "link").symlink_to(tmp_path / "data")
    sources, exclude = [tmp_path / read], []
    if is_excluded:
        sources, exclude = [source], sources
    names = rf"'{(tmp_path / output).resolve()}' .* '{tmp_path / read}'"
    with pytest.raises(ValueError, match=rf"\[D915\] Output {names}"):
        annotate_source(job, sources, tmp_path / output, exclude=exclude, overwrite=True)
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["more", "pool.txt"]


def test_run_refuses_to_write_into_its_teacher(job, source):
    (teacher,) = job.teachers
    with pytest.raises(ValueError, match=r"\[D915\]"):
        annotate_source(job, [source], Path(teacher) / "annotated")


def test_run_may_write_next_to_its_sources(job, source, tmp_path):
    """The project workflow writes annotation into a subfolder next to the source, too."""
    for _ in range(2):
        annotate_source(job, [source], tmp_path / "annotated" / "pool", exclude=[source])
    annotate_source(job, [source], tmp_path / "pool")
    for folder in ("annotated/pool", "pool"):
        assert (tmp_path / folder / "00000.spacy").exists()


@pytest.mark.parametrize("below", ["", "below"])
def test_run_refuses_a_file_as_its_folder(job, source, out, below):
    out.write_text("mine")
    with pytest.raises(OSError, match=r"\[D901\] Can't write '.*out"):
        annotate_source(job, [source], out / below)
    assert out.read_text() == "mine"


def test_run_refuses_new_labels_in_later_texts(job, out, make_doc, tmp_path):
    docs = [make_doc("Ann saw Rome", "B-PER O B-LOC") for _ in range(4)]
    DocBin(docs=[*docs, make_doc("Bob left", "B-X O")]).to_disk(tmp_path / "gold.spacy")
    with pytest.raises(ValueError, match=r"\[D906\] From text number 5 on,.*\['X'\].*--labels"):
        annotate_source(job, [tmp_path / "gold.spacy"], out)
    assert [path.name for path in out.iterdir()] == [JOURNAL] or (out / "00000.spacy").exists()
    named = replace(job, labels=["LOC", "PER"])
    with pytest.raises(ValueError, match=r"\[D906\].*\['X'\]"):
        annotate_source(named, [tmp_path / "gold.spacy"], out.with_name("named"))
    named = replace(job, labels=["LOC", "PER", "X"])
    found = annotate_source(named, [tmp_path / "gold.spacy"], out, overwrite=True)
    assert found.new_shards == 2


def test_run_locks_its_folder(job, source, out, digests):
    annotate_source(job, [source], out.parent / "alone")
    out.mkdir()
    with hold(out), pytest.raises(OSError, match=r"\[D914\]"):
        annotate_source(job, [source], out)
    annotate_source(job, [source], out)
    assert digests(out) == digests(out.parent / "alone")


def test_run_excludes_texts(job, source, out, texts, nlp, make_doc):
    DocBin(docs=[make_doc(texts[0]), make_doc("Rome and  Oslo are _ cities")]).to_disk(
        out.parent / "dev.spacy"
    )
    done = []
    exclude, advance = [out.parent / "dev.spacy"], lambda *n: done.append(n)
    summary = annotate_source(job, [source], out, exclude=exclude, advance=advance)
    assert summary.dropped == {str(out.parent / "dev.spacy"): 6}
    # The progress bar reaches its end, because it counts these, too.
    assert numpy.sum(done, axis=0).tolist() == [30, summary.words]
    found = {doc.text for doc in read_docbins(out, nlp.vocab)}
    assert found == set(texts) - {texts[0], texts[3]}


def test_run_excludes_sentences(job, out, tmp_path, nlp, make_doc):
    """If text is split, all sentences of excluded documents are left out, else whole texts."""
    (tmp_path / "pool.txt").write_text("Ann left. Bob came.\nEve won. Bob came!\nBob came.")
    whole = [
        make_doc("Ann left .", "B-PER O O"),
        make_doc("Who knows ? Bob came .", "O O O B-PER O O"),
    ]
    DocBin(docs=whole).to_disk(tmp_path / "test.spacy")
    for is_split, expected in (
        (True, ["Eve won.", "Bob came!"]),
        (False, ["Ann left. Bob came.", "Eve won. Bob came!", "Bob came."]),
    ):
        annotate_source(
            job,
            [tmp_path / "pool.txt"],
            out / str(is_split),
            exclude=[tmp_path / "test.spacy"],
            split_sentences=is_split,
        )
        assert [doc.text for doc in read_docbins(out / str(is_split), nlp.vocab)] == expected


def test_run_keeps_finished_shards_if_a_line_cannot_be_read(job, out, texts, tmp_path):
    lines = [json.dumps({"text": text}) for text in texts]
    path = tmp_path / "pool.jsonl"
    path.write_text("\n".join([*lines[:9], "{", *lines[9:]]), encoding="utf-8")
    with pytest.raises(ValueError, match=r"\[D107\].*line 10"):
        annotate_source(job, [path], out)
    path.write_text("\n".join(lines), encoding="utf-8")
    assert annotate_source(job, [path], out).new_shards == 1


def test_run_does_not_fill_vocabularies(job, out):
    """Neither the tokenizer nor the teacher keeps words of annotated documents."""
    annotator = Annotator(job, out)
    (nlp,) = annotator.pipelines
    reader = spacy.blank("en")
    out.mkdir()
    sizes = []
    for i in range(3):
        docs = (reader.make_doc(f"new{i}x{j} words{j} of{i}") for j in range(100))
        for shard in pack_shards(docs, reader, size=50):
            annotator.annotate(shard)
        sizes.append([(len(one.vocab.strings), len(list(one.vocab))) for one in (reader, nlp)])
    assert sizes[2] == sizes[0]
    assert "new2x99" not in reader.vocab.strings


def test_run_reads_docbins_across_shards(job, out, texts, tmp_path, make_doc, nlp):
    """A DocBin's strings outlive the shard that it was opened in."""
    DocBin(docs=[make_doc(text) for text in texts]).to_disk(tmp_path / "pool.spacy")
    annotate_source(replace(job, shard_size=1), [tmp_path / "pool.spacy"], out)
    assert [doc.text.split() for doc in read_docbins(out, nlp.vocab)] == [t.split() for t in texts]


def test_run_splits_sentences_across_shards(job, out, tmp_path, nlp):
    """The sentences of a text outlive the shard in which the text begins."""
    lines = ["Xyzzyqwe left. Plughfoo saw Bob. Qwuxqwux won.", "Frobnitz ate. Zzyzx slept."]
    (tmp_path / "pool.txt").write_text("\n".join(lines), encoding="utf-8")
    small = replace(job, shard_size=1)
    annotate_source(small, [tmp_path / "pool.txt"], out, split_sentences=True)
    found = [doc.text for doc in read_docbins(out, nlp.vocab)]
    assert found == [f"{part}." for line in lines for part in line.rstrip(".").split(". ")]


def test_run_counts_are_read_without_the_documents(job, source, out, monkeypatch):
    annotate_source(job, [source], out)
    monkeypatch.setattr("spacy_distill.docbins.load_docbin", None)
    assert count_docs(out) == 30


def test_run_reports_why_a_worker_failed(job, source, out, tmp_path):
    with pytest.raises(ValueError, match=r"\[D805\]"):
        annotate_source(replace(job, teachers=["nobody"]), [source], out, engine=Processes(2))
    engine = Processes(2)

    def read(source, **settings):
        for i, doc in enumerate(read_docs(source, **settings)):
            if i == 12:
                for process in engine.workers.values():
                    os.kill(process.pid, signal.SIGKILL)
            yield doc

    with pytest.raises(OSError, match=r"\[D907\].*code -9"):
        annotate_source(job, [source], out, engine=engine, read=read)
    assert not engine.workers
    annotate_source(job, [source], out)
    assert count_docs(out) == 30


def test_job_can_be_serialised_as_json(job):
    given = replace(job, renames=["A=B"], drop=["C"], labels=["B"], gold_labels=[], weights=[1.5])
    assert Job(**json.loads(json.dumps(asdict(given)))) == given
    with pytest.raises(ValueError, match=r"\[D007\] shard_size is 0"):
        replace(job, shard_size=0)


COMMAND = ("-m", "spacy_distill", "annotate")


@pytest.mark.slow
@pytest.mark.parametrize("n_process, n_kills", [("1", KILLS), ("2", max(KILLS // 3, 1))])
def test_run_can_be_resumed_after_being_killed(
    student_path, texts, tmp_path, digests, light_python, n_process, n_kills
):
    """Kill the real command with -9 at random moments, until it is finished."""
    path = tmp_path / "pool.txt"
    path.write_text("\n".join(texts * 200), encoding="utf-8")
    annotate_source(Job([str(student_path)], shard_size=25), [path], tmp_path / "whole")
    killed, rng = tmp_path / "killed", random.Random(0)
    options = ["--shard-size", "25", "--n-process", n_process]
    python, env = light_python
    command = [*python, *COMMAND, str(student_path), str(path), str(killed), *options]
    seen = []
    for _ in range(n_kills):
        n_before = len(list(killed.glob("*.spacy")))
        process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE)
        # Not before it has begun, and then at any moment during some shards.
        while len(list(killed.glob("*.spacy"))) <= n_before and process.poll() is None:
            time.sleep(0.001)
        time.sleep(rng.uniform(0, 1.5 / n_kills))
        process.kill()
        process.communicate()
        seen.append(len(list(killed.glob("*.spacy"))))
    assert seen == sorted(seen)
    subprocess.run(command, env=env, check=True, capture_output=True)
    assert digests(killed) == digests(tmp_path / "whole")


def test_run_on_a_full_disk_can_be_repeated(job, source, out, digests, light_python):
    """The size of files is limited, so that the first shards can be written, but no manifest."""
    annotate_source(job, [source], out)
    limit = max(path.stat().st_size for path in out.glob("*.spacy")) + 1
    assert (out / MANIFEST).stat().st_size > limit
    python, env = light_python
    command = [*python, *COMMAND, *job.teachers, str(source), str(out.parent / "full")]
    command += ["--shard-size", "4", "--batch-size", "3"]
    result = subprocess.run(
        command,
        env=env,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert result.returncode == 1
    text = " ".join((result.stdout + result.stderr).split())
    assert "[D901]" in text and "File too large" in text and "Traceback" not in text
    names = {path.name for path in (out.parent / "full").iterdir()}
    assert JOURNAL in names and MANIFEST not in names
    assert not [name for name in names if name.endswith(".part")]
    whole = digests(out)
    assert all(
        whole[name] == d for name, d in digests(out.parent / "full").items() if name in whole
    )
    annotate_source(job, [source], out.parent / "full")
    assert digests(out.parent / "full") == whole


def test_run_refuses_annotated_text_as_its_source(job, source, out, tmp_path):
    annotate_source(job, [source], out)
    with pytest.raises(ValueError, match=r"\[D917\] '.*out' is already annotated: document 1 "):
        annotate_source(job, [out], tmp_path / "again")


def test_run_without_a_gpu(job, source, out):
    with pytest.raises(ValueError, match=r"\[D020\].*GPU 97"):
        annotate_source(replace(job, gpu=97), [source], out)
    assert not out.exists()


def test_run_gives_the_same_on_a_gpu(job, source, out, gpu, nlp):
    annotate_source(job, [source], out)
    of_gpu = out.parent / "gpu"
    annotate_source(replace(job, gpu=gpu), [source], of_gpu)
    found = [list(read_docbins(folder, nlp.vocab)) for folder in (out, of_gpu)]
    assert len(found[0]) == 30
    for expected, doc in zip(*found, strict=True):
        assert [token.ent_type_ for token in doc] == [token.ent_type_ for token in expected]
        log_probs = [d.user_data[KEY]["log_probs"] for d in (expected, doc)]
        assert_allclose(*log_probs, atol=1e-2)


def test_run_ignores_manifests_of_other_programs(tmp_path, make_doc):
    """A folder of another program may have a manifest.json, too, so its content is checked."""
    DocBin(docs=[make_doc("Ann left")] * 3).to_disk(tmp_path / "pool.spacy")
    for text in ('{"name": "my data"}', "[]", "no JSON"):
        (tmp_path / MANIFEST).write_text(text)
        assert count_docs(tmp_path) == 3
    before = digest_input(tmp_path)
    DocBin(docs=[make_doc("Ann came")]).to_disk(tmp_path / "pool.spacy")
    assert digest_input(tmp_path) != before
