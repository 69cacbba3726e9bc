"""The teacher of `distill`: it labels what the student learns from, and is scored beside it."""

from collections import Counter
from pathlib import Path
from typing import Any, Dict, Iterable, List, NamedTuple, Sequence, Tuple

from spacy.language import Language
from spacy.scorer import get_ner_prf
from spacy.tokens import DocBin
from spacy.training import Example
from spacy.vocab import Vocab
from tqdm import tqdm

from ..annotation import annotate_docs
from ..corpus import count_docs, read_docbins
from ..errors import Errors
from ..soft_targets import KEY
from ..sources import read_docs
from ..tags import split_tag
from ..teachers.choose import load_teacher
from ..teachers.ensemble import join_teachers
from ..teachers.label_map import read_label_map
from .annotate import find_gold_labels, read_labels, read_weights, write_shards
from .corpus import make_pool, write_docbin
from .distill_corpus import Given, check_known, write_dev, write_stripped


class Asked(NamedTuple):
    """Which teachers are asked, and how. See `annotate`."""

    teachers: Tuple[str, ...]
    weights: str = ""
    names: Tuple[str, ...] = ()
    drop: Tuple[str, ...] = ()
    labels: str = ""
    smoothing: float = 0.1
    iob1: bool = False
    gpu: int = -1


def annotate(
    asked: Asked,
    sources: Sequence[str],
    output: Path,
    *,
    nlp: Language,
    exclude: Iterable[Path] = (),
) -> None:
    teachers = [
        load_teacher(given, smoothing=asked.smoothing, iob1=asked.iob1, gpu=asked.gpu)
        for given in asked.teachers
    ]
    docs = [doc for source in sources for doc in read_docs(source, nlp=nlp)]
    if exclude:
        found = {path.stem: list(read_docbins(path, nlp.vocab)) for path in exclude}
        docs = list(make_pool([docs], found, Counter()))
    joined = join_teachers(
        teachers,
        weights=read_weights(asked.weights),
        labels=read_labels(asked.labels) or find_gold_labels(docs),
        label_map=read_label_map(asked.names, drop=asked.drop),
        may_lack=bool(asked.labels),
    )
    output.mkdir(parents=True, exist_ok=True)
    with tqdm(disable=True) as bar:
        write_shards(annotate_docs(joined, docs), output, shard_size=10_000, bar=bar)


def annotate_corpus(
    asked: Asked, corpus: Dict[str, Path], output: Path, *, given: Given, nlp: Language
) -> Dict[str, Path]:
    """Let the teacher label text, gold sentences, and whatever it is to be scored on.

    asked (Asked): The teacher.
    corpus (Dict[str, Path]): What `make_corpus` returned. Gets a `dev` where it has none.
    output (Path): Gets a folder for each part.
    given (Given): The sources.
    nlp (Language): Tokenises text.
    RETURNS (Dict[str, Path]): What holds the parts `unlabelled`, `labelled` and `scored`: the
        latter two as far as there is gold.
    RAISES (ValueError): D413 if no text is left, D414 if there is no entity in what is held out,
        D415 for gold with labels that the teacher does not have.
    """
    parts: Dict[str, Path] = {}
    parts.update((name, corpus[name]) for name in ("labelled", "held_out") if name in corpus)
    gold = corpus.get("test", corpus.get("dev"))
    if gold is not None:
        parts["scored"] = gold.with_name("scored.spacy")
        write_stripped(gold, parts["scored"])
    annotated = {name: output / name for name in [*parts, "unlabelled"]}
    for name, path in parts.items():
        annotate(asked, [str(path)], annotated[name], nlp=nlp)
        # Gold's labels are those of all parts, those of a teacher without gold its own.
        asked = asked._replace(labels=",".join(find_labels(annotated[name])))
    for name in ("dev", "test"):
        if getattr(given, name):
            check_known(corpus[name], labels=asked.labels.split(","), source=getattr(given, name))
    if "held_out" in parts:
        corpus["dev"] = parts["held_out"].with_name("dev.spacy")
        write_dev(annotated.pop("held_out"), corpus["dev"], teacher=asked.teachers[0])
    if given.unlabelled:
        annotate(asked, given.unlabelled, annotated["unlabelled"], nlp=nlp, exclude=corpus.values())
        if count_docs(annotated["unlabelled"]) == 0:
            raise ValueError(Errors.D413.format(source=" ".join(given.unlabelled), found=0))
    else:
        annotated["unlabelled"] = next(iter(corpus.values())).with_name("no_text.spacy")
        write_docbin(DocBin(), annotated["unlabelled"])
    return annotated


def find_labels(annotated: Path) -> List[str]:
    """The labels of the soft targets in a folder, in the order of their tags."""
    for doc in read_docbins(annotated, Vocab()):
        return list(dict.fromkeys(split_tag(tag)[1] for tag in doc.user_data[KEY]["tags"][1:]))
    return []


def score_annotated(annotated: Path, gold: Path) -> Dict[str, Any]:
    """Score a teacher, as `spacy evaluate` does a pipeline.

    annotated (Path): The documents of the other file, labelled by the teacher.
    gold (Path): The same documents with gold entities.
    """
    vocab = Vocab()
    pairs = zip(read_docbins(annotated, vocab), read_docbins(gold, vocab))
    return get_ner_prf([Example(found, reference) for found, reference in pairs])
