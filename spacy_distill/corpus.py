"""The reader of distillation: mixes labelled and annotated examples."""

import random
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, List, Optional, Sequence, cast

import numpy
import srsly
from spacy.attrs import ORTH, SPACY
from spacy.language import Language
from spacy.tokens import Doc, DocBin
from spacy.training import Corpus, Example
from spacy.training.corpus import walk_corpus
from spacy.vocab import Vocab, create_vocab

from .annotate.manifest import find_counts
from .checks import require
from .errors import Errors
from .soft_targets import KEY, has_soft_targets
from .types import Reader

# Documents whose user data are unpacked at a time.
UNPACKED_TOGETHER = 1000
# An empty dictionary, as msgpack writes it.
EMPTY_MAP = b"\x80"


def build_distillation_corpus_v1(
    *,
    labelled: Optional[Path],
    unlabelled: Path,
    labelled_fraction: float = 0.1,
    min_confidence: float = 0.0,
    max_disagreement: Optional[float] = None,
    seed: int = 0,
    limit: int = 0,
    shuffle_buffer: int = 0,
) -> Reader:
    """The reader `spacy-distill.DistillationCorpus.v1`.

    labelled (Optional[Path]): DocBin file or folder of them: gold entities, with soft targets if
        `annotate` has seen them. None: distil from the teacher alone.
    unlabelled (Path): DocBin file or folder of them, as `annotate` writes them: soft targets, and
        pseudo-labels as entities.
    labelled_fraction (float): Share of labelled examples in a batch, in the mean, from 0 to 1
        (exclusive). Few labelled examples are repeated within an epoch to reach it; each one
        appears at least once.
    min_confidence (float): Pseudo-labels of tokens whose probability is lower, and of the whole
        entities that they are in, are left out; the soft targets stay.
    max_disagreement (Optional[float]): The same for tokens that several teachers disagree on by
        more, in nats; None: whatever they say. From a single teacher there is no disagreement.
    seed (int): Of the order. Each epoch has another.
    limit (int): How many unlabelled documents are read, the first ones; 0 for all.
    shuffle_buffer (int): For training that does not hold all of it in memory (`max_epochs = -1`):
        unlabelled documents come in a random order, drawn from so many that wait, out of files in
        a random order if there is no limit; 0: as they lie.
    RETURNS (Callable[[Language], Iterable[Example]]): The reader. An epoch is one pass over the
        unlabelled documents.
    RAISES (ValueError): D007 for a setting out of its range.
    """
    checks = [
        ("labelled_fraction", labelled_fraction, 0 <= labelled_fraction < 1, "in [0, 1)"),
        ("min_confidence", min_confidence, 0 <= min_confidence <= 1, "in [0, 1]"),
        (
            "max_disagreement",
            max_disagreement,
            max_disagreement is None or max_disagreement >= 0,
            "at least 0, or null",
        ),
        ("limit", limit, limit >= 0, "0 or above"),
        ("shuffle_buffer", shuffle_buffer, shuffle_buffer >= 0, "0 or above"),
    ]
    for setting, value, holds, requirement in checks:
        require(holds, setting, value, requirement)
    return DistillationCorpus(
        labelled,
        unlabelled,
        labelled_fraction,
        min_confidence,
        max_disagreement,
        limit,
        shuffle_buffer,
        random.Random(seed),
    )


