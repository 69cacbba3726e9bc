"""The user's labelled data: reads, checks, divides and samples it."""

import random
from typing import Dict, Iterable, List, Mapping, Sequence, Tuple

from spacy.tokens import Doc, Span
from tqdm import tqdm
from wasabi import msg

from ..data.overlap import entities_key, text_key
from ..data.sources import Split, find_split, list_others
from ..docs import join_sentences, trim_entities
from ..errors import Errors
from ..lines import divide_entities, should_separate

# Maximum number of file names in an error message.
SHOWN = 10
# Number of words above which a text that is alone in its set is probably several.
LONG = 200
# Why a set without entities is useless, by its name.
WITHOUT_ENTITIES = {
    "labelled": "nothing can be learned from it. Label some, or use another seed",
    "dev": "F1 on it is always 0, so it can't tell which checkpoint is best",
    "test": "F1 on it is always 0",
}


def read_labelled(
    found: Mapping[str, Split], *, source: str, no_test: bool
) -> Dict[str, List[Doc]]:
    """Read the training, dev and test set; the dev set may be missing.

    found (Mapping[str, Split]): The splits from `find_splits`.
    source (str): The source of the splits, for errors.
    no_test (bool): Whether the test set may be missing, too.
    RETURNS (Dict[str, List[Doc]]): The documents of each set that was found.
    RAISES (ValueError): D119 or D122 if a set is missing, D133 if one is empty, D120 or D131 if one
        is not labelled.
    """
    others = list_others(source, found)
    has = {"found": list(found) or "none", "others": others[:SHOWN] or "nothing"}
    if "train" not in found:
        raise ValueError(Errors.D119.format(source=source, **has))
    if "test" not in found and not no_test:
        raise ValueError(Errors.D122.format(source=source, **has))
    if unread := [name for name in others if find_split(name) not in (None, *found)]:
        msg.warn(
            f"Ignored in {source}: {', '.join(unread)}, although named like a split. Convert it "
            "to a supported format, such as .jsonl"
        )
    splits = {}
    for name in [name for name in ("train", "dev", "test") if name in found]:
        docs = list(tqdm(found[name].docs, desc=name, unit=" sentences", disable=None))
        splits[name] = check_labelled(docs, name=name, source=found[name].source)
    return splits


def check_labelled(docs: List[Doc], *, name: str, source: str) -> List[Doc]:
    """Refuse a set that is not labelled, and correct entities that could not be predicted.

    Whitespace is removed from the edges of entities, and sentences that share an entity are joined.
    In training data, entities that go on after a line break which separates texts are counted.

    docs (List[Doc]): The documents. The training set (`train`) may contain unlabelled text, because
        that goes into the pool. Modified in place.
    name (str): Name of the set.
    source (str): The source of the set, for messages.
    RETURNS (List[Doc]): The same documents.
    RAISES (ValueError): D133 if there are no documents, D131 if none is labelled, D120 if some
        documents of another set than `train` are not labelled.
    """
    if not docs:
        raise ValueError(Errors.D133.format(source=source, split=name))
    missing = [i for i, doc in enumerate(docs) if not doc.has_annotation("ENT_IOB")]
    if len(missing) == len(docs):
        raise ValueError(Errors.D131.format(source=source, split=name, total=len(docs)))
    if missing and name != "train":
        first = missing[0]
        raise ValueError(
            Errors.D120.format(
                source=source,
                split=name,
                missing=len(missing),
                total=len(docs),
                number=first + 1,
                text=docs[first].text[:60],
            )
        )
    if missing:
        msg.warn(
            f"{len(missing):,} of {len(docs):,} texts in {source} are not labelled, first number "
            f"{missing[0] + 1:,}: they count as unlabelled text. (Label a text without entities "
            "by an empty list)"
        )
    if len(docs) == 1 and len(docs[0]) > LONG:
        msg.warn(
            f"{source} is a single text of {len(docs[0]):,} words. In a column file, a blank line "
            "must follow each sentence"
        )
    warn_of_contradictions(docs, source=source)
    if n_trimmed := sum(map(trim_entities, docs)):
        msg.warn(
            f"Entities in {source} that began or ended with whitespace, which was removed from "
            f"them: {n_trimmed:,}"
        )
    if n_joined := sum(map(join_sentences, docs)):
        msg.warn(
            f"Entities in {source} that began in one sentence and ended in another, so that their "
            f"sentences were joined: {n_joined:,}"
        )
    if name in ("train", "labelled"):  # from these, a model learns whether to read lines one by one
        tell_of_line_breaks(docs, source=source)
    return docs


