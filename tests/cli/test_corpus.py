import json
from pathlib import Path

import pytest
import spacy
import typer
from spacy.tokens import Doc, DocBin, Span
from spacy.vocab import Vocab
from typer.testing import CliRunner

from spacy_distill.cli.corpus import corpus_cli
from spacy_distill.cli.options import split_paths
from spacy_distill.docbins import read_gold

NAMES = ("labelled", "unlabelled", "dev", "test")


@pytest.fixture
def run(tmp_path):
    """Run the command on `tmp_path`, writing to `tmp_path / name`."""
    app = typer.Typer()
    app.command()(corpus_cli)

    def invoke(*args, name="corpus", data=None):
        arguments = [str(data or tmp_path / "data"), str(tmp_path / name), *map(str, args)]
        result = CliRunner().invoke(app, arguments)
        # Lines are wrapped to the width of a terminal.
        result.text = " ".join(result.output.split())
        return result

    return invoke


@pytest.fixture
def read(tmp_path):
    """The documents of one of the files that the command wrote."""

    def read_docbin(split, name="corpus"):
        path = tmp_path / name / f"{split}.spacy"
        return list(DocBin().from_disk(path).get_docs(spacy.blank("en").vocab))

    return read_docbin


@pytest.fixture
def write(tmp_path):
    """Write a column file of sentences: `Ann/PER left` has one entity."""

    def write_columns(name, *sentences):
        path = tmp_path / "data" / name
        path.parent.mkdir(exist_ok=True)
        blocks = []
        for sentence in sentences:
            parts = [word.partition("/") for word in sentence.split()]
            blocks.append("".join(f"{w}\t{'B-' + t if t else 'O'}\n" for w, _, t in parts))
        path.write_text("\n".join(blocks), encoding="utf-8")
        return path

    return write_columns


@pytest.fixture
def data(write):
    write("train.conll", *(f"Ann{i}/PER left Paris{i}/LOC" for i in range(20)))
    write("dev.conll", "Bob/PER slept")
    write("test.conll", "Rome/LOC fell", "Eve/PER won")


def texts(docs):
    return [doc.text.strip() for doc in docs]


def ents(doc):
    return [(ent.text, ent.label_) for ent in doc.ents]


def test_corpus_writes_four_files(run, read, data, tmp_path):
    result = run("--labelled", 5)
    assert result.exit_code == 0, result.output
    assert sorted(p.name for p in (tmp_path / "corpus").iterdir()) == sorted(
        f"{name}.spacy" for name in NAMES
    )
    assert [len(read(name)) for name in NAMES] == [5, 15, 1, 2]
    assert "5 keep their labels (--labelled), and 15 lose them" in result.text
    found = texts(read("labelled")) + texts(read("unlabelled"))
    assert sorted(found) == sorted(f"Ann{i} left Paris{i}" for i in range(20))
    assert texts(read("test")) == ["Rome fell", "Eve won"]
    assert [ents(doc) for doc in read("test")] == [[("Rome", "LOC")], [("Eve", "PER")]]


def test_corpus_stripped_sentences_have_missing_annotation(run, read, data):
    run("--labelled", 5)
    for doc in read("unlabelled"):
        # 0 is missing; 2 would be O, which would teach that there is no entity.
        assert [token.ent_iob for token in doc] == [0, 0, 0]
        assert not doc.has_annotation("ENT_IOB") and not doc.ents
    for doc in read("labelled"):
        assert [token.ent_iob for token in doc] == [3, 2, 3]
        assert [label for _, label in ents(doc)] == ["PER", "LOC"]


