import itertools
import random
from collections import Counter

import numpy
import pytest
import spacy
from spacy.lookups import Lookups
from spacy.tokens import DocBin

from spacy_distill.corpus import build_distillation_corpus_v1, leave_out_unsure, shuffle
from spacy_distill.soft_targets import KEY, set_soft_targets
from spacy_distill.tags import make_tags

TAGS = make_tags(["PER"], scheme="iob")


@pytest.fixture
def write(tmp_path, make_doc):
    """Write documents of two words, the first of them a name: `write("gold", 3)`."""

    def write_docs(name, n_docs, *, taught=True, gold=True):
        docs = [make_doc(f"{name}{i} left", "B-PER O" if gold else None) for i in range(n_docs)]
        for doc in docs if taught else ():
            set_soft_targets(doc, numpy.log(numpy.full((2, 3), 1 / 3)), tags=TAGS)
        path = tmp_path / f"{name}.spacy"
        DocBin(docs=docs, store_user_data=True).to_disk(path)
        return path

    return write_docs


def names(examples):
    return [eg.reference[0].text for eg in examples]


def share(found):
    return sum(name.startswith("gold") for name in found) / len(found)


@pytest.mark.parametrize("n_gold", [3, 28, 90])
@pytest.mark.parametrize("fraction", [0.1, 0.5])
def test_corpus_has_the_given_share_of_gold(nlp, write, n_gold, fraction):
    """The share does not depend on the number of gold documents, but all are used at least once."""
    reader = build_distillation_corpus_v1(
        labelled=write("gold", n_gold), unlabelled=write("pool", 300), labelled_fraction=fraction
    )
    found = names(reader(nlp))
    expected = max(fraction, n_gold / (n_gold + 300))
    assert abs(share(found) - expected) < 0.05
    assert sum(name.startswith("pool") for name in found) == 300


def test_corpus_yields_each_example_at_least_once(nlp, write):
    gold, pool = write("gold", 50), write("pool", 20)
    reader = build_distillation_corpus_v1(labelled=gold, unlabelled=pool)
    for _ in range(20):
        counts = Counter(names(reader(nlp)))
        assert set(counts) == {f"gold{i}" for i in range(50)} | {f"pool{i}" for i in range(20)}
        assert {n for name, n in counts.items() if name.startswith("pool")} == {1}
        assert counts.total() < 80  # hardly any gold is repeated


