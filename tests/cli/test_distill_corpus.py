"""The corpus that `distill` makes of labelled sentences."""

import pytest
import spacy
import srsly

from spacy_distill.cli.distill.corpus import Given, make_corpus
from spacy_distill.docbins import read_docbins


@pytest.fixture
def make(tmp_path):
    """Make a corpus of the given sources, and return the texts of each of its files."""

    def make_files(dev_share=0.1, seed=0, **sources):
        given = Given(**{"labelled": "", "unlabelled": [], "dev": "", "test": "", **sources})
        nlp = spacy.blank("en")
        paths = make_corpus(tmp_path / "corpus", given, nlp=nlp, dev_share=dev_share, seed=seed)
        return {
            name: [doc.text.strip() for doc in read_docbins(path, nlp.vocab)]
            for name, path in paths.items()
        }

    return make_files


def test_distill_corpus_warns_of_gold_without_entities(tmp_path, capsys):
    """Gold without entities can't be used to choose a checkpoint, and F1 on it is 0."""
    (tmp_path / "none.conll").write_text("nobody\tO\nleft\tO\n")
    (tmp_path / "text.txt").write_text("Ann left\n")
    none = str(tmp_path / "none.conll")
    given = Given(labelled="", unlabelled=[str(tmp_path / "text.txt")], dev=none, test=none)
    paths = make_corpus(tmp_path / "corpus", given, nlp=spacy.blank("en"), dev_share=0.1, seed=0)
    assert sorted(paths) == ["dev", "test"]
    said = " ".join(capsys.readouterr().out.split())
    assert f"No entity in {none}: F1 on it is always 0, so it can't tell" in said  # as dev
    assert said.endswith(f"No entity in {none}: F1 on it is always 0\x1b[0m")  # as test


def test_distill_corpus_names_the_source_of_held_out_sentences(tmp_path, capsys):
    gold = tmp_path / "gold.conll"
    gold.write_text("\n".join(f"nobody{i}\tO\n" for i in range(10)))
    given = Given(labelled=str(gold), unlabelled=[], dev="", test="")
    make_corpus(tmp_path / "corpus", given, nlp=spacy.blank("en"), dev_share=0.2, seed=0)
    said = " ".join(capsys.readouterr().out.split())
    assert f"No entity in the sentences held out of {gold}: F1 on it is always 0" in said


def test_distill_corpus_reads_the_matching_split_of_a_folder(make, tmp_path, capsys):
    """A folder with splits may be given for each part, without training on its test set."""
    for name in ("train", "dev", "test"):
        (tmp_path / f"{name}.conll").write_text(f"Ann\tB-PER\n{name}\tO\n")
    folder = str(tmp_path)
    found = make(labelled=folder, dev=folder, test=folder)
    assert found == {"labelled": ["Ann train"], "dev": ["Ann dev"], "test": ["Ann test"]}
    assert "among the labelled ones" not in capsys.readouterr().out


def test_distill_corpus_refuses_a_folder_without_the_matching_split(make, tmp_path):
    """If the dev set is missing, the best weights must not be chosen by the test set."""
    for name in ("train", "test"):
        (tmp_path / f"{name}.conll").write_text(f"Ann\tB-PER\n{name}\tO\n")
    folder = str(tmp_path)
    with pytest.raises(ValueError, match=r"\[D135\] .* no dev set, but \['train', 'test'\]"):
        make(labelled=folder, dev=folder, test=folder)
    (tmp_path / "train.conll").unlink()
    with pytest.raises(ValueError, match=r"\[D135\] .* no train set, but \['test'\]"):
        make(labelled=folder)


def test_distill_corpus_warns_if_dev_and_test_set_are_the_same(make, tmp_path, capsys):
    for name in ("gold", "held"):
        (tmp_path / f"{name}.conll").write_text(f"Ann\tB-PER\n{name}\tO\n")
    held = str(tmp_path / "held.conll")
    make(labelled=str(tmp_path / "gold.conll"), dev=held, test=held)
    said = " ".join(capsys.readouterr().out.split())
    assert "Of 1 texts in test, 1 are also in dev" in said
    assert "among the labelled ones" not in said


def test_distill_corpus_reads_all_of_a_folder_without_splits(make, tmp_path, capsys):
    folder = tmp_path / "gold"
    folder.mkdir()
    for name in "ab":
        (folder / f"{name}.conll").write_text(f"Ann\tB-PER\n{name}\tO\n")
    found = make(labelled=str(folder), dev=str(folder / "a.conll"))
    assert found == {"labelled": ["Ann a", "Ann b"], "dev": ["Ann a"]}
    said = " ".join(capsys.readouterr().out.split())
    assert "Of 1 texts in dev, 1 are also among the labelled ones" in said


def test_distill_corpus_holds_out_all_copies_of_a_text(make, tmp_path):
    path = tmp_path / "train.conll"
    sentences = [f"Ann\tB-PER\n{name}\tO\n" for name in "abcdef"]
    path.write_text("\n".join(sentences * 4))
    found = make(0.34, labelled=str(path))
    assert len(found["dev"]) == 8 and len(set(found["dev"])) == 2
    assert set(found["labelled"]) == {f"Ann {name}" for name in "abcdef"} - set(found["dev"])


def test_distill_corpus_holds_out_sentences_by_the_seed(make, tmp_path):
    path = tmp_path / "train.conll"
    path.write_text("\n".join(f"Ann\tB-PER\nleft{i}\tO\n" for i in range(40)))
    found = [make(0.5, seed, labelled=str(path))["dev"] for seed in (0, 0, 1)]
    assert found[0] == found[1] != found[2]


def test_distill_corpus_tells_of_labelled_entities_across_line_breaks(make, tmp_path, capsys):
    text = "To:\n12 Main Street\nSpringfield\nTotal: 7 EUR"
    path = tmp_path / "gold.jsonl"
    srsly.write_jsonl(path, [{"text": text, "entities": [[4, 30, "ADDRESS"]]}])
    make(labelled=str(path), dev=str(path))
    said = " ".join(capsys.readouterr().out.split())
    assert said.count("a line break between two texts: 1, first '12 Main Street") == 1