def test_corpus_sample_is_seeded_and_nested(run, read, data):
    samples = {}
    for seed in (0, 1):
        for n in (5, 10):
            run("--labelled", n, "--seed", seed, name=f"{seed}-{n}")
            samples[seed, n] = texts(read("labelled", f"{seed}-{n}"))
        run("--labelled", 5, "--seed", seed, name="again")
        assert texts(read("labelled", "again")) == samples[seed, 5]
        assert samples[seed, 10][:5] == samples[seed, 5]
    assert set(samples[0, 5]) != set(samples[1, 5])
    # Drawn at random, not cut from the start.
    assert set(samples[0, 5]) != {f"Ann{i} left Paris{i}" for i in range(5)}


@pytest.mark.parametrize("n", [0, 20, 99])
def test_corpus_may_keep_all_labels(run, read, data, n):
    result = run("--labelled", n)
    assert result.exit_code == 0, result.output
    assert len(read("labelled")) == 20 and read("unlabelled") == []
    assert ("Only 20 labelled sentences" in result.text) == (n == 99)
    assert "No unlabelled text" in result.text and "lose them" not in result.text


def test_corpus_holds_out_a_missing_dev_set(run, read, data, tmp_path):
    (tmp_path / "data" / "dev.conll").unlink()
    for n in (3, 6):
        result = run("--labelled", n, "--dev-share", 0.25, name=str(n))
        assert result.exit_code == 0, result.output
        assert "holding out 5 training sentences" in result.text
        assert len(read("dev", str(n))) == 5
        assert len(read("unlabelled", str(n))) == 15 - n
        parts = [set(texts(read(split, str(n)))) for split in ("labelled", "unlabelled", "dev")]
        assert len(set.union(*parts)) == 20
        assert all(doc.has_annotation("ENT_IOB") for doc in read("dev", str(n)))
    # The dev set depends on the seed alone, so that samples of all sizes share it.
    assert texts(read("dev", "3")) == texts(read("dev", "6"))
    assert texts(read("labelled", "6"))[:3] == texts(read("labelled", "3"))
    run("--labelled", 3, "--dev-share", 0.25, "--seed", 1, name="other")
    assert texts(read("dev", "other")) != texts(read("dev", "3"))


def test_corpus_needs_a_test_set_unless_no_test_is_given(run, data, tmp_path):
    run()
    (tmp_path / "data" / "test.conll").unlink()
    result = run()
    assert result.exit_code == 1
    assert "[D122]" in str(result.exception) and "--no-test" in str(result.exception)
    assert (tmp_path / "corpus" / "test.spacy").exists()
    assert run("--no-test").exit_code == 0
    # The test set of the earlier corpus must not be mistaken for that of this one.
    assert not (tmp_path / "corpus" / "test.spacy").exists()


def test_corpus_needs_a_training_set(run, data, tmp_path):
    (tmp_path / "data" / "train.conll").unlink()
    result = run()
    assert result.exit_code == 1 and "[D119]" in str(result.exception)


def test_corpus_names_files_that_may_be_the_missing_split(run, data, tmp_path):
    for name in ("train", "test"):
        path = tmp_path / "data" / f"{name}.conll"
        path.rename(path.with_suffix(".json"))
        message = str(run().exception)
        assert f"no {name}ing set" in message or f"no {name} set" in message
        assert f"'{name}.json'" in message and "'dev.conll'" not in message
        assert "Convert a .json or .csv file to .jsonl, one object per line" in message
        path.with_suffix(".json").rename(path)


def test_corpus_reports_ignored_files(run, data, tmp_path):
    for folder in (tmp_path / "txt", tmp_path / "data" / "unlabelled"):
        (folder / "sub").mkdir(parents=True)
        for name in ("a.txt", "sub/b.json", "sub/c.text", "sub/d.text", "README"):
            (folder / name).write_text("Ann left\n")
    result = run("--unlabelled", tmp_path / "txt")
    assert result.exit_code == 0, result.output
    for folder in (tmp_path / "txt", tmp_path / "data" / "unlabelled"):
        assert f"Ignored in {folder}: 2 .text, 1 " in result.text
    assert result.text.count("1 .json") == result.text.count("1 without suffix") == 2