def test_corpus_mixes_gold_into_a_pool_that_is_too_small(nlp, write):
    """Gold that exceeds its share is mixed in, so that the end of an epoch is not only gold."""
    settings = {"labelled": write("gold", 90), "unlabelled": write("pool", 30)}
    reader = build_distillation_corpus_v1(**settings, labelled_fraction=0.1)
    thirds = [[], [], []]
    for _ in range(20):
        found = names(reader(nlp))
        for i, third in enumerate(thirds):
            third += found[i * len(found) // 3 : (i + 1) * len(found) // 3]
    assert all(0.7 < share(third) < 0.8 for third in thirds)


def test_corpus_repeats_gold_evenly(nlp, write):
    reader = build_distillation_corpus_v1(
        labelled=write("gold", 7), unlabelled=write("pool", 100), labelled_fraction=0.5
    )
    counts = Counter(name for name in names(reader(nlp)) if name.startswith("gold"))
    assert len(counts) == 7
    assert max(counts.values()) - min(counts.values()) <= 1


def test_corpus_mixes_gold_into_the_pool(nlp, write):
    reader = build_distillation_corpus_v1(
        labelled=write("gold", 30), unlabelled=write("pool", 300), labelled_fraction=0.3
    )
    found = names(reader(nlp))
    quarters = [found[i * len(found) // 4 : (i + 1) * len(found) // 4] for i in range(4)]
    assert all(0.1 < share(quarter) < 0.5 for quarter in quarters)


def test_corpus_reads_the_pool_up_to_the_limit(nlp, write):
    pool = write("pool", 20)
    for limit, n_pool in ((5, 5), (20, 20), (30, 20), (0, 20)):
        reader = build_distillation_corpus_v1(labelled=None, unlabelled=pool, limit=limit)
        assert names(reader(nlp)) == [f"pool{i}" for i in range(n_pool)]


def test_corpus_mixes_gold_into_a_limited_pool(nlp, write):
    """With a limit, gold is distributed over the part of the pool that is read."""
    settings = {"labelled": write("gold", 60), "unlabelled": write("pool", 600)}
    reader = build_distillation_corpus_v1(**settings, labelled_fraction=0.1, limit=30)
    for _ in range(20):
        found = names(reader(nlp))
        assert set(found) >= {f"gold{i}" for i in range(60)} | {f"pool{i}" for i in range(30)}
        assert 0.5 < share(found[:30]) < 0.9


def test_corpus_without_gold(nlp, write):
    pool = write("pool", 5)
    expected = [f"pool{i}" for i in range(5)]
    reader = build_distillation_corpus_v1(labelled=None, unlabelled=pool)
    assert names(reader(nlp)) == expected


def test_corpus_without_gold_given_as_nothing(nlp, write, tmp_path, monkeypatch):
    """An empty path is not the current folder, with its development and test set."""
    monkeypatch.chdir(tmp_path)
    pool = write("pool", 4)
    assert len(list(build_distillation_corpus_v1(labelled="", unlabelled=pool)(nlp))) == 4
    with pytest.raises(ValueError, match=r"\[D007\] unlabelled is ''"):
        build_distillation_corpus_v1(labelled=None, unlabelled="")


def test_corpus_repeats_no_gold_for_a_share_of_zero(nlp, write):
    reader = build_distillation_corpus_v1(
        labelled=write("gold", 9), unlabelled=write("pool", 90), labelled_fraction=0.0
    )
    found = names(reader(nlp))
    assert Counter(found) == dict.fromkeys(
        [*(f"gold{i}" for i in range(9)), *(f"pool{i}" for i in range(90))], 1
    )
    assert 0 < share(found[:50]) < 1  # gold is mixed in


def test_corpus_without_a_pool_is_gold_once_in_a_random_order(nlp, write):
    reader = build_distillation_corpus_v1(labelled=write("gold", 9), unlabelled=write("pool", 0))
    found, in_order = names(reader(nlp)), [f"gold{i}" for i in range(9)]
    assert sorted(found) == in_order
    assert found not in (in_order, in_order[::-1])


def test_corpus_order_changes_with_the_epoch_but_not_with_the_run(nlp, write):
    settings = {"labelled": write("gold", 10), "unlabelled": write("pool", 50)}
    reader, again, other = (
        build_distillation_corpus_v1(**settings, labelled_fraction=0.3, seed=seed)
        for seed in (1, 1, 2)
    )
    epochs = [names(reader(nlp)) for _ in range(3)]
    assert epochs == [names(again(nlp)) for _ in range(3)]
    assert epochs[0] != epochs[1] != epochs[2]
    assert epochs[0] != names(other(nlp))


def test_corpus_reads_a_stream(nlp, write):
    """With `max_epochs = -1`, spaCy draws examples one by one, and calls the reader again."""
    reader = build_distillation_corpus_v1(labelled=write("gold", 2), unlabelled=write("pool", 9))
    assert len(list(itertools.islice(reader(nlp), 3))) == 3
    assert {name for name in names(reader(nlp)) if name.startswith("pool")} == {
        f"pool{i}" for i in range(9)
    }


def test_corpus_predicted_documents_have_words_only(nlp, write):
    reader = build_distillation_corpus_v1(labelled=None, unlabelled=write("pool", 1))
    (eg,) = reader(nlp)
    assert [t.text for t in eg.predicted] == ["pool0", "left"]
    assert eg.predicted.text == eg.reference.text
    assert not eg.predicted.has_annotation("ENT_IOB")
    assert KEY not in eg.predicted.user_data
    assert [ent.text for ent in eg.reference.ents] == ["pool0"]


def test_corpus_gold_needs_no_soft_targets(nlp, write):
    reader = build_distillation_corpus_v1(
        labelled=write("gold", 2, taught=False), unlabelled=write("pool", 2)
    )
    assert len(list(reader(nlp))) == 4


def test_corpus_refuses_a_pool_without_soft_targets(nlp, write):
    reader = build_distillation_corpus_v1(labelled=None, unlabelled=write("pool", 2, taught=False))
    with pytest.raises(ValueError, match=r"\[D005\].*pool\.spacy.*'pool0 left "):
        list(reader(nlp))


def test_corpus_names_the_document_without_soft_targets(nlp, write, tmp_path):
    (tmp_path / "folder").mkdir()
    write("a", 2).rename(tmp_path / "folder" / "a.spacy")
    write("b", 1, taught=False).rename(tmp_path / "folder" / "b.spacy")
    reader = build_distillation_corpus_v1(labelled=None, unlabelled=tmp_path / "folder")
    with pytest.raises(ValueError, match=r"\[D005\] A document of .*folder.*'b0 left "):
        list(reader(nlp))


def test_corpus_names_a_missing_path(nlp, write, tmp_path):
    missing = tmp_path / "none.spacy"
    for labelled, unlabelled in ((missing, write("pool", 1)), (None, missing)):
        reader = build_distillation_corpus_v1(labelled=labelled, unlabelled=unlabelled)
        with pytest.raises(FileNotFoundError, match=r"\[D008\].*none\.spacy"):
            list(reader(nlp))


def test_corpus_refuses_a_folder_of_unfinished_annotation(nlp, write, tmp_path):
    folder = tmp_path / "annotated"
    folder.mkdir()
    gold = write("gold", 1)
    reader = build_distillation_corpus_v1(labelled=gold, unlabelled=folder)
    with pytest.raises(ValueError, match=r"\[D009\].*annotated"):
        list(reader(nlp))
    write("pool", 1).rename(folder / "00000.spacy")
    assert len(list(reader(nlp))) == 2
    (folder / "shards.jsonl").write_text("{}\n")
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "there").symlink_to(folder)
    places = ((gold, folder), (folder, gold), (gold, tmp_path), (gold, tmp_path / "linked"))
    for labelled, unlabelled in places:
        reader = build_distillation_corpus_v1(labelled=labelled, unlabelled=unlabelled)
        with pytest.raises(ValueError, match=r"\[D023\].*shards\.jsonl"):
            list(reader(nlp))
    folder.rename(tmp_path / "linked" / ".hidden")  # nothing in it is read
    (tmp_path / "linked" / "there").unlink()
    gold.rename(tmp_path / "linked" / "pool.spacy")
    reader = build_distillation_corpus_v1(labelled=None, unlabelled=tmp_path / "linked")
    assert len(list(reader(nlp))) == 1


@pytest.mark.parametrize(
    "setting, value",
    [
        ("labelled_fraction", 1.0),
        ("labelled_fraction", -0.1),
        ("min_confidence", 1.1),
        ("min_confidence", -0.1),
        ("shuffle_buffer", -1),
        ("limit", -1),
    ],
)
def test_corpus_refuses_bad_settings(tmp_path, setting, value):
    with pytest.raises(ValueError, match=rf"\[D007\] {setting} is {value}"):
        build_distillation_corpus_v1(labelled=None, unlabelled=tmp_path, **{setting: value})


def unsure_doc(make_doc, probs):
    """Two entities, of tokens 0 to 1 and token 3. `probs` are those of the tokens' best tags."""
    doc = make_doc("Ann Smith saw Bob there", "B-PER I-PER O B-PER O")
    rows = [[p, (1 - p) / 2, (1 - p) / 2] for p in probs]
    set_soft_targets(doc, numpy.log(rows), tags=TAGS)
    return doc


@pytest.mark.parametrize(
    "probs, expected",
    [
        ([0.9, 0.9, 0.9, 0.9, 0.9], "B I O B O"),
        ([0.9, 0.7, 0.9, 0.9, 0.9], "- - O B O"),  # the whole entity is left out
        ([0.9, 0.9, 0.7, 0.9, 0.7], "B I - B -"),
        ([0.7, 0.9, 0.9, 0.7, 0.9], "- - O - O"),
    ],
)
def test_corpus_leaves_out_unsure_pseudo_labels(make_doc, probs, expected):
    doc = unsure_doc(make_doc, probs)
    before = doc.user_data[KEY]["log_probs"].copy()
    leave_out_unsure(doc, 0.8)
    assert [token.ent_iob_ or "-" for token in doc] == expected.split()
    assert (doc.user_data[KEY]["log_probs"] == before).all()


def test_corpus_keeps_all_pseudo_labels_by_default(make_doc):
    doc = unsure_doc(make_doc, [0.4] * 5)
    leave_out_unsure(doc, 0.0)
    assert [token.ent_iob_ for token in doc] == ["B", "I", "O", "B", "O"]


def test_corpus_min_confidence_does_not_affect_gold(nlp, write):
    reader = build_distillation_corpus_v1(
        labelled=write("gold", 3),
        unlabelled=write("pool", 3),
        labelled_fraction=0.5,
        min_confidence=0.9,
    )
    for eg in reader(nlp):
        gold = eg.reference[0].text.startswith("gold")
        assert [t.ent_iob for t in eg.reference] == ([3, 2] if gold else [0, 0])


def test_corpus_shuffles_within_a_buffer(nlp, write):
    gold, pool = write("gold", 5), write("pool", 200)
    settings = {"labelled": gold, "unlabelled": pool, "seed": 3}
    reader = build_distillation_corpus_v1(**settings, shuffle_buffer=20)
    epochs = [[name for name in names(reader(nlp)) if name.startswith("pool")] for _ in range(2)]
    in_order = [f"pool{i}" for i in range(200)]
    assert epochs[0] != epochs[1] != in_order
    for found in epochs:
        assert sorted(found) == sorted(in_order)
        # No document comes more than a buffer early, but some do come early.
        places = [int(name.removeprefix("pool")) for name in found]
        assert all(at >= place - 20 for at, place in enumerate(places))
        assert set(places[:20]) != set(range(20))
    again = build_distillation_corpus_v1(**settings, shuffle_buffer=20)
    assert [name for name in names(again(nlp)) if name.startswith("pool")] == epochs[0]
    whole = build_distillation_corpus_v1(**settings, shuffle_buffer=1000)
    found = [name for name in names(whole(nlp)) if name.startswith("pool")]
    assert sorted(found) == sorted(in_order) and found != in_order


def test_corpus_shuffles_all_that_a_buffer_holds():
    """What is yielded before the end is also out of order."""
    found = list(shuffle(range(200), size=20, rng=random.Random(0)))
    assert sum(a > b for a, b in itertools.pairwise(found[:150])) > 20


@pytest.fixture
def shards(write, tmp_path):
    """A folder of ten files of ten documents each: `s0-0`, `s0-1` and so on."""
    folder = tmp_path / "shards"
    folder.mkdir()
    for i in range(10):
        write(f"s{i}-", 10).rename(folder / f"{i}.spacy")
    return folder


def files_of(found):
    return [name.partition("-")[0] for name in found]


def test_corpus_streams_files_in_a_random_order(nlp, shards):
    """The order of files is random, so that even a buffer of one does not fix the first one."""
    settings = {"labelled": None, "unlabelled": shards, "seed": 1, "shuffle_buffer": 1}
    reader, again = (build_distillation_corpus_v1(**settings) for _ in range(2))
    epochs = [names(reader(nlp)) for _ in range(3)]
    assert epochs == [names(again(nlp)) for _ in range(3)]
    assert all(sorted(epoch) == sorted(epochs[0]) and len(set(epoch)) == 100 for epoch in epochs)
    orders = [list(dict.fromkeys(files_of(epoch))) for epoch in epochs]
    assert orders[0] != orders[1] != orders[2] != orders[0]
    assert orders[0] != sorted(orders[0])


def test_corpus_with_a_limit_streams_the_same_documents(nlp, shards):
    settings = {"labelled": None, "unlabelled": shards, "limit": 15}
    reader = build_distillation_corpus_v1(**settings, shuffle_buffer=50)
    first = {f"s{i // 10}-{i % 10}" for i in range(15)}
    assert all(set(names(reader(nlp))) == first for _ in range(3))


def test_corpus_keeps_its_share_of_gold_in_a_stream(nlp, shards, write):
    settings = {"labelled": write("gold", 5), "unlabelled": shards, "shuffle_buffer": 30}
    reader = build_distillation_corpus_v1(**settings, labelled_fraction=0.2)
    epochs = [names(reader(nlp)) for _ in range(10)]
    assert share([name for epoch in epochs for name in epoch]) == pytest.approx(0.2, abs=0.04)
    assert all(len({name for name in epoch if name.startswith("s")}) == 100 for epoch in epochs)


def test_corpus_does_not_fill_the_vocabulary_from_a_stream(shards):
    nlp = spacy.blank("en")
    reader = build_distillation_corpus_v1(labelled=None, unlabelled=shards, shuffle_buffer=5)
    examples = list(reader(nlp))
    assert len(examples) == 100 and "s3-3" not in nlp.vocab.strings
    assert [ent.label_ for ent in examples[0].reference.ents] == ["PER"]
    assert examples[0].predicted.vocab is examples[0].reference.vocab
    assert examples[0].predicted[1].lower_ == "left"  # from the language's lexical attributes
    nlp.vocab.set_vector("left", numpy.ones(3, dtype="f"))
    assert all(eg.predicted.vocab is nlp.vocab for eg in reader(nlp))


def test_corpus_streams_words_with_their_norms(shards):
    """The norms come from `[initialize.lookups]` of a config."""
    nlp = spacy.blank("en")
    lookups = Lookups()
    lookups.add_table("lexeme_norm", {"s3-3": "third"})
    nlp.vocab.lookups = lookups
    reader = build_distillation_corpus_v1(labelled=None, unlabelled=shards, shuffle_buffer=5)
    found = {eg.predicted[0].text: eg.predicted[0].norm_ for eg in reader(nlp)}
    assert found["s3-3"] == "third" and found["s3-4"] == "s3-4"


def test_corpus_streams_documents_that_components_can_annotate(shards):
    """Components set labels by the hashes that they have in the pipeline's vocabulary."""
    nlp = spacy.blank("en")
    ruler = nlp.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": "DIRECTION", "pattern": "left", "id": "sinister"}])
    reader = build_distillation_corpus_v1(labelled=None, unlabelled=shards, shuffle_buffer=5)
    ents = [ruler(eg.predicted).ents for eg in reader(nlp)]
    assert {(ent.text, ent.label_, ent.id_) for doc in ents for ent in doc} == {
        ("left", "DIRECTION", "sinister")
    }
