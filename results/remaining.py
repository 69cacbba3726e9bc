"""Compare systems by their recall of entities, grouped by how much of them was seen in training."""

from collections import Counter
from pathlib import Path
from statistics import mean
from typing import Annotated, Dict, Iterable, List, Set, Tuple

import spacy
import typer
from spacy.tokens import Doc

from spacy_distill.docbins import read_docbins, read_gold

GROUPS = (
    "is an entity of the labelled sentences",
    "occurs in the pool",
    "each word occurs in the labelled sentences or the pool",
    "has a new word",
)
# The words of an entity, in lower case.
Words = Tuple[str, ...]


def print_remaining(
    work: Annotated[Path, typer.Argument(help="The sweep's --work")],
    size: Annotated[int, typer.Argument(help="Labelled sentences")],
    systems: Annotated[
        str, typer.Option(help="Names, separated by commas")
    ] = "teacher,student-softmax,student-crf",
) -> None:
    """Print the share of the test set's entities in each group, each system's recall of them, and
    the precision of all entities that it predicts.

    An entity belongs to the first group that applies: its words are an entity in the labelled
    sentences; they occur in the pool; each of them occurs in the labelled sentences or the pool;
    none of these.
    """
    names = systems.split(",")
    shares: Dict[str, List[float]] = {group: [] for group in GROUPS}
    recalls: Dict[Tuple[str, str], List[float]] = {}
    precisions: Dict[str, List[float]] = {name: [] for name in names}
    for folder in sorted((work / str(size)).iterdir()):
        models = [folder / "training" / name / "model-best" for name in names]
        if not all(model.exists() for model in models):
            continue
        examples = read_gold(folder / "corpus" / "test.spacy", spacy.blank("en"))
        gold = [eg.reference for eg in examples]
        groups = group_entities(gold, folder / "corpus")
        total = Counter(groups.values())
        for group in GROUPS:
            shares[group].append(100 * total[group] / len(groups))
        for name, model in zip(names, models):
            found = find_entities(model, folder / "corpus")
            hits = Counter(group for key, group in groups.items() if key in found)
            precisions[name].append(100 * hits.total() / max(len(found), 1))
            for group in GROUPS:
                recall = 100 * hits[group] / max(total[group], 1)
                recalls.setdefault((group, name), []).append(recall)
    if not recalls:
        raise typer.BadParameter(f"No sample of {size} in '{work}' has trained all of {names}")
    print("| entity of the test set | share | " + " | ".join(names) + " |")
    print("| --- | ---: |" + " ---: |" * len(names))
    for group in GROUPS:
        cells = [shares[group], *(recalls[group, name] for name in names)]
        print(f"| {group} | " + " | ".join(f"{mean(cell):.1f}" for cell in cells) + " |")
    precise = [f"{mean(precisions[name]):.1f}" for name in names]
    print("| precision | | " + " | ".join(precise) + " |")


# A sentence's number, and the start, end and label of an entity in it.
Key = Tuple[int, int, int, str]


def find_entities(model: Path, corpus: Path) -> Set[Key]:
    nlp = spacy.load(model)
    examples = read_gold(corpus / "test.spacy", nlp)
    return list_entities(nlp.pipe([eg.predicted for eg in examples]))


def list_entities(docs: Iterable[Doc]) -> Set[Key]:
    return {(i, ent.start, ent.end, ent.label_) for i, doc in enumerate(docs) for ent in doc.ents}


def group_entities(gold: List[Doc], corpus: Path) -> Dict[Key, str]:
    """Return the group of each entity of the test set."""
    vocab = spacy.blank("en").vocab
    sentences = list(read_docbins(corpus / "labelled.spacy", vocab))
    labelled = {words_of(ent) for doc in sentences for ent in doc.ents}
    words = {word for doc in sentences for word in words_of(doc)}
    entities = [(i, ent) for i, doc in enumerate(gold) for ent in doc.ents]
    wanted = {words_of(ent) for _, ent in entities}
    longest = max(map(len, wanted))
    runs: Set[Words] = set()
    for doc in read_docbins(corpus / "unlabelled.spacy", vocab):
        lower = words_of(doc)
        words.update(lower)
        for start in range(len(lower)):
            runs.update(lower[start : start + n] for n in range(1, longest + 1))
        runs &= wanted
    groups = {}
    for i, ent in entities:
        found = words_of(ent)
        known = [found in labelled, found in runs, words.issuperset(found), True]
        groups[i, ent.start, ent.end, ent.label_] = GROUPS[known.index(True)]
    return groups


def words_of(tokens: Iterable[spacy.tokens.Token]) -> Words:
    return tuple(token.lower_ for token in tokens)


if __name__ == "__main__":
    typer.run(print_remaining)