@pytest.mark.parametrize("split,text", [("train", '{"text": "a"}'), ("dev", '{"text": "a"}')])
def test_corpus_needs_labels(run, data, tmp_path, split, text):
    (tmp_path / "data" / f"{split}.conll").unlink()
    (tmp_path / "data" / f"{split}.jsonl").write_text(text)
    result = run()
    assert result.exit_code == 1
    message = str(result.exception)
    assert (
        f"[D131] None of 1 documents of '{tmp_path / 'data' / split}.jsonl', the {split} set,"
        in message
    )


@pytest.mark.parametrize("split", ["train", "dev", "test"])
@pytest.mark.parametrize("text", ["", "\n \n\n"])
def test_corpus_names_empty_files(run, data, tmp_path, split, text):
    """A file may be empty after a failed export, for example."""
    path = tmp_path / "data" / f"{split}.conll"
    path.write_text(text)
    message = str(run().exception)
    assert f"[D133] '{path}', the {split} set, contains no sentences" in message


def test_corpus_takes_a_long_list_of_sources(tmp_path):
    """The list is no path: it would be longer than a file name may be."""
    paths = [tmp_path / f"a-rather-long-name-of-a-file-{i:02}.txt" for i in range(20)]
    for path in paths:
        path.write_text("Bob left\n")
    for separator in (" ", ","):
        assert split_paths([separator.join(map(str, paths))]) == [*map(str, paths)]
    spaced = tmp_path / "my texts.txt"
    spaced.write_text("a")
    assert split_paths([f"{spaced}, {paths[0]}"]) == [str(spaced), str(paths[0])]


def test_corpus_names_unlabelled_documents(run, data, tmp_path):
    data = tmp_path / "data"
    (data / "dev.conll").rename(data / "development_notes.conll")
    row = {"tokens": ["Ann", "left"], "tags": ["B-PER", "O"]}
    lines = [json.dumps(row), json.dumps({"text": "nobody read this"})]
    (data / "test.conll").unlink()
    (data / "test.jsonl").write_text("\n".join(lines))
    message = str(run().exception)
    assert f"[D120] 1 of 2 documents of '{data / 'test.jsonl'}', the test set," in message
    assert "number 2: 'nobody read this'" in message


def test_corpus_joins_sentences_that_an_entity_crosses(run, read, data, tmp_path):
    """With `gold_preproc`, an entity across sentences would be neither learned nor scored."""
    data = tmp_path / "data"
    docs = []
    for word in ("Petersburg", "Louis"):
        doc = Doc(Vocab(), words=["He", "saw", "St.", word, "then", "It", "rained"])
        doc.ents = [Span(doc, 2, 4, label="LOC")]
        for i, token in enumerate(doc):
            token.is_sent_start = i in (0, 3, 5)
        docs.append(doc)
    DocBin(docs=docs).to_disk(data / "test.spacy")
    (data / "test.conll").unlink()
    result = run()
    assert result.exit_code == 0
    assert "ended in another, so that their sentences were joined: 2" in result.text
    assert [[len(sent) for sent in doc.sents] for doc in read("test")] == [[5, 2]] * 2
    gold = read_gold(tmp_path / "corpus" / "test.spacy", spacy.blank("en"))
    assert [len(eg.reference.ents) for eg in gold] == [1, 0] * 2


def test_corpus_trims_whitespace_from_entities(run, read, data, tmp_path):
    row = {"tokens": ["Bank", " ", "x"], "tags": ["B-ORG", "I-ORG", "O"]}
    (tmp_path / "data" / "test.conll").unlink()
    (tmp_path / "data" / "test.jsonl").write_text(json.dumps(row))
    path = tmp_path / "data" / "dev.conll"
    path.write_text("Ann B-PER\n\u00a0 I-PER\nBob O\n", encoding="utf-8")
    result = run()
    assert result.exit_code == 0, result.output
    assert (
        "test.jsonl that began or ended with whitespace, which was removed from them: 1"
        in result.text
    )
    assert (
        "dev.conll that began or ended with whitespace, which was removed from them: 1"
        in result.text
    )
    assert [ents(doc) for doc in read("test")] == [[("Bank", "ORG")]]
    assert [ents(doc) for doc in read("dev")] == [[("Ann", "PER")]]


