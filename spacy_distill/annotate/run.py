"""Annotate the documents of sources into a folder of shards, and resume if interrupted."""

from collections import Counter
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from time import perf_counter
from typing import Callable, Iterable, Iterator, Optional, Sequence, Union

from spacy.tokens import Doc

from ..data.overlap import find_texts, leave_out_texts
from ..data.sources import read_docs
from ..errors import Errors
from ..files import check_apart, make_and_hold, remove_parts
from ..loading import import_code
from ..soft_targets import has_soft_targets
from ..teachers.choose import warn_of_undeclared
from ..teachers.label_map import NO_MAP, list_labels
from .engines import Engine, ThisProcess
from .folder import Folder
from .job import Job, list_settings, make_job_tokenizer
from .shards import Advance, pack_shards
from .summary import Summary, summarise

Source = Union[str, Path]


def annotate_source(
    job: Job,
    sources: Sequence[Source],
    output: Path,
    *,
    engine: Optional[Engine] = None,
    exclude: Sequence[Source] = (),
    overwrite: bool = False,
    split_sentences: bool = False,
    read: Callable[..., Iterator[Doc]] = read_docs,
    advance: Advance = lambda *_: None,
) -> Summary:
    """Annotate all documents of sources. Memory does not grow with their number: see `read_docs`.

    Finished shards are kept if they were annotated with the same settings from the same texts. An
    interrupted and resumed run leaves the same files as an uninterrupted one. W003 warns of
    components of the teacher whose entities may not be taught.

    job (Job): The teachers and settings.
    sources (Sequence[Union[str, Path]]): One or more sources that `read_docs` can read.
    output (Path): The folder. In the end it holds `00000.spacy`, ..., and `manifest.json`.
    engine (Optional[Engine]): Where the work is done; None: in this process.
    exclude (Sequence[Union[str, Path]]): Sources whose texts are left out and, with
        `split_sentences`, the sentences of these texts.
    overwrite (bool): Whether shards that were made with other settings or from other texts are
        annotated again.
    split_sentences (bool): Whether text without tokens and entities is split into sentences, each
        a document.
    read (Callable): Function that reads a source, called like `read_docs`.
    advance (Callable[[int, int], Any]): Called with the numbers of documents and words as they are
        annotated. For documents that are finished already, or left out, the words are 0.
    RETURNS (Summary): The content of the folder.
    RAISES (ValueError): D902 to D906 if the folder or the source does not fit the job, D915 if
        output and input overlap, D917 if a source is already annotated, and the errors of
        `load_job` and of `read`. (OSError): D901 if the disk is full, D907 or D908 if a worker
        fails, D911 to D913 or D918 if a Ray cluster does, D914 if another run is using the folder.
        Finished shards are kept.
    """
    check_apart(output, [*sources, *exclude, *job.teachers])
    engine = engine or ThisProcess()
    import_code(job.code)  # it may register the language
    tokenizer = make_job_tokenizer(job)
    dropped: Counter = Counter()
    read = partial(read, nlp=tokenizer, split_sentences=split_sentences)
    with tokenizer.memory_zone():
        splitter = tokenizer if split_sentences else None
        texts = find_texts({str(source): read(source) for source in exclude}, splitter=splitter)
    docs = chain.from_iterable(refuse_annotated(read(source), source) for source in sources)
    kept = leave_out_texts(docs, texts, dropped, advance=advance)
    shards = pack_shards(kept, tokenizer, size=job.shard_size)
    first = next(shards)
    if not job.labels:
        job = replace(job, gold_labels=first.labels)
    new = []
    with ExitStack() as ends:
        ends.enter_context(make_and_hold(output))
        ends.callback(remove_parts, output)
        ends.callback(engine.stop)  # runs before `remove_parts`
        ready = engine.start(job, output)
        warn_of_undeclared(ready.undeclared)
        folder = Folder.begin(output, list_settings(job, ready.tags), overwrite=overwrite)
        start = perf_counter()
        known = list_labels(ready.tags, NO_MAP)
        left = folder.list_missing(chain([first], shards), known=known, advance=advance)
        for record in engine.run(left, advance=advance):
            folder.add(record)
            new.append(record)
        folder.finish()
    seconds = perf_counter() - start
    return summarise(folder.in_order(), new=new, dropped=dict(dropped), seconds=seconds)


def refuse_annotated(docs: Iterable[Doc], source: Source) -> Iterator[Doc]:
    """Refuse documents with soft targets, because their labels may be those of a teacher.

    RAISES (ValueError): D917.
    """
    for number, doc in enumerate(docs, start=1):
        if has_soft_targets(doc):
            raise ValueError(Errors.D917.format(source=source, number=number))
        yield doc
