"""Documents in shards: packed for a worker, and annotated by it.

A shard's bytes depend on its documents, the teacher and the job alone: not on the shards before it,
nor on the process or machine that annotates it.
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
from .docs import annotate_batch
from .job import Job, load_job, make_job_tokenizer
from .summary import count_confidences

# Told of documents and words that are annotated.
Advance = Callable[[int, int], Any]


@dataclass(frozen=True)
class InputShard:
    """Documents on their way to a worker."""

    index: int
    data: bytes
    digest: str
    n_docs: int
    labels: Tuple[str, ...]  # of the entities that are there already, sorted


def pack_shards(docs: Iterable[Doc], nlp: Language, *, size: int) -> Iterator[InputShard]:
    """Pack documents into shards, so that no more of them are in memory than one shard has.

    docs (Iterable[Doc]): Documents of the pipeline's vocabulary, made one by one.
    nlp (Language): What makes them. It forgets their words after each shard.
    size (int): Documents in a shard.
    YIELDS (InputShard): The shards. If there are no documents, a single empty one, so that whoever
        reads the folder finds what it expects.
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


class Annotator:
    """A worker's state: its teacher, and where the shards go.

    output (Path): The folder.
    """

    def __init__(self, job: Job, output: Path) -> None:
        self.teacher, pipelines = load_job(job)
        # Documents of the teacher's vocabulary need not be copied into it.
        self.pipelines = pipelines or [make_job_tokenizer(job)]
        self.batch_size = job.batch_size
        self.output = output

    @property
    def tags(self) -> List[str]:
        return list(self.teacher.tags)

    def annotate(self, shard: InputShard, *, advance: Advance = lambda *_: None) -> Record:
        """Annotate a shard and write it, whole or not at all.

        shard (InputShard): The shard.
        advance (Callable): Told of each batch's documents and words.
        RETURNS (Record): What was written.
        RAISES (OSError): D901 if it can't be written.
        """
        with ExitStack() as zones:
            for nlp in self.pipelines:
                zones.enter_context(nlp.memory_zone())
                # Rows of words that came in another batch may differ in their last digit.
                for cache in find_caches(nlp):
                    cache.empty()
            docs = list(unpack_docs(DocBin().from_bytes(shard.data), self.pipelines[0].vocab))
            for batch in minibatch(docs, size=self.batch_size):
                annotate_batch(self.teacher, batch)
                advance(len(batch), sum(map(len, batch)))
            data = docs_to_bytes(docs)
            confidence, confidences = count_confidences(docs)
            record = Record(
                name=shard_name(shard.index),
                size=len(data),
                sha256=sha256(data),
                source=shard.digest,
                docs=len(docs),
                words=sum(map(len, docs)),
                entities=dict(sorted(Counter(e.label_ for d in docs for e in d.ents).items())),
                confidence=confidence,
                confidences=confidences,
            )
            docs.clear()
        write_whole(self.output / record.name, data)
        return record


def docs_to_bytes(docs: Sequence[Doc]) -> bytes:
    """Documents as the bytes of a DocBin."""
    docbin = DocBin(attrs=ATTRS, docs=docs)
    # `msgpack_dumps` looks for plug-ins each time, which takes longer than all else here.
    packer = Packer(use_bin_type=True)
    docbin.store_user_data = True
    docbin.user_data = [packer.pack(doc.user_data) for doc in docs]
    return docbin.to_bytes()


def shard_name(index: int) -> str:
    return f"{index:05d}.spacy"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
