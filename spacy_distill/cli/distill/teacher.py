"""The teacher of `distill`: it labels the data that the student learns from or is scored on."""

from dataclasses import replace
from pathlib import Path
from typing import Mapping, Optional, Sequence

from spacy.tokens import DocBin
from spacy.vocab import Vocab
from wasabi import msg

from ...annotate.engines import Engine
from ...annotate.folder import labels_of_folder
from ...annotate.job import Job
from ...annotate.run import annotate_source
from ...docbins import pack, read_docbins, write_docbin
from ...docs import strip_labels
from ...errors import Errors
from ..annotate import report_summary, show_progress
from .corpus import Given, Inputs, read_text


def annotate_corpus(
    job: Job, corpus: Mapping[str, Path], inputs: Inputs, *, given: Given, engine: Engine
) -> Optional[Path]:
    """Annotate the text, the gold sentences and the set to score the teacher on.

    job (Job): The teacher.
    corpus (Mapping[str, Path]): The files of `make_corpus`.
    inputs (Inputs): The paths of the student's inputs. A development set is written there, too, if
        there is none.
    given (Given): The sources.
    engine (Engine): Engine that annotates the text.
    RETURNS (Optional[Path]): The folder of the test set, or else of the development set, as
        annotated by the teacher; None without gold.
    RAISES (ValueError): D413 if no text is left, D414 if there is no entity in the held-out text,
        D415 for gold with labels that the student will not have.
    """
    output = inputs.dev.parents[1] / "annotated"
    parts = [(name, corpus[name]) for name in ("labelled", "held_out") if name in corpus]
    gold = corpus.get("test", corpus.get("dev"))
    if gold is not None:
        parts.append(("scored", gold.with_name("scored.spacy")))
        write_stripped(gold, parts[-1][1])
    for name, path in parts:
        with show_progress([str(path)]) as advance:
            annotate_source(job, [path], output / name, overwrite=True, advance=advance)
        # The labels of the first part are used for all: those of gold, or else of the teacher.
        job = replace(job, labels=labels_of_folder(output / name))
    for name in ("labelled", "dev", "test"):
        if name in corpus:
            source = getattr(given, name) or given.labelled
            check_known(corpus[name], labels=job.labels, source=source)
    if "held_out" in corpus:
        write_dev(output / "held_out", inputs.dev, teacher=job.teachers[0])
    if given.unlabelled:
        annotate_text(job, given, inputs, exclude=corpus, engine=engine)
    else:
        msg.warn("No --unlabelled text: only the labelled sentences are left to distil on")
        write_docbin(DocBin(), inputs.unlabelled)
    return None if gold is None else output / "scored"


def annotate_text(
    job: Job,
    given: Given,
    inputs: Inputs,
    *,
    exclude: Mapping[str, Path],
    engine: Engine,
) -> None:
    """Annotate the text. RAISES (ValueError): D413 if there is none."""
    with show_progress(given.unlabelled) as advance:
        summary = annotate_source(
            job,
            given.unlabelled,
            inputs.unlabelled,
            engine=engine,
            exclude=list(exclude.values()),
            overwrite=True,
            split_sentences=given.split_sentences,
            read=read_text,
            advance=advance,
        )
    if not summary.docs:
        raise ValueError(Errors.D413.format(source=" ".join(given.unlabelled), found=0))
    report_summary(summary, inputs.unlabelled)


def write_stripped(source: Path, output: Path) -> None:
    """Write the documents of a file without their labels."""
    write_docbin(pack(map(strip_labels, read_docbins(source, Vocab())))[0], output)


def write_dev(annotated: Path, output: Path, *, teacher: str) -> None:
    """Make a development set of text that the teacher has labelled.

    annotated (Path): Folder of the annotated text.
    output (Path): The .spacy file to write.
    teacher (str): The teacher, for the error.
    RAISES (ValueError): D414 if there is no entity in the text.
    """
    docbin, labels = pack(read_docbins(annotated, Vocab()))
    if not labels:
        raise ValueError(Errors.D414.format(teacher=teacher, n_docs=len(docbin)))
    write_docbin(docbin, output)


def check_known(path: Path, *, labels: Sequence[str], source: str) -> None:
    """Refuse gold with labels that the student will not have. RAISES (ValueError): D415."""
    found = {ent.label_ for doc in read_docbins(path, Vocab()) for ent in doc.ents}
    if not found <= set(labels):
        extra = sorted(found - set(labels))
        raise ValueError(Errors.D415.format(source=source, extra=extra, labels=sorted(labels)))
