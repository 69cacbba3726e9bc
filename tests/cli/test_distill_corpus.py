"""What `distill` reads of gold."""

import spacy

from spacy_distill.cli.distill_corpus import Given, make_corpus


def test_distill_corpus_tells_of_gold_without_entities(tmp_path, capsys):
    """Nothing can be chosen by it, and F1 on it is 0."""
    (tmp_path / "none.conll").write_text("nobody\tO\nleft\tO\n")
    (tmp_path / "text.txt").write_text("Ann left\n")
    none = str(tmp_path / "none.conll")
    given = Given(labelled="", unlabelled=[str(tmp_path / "text.txt")], dev=none, test=none)
    paths = make_corpus(tmp_path / "corpus", given, nlp=spacy.blank("en"), dev_share=0.1, seed=0)
    assert sorted(paths) == ["dev", "test"]
    said = " ".join(capsys.readouterr().out.split())
    assert f"No entity in {none}: the best weights can't be told by it" in said
    assert f"No entity in {none}: F1 on it is 0" in said
