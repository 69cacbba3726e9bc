"""The command `corpus`: users' data -> corpus/{labelled,unlabelled,dev,test}.spacy."""

from collections import Counter
from pathlib import Path
from typing import Annotated, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Tuple

import typer
from spacy.tokens import Doc, DocBin
from tqdm import tqdm
from wasabi import msg

from ..checks import require
from ..data.overlap import find_texts, leave_out_texts
from ..data.sources import find_splits, read_docs
from ..docbins import PARTS, pack, write_docbin
from ..docs import strip_labels
from ..errors import Errors
from ..files import check_folder, make_folder
from ..loading import load_blank
from .labelled import WITHOUT_ENTITIES, hold_out, read_labelled, sample, warn_of_leaks
from .options import SplitSentences, split_paths, warn_passed_over, warn_unpinned_datasets


def corpus_cli(
    data: Annotated[
        str,
        typer.Argument(
            help="Folder with a training and a test set and, optionally, a dev set and more text "
            "for the unlabelled pool (train.\\*, test.\\*, dev.\\*: column files, .jsonl, "
            ".parquet or .spacy; unlabelled.\\*: also .txt, one text per line), or the id "
            "of a dataset on the hub (name@revision or name:config@revision)",
        ),
    ],
    output: Annotated[Path, typer.Argument(help="Folder for the .spacy files")],
    labelled: Annotated[
        int,
        typer.Option(
            "--labelled",
            "-n",
            min=0,
            help="Training sentences that keep their labels; 0: all of them",
        ),
    ] = 0,
    seed: Annotated[
        int,
        typer.Option(
            "--seed", "-s", help="Seed of the sample; smaller samples are contained in larger ones"
        ),
    ] = 0,
    lang: Annotated[
        str, typer.Option("--lang", "-l", help="Language whose tokenizer splits the text")
    ] = "en",
    unlabelled: Annotated[
        Optional[List[str]],
        typer.Option(
            "--unlabelled",
            "-u",
            help="More text for the unlabelled pool: files (.txt with one text per line, or any "
            "format of DATA), folders or ids. May be repeated, or list several, separated "
            "by commas or spaces",
        ),
    ] = None,
    dev_share: Annotated[
        float,
        typer.Option(
            "--dev-share", help="Share of the training set to hold out if DATA has no dev set"
        ),
    ] = 0.1,
    no_test: Annotated[
        bool, typer.Option("--no-test", help="Accept DATA without a test set")
    ] = False,
    split_sentences: SplitSentences = False,
) -> None:
    """Make the corpus: sample labelled sentences, and strip the others of their labels.

    A random sample of --labelled training sentences keeps its labels. The other sentences lose
    theirs; together with the unlabelled text of DATA and of --unlabelled, they form the pool that
    the teacher labels.
    """
    require(0 < dev_share < 1, "--dev-share", dev_share, "above 0 and below 1")
    nlp = load_blank(lang)
    more = split_paths(unlabelled or [])
    warn_unpinned_datasets([data, *more])
    warn_passed_over(more)
    check_output(output, data, more)
    found = find_splits(data, nlp=nlp, split_sentences=split_sentences)
    warn_passed_over(split.source for split in found.values())
    splits = read_labelled(found, source=data, no_test=no_test)
    check_corpus(output, splits)
    if "dev" not in splits:
        splits["dev"], splits["train"] = hold_out(
            splits["train"], share=dev_share, seed=seed, source=data
        )
        msg.info(f"No dev set in {data}: holding out {len(splits['dev'])} training sentences")
    gold, rest = sample(splits.pop("train"), labelled, seed=seed)
    if n_stripped := sum(doc.has_annotation("ENT_IOB") for doc in rest):
        msg.info(
            f"Of the training sentences, {len(gold):,} keep their labels (--labelled), and "
            f"{n_stripped:,} lose them. --labelled 0 keeps all"
        )
    if labelled > len(gold):
        msg.warn(
            f"Only {len(gold)} labelled sentences in {data}, not {labelled}: using all of them"
        )
    # The test set comes last, so that a text of several splits counts as one of the test set.
    splits = {"labelled": gold, "dev": splits.pop("dev"), **splits}
    dropped: Counter = Counter()
    added = [read_docs(path, nlp=nlp, split_sentences=split_sentences) for path in more]
    if "unlabelled" in found:
        msg.info(f"The text of {found['unlabelled'].source} is added to the unlabelled pool")
        added.insert(0, found["unlabelled"].docs)
    texts = find_texts(splits, splitter=nlp if split_sentences else None)
    pool = make_pool([rest, *added], texts, dropped)
    packed = {name: pack(docs) for name, docs in splits.items()}
    packed["unlabelled"] = pack(tqdm(pool, desc="unlabelled", unit=" texts", disable=None))
    make_folder(output)
    was_corpus = all((output / f"{name}.spacy").exists() for name in ("labelled", "unlabelled"))
    for name, (docs, _) in packed.items():
        write_docbin(docs, output / f"{name}.spacy")
    if "test" not in splits and was_corpus:
        # The test set of an earlier corpus would be taken for that of this one.
        (output / "test.spacy").unlink(missing_ok=True)
    report(packed, dropped)
    warn_of_leaks(splits)
    msg.good(f"Saved corpus to {output}")


