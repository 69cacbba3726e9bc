"""Shards of documents: packed for a worker, and annotated by it.

The bytes of a shard depend only on its documents, the teacher and the job: not on the shards before
it, nor on the process or machine that annotates it.
"""

import hashlib
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from typing import Any, Callable, Iterable, Iterator, List, Sequence, Tuple

from spacy.language import Language
from spacy.tokens import Doc, DocBin
from spacy.util import minibatch
from srsly.msgpack import Packer

from ..docbins import ATTRS, unpack_docs
from ..files import write_whole
from ..layers.word_cache import find_caches
from ..manifest import Record
from ..teachers.choose import find_undeclared
from .docs import annotate_batch
from .job import Job, load_job, make_job_tokenizer
from .summary import count_confidences, count_words

# Called with the numbers of documents and words that were annotated.
Advance = Callable[[int, int], Any]


@dataclass(frozen=True)
class InputShard:
    """Documents to annotate, packed for a worker."""

    index: int
    data: bytes
    digest: str
    n_docs: int
    labels: Tuple[str, ...]  # labels of the existing entities, sorted


def pack_shards(docs: Iterable[Doc], nlp: Language, *, size: int) -> Iterator[InputShard]:
    """Pack documents into shards, with no more than one shard of documents in memory.

    docs (Iterable[Doc]): Documents, made one by one.
    nlp (Language): The pipeline that makes them. It forgets their words after each shard.
    size (int): Number of documents per shard.
    YIELDS (InputShard): The shards. If there are no documents, a single empty one, so that readers
        of the folder find a file.
    """
    left = iter(docs)
    for index in count():
        with nlp.memory_zone():
            batch = list(islice(left, size))
            if index and not batch:
                return
            data = docs_to_bytes(batch)
            labels = tuple(sorted({ent.label_ for doc in batch for ent in doc.ents if ent.label_}))
            shard = InputShard(index, data, sha256(data), len(batch), labels)
            batch.clear()
        yield shard


@dataclass(frozen=True)
class Ready:
    """What a worker reports once it has loaded its teacher.

    tags (List[str]): The teacher's tags.
    undeclared (List[str]): Components of the teacher to warn of; see `find_undeclared`.
    """

    tags: List[str]
    undeclared: List[str]


class Annotator:
    """The state of a worker: its teacher and the output folder.

    job (Job): The teachers and settings.
    output (Path): The folder for the annotated shards.
    """

    def __init__(self, job: Job, output: Path) -> None:
        self.teacher, pipelines = load_job(job)
        self.ready = Ready(list(self.teacher.tags), find_undeclared(pipelines))
        # With the vocabulary of a teacher's pipeline, documents need not be copied for it.
        self.pipelines = pipelines or [make_job_tokenizer(job)]
        self.batch_size = job.batch_size
        self.output = output

    def annotate(self, shard: InputShard, *, advance: Advance = lambda *_: None) -> Record:
        """Annotate a shard and write its file, whole or not at all.

        shard (InputShard): The shard.
        advance (Callable[[int, int], Any]): Called with the numbers of documents and words of each
            batch.
        RETURNS (Record): The record of the file.
        RAISES (OSError): D901 if it can't be written.
        """
        with ExitStack() as zones:
            for nlp in self.pipelines:
                zones.enter_context(nlp.memory_zone())
                # A cached row that was computed in another batch may differ in its last digit.
                for cache in find_caches(nlp):
                    cache.empty()
            docs = list(unpack_docs(DocBin().from_bytes(shard.data), self.pipelines[0].vocab))
            for batch in minibatch(docs, size=self.batch_size):
                annotate_batch(self.teacher, batch)
                advance(len(batch), count_words(batch))
            data = docs_to_bytes(docs)
            confidence, confidences = count_confidences(docs)
            record = Record(
                name=shard_name(shard.index),
                size=len(data),
                sha256=sha256(data),
                source=shard.digest,
                docs=len(docs),
                words=count_words(docs),
                entities=dict(sorted(Counter(e.label_ for d in docs for e in d.ents).items())),
                confidence=confidence,
                confidences=confidences,
            )
            docs.clear()
        write_whole(self.output / record.name, data)
        return record


def docs_to_bytes(docs: Sequence[Doc]) -> bytes:
    """Serialise documents as a DocBin."""
    docbin = DocBin(attrs=ATTRS, docs=docs)
    # `msgpack_dumps` looks up plug-ins at each call, which takes longer than everything else here.
    packer = Packer(use_bin_type=True)
    docbin.store_user_data = True
    docbin.user_data = [packer.pack(doc.user_data) for doc in docs]
    return docbin.to_bytes()


def shard_name(index: int) -> str:
    return f"{index:05d}.spacy"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