@dataclass
class DistillationCorpus:
    """See `build_distillation_corpus_v1`. The state is the random generator."""

    labelled: Optional[Path]
    unlabelled: Path
    labelled_fraction: float
    min_confidence: float
    max_disagreement: Optional[float]
    limit: int
    shuffle_buffer: int
    rng: random.Random

    def __call__(self, nlp: Language) -> Iterator[Example]:
        """Yield one epoch, labelled examples in among the others at random.

        RAISES (FileNotFoundError): D008. (ValueError): D005 if there are no soft targets, D114 for
            a damaged file.
        """
        fraction = self.labelled_fraction
        gold: List[Example] = []
        if self.labelled is not None and fraction > 0:
            gold = list(read_examples(self.labelled, nlp.vocab))
        waiting = self.rng.sample(gold, len(gold))
        n_unseen = len(gold)
        last = self.limit or None  # None: there is no last one
        n_docs = count_docs(self.unlabelled) if gold else 0
        n_left = min(n_docs, self.limit or n_docs)
        if self.shuffle_buffer:
            rng = None if self.limit else self.rng
            pool = stream_examples(self.unlabelled, nlp, rng=rng)
        else:
            pool = read_examples(self.unlabelled, nlp.vocab)
        for eg in shuffle(islice(pool, last), size=self.shuffle_buffer, rng=self.rng):
            if not has_soft_targets(eg.reference):
                raise ValueError(Errors.D005.format(source=self.unlabelled))
            leave_out_unsure(
                eg.reference, self.min_confidence, max_disagreement=self.max_disagreement
            )
            # More often than asked for, where the pool is too small for all that is labelled.
            while gold and self.rng.random() < max(fraction, n_unseen / (n_unseen + n_left)):
                yield waiting.pop()
                n_unseen = max(n_unseen - 1, 0)
                waiting = waiting or self.rng.sample(gold, len(gold))
            yield eg
            n_left -= 1
        yield from waiting[:n_unseen]


def shuffle(examples: Iterable[Example], *, size: int, rng: random.Random) -> Iterator[Example]:
    """Yield examples in a random order, of which no more than `size` are held at a time."""
    held: List[Example] = []
    for eg in examples:
        if len(held) < size:
            held.append(eg)
        elif size:
            place = rng.randrange(size)
            eg, held[place] = held[place], eg
            yield eg
        else:
            yield eg
    rng.shuffle(held)
    yield from held


def find_docbins(path: Path) -> List[Path]:
    """A DocBin file itself, or all such files in a folder, in order of their names.

    RAISES (FileNotFoundError): D008 if the path does not exist.
    """
    path = Path(path)  # from a config it comes as a string
    if not path.exists():
        raise FileNotFoundError(Errors.D008.format(path=path))
    return sorted(walk_corpus(path, ".spacy"))


def load_docbin(path: Path) -> DocBin:
    """Load a DocBin file. RAISES (ValueError): D114 if it is something else, or damaged."""
    try:
        return DocBin().from_disk(path)
    except Exception as error:  # whatever zlib, msgpack or NumPy think of the bytes
        raise ValueError(Errors.D114.format(source=path, reason=error)) from error


def read_docbins(path: Path, vocab: Vocab) -> Iterator[Doc]:
    """Documents of a DocBin file, or of all such files in a folder."""
    for file in find_docbins(path):
        yield from unpack_docs(load_docbin(file), vocab)


def unpack_docs(docbin: DocBin, vocab: Vocab) -> Iterator[Doc]:
    """Documents of a DocBin, of which memory zones may begin and end between them."""
    packed, docbin.user_data = docbin.user_data, []
    docs = docbin.get_docs(vocab)
    # The end of a zone forgets the strings that `get_docs` added in it, and this one with them.
    mark = f"\0{id(docbin)}"
    is_kept = False  # Outside of zones they stay, and a mark would stay in what is saved.
    for user_data in unpack_user_data(packed):
        if not is_kept and mark not in vocab.strings:
            is_kept = not cast(Any, vocab).in_memory_zone
            for string in docbin.strings if is_kept else (mark, *docbin.strings):
                vocab.strings.add(string)
        doc = next(docs)
        doc.user_data.update(user_data)
        yield doc


def unpack_user_data(packed: Sequence[Optional[bytes]]) -> Iterator[Dict[Any, Any]]:
    """The user data of a DocBin's documents, many at a time; None is of one that has none.

    Each call of `msgpack_loads` looks for plug-ins, which takes longer than all else in reading a
    document.
    """
    for start in range(0, len(packed), UNPACKED_TOGETHER):
        parts = packed[start : start + UNPACKED_TOGETHER]
        # How msgpack writes an array: its mark, its length in 32 bits, its items.
        header = b"\xdd" + len(parts).to_bytes(4, "big")
        items = [EMPTY_MAP if part is None else part for part in parts]
        yield from srsly.msgpack_loads(b"".join([header, *items]), use_list=False)


