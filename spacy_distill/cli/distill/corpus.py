"""The data of `distill`, to learn from and to score on: gold if there is some."""

import hashlib
from itertools import islice
from pathlib import Path
from typing import Container, Dict, Iterator, List, NamedTuple, Optional, Sequence, Union

from spacy.language import Language
from spacy.tokens import Doc
from wasabi import msg

from ...checks import require
from ...data.overlap import find_texts, text_key
from ...data.sources import Split, find_splits, is_dataset_id, read_docs
from ...docbins import pack, write_docbin
from ...docs import strip_labels
from ...errors import Errors
from ...files import make_folder
from ..labelled import WITHOUT_ENTITIES, check_labelled, hold_out, warn_of_leaks

# The number of texts, at the beginning of the sources, of which a share is held out. These are
# enough to choose a checkpoint by.
LOOKED_AT = 20_000


class Given(NamedTuple):
    """The sources that the user gives, which `read_docs` reads; empty if not given.

    If a source has splits, `labelled` stands for its training set, `dev` and `test` for the split
    of that name.

    split_sentences (bool): Whether unlabelled text is split into sentences.
    """

    labelled: str
    unlabelled: Sequence[str]
    dev: str
    test: str
    split_sentences: bool = False

    @property
    def sources(self) -> List[str]:
        """All sources that are given."""
        return [s for s in (self.labelled, *self.unlabelled, self.dev, self.test) if s]


class Inputs(NamedTuple):
    """The paths that a student learns from: the block [paths] of its config."""

    labelled: Optional[Path]
    unlabelled: Path
    dev: Path
    table: Path

    @classmethod
    def plan(cls, output: Path, given: Given, *, table: Optional[Path]) -> "Inputs":
        """Return the paths of the files that will be made in an output folder."""
        corpus, annotated = output / "corpus", output / "annotated"
        return cls(
            labelled=annotated / "labelled" if given.labelled else None,
            unlabelled=annotated / "unlabelled" if given.unlabelled else corpus / "no_text.spacy",
            dev=corpus / "dev.spacy",
            table=table or output / "table.npz",
        )


def make_corpus(
    folder: Path, given: Given, *, nlp: Language, dev_share: float, seed: int
) -> Dict[str, Path]:
    """Write the labelled sets, and hold out a development set if none is given.

    folder (Path): Folder for the files. A file with the same content is not touched.
    given (Given): The sources.
    nlp (Language): Pipeline that tokenises text.
    dev_share (float): Share to hold out: of the labelled sentences, or else of the text.
    seed (int): Seed of the draw from the labelled sentences.
    RETURNS (Dict[str, Path]): The files of `labelled`, `dev` and `test`, as far as there is gold.
        Without gold for `dev`, it has `held_out` instead: text that the teacher is to label.
    RAISES (ValueError): D412 without labelled sentences and text, D007 for a share that is not
        between 0 and 1, D133 for an empty source, D120 or D131 for one without labels, D135 for one
        that has only other splits, D123 or D413 for too few documents.
    """
    if not (given.labelled or given.unlabelled):
        raise ValueError(Errors.D412)
    require(0 < dev_share < 1, "--dev-share", dev_share, "above 0 and below 1")
    splits: Dict[str, List[Doc]] = {}
    for name in ("labelled", "dev", "test"):
        source = getattr(given, name)
        if source:
            part = find_part(source, "train" if name == "labelled" else name, nlp=nlp)
            splits[name] = check_labelled(list(part.docs), name=name, source=part.source)
    if "dev" not in splits and "labelled" in splits:
        splits["dev"], splits["labelled"] = hold_out(
            splits["labelled"], share=dev_share, seed=seed, source=given.labelled
        )
        msg.info(f"No --dev: holding out {len(splits['dev'])} labelled sentences")
    elif "dev" not in splits:
        texts = find_texts(splits, splitter=nlp if given.split_sentences else None)
        splits["held_out"] = hold_out_text(given, nlp=nlp, share=dev_share, texts=texts)
        n_docs = len(splits["held_out"])
        msg.warn(f"No --dev and no labels: holding out {n_docs:,} texts, labelled by the teacher")
    warn_of_leaks(splits)
    make_folder(folder)
    paths = {name: folder / f"{name}.spacy" for name in splits}
    for name, docs in splits.items():
        docbin, labels = pack(docs)
        write_docbin(docbin, paths[name])
        if name in WITHOUT_ENTITIES and not labels:
            source = getattr(given, name) or f"the sentences held out of {given.labelled}"
            msg.warn(f"No entity in {source}: {WITHOUT_ENTITIES[name]}")
    return paths


def find_part(source: str, split: str, *, nlp: Language) -> Split:
    """Return the split of a folder or dataset that has splits; of other sources, all of it.

    source (str): The source.
    split (str): Name of the split.
    nlp (Language): Pipeline that tokenises text.
    RAISES (ValueError): D135 if the source has splits, but not this one.
    """
    found = find_splits(source, nlp=nlp) if Path(source).is_dir() or is_dataset_id(source) else {}
    if found and split not in found:
        raise ValueError(Errors.D135.format(source=source, split=split, found=list(found)))
    return found.get(split) or Split(source, read_docs(source, nlp=nlp))


def hold_out_text(
    given: Given, *, nlp: Language, share: float, texts: Container[str] = ()
) -> List[Doc]:
    """Hold out texts by their digests instead of a seed, so that they are always the same.

    The sources are read twice, so that only the chosen documents are kept in memory.

    given (Given): The sources. Of each source of text, only the beginning is read.
    nlp (Language): Pipeline that tokenises text.
    share (float): Share of the texts read to hold out: those with the lowest digests.
    texts (Container[str]): The texts of the other splits, from `find_texts`. They are not held out.
    RETURNS (List[Doc]): Different texts, without annotation, in the order of their digests.
    RAISES (ValueError): D413 if there are fewer than two different texts.
    """
    with nlp.memory_zone():
        keys = map(text_key, look_at(given, nlp=nlp))
        digests = sorted({digest_text(key) for key in keys if key not in texts})
    if len(digests) < 2:
        raise ValueError(Errors.D413.format(source=" ".join(given.unlabelled), found=len(digests)))
    chosen = set(digests[: max(1, round(share * len(digests)))])
    found: Dict[str, Doc] = {}
    for doc in look_at(given, nlp=nlp):
        digest = digest_text(text_key(doc))
        if digest in chosen:
            found.setdefault(digest, doc)
    return [found[digest] for digest in sorted(found)]


def look_at(given: Given, *, nlp: Language) -> Iterator[Doc]:
    """Read the first texts of each source, in all at most `LOOKED_AT`."""
    n_docs = LOOKED_AT // len(given.unlabelled)
    for source in given.unlabelled:
        docs = read_text(source, nlp=nlp, split_sentences=given.split_sentences)
        yield from islice(docs, n_docs)


def read_text(
    source: Union[str, Path], *, nlp: Language, split_sentences: bool = False
) -> Iterator[Doc]:
    """Read text with `read_docs`, and remove its labels, so that the teacher labels all of it."""
    return map(strip_labels, read_docs(source, nlp=nlp, split_sentences=split_sentences))


def digest_text(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
