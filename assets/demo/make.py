"""Make the demo corpus: fill the slots of sentence frames with real-world names.

    python assets/demo/make.py            # writes the four files next to this one
    python assets/demo/make.py --help

Frames (`frames/*.txt`) have one sentence per line, tokens separated by spaces, slots in braces:

    {PER}                   a full name: first and last, sometimes with an initial
    {PER.last} {LOC.city}   a name from `names/PER.last.txt`, `names/LOC.city.txt`, and so on
    {ORG.company} {ORG}     a list and those below it: `names/ORG.company.bank.txt` is in both
    {LOC:Jordan}            this exact name, when only the context shows its type
    {month} {number}        not a name: a word from `words/month.txt`, or a number (see NUMBERS)

A name written with a leading "the" ("the Rhine") brings its article along, outside the entity.

The SHA-256 of its text determines which split a frame belongs to, and whether a name is held out of
training, so that adding a line never moves another line. The unlabelled text has all frames and
names, because a user's unlabelled text is of the kind that the pipeline will read.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Annotated, Callable, Mapping, Sequence, TypeVar

import typer

HERE = Path(__file__).parent
TYPES = ("PER", "ORG", "LOC")
SIZES = {"train": 3000, "dev": 400, "test": 600, "unlabelled": 3000}

TRAIN_FRAMES = 0.70  # share of the frames, by hash; then dev, then test has the rest
DEV_FRAMES = 0.12
HELD_OUT_NAMES = 0.30  # share of the names, by hash, that training never sees
HELD_OUT_MENTIONS = 0.40  # how often a name slot of the other files is filled with one of them
AMBIGUOUS_WEIGHT = 4  # how much likelier than others a name of several types is drawn
INITIALS = 0.08  # how often a full name has an initial in the middle
MAX_BARREN_ROUNDS = 50  # rounds over all frames without a new sentence, after which we give up

SLOT = re.compile(r"\{([^{}]*)\}")
ARTICLE = "the "

T = TypeVar("T")
Token = tuple[str, str]  # text, IOB2 tag
Sentence = tuple[Token, ...]

SMALL = ("two", "three", "four", "five", "six", "seven", "nine", "ten", "twelve")
NUMBERS: dict[str, Callable[[Random], str]] = {
    "few": lambda rng: pick(SMALL, rng=rng),
    "tens": lambda rng: str(between(13, 89, rng=rng)),
    "number": lambda rng: str(between(90, 980, rng=rng)),
    "day": lambda rng: str(between(1, 28, rng=rng)),
    "year": lambda rng: str(between(1990, 2023, rng=rng)),
    "oldyear": lambda rng: str(between(1820, 1938, rng=rng)),
    "time": lambda rng: f"{between(8, 20, rng=rng)}:{between(0, 5, rng=rng)}0",
    "score": lambda rng: f"{between(2, 5, rng=rng)}-{between(0, 1, rng=rng)}",
    "degrees": lambda rng: str(between(14, 34, rng=rng)),
    "percent": lambda rng: f"{between(1, 9, rng=rng)}.{between(1, 9, rng=rng)} percent",
    "price": lambda rng: pick(("$ {}", "{} euros", "{} pounds"), rng=rng).format(
        between(8, 95, rng=rng)
    ),
    "money": lambda rng: "$ {}.{} {}".format(
        between(1, 9, rng=rng), between(1, 9, rng=rng), pick(("million", "billion"), rng=rng)
    ),
}


@dataclass(frozen=True)
class Names:
    """The names that one split may use, in two pools, each a dict from list name ("PER.last",
    "LOC.city", "LOC") to names. Training fills no slot from `held_out`."""

    seen: dict[str, list[str]]
    held_out: dict[str, list[str]]


# Random's own choice() and shuffle() may draw differently in another version of Python; random()
# is promised not to. Hence these two.
def pick(items: Sequence[T], *, rng: Random) -> T:
    return items[int(rng.random() * len(items))]


def between(low: int, high: int, *, rng: Random) -> int:
    return low + int(rng.random() * (high - low + 1))


def share(text: str) -> float:
    """Place a text in [0, 1) by its sha256."""
    return int.from_bytes(hashlib.sha256(text.encode("utf8")).digest()[:8], "big") / 2**64


def read_lists(folder: Path) -> dict[str, list[str]]:
    """Read every `<name>.txt` of a folder: the lines that are not blank, by name, in fixed order.

    Raises ValueError when a list holds a line twice.
    """
    lists = {}
    for path in sorted(folder.glob("*.txt")):
        lines = [line.strip() for line in path.read_text(encoding="utf8").splitlines()]
        lists[path.stem] = [line for line in lines if line]
        if len(set(lists[path.stem])) < len(lists[path.stem]):
            raise ValueError(f"{path} holds a line twice. Remove one of them.")
    return lists


def split_of(frame: str) -> str:
    """Say whether a frame belongs to "train", "dev" or "test"."""
    place = share(frame)
    if place < TRAIN_FRAMES:
        return "train"
    return "dev" if place < TRAIN_FRAMES + DEV_FRAMES else "test"


def bare(name: str) -> str:
    """Strip the article of a name: "the Rhine" is the entity "Rhine"."""
    return name.removeprefix(ARTICLE)


def type_of(list_name: str) -> str:
    """Give the entity type of a list or slot: "PER.last" holds names of type "PER"."""
    return list_name.split(".")[0]


def lists_of_names(lists: dict[str, list[str]]) -> dict[str, list[str]]:
    """Invert the lists: for each name, without its article, the lists that hold it."""
    lists_of: dict[str, list[str]] = {}
    for list_name, names in lists.items():
        for name in names:
            lists_of.setdefault(bare(name), []).append(list_name)
    return lists_of


def held_out_names(lists: dict[str, list[str]], *, frames: list[str]) -> set[str]:
    """Choose the names that training never sees.

    Names in several lists and names that frames spell out, as in `{LOC:Jordan}`, stay in training:
    with these it is the context that has to decide, and a model must have met them to learn so.
    """
    spelt_out = {slot.split(":", 1)[1] for f in frames for slot in SLOT.findall(f) if ":" in slot}
    return {
        name
        for name, in_lists in lists_of_names(lists).items()
        if len(in_lists) == 1 and name not in spelt_out and share(name) < HELD_OUT_NAMES
    }


def make_names(lists: dict[str, list[str]], *, held_out: set[str]) -> Names:
    """Sort the names of all lists into the two pools. A name of "ORG.company.bank" is also one of
    "ORG.company" and "ORG"."""
    lists_of = lists_of_names(lists)
    names = Names(seen={}, held_out={})
    for list_name, list_names in lists.items():
        for name in list_names:
            pool = names.held_out if bare(name) in held_out else names.seen
            ambiguous = len({type_of(other) for other in lists_of[bare(name)]}) > 1
            copies = [name] * (AMBIGUOUS_WEIGHT if ambiguous else 1)
            parts = list_name.split(".")
            for depth in range(1, len(parts) + 1):
                pool.setdefault(".".join(parts[:depth]), []).extend(copies)
    return names


def entity(text: str, *, label: str) -> list[Token]:
    """Tag a name: "New York" as LOC is [("New", "B-LOC"), ("York", "I-LOC")]."""
    return [(token, f"{'B' if i == 0 else 'I'}-{label}") for i, token in enumerate(text.split(" "))]


def draw_name(
    slot: str, *, names: Names, held_out_share: float, used: set[str], rng: Random
) -> str:
    """Draw a name for a slot like "PER", "PER.last" or "LOC" and add it to `used`, which holds the
    names that the sentence has already."""
    pool = names.held_out if rng.random() < held_out_share else names.seen
    keys = ("PER.first", "PER.last") if slot == "PER" else (slot,)
    parts = []
    for key in keys:
        options = [name for name in pool[key] if bare(name) not in used]
        parts.append(pick(options, rng=rng))
        used.add(bare(parts[-1]))
    if slot == "PER" and rng.random() < INITIALS:
        parts.insert(1, pick("ABCDEFGHJKLMNPRSTW", rng=rng) + ".")
    return " ".join(parts)


def fill(
    frame: str,
    *,
    names: Names,
    words: dict[str, list[str]],
    held_out_share: float,
    rng: Random,
) -> Sentence:
    """Fill the slots of one frame.

    frame (str): Tokens and slots separated by spaces.
    held_out_share (float): How often a name comes from the held-out pool, from 0 to 1.
    RETURNS (Sentence): One (text, IOB2 tag) a token.
    Raises ValueError for an unknown slot, or a name slot that is only part of a token.
    """
    used: set[str] = set()
    tokens: list[Token] = []

    def other(match: re.Match) -> str:
        if match[1] in words:
            return pick(words[match[1]], rng=rng)
        if match[1] in NUMBERS:
            return NUMBERS[match[1]](rng)
        raise ValueError(f"Cannot fill the slot {match[0]} of the frame {frame!r}: it is no list.")

    # Slots may hold spaces ({LOC:Orange County}), other spaces separate tokens.
    for part in re.findall(r"(?:\{[^{}]*\}|[^\s{}])+", frame):
        slot = part[1:-1]
        if slot.split(":")[0] in TYPES and ":" in slot:
            label, name = slot.split(":", 1)
        elif slot == "PER" or slot in names.seen:
            label = type_of(slot)
            name = draw_name(slot, names=names, held_out_share=held_out_share, used=used, rng=rng)
        else:
            tokens.extend((text, "O") for text in SLOT.sub(other, part).split(" "))
            continue
        if name.startswith(ARTICLE) and not (tokens and tokens[-1][0].lower() == "the"):
            tokens.append(("the", "O"))
        tokens.extend(entity(bare(name), label=label))

    first, tag = tokens[0]
    if frame.startswith("{") and first.islower():  # "van Dijk" and "the Rhine", but not "eBay"
        tokens[0] = (first.capitalize(), tag)
    return tuple(tokens)


def make_split(
    frames: list[str],
    *,
    size: int,
    names: Names,
    words: dict[str, list[str]],
    held_out_share: float,
    taken: set[str],
    rng: Random,
) -> list[Sentence]:
    """Make `size` sentences, going round the frames in a new order each time. Texts in `taken` are
    left out, and those made are added to it.

    Raises ValueError when the frames cannot give so many different sentences.
    """
    sentences: list[Sentence] = []
    barren = 0
    while len(sentences) < size:
        before = len(sentences)
        for frame in sorted(frames, key=lambda _: rng.random()):
            sentence = fill(frame, names=names, words=words, held_out_share=held_out_share, rng=rng)
            text = " ".join(token for token, _ in sentence)
            if text not in taken and len(sentences) < size:
                taken.add(text)
                sentences.append(sentence)
        barren = barren + 1 if len(sentences) == before else 0
        if barren == MAX_BARREN_ROUNDS:
            raise ValueError(
                f"{len(frames)} frames give only {before} different sentences, not {size}. "
                "Ask for fewer or add frames."
            )
    return sentences


def to_conll(sentences: list[Sentence]) -> str:
    """Write sentences as lines of token TAB tag, with a blank line after each sentence."""
    return "".join("".join(f"{t}\t{tag}\n" for t, tag in sent) + "\n" for sent in sentences)


def to_text(sentences: list[Sentence]) -> str:
    """Write sentences as lines of tokens separated by spaces, without their tags."""
    return "".join(" ".join(token for token, _ in sentence) + "\n" for sentence in sentences)


def to_files(corpus: Mapping[str, list[Sentence]]) -> dict[str, str]:
    """Give the files of a corpus: their texts by their names."""
    files = {f"{split}.conll": to_conll(corpus[split]) for split in ("train", "dev", "test")}
    return {**files, "unlabelled.txt": to_text(corpus["unlabelled"])}


def make_corpus(
    folder: Path = HERE, *, sizes: Mapping[str, int], seed: int = 0
) -> dict[str, list[Sentence]]:
    """Make all splits from the frames, names and words in a folder.

    sizes (Mapping[str, int]): Sentences of "train", "dev", "test" and "unlabelled", in the order in
        which they are made.
    RETURNS (dict[str, list[Sentence]]): The sentences of each split.
    """
    frames = [frame for lines in read_lists(folder / "frames").values() for frame in lines]
    if len(set(frames)) < len(frames):
        raise ValueError(f"{folder / 'frames'} holds a frame in two files. Remove one of them.")
    lists = read_lists(folder / "names")
    words = read_lists(folder / "words")
    names = make_names(lists, held_out=held_out_names(lists, frames=frames))
    taken: set[str] = set()
    return {
        split: make_split(
            [frame for frame in frames if split in (split_of(frame), "unlabelled")],
            size=size,
            names=names,
            words=words,
            held_out_share=0.0 if split == "train" else HELD_OUT_MENTIONS,
            taken=taken,
            rng=Random(f"{seed}/{split}"),
        )
        for split, size in sizes.items()
    }


def main(
    out: Annotated[Path, typer.Option(help="Folder to write the four files to.")] = HERE,
    seed: Annotated[int, typer.Option(help="Changes the sentences, but not the split.")] = 0,
    train: Annotated[int, typer.Option(help="Sentences in train.conll.")] = SIZES["train"],
    dev: Annotated[int, typer.Option(help="Sentences in dev.conll.")] = SIZES["dev"],
    test: Annotated[int, typer.Option(help="Sentences in test.conll.")] = SIZES["test"],
    unlabelled: Annotated[int, typer.Option(help="Sentences in unlabelled.txt.")] = SIZES[
        "unlabelled"
    ],
) -> None:
    """Make train.conll, dev.conll and test.conll (token TAB IOB2 tag), and unlabelled.txt (a
    sentence a line), from the frames and names."""
    sizes = {"train": train, "dev": dev, "test": test, "unlabelled": unlabelled}
    for name, text in to_files(make_corpus(sizes=sizes, seed=seed)).items():
        (out / name).write_bytes(text.encode("utf8"))
        typer.echo(f"Made {out / name}")


if __name__ == "__main__":
    typer.run(main)