def check_output(output: Path, data: str, more: Sequence[str]) -> None:
    """Refuse to overwrite the input, or to read the output.

    RAISES (ValueError): D915. (OSError): D901 if the output is a file.
    """
    check_folder(output)
    written = {(output / f"{name}.spacy").resolve() for name in PARTS}
    folder = output.resolve()
    if folder == Path(data).resolve():
        raise ValueError(Errors.D915.format(output=folder, source=folder))
    for source in (Path(source).resolve() for source in more):
        # A folder is read with all of its subfolders.
        if source in written or (source.is_dir() and folder.is_relative_to(source)):
            raise ValueError(Errors.D915.format(output=folder, source=source))


def check_corpus(output: Path, splits: Mapping[str, Iterable[Doc]]) -> None:
    """Refuse to overwrite files that do not belong to a corpus. RAISES (ValueError): D417.

    output (Path): The output folder.
    splits (Mapping[str, Iterable[Doc]]): The splits that were read: a test set is written only if
        it is among them.
    """
    written = ["dev", "unlabelled", *(["test"] if "test" in splits else [])]
    others = [f"{name}.spacy" for name in written if (output / f"{name}.spacy").exists()]
    # The labelled sentences are written first, so without them the others are not of a corpus.
    if others and not (output / "labelled.spacy").exists():
        names = ", ".join(others)
        raise ValueError(Errors.D417.format(path=output, names=names, command="corpus"))


def make_pool(
    sources: Iterable[Iterable[Doc]], texts: Mapping[str, str], dropped: Counter
) -> Iterator[Doc]:
    """Remove the entities of documents, and leave out documents whose text is in another split.

    sources (Iterable[Iterable[Doc]]): The documents to join.
    texts (Mapping[str, str]): The texts of the labelled, dev and test set, from `find_texts`.
    dropped (Counter): Counts the documents that are left out, by the split that has their text.
    YIELDS (Doc): The documents of the pool, without entity annotation.
    """
    for docs in sources:
        yield from map(strip_labels, leave_out_texts(docs, texts, dropped))


def report(packed: Dict[str, Tuple[DocBin, Counter]], dropped: Counter) -> None:
    """Show the counts of each file, and warn of missing text, entities and labels."""
    names = [name for name in PARTS if name in packed]
    labels = sorted({label for _, counts in packed.values() for label in counts})
    rows = [
        ("texts", *(f"{len(packed[name][0]):,}" for name in names)),
        ("words", *(f"{sum(map(len, packed[name][0].tokens)):,}" for name in names)),
        *((label, *(f"{packed[name][1][label]:,}" for name in names)) for label in labels),
    ]
    aligns = ["l", *("r" for _ in names)]
    msg.table(rows, header=("", *names), aligns=aligns, divider=True)
    for name, count in dropped.items():
        msg.info(f"Left out of the unlabelled pool because the same text is in {name}: {count:,}")
    if len(packed["unlabelled"][0]) == 0:
        msg.warn("No unlabelled text: only the labelled sentences are left to distil on")
    for name in names:
        if name != "unlabelled" and not packed[name][1]:
            msg.warn(f"No entity in {name}: {WITHOUT_ENTITIES[name]}")
    lacking = [label for label in labels if packed["labelled"][1][label] == 0]
    if lacking:
        msg.warn(
            f"No labelled sentence has {', '.join(lacking)}, which occurs in dev or test: neither "
            "teacher nor student can learn it. Label more, or use another seed"
        )