@pytest.mark.parametrize("n_letters, said", [(1, "read"), (60, "too few to learn them")])
def test_corpus_tells_of_entities_across_separating_line_breaks(
    run, data, tmp_path, n_letters, said
):
    """If there are few, a model would never find them. Entities may continue in wrapped text."""
    address = "To:\n12 Main Street\nSpringfield\nTotal: 7 EUR"
    letter = "The letter that came yesterday says that the Bank of\nEngland will close on Friday."
    rows = [{"text": address, "entities": [[4, 30, "ADDRESS"]]}]
    for i in range(n_letters):
        text = f"{letter}\n\n{i} pages"
        rows.append({"text": text, "entities": [[45, 60, "ORG"]]})
    (tmp_path / "data" / "train.conll").unlink()
    (tmp_path / "data" / "train.jsonl").write_text("\n".join(map(json.dumps, rows)))
    result = run()
    assert result.exit_code == 0, result.output
    assert "a line break between two texts: 1, first '12 Main Street" in result.text
    assert said in result.text


def test_corpus_unlabelled_training_text_goes_to_the_pool(run, read, data, tmp_path):
    (tmp_path / "data" / "train.conll").unlink()
    rows = [{"text": f"text {i}"} for i in range(5)]
    rows += [{"text": f"Ann {i}", "entities": [[0, 3, "PER"]]} for i in range(3)]
    path = tmp_path / "data" / "train.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    result = run("--labelled", 2)
    assert "5 of 8 texts in" in result.text and "are not labelled, first number 1" in result.text
    assert all(ents(doc) == [("Ann", "PER")] for doc in read("labelled"))
    assert len(read("labelled")) == 2 and len(read("unlabelled")) == 6


def test_corpus_joins_unlabelled_text(run, read, data, write, tmp_path):
    (tmp_path / "pool.txt").write_text("Some text.\nMore text.\n")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.jsonl").write_text('{"text": "Third", "label": "x"}\n')
    write("train.conll", "Ann/PER left")
    other = write("other.conll", "Joe/PER sang")
    expected = ["Some text.", "More text.", "Third", "Joe sang"]
    paths = [str(tmp_path / "pool.txt"), str(tmp_path / "folder"), str(other)]
    for i, args in enumerate(
        [
            ["-u", paths[0], "-u", paths[1], "-u", paths[2]],
            ["--unlabelled", ",".join(paths)],
            ["--unlabelled", " ".join(paths)],
            ["--unlabelled", ", ".join(paths), "--unlabelled", ""],
        ]
    ):
        result = run(*args, name=str(i))
        assert result.exit_code == 0, result.output
        assert texts(read("unlabelled", str(i))) == expected
        assert not any(doc.has_annotation("ENT_IOB") for doc in read("unlabelled", str(i)))


def test_corpus_reads_unlabelled_text_of_the_folder(run, read, data, write, tmp_path):
    write("train.conll", "Ann/PER left", "Joe/PER sang")
    (tmp_path / "data" / "unlabelled").mkdir()
    (tmp_path / "data" / "unlabelled" / "a.txt").write_text("Some text.\nRome fell\n")
    (tmp_path / "more.txt").write_text("More text.\n")
    result = run("--labelled", 1, "--unlabelled", tmp_path / "more.txt")
    assert result.exit_code == 0, result.output
    assert f"{tmp_path / 'data' / 'unlabelled'} is added to the unlabelled pool" in result.text
    [stripped, *added] = texts(read("unlabelled"))
    assert stripped in ("Ann left", "Joe sang")
    assert added == ["Some text.", "More text."]  # texts of the test set are left out


