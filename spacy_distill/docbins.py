"""Documents in DocBin files: reading, streaming, making examples, and writing."""

import copy
import hashlib
import random
from collections import Counter
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, List, Optional, Tuple

import srsly
from spacy.attrs import ENT_IOB, ENT_TYPE, ORTH, SENT_START
from spacy.language import Language
from spacy.tokens import Doc, DocBin
from spacy.training import Corpus, Example
from spacy.training.corpus import walk_corpus
from spacy.vocab import Vocab, create_vocab

from .docs import copy_words
from .errors import Errors
from .files import write_whole
from .manifest import find_counts

# What a corpus stores for a document, besides its words and whitespace.
ATTRS = ["SENT_START", "ENT_IOB", "ENT_TYPE", "ENT_KB_ID", "ENT_ID"]
# What distinguishes corpora: everything that is trained on or scored.
TOLD_BY = [ORTH, SENT_START, ENT_IOB, ENT_TYPE]
# The files of a corpus.
PARTS = ("labelled", "unlabelled", "dev", "test")


def find_docbins(path: Path) -> List[Path]:
    """Return a DocBin file itself, or all such files in a folder, sorted by name.

    RAISES (FileNotFoundError): D008 if the path does not exist. (ValueError): D128 for a file whose
        name does not end in .spacy, D009 for a folder without such files.
    """
    if not path.exists():
        raise FileNotFoundError(Errors.D008.format(path=path))
    if path.is_file() and path.suffix != ".spacy":
        raise ValueError(Errors.D128.format(path=path))
    files = sorted(walk_corpus(path, ".spacy"))
    if not files:
        raise ValueError(Errors.D009.format(path=path))
    return files


def load_docbin(path: Path) -> DocBin:
    """Load a DocBin file. RAISES (ValueError): D114 if it is damaged or not a DocBin."""
    try:
        return DocBin().from_disk(path)
    except Exception as error:  # any error of zlib, msgpack or NumPy
        raise ValueError(Errors.D114.format(source=path, reason=error)) from error


def read_docbins(path: Path, vocab: Vocab) -> Iterator[Doc]:
    """Yield the documents of a DocBin file, or of all such files in a folder."""
    for file in find_docbins(path):
        yield from unpack_docs(load_docbin(file), vocab)


def unpack_docs(docbin: DocBin, vocab: Vocab) -> Iterator[Doc]:
    """Yield the documents of a DocBin. Between two, no memory zone of `vocab` may begin or end."""
    packed = docbin.user_data or [None] * len(docbin)
    bare = copy.copy(docbin)
    bare.user_data = []  # so that `get_docs` does not unpack it: `unpack_user_data` is faster
    for doc, user_data in zip(bare.get_docs(vocab), unpack_user_data(packed)):
        doc.user_data.update(user_data)
        yield doc


def unpack_user_data(packed: Iterable[Optional[bytes]]) -> Iterator[Dict[Any, Any]]:
    """Yield the user data of a DocBin's documents; None stands for no data.

    One unpacker is used for all documents, because it looks for plug-ins when it is created, which
    takes longer than all other steps of reading a document. It accepts 2 GiB per document (which it
    calls 0) instead of 100 MiB.
    """
    unpacker = srsly.msgpack.Unpacker(
        use_list=False, raw=False, strict_map_key=False, max_buffer_size=0
    )
    for part in packed:
        if part is None:
            yield {}
        else:
            unpacker.feed(part)
            yield unpacker.unpack()


def count_docs(path: Path) -> int:
    """Count the documents that `read_docbins` reads, by the manifest or by loading the files."""
    known = find_counts(path)
    return sum(
        known[file] if file in known else len(load_docbin(file)) for file in find_docbins(path)
    )


def digest_docs(path: Path) -> str:
    """Return the SHA-256 of documents' content: words, whitespace, sentences and entities.

    Files of the same documents have the same digest, whichever version of this package, spaCy or
    zlib wrote them.
    """
    found = hashlib.sha256()
    for file in find_docbins(path):
        docbin = load_docbin(file)
        columns = [docbin.attrs.index(attr) for attr in TOLD_BY if attr in docbin.attrs]
        for tokens, spaces in zip(docbin.tokens, docbin.spaces):
            found.update(f"{len(tokens)}\n".encode())
            found.update(tokens[:, columns].astype("<u8").tobytes())
            found.update(spaces.astype("?").tobytes())
    return found.hexdigest()


def read_examples(path: Path, vocab: Vocab) -> Iterator[Example]:
    """Yield examples whose predicted documents have the tokens of their references."""
    for doc in read_docbins(path, vocab):
        yield Example(copy_words(doc), doc)


def read_gold(path: Path, nlp: Language, *, limit: int = 0) -> List[Example]:
    """Read sentences to score on, with gold tokens, as `spacy evaluate --gold-preproc` does.

    limit (int): Maximum number of documents to read; 0: all.
    RAISES (FileNotFoundError): D008 if the path does not exist. (ValueError): D009 for a folder
        without documents, D114 for a damaged file, D128 for a file that is not .spacy.
    """
    for file in find_docbins(path):
        load_docbin(file)  # spaCy's own errors don't name the file
    return list(Corpus(path, gold_preproc=True, limit=limit)(nlp))


def stream_examples(
    path: Path, nlp: Language, *, rng: Optional[random.Random]
) -> Iterator[Example]:
    """Yield examples as `read_examples` does, but without filling the pipeline's vocabulary.

    Each file's documents have a vocabulary of their own, which is freed with them, so that the
    words of a large pool do not accumulate. If there are word vectors, the pipeline's vocabulary is
    used, because it holds them.

    rng (Optional[Random]): Shuffles the files, if given.
    """
    files = find_docbins(path)
    if rng is not None:
        rng.shuffle(files)
    for file in files:
        has_vectors = len(nlp.vocab.vectors) > 0
        yield from read_examples(file, nlp.vocab if has_vectors else make_vocab(nlp))


def make_vocab(nlp: Language) -> Vocab:
    """Create a vocabulary without words, which makes lexemes as a pipeline's vocabulary does."""
    vocab = create_vocab(nlp.lang, nlp.Defaults)
    for string in nlp.vocab.strings:  # the labels that components set
        vocab.strings.add(string)
    vocab.lookups = nlp.vocab.lookups  # norms are taken from these
    return vocab


def pack(docs: Iterable[Doc]) -> Tuple[DocBin, Counter]:
    """Put documents into a DocBin and count their entities by label."""
    docbin = DocBin(attrs=ATTRS)
    labels: Counter = Counter()
    for doc in docs:
        docbin.add(doc)
        labels.update(ent.label_ for ent in doc.ents)
    return docbin, labels


def write_docbin(docbin: DocBin, path: Path) -> None:
    """Write a DocBin file atomically, and only if its content changes.

    RAISES (OSError): D901 if it can't be written.
    """
    data = docbin.to_bytes()
    # An untouched file does not make later stages outdated.
    if not (path.exists() and path.read_bytes() == data):
        write_whole(path, data)