def tell_of_line_breaks(docs: Iterable[Doc], *, source: str) -> None:
    """Tell of entities that go on after a line break which separates texts. A few are lost."""
    cut: List[Span] = []
    n_whole = 0
    for doc in docs:
        of_doc, others = divide_entities(doc)
        cut += of_doc
        n_whole += len(others)
    if not cut:
        return
    found = (
        f"Entities in {source} that go on after a line break between two texts: {len(cut):,}, "
        f"first {cut[0].text[:60]!r}."
    )
    if should_separate(len(cut), n_whole):
        msg.warn(
            f"{found} These are too few to learn them, so none will be found. Replace the line "
            "breaks within entities by spaces"
        )
    else:
        msg.info(f"{found} A model trained on such texts reads them as a whole")


def warn_of_contradictions(docs: Iterable[Doc], *, source: str) -> None:
    """Warn of texts that occur more than once, with different entities."""
    known: Dict[str, List[Tuple[int, int, str]]] = {}
    found: Dict[str, str] = {}
    for doc in docs:
        if doc.has_annotation("ENT_IOB"):
            entities = entities_key(doc)
            if known.setdefault(key := text_key(doc), entities) != entities:
                found.setdefault(key, doc.text.strip())
    if found:
        msg.warn(
            f"Texts that occur more than once in {source}, with different entities: "
            f"{len(found):,}, first {next(iter(found.values()))[:60]!r}. They contradict each "
            "other"
        )


def hold_out(
    docs: Sequence[Doc], *, share: float, seed: int, source: str
) -> Tuple[List[Doc], List[Doc]]:
    """Divide labelled training data into a dev set and the rest, which share no text.

    docs (Sequence[Doc]): The training data. Unlabelled documents stay in the rest.
    share (float): How many of the labelled texts go into the dev set, above 0 and below 1.
    seed (int): Seed of the draw.
    source (str): Where the data comes from, for errors.
    RETURNS (Tuple[List[Doc], List[Doc]]): The dev set and the rest, each in its original order.
    RAISES (ValueError): D123 if the share leaves nothing.
    """
    keys = {i: text_key(doc) for i, doc in enumerate(docs) if doc.has_annotation("ENT_IOB")}
    texts = list(dict.fromkeys(keys.values()))
    n_dev = max(1, round(share * len(texts)))
    if n_dev >= len(texts):
        raise ValueError(
            Errors.D123.format(setting="--dev-share", value=share, source=source, total=len(texts))
        )
    chosen = set(random.Random(seed).sample(texts, n_dev))
    dev = [doc for i, doc in enumerate(docs) if keys.get(i) in chosen]
    return dev, [doc for i, doc in enumerate(docs) if keys.get(i) not in chosen]


def warn_of_leaks(splits: Mapping[str, Iterable[Doc]]) -> None:
    """Warn of texts that occur in more than one of the labelled, dev and test sets."""
    texts = {name: set(map(text_key, docs)) for name, docs in splits.items()}
    for name, other, place in (
        ("dev", "labelled", "among the labelled ones"),
        ("test", "labelled", "among the labelled ones"),
        ("test", "dev", "in dev"),
    ):
        if shared := len(texts.get(name, set()) & texts.get(other, set())):
            msg.warn(
                f"Of {len(texts[name]):,} texts in {name}, {shared:,} are also {place}: scores on "
                "them are better than on new text"
            )


def sample(docs: Sequence[Doc], n: int, *, seed: int) -> Tuple[List[Doc], List[Doc]]:
    """Draw the sentences that keep their labels.

    docs (Sequence[Doc]): The training data. Unlabelled documents are never drawn.
    n (int): How many to draw; 0 for all.
    seed (int): Seed of the draw. The samples of one seed are nested.
    RETURNS (Tuple[List[Doc], List[Doc]]): The sample in the order it was drawn, and the others in
        their original order.
    """
    order = [i for i, doc in enumerate(docs) if doc.has_annotation("ENT_IOB")]
    random.Random(seed).shuffle(order)
    chosen = order[: n or None]
    rest = set(range(len(docs))).difference(chosen)
    return [docs[i] for i in chosen], [docs[i] for i in sorted(rest)]
