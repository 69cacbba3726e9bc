"""The demo corpus is as in its README: split by frame and name, legal, and reproducible."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest

DEMO = Path(__file__).parents[2] / "assets" / "demo"
SPLITS = ["train", "dev", "test"]


def load_make():
    spec = importlib.util.spec_from_file_location("demo_make", DEMO / "make.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look up their module there
    spec.loader.exec_module(module)
    return module


make = load_make()


def read_conll(path):
    """Read [[(token, tag), ...], ...] from the committed file, without the code under test."""
    blocks = path.read_text(encoding="utf8").removesuffix("\n\n").split("\n\n")
    return [[tuple(line.split("\t")) for line in block.split("\n")] for block in blocks]


def text_of(sentence):
    return " ".join(token for token, _ in sentence)


def mentions(sentences):
    """Collect (type, (token, ...)) of every entity."""
    found = []
    for sentence in sentences:
        for token, tag in sentence:
            if tag.startswith("B-"):
                found.append((tag[2:], [token]))
            elif tag.startswith("I-"):
                found[-1][1].append(token)
    return [(label, tuple(tokens)) for label, tokens in found]


@pytest.fixture(scope="module")
def corpus():
    return {split: read_conll(DEMO / f"{split}.conll") for split in SPLITS}


@pytest.fixture(scope="module")
def unlabelled():
    return (DEMO / "unlabelled.txt").read_text(encoding="utf8").splitlines()


@pytest.fixture(scope="module")
def registers():
    """Frames by the name of their file, read without the code under test."""
    return {
        path.stem: path.read_text(encoding="utf8").splitlines()
        for path in (DEMO / "frames").glob("*.txt")
    }


@pytest.fixture(scope="module")
def patterns(registers):
    """One regular expression per frame that matches its possible sentences.

    Slots match any text. Spelt-out names and the words between slots must occur.
    """

    def to_regex(frame):
        parts = re.split(r"(\{[^{}]*\})", frame)
        regexes = []
        for part in parts:
            if part.startswith("{"):
                regexes.append(re.escape(part[1:-1].split(":")[1]) if ":" in part else ".+")
            else:
                regexes.append(re.escape(part))
        return re.compile("".join(regexes))

    return {frame: to_regex(frame) for frames in registers.values() for frame in frames}


def test_demo_files_are_reproducible():
    remade = make.to_files(make.make_corpus(sizes=make.SIZES))
    assert sorted(remade) == ["dev.conll", "test.conll", "train.conll", "unlabelled.txt"]
    for name, text in remade.items():
        assert text.encode("utf8") == (DEMO / name).read_bytes(), name


def test_demo_sentences_depend_on_the_seed():
    sizes = {"train": 300, "dev": 40, "test": 60}
    first, second = (make.make_corpus(sizes=sizes, seed=seed) for seed in (1, 2))
    assert make.make_corpus(sizes=sizes, seed=1) == first
    assert all(first[split] != second[split] for split in SPLITS)


def test_demo_refuses_more_sentences_than_the_frames_can_make(tmp_path):
    for folder in ("frames", "names", "words"):
        (tmp_path / folder).mkdir()
    (tmp_path / "frames" / "news.txt").write_text("Nobody was hurt .\n")
    split = make.split_of("Nobody was hurt .")
    assert len(make.make_corpus(tmp_path, sizes={split: 1})[split]) == 1
    with pytest.raises(ValueError, match="only 1 different sentences, not 2"):
        make.make_corpus(tmp_path, sizes={split: 2})


@pytest.mark.parametrize("frame", ["Born in {CITY} .", "Seen in{LOC.city} ."])
def test_demo_refuses_a_slot_it_cannot_fill(frame):
    names = make.Names(seen={"LOC.city": ["Bath"]}, held_out={})
    with pytest.raises(ValueError, match="Cannot fill the slot"):
        make.fill(frame, names=names, words={}, held_out_share=0.0, rng=make.Random(0))


def test_demo_fill_tags_names_and_leaves_articles_outside():
    names = make.Names(seen={"LOC.river": ["the Po"], "LOC.city": ["Rio de Janeiro"]}, held_out={})
    frame = "{LOC.river} , the {LOC:Orange County} , {LOC.city}"
    sentence = make.fill(frame, names=names, words={}, held_out_share=0.0, rng=make.Random(0))
    assert sentence == (
        ("The", "O"),
        ("Po", "B-LOC"),
        (",", "O"),
        ("the", "O"),
        ("Orange", "B-LOC"),
        ("County", "I-LOC"),
        (",", "O"),
        ("Rio", "B-LOC"),
        ("de", "I-LOC"),
        ("Janeiro", "I-LOC"),
    )


def test_demo_has_enough_frames_and_names(registers):
    assert len(registers) >= 14
    assert all(len(set(frames)) >= 20 for frames in registers.values())
    assert len({frame for frames in registers.values() for frame in frames}) >= 420
    names = make.read_lists(DEMO / "names")
    sizes = {"PER.first": 250, "PER.last": 300, "ORG": 300, "LOC": 350}
    for prefix, least in sizes.items():
        assert len({n for key, ns in names.items() if key.startswith(prefix) for n in ns}) >= least


def test_demo_has_the_promised_sizes(corpus, unlabelled):
    assert len(unlabelled) == 3000
    assert {split: len(sentences) for split, sentences in corpus.items()} == {
        "train": 3000,
        "dev": 400,
        "test": 600,
    }


def test_demo_tags_are_legal_iob2(corpus):
    for sentences in corpus.values():
        for sentence in sentences:
            previous = "O"
            for token, tag in sentence:
                assert token and not re.search(r"[\s{}]", token), sentence
                assert re.fullmatch(r"O|[BI]-(PER|ORG|LOC)", tag), sentence
                if tag.startswith("I-"):
                    assert previous in ("B" + tag[1:], tag), sentence
                previous = tag


def test_demo_has_no_sentence_twice(corpus, unlabelled):
    texts = [text_of(sentence) for sentences in corpus.values() for sentence in sentences]
    assert len({*texts, *unlabelled}) == len(texts) + len(unlabelled)


def test_demo_unlabelled_text_has_frames_of_all_splits(patterns, unlabelled):
    """Frames without slots may be missing, because each of them makes only one sentence."""
    for split in SPLITS:
        own = [pattern for frame, pattern in patterns.items() if make.split_of(frame) == split]
        found = [any(map(pattern.fullmatch, unlabelled)) for pattern in own]
        assert sum(found) > 0.7 * len(own), split


def test_demo_unlabelled_text_has_names_that_are_not_in_training(corpus, unlabelled):
    def places(sentences):
        return {name for label, name in mentions(sentences) if label == "LOC"}

    words = {word for text in unlabelled for word in text.split()}
    new = places(corpus["test"]) - places(corpus["train"])
    assert len(new) >= 50
    assert sum(words.issuperset(name) for name in new) > 0.9 * len(new)


def test_demo_splits_share_no_frame(corpus, patterns):
    """Every sentence matches a frame of its own split, and none of another."""
    split_of = {frame: make.split_of(frame) for frame in patterns}
    assert set(split_of.values()) == set(SPLITS)
    for split, sentences in corpus.items():
        own = [pattern for frame, pattern in patterns.items() if split_of[frame] == split]
        others = [pattern for frame, pattern in patterns.items() if split_of[frame] != split]
        for sentence in sentences:
            text = text_of(sentence)
            assert any(pattern.fullmatch(text) for pattern in own), (split, text)
            assert not any(pattern.fullmatch(text) for pattern in others), (split, text)


def test_demo_readme_counts_are_right(registers):
    frames = [frame for frames in registers.values() for frame in frames]
    names = make.read_lists(DEMO / "names")
    organisations, places = (
        {make.bare(n) for key, ns in names.items() if make.type_of(key) == label for n in ns}
        for label in ("ORG", "LOC")
    )
    counts = {split: sum(make.split_of(f) == split for f in frames) for split in SPLITS}
    readme = " ".join((DEMO / "README.md").read_text(encoding="utf8").split())
    for text in (
        f"`train.conll` | 3,000 | {counts['train']} frames",
        f"`dev.conll` | 400 | {counts['dev']} other frames",
        f"`test.conll` | 600 | {counts['test']} other frames",
        "`unlabelled.txt` | 3,000 | all frames",
        f"{len(frames)} frames, one file for each of {len(registers)} subjects",
        f"{len(names['PER.first'])} first and {len(names['PER.last'])} last names, "
        f"{len(organisations)} organisations, {len(places)} places",
    ):
        assert text in readme


@pytest.mark.parametrize("split", ["dev", "test"])
@pytest.mark.parametrize("label", ["PER", "ORG", "LOC"])
def test_demo_dev_and_test_have_names_that_are_not_in_training(corpus, split, label):
    """A person counts as new when no part of the name was part of a person's name in training."""
    seen = {name for kind, name in mentions(corpus["train"]) if kind == label}
    seen_parts = {part for name in seen for part in name}
    names = [name for kind, name in mentions(corpus[split]) if kind == label]

    def is_new(name):
        if label == "PER":
            return not any(part in seen_parts for part in name if not part.endswith("."))
        return name not in seen

    assert len(names) >= 100
    assert 0.3 <= sum(map(is_new, names)) / len(names) <= 0.6


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("Jordan", {"PER", "LOC"}),
        ("Washington", {"PER", "LOC", "ORG"}),
        ("Orange", {"ORG", "LOC", "O"}),
        ("May", {"PER", "O"}),
    ],
)
def test_demo_ambiguous_names_are_of_several_kinds(corpus, name, kinds):
    for sentences in (corpus["train"], corpus["dev"] + corpus["test"]):
        found = {tag.split("-")[-1] for s in sentences for token, tag in s if token == name}
        assert len(found & kinds) >= 2, found
    found = {tag.split("-")[-1] for s in corpus["train"] for token, tag in s if token == name}
    assert found >= kinds


def test_demo_has_sentences_without_names(corpus):
    for split, sentences in corpus.items():
        empty = sum(all(tag == "O" for _, tag in sentence) for sentence in sentences)
        assert 0.08 <= empty / len(sentences) <= 0.3, split