def test_corpus_unlabelled_path_may_hold_a_space(run, read, data, tmp_path):
    (tmp_path / "my pool.txt").write_text("Some text.\n")
    assert run("--unlabelled", tmp_path / "my pool.txt").exit_code == 0
    assert texts(read("unlabelled")) == ["Some text."]


def test_corpus_unlabelled_path_missing(run, data, tmp_path):
    result = run("--unlabelled", tmp_path / "none.txt")
    assert result.exit_code == 1 and "[D110]" in str(result.exception)
    assert not (tmp_path / "corpus").exists()


def test_corpus_pool_excludes_texts_of_other_splits(run, read, write, tmp_path):
    train = ["Ann/PER left .", "same .", "same .", "Bob/PER slept .", "Rome/LOC fell ."]
    write("train.conll", *train)
    write("dev.conll", "Bob/PER slept .")
    write("test.conll", "Rome/LOC fell .")
    # Tokenised differently from the column files, but the same text.
    lines = ["Bob slept.", "Rome fell.", "Rome fell.", "Ann left.", "rome fell."]
    (tmp_path / "pool.txt").write_text("\n".join(lines))
    result = run("--labelled", 1, "--seed", 0, "--unlabelled", tmp_path / "pool.txt")
    assert result.exit_code == 0, result.output
    (labelled,) = texts(read("labelled"))
    pool = texts(read("unlabelled"))
    assert not {"Bob slept .", "Rome fell .", "Bob slept.", "Rome fell.", labelled} & set(pool)
    assert "rome fell." in pool
    assert f"the same text is in test: {3 - (labelled == 'Rome fell .')}" in result.text
    assert pool.count("same .") == (0 if labelled == "same ." else 2)


def test_corpus_splits_text_into_sentences(run, data, read, tmp_path):
    (tmp_path / "pool.txt").write_text("Eve is here. Bob is not.\n")
    result = run("--unlabelled", tmp_path / "pool.txt", "--split-sentences")
    assert result.exit_code == 0, result.output
    assert {"Eve is here.", "Bob is not."} <= set(texts(read("unlabelled")))


def test_corpus_pool_excludes_sentences_of_other_splits(run, data, read, tmp_path):
    """The pool is split into sentences, but a labelled text of several sentences is not."""
    (tmp_path / "data" / "test.conll").unlink()
    row = {"text": "Rome fell. Eve won.", "entities": [[0, 4, "LOC"]]}
    (tmp_path / "data" / "test.jsonl").write_text(json.dumps(row))
    (tmp_path / "pool.txt").write_text("Eve won. Bob did not.\n")
    result = run("--unlabelled", tmp_path / "pool.txt", "--split-sentences")
    assert result.exit_code == 0, result.output
    assert texts(read("unlabelled")) == ["Bob did not."]
    assert "the same text is in test: 1" in result.text


def test_corpus_warns_of_types_without_a_labelled_sentence(run, write):
    write("train.conll", "Ann/PER left")
    write("dev.conll", "Bob/PER met Acme/ORG")
    write("test.conll", "Rome/LOC fell")
    result = run()
    assert "No labelled sentence has LOC, ORG, which occurs in dev or test" in result.text
    write("train.conll", "Ann/PER left Rome/LOC for Acme/ORG")
    assert "No labelled sentence" not in run().text


def test_corpus_table_counts(run, data):
    lines = run("--labelled", 5).output.splitlines()
    table = {line.split()[0]: line.split()[1:] for line in lines if line.split()}
    assert table["labelled"] == ["unlabelled", "dev", "test"]
    assert table["texts"] == ["5", "15", "1", "2"]
    assert table["words"] == ["15", "45", "2", "4"]
    assert table["PER"] == ["5", "0", "1", "1"]
    assert table["LOC"] == ["5", "0", "0", "1"]