def count_docs(path: Path) -> int:
    """How many documents `read_docbins` reads: as a manifest says, else by loading the files."""
    known = find_counts(Path(path))
    return sum(
        known[file] if file in known else len(load_docbin(file)) for file in find_docbins(path)
    )


def read_examples(path: Path, vocab: Vocab) -> Iterator[Example]:
    """Examples whose predicted documents have the tokens of their references."""
    for doc in read_docbins(path, vocab):
        yield Example(copy_words(doc), doc)


def read_gold(path: Path, nlp: Language, *, limit: int = 0) -> List[Example]:
    """Sentences to score on, as `spacy evaluate --gold-preproc` reads them: their tokens given.

    limit (int): How many documents are read at most; 0: all.
    RAISES (FileNotFoundError): D008. (ValueError): D114 for a damaged file.
    """
    for file in find_docbins(path):
        load_docbin(file)  # spaCy's errors don't name it
    return list(Corpus(path, gold_preproc=True, limit=limit)(nlp))


def stream_examples(
    path: Path, nlp: Language, *, rng: Optional[random.Random]
) -> Iterator[Example]:
    """As `read_examples`, without filling the vocabulary with all words of a large pool.

    Those of a file are in a vocabulary of its own, which goes when its documents do. Where there
    are word vectors, it must be the pipeline's.

    rng (Optional[Random]): Brings the files into a random order, if given.
    """
    files = find_docbins(path)
    if rng is not None:
        rng.shuffle(files)
    for file in files:
        has_vectors = len(nlp.vocab.vectors) > 0
        yield from read_examples(file, nlp.vocab if has_vectors else make_vocab(nlp))


def make_vocab(nlp: Language) -> Vocab:
    """A vocabulary that knows no words yet, and makes lexemes as a pipeline's does."""
    vocab = create_vocab(nlp.lang, nlp.Defaults)
    vocab.lookups = nlp.vocab.lookups  # norms are looked up in them
    return vocab


def copy_words(doc: Doc, vocab: Optional[Vocab] = None) -> Doc:
    """A document of the same words and white space, without annotation.

    vocab (Optional[Vocab]): Of the copy; None: the document's own.
    """
    orths, spaces = doc.to_array([ORTH, SPACY]).reshape(-1, 2).T
    words = orths if vocab in (None, doc.vocab) else [token.text for token in doc]
    return Doc(vocab or doc.vocab, words=words, spaces=spaces.astype(bool))


def leave_out_unsure(
    doc: Doc, min_confidence: float, *, max_disagreement: Optional[float] = None
) -> None:
    """Make the pseudo-labels of unsure tokens, and of entities with such tokens, missing.

    doc (Doc): A document with soft targets. Modified in place.
    min_confidence (float): Least probability of a token's most probable tag, from 0 to 1.
    max_disagreement (Optional[float]): Largest disagreement of several teachers, in nats.
    """
    soft_targets = doc.user_data[KEY]
    disagreement = soft_targets.get("disagreement")
    unsure = numpy.zeros(len(doc), dtype=bool)
    if min_confidence > 0 and len(doc):
        unsure |= soft_targets["log_probs"].max(axis=1) < numpy.log(min_confidence)
    if max_disagreement is not None and disagreement is not None:
        unsure |= disagreement > max_disagreement
    leave_out_labels(doc, unsure)


def leave_out_labels(doc: Doc, left_out: numpy.ndarray) -> None:
    """Make the annotation of tokens, and of entities with such tokens, missing.

    doc (Doc): The document. Modified in place.
    left_out (ndarray): Which tokens these are: bool (n_tokens,).
    """
    if not left_out.any():
        return
    for ent in doc.ents:
        left_out[ent.start : ent.end] |= left_out[ent.start : ent.end].any()
    missing = [doc[int(i) : int(i) + 1] for i in numpy.flatnonzero(left_out)]
    doc.set_ents([], missing=missing, default="unmodified")
