import importlib.util
from pathlib import Path

from spacy.tokens import DocBin

PATH = Path(__file__).parents[2] / "results" / "remaining.py"
spec = importlib.util.spec_from_file_location("remaining", PATH)
remaining = importlib.util.module_from_spec(spec)
spec.loader.exec_module(remaining)


def test_remaining_groups_entities_by_where_their_words_occur(make_doc, tmp_path):
    labelled = [make_doc("Ann Smith likes Rome", "B-PER I-PER O B-LOC")]
    DocBin(docs=labelled).to_disk(tmp_path / "labelled.spacy")
    DocBin(docs=[make_doc("bob jones left oslo")]).to_disk(tmp_path / "unlabelled.spacy")
    names = ["rome", "Bob Jones", "Ann Jones", "Oslo Bob", "Ann Lee"]
    gold = [make_doc(name, " ".join(["B-X", *["I-X"] * name.count(" ")])) for name in names]
    groups = remaining.group_entities(gold, tmp_path)
    entity, pool, words, new = remaining.GROUPS
    assert [*groups.values()] == [entity, pool, words, words, new]