def test_corpus_warns_of_datasets_without_revision(run, data, monkeypatch):
    monkeypatch.setattr("spacy_distill.cli.corpus.read_docs", lambda source, **_: iter(()))
    assert "No revision of dataset some/set" in run("--unlabelled", "some/set").text
    assert "No revision" not in run("--unlabelled", "some/set@v1").text


@pytest.mark.parametrize("share", [0, 1, -0.1, 2])
def test_corpus_refuses_a_bad_dev_share(run, data, share):
    result = run("--dev-share", share)
    assert result.exit_code == 1 and "[D007] --dev-share" in str(result.exception)


def test_corpus_refuses_a_dev_share_that_leaves_no_sentences(run, write):
    write("train.conll", "Ann/PER left")
    write("test.conll", "Rome/LOC fell")
    result = run("--dev-share", 0.5)
    assert result.exit_code == 1 and "[D123]" in str(result.exception)


def test_corpus_unknown_language(run, data):
    result = run("--lang", "qqq")
    assert result.exit_code == 1 and "[D121]" in str(result.exception)


def test_corpus_is_never_half_written(run, data, tmp_path, monkeypatch):
    run("--labelled", 5)
    before = {path.name: path.read_bytes() for path in (tmp_path / "corpus").iterdir()}

    def fail(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("spacy_distill.files.os.fsync", fail)
    assert "[D901]" in str(run("--labelled", 6).exception)
    after = {path.name: path.read_bytes() for path in (tmp_path / "corpus").iterdir()}
    assert after == before


def test_corpus_help_explains_each_option(run):
    text = run("--help").text
    for option in ("--labelled", "--seed", "--lang", "--unlabelled", "--dev-share", "--no-test"):
        assert option in text


def test_corpus_of_real_data(run, read):
    folder = Path(__file__).parents[3] / "shared" / "data" / "sec_filings"
    if not folder.is_dir():
        pytest.skip(f"no real data: {folder} is absent")
    result = run("--labelled", 300, data=folder)
    assert result.exit_code == 0, result.output
    # A tenth of the texts of 1,164 training sentences is held out; 15 others are in another set.
    assert [len(read(name)) for name in NAMES] == [300, 731, 118, 303]


def test_corpus_does_not_overwrite_its_sources(run, write, tmp_path):
    for name in ("train", "dev", "test"):
        write(f"{name}.conll", "Ann/PER left", "Rome/LOC is old")
    assert run().exit_code == 0
    before = {path: path.read_bytes() for path in (tmp_path / "corpus").iterdir()}
    (tmp_path / "more.txt").write_text("Eve likes Rome")
    for data, args in (
        (tmp_path / "corpus", ()),
        (None, ("-u", tmp_path / "corpus" / "test.spacy")),
        (None, ("-u", tmp_path)),
    ):
        assert "[D915]" in str(run(*args, data=data).exception)
    assert {path: path.read_bytes() for path in (tmp_path / "corpus").iterdir()} == before
    assert run("-u", tmp_path / "more.txt", data=tmp_path / "data").exit_code == 0


def test_corpus_does_not_overwrite_files_of_others(run, write, tmp_path):
    for name in ("train", "dev", "test"):
        write(f"{name}.conll", f"{name}/PER left", "Rome/LOC is old")
    mine = tmp_path / "corpus" / "dev.spacy"
    mine.parent.mkdir()
    mine.write_bytes(b"mine")
    assert "[D417]" in str(run().exception)
    assert mine.read_bytes() == b"mine"
    mine.unlink()
    assert run().exit_code == run().exit_code == 0


def test_corpus_does_not_remove_a_test_set_of_others(run, write, tmp_path):
    for name in ("train", "dev"):
        write(f"{name}.conll", "Ann/PER left", "Rome/LOC is old")
    mine = tmp_path / "corpus" / "test.spacy"
    mine.parent.mkdir()
    mine.write_bytes(b"mine")
    assert run("--no-test").exit_code == 0
    assert mine.read_bytes() == b"mine"
    assert run("--no-test").exit_code == 0  # now the test set could be of an earlier corpus
    assert not mine.exists()


def test_corpus_warns_of_texts_in_training_and_evaluation(run, write):
    write("train.conll", "Ann/PER left", "Bob/PER left", "Eve/PER left")
    write("dev.conll", "Ann/PER left", "Eve/PER left", "Rome/LOC is far")
    write("test.conll", "Oslo/LOC is far")
    result = run()
    assert "Of 3 texts in dev, 2 are also among the labelled ones" in result.text
    assert "texts in test" not in result.text


def test_corpus_warns_of_parts_without_entities(run, write):
    for part in ("train", "dev", "test"):
        write(f"{part}.conll", f"nobody left {part}", f"nobody came {part}")
    result = run()
    assert result.exit_code == 0
    for name in ("labelled", "dev", "test"):
        assert f"No entity in {name}:" in result.text
    assert "unlabelled:" not in result.text


def test_corpus_does_not_mistake_a_path_for_a_dataset_id(run, tmp_path):
    for path in (tmp_path / "none", "./none", "../none"):
        result = run("--unlabelled", path)
        assert "[D110]" in str(result.exception) and str(path) in str(result.exception)
        assert "REVISION" not in result.text


def test_corpus_warns_of_contradictory_annotation(run, write):
    write("train.conll", "Ann/PER left Rome", "Ann left Rome/LOC", "Bob/PER left", "Bob/PER left")
    write("test.conll", "Eve/PER sat")
    result = run("--dev-share", "0.4", "--labelled", "0")
    assert result.exit_code == 0, result.output
    assert "with different entities: 1, first 'Ann left Rome'" in result.text


def test_corpus_warns_of_sentences_without_blank_lines(run, write):
    write("train.conll", "Ann/PER left Rome", "Bob/PER left")
    write("test.conll", " ".join(["Ann/PER", *["left", "Rome"] * 125]))
    result = run("--dev-share", "0.5", "--labelled", "0")
    assert "test.conll is a single text of 251 words. In a column file, a blank line" in result.text
    assert "train.conll is a single text" not in result.text


def test_corpus_finds_no_contradiction_in_other_whitespace(run, write):
    texts = ["In Paris, Ann left", "In  Paris, Ann  left", "Bob left"]
    rows = [
        {"text": text, "entities": [[i := text.find("Ann"), i + 3, "PER"]]} for text in texts[:2]
    ]
    rows.append({"text": "Bob left", "entities": [[0, 3, "PER"]]})
    lines = "\n".join(map(json.dumps, rows))
    write("test.conll", "Eve/PER sat")
    (write("dev.conll", "Joe/PER sat").parent / "train.jsonl").write_text(lines)
    result = run("--labelled", "0")
    assert result.exit_code == 0, result.output
    assert "different entities" not in result.text


def test_corpus_reports_files_that_are_not_read(run, write, tmp_path):
    """Unread files in the folder of a split or named like a missing split are reported."""
    (tmp_path / "data" / "train").mkdir(parents=True)
    write("train/a.conll", "Ann/PER left", "Bob/PER left", "Eve/PER left")
    (tmp_path / "data" / "train" / "b.csv").write_text("Ann,PER")
    (tmp_path / "data" / "dev.json").write_text("[]")
    (tmp_path / "data" / "train.csv").write_text("Ann,PER")
    (tmp_path / "data" / "README.md").write_text("Of Ann.")
    write("test.conll", "Joe/PER sat")
    result = run("--dev-share", "0.4")
    assert result.exit_code == 0, result.output
    assert "train: 1 .csv" in result.text
    assert "data: dev.json, although named like a split" in result.text


def test_corpus_refuses_a_file_for_its_folder(run, data, tmp_path):
    (tmp_path / "corpus").write_text("mine")
    result = run()
    assert "[D901]" in str(result.exception) and "it is a file" in str(result.exception)
    assert (tmp_path / "corpus").read_text() == "mine"
