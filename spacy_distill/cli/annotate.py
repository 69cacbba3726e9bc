"""`spacy-distill annotate`: a teacher labels text for its student."""

import os
from functools import partial
from pathlib import Path
from typing import Annotated, Iterable, List, Optional, Sequence

import spacy
import typer
from spacy.cli._util import setup_gpu
from spacy.language import Language
from spacy.tokens import Doc, DocBin
from spacy.util import is_package, minibatch
from tqdm import tqdm
from wasabi import msg

from ..annotation import annotate_docs
from ..errors import Errors, require
from ..sources import read_docs
from ..teachers.choose import is_on_hub, load_teacher, split_revision
from ..teachers.doc_ents import DEFAULT_SMOOTHING
from ..teachers.ensemble import join_teachers
from ..teachers.label_map import read_label_map
from ..types import Teacher

# What text is tokenised by where no teacher is a pipeline.
DEFAULT_LANG = "en"


def annotate_cli(
    teacher: Annotated[
        str,
        typer.Argument(
            help="Teacher: a pipeline's folder or package, or a Hugging Face checkpoint for token "
            "classification: its folder, or OWNER/NAME@REVISION"
        ),
    ],
    source: Annotated[
        Path, typer.Argument(help="Text (.txt, a line a text), .jsonl, .spacy, or a folder of them")
    ],
    output: Annotated[Path, typer.Argument(help="Folder for the annotated .spacy files")],
    also: Annotated[
        Optional[List[str]],
        typer.Option(
            "--also",
            "-a",
            help="A further teacher, as often as you like: their distributions are averaged",
        ),
    ] = None,
    weights: Annotated[
        str, typer.Option(help="Weights of the teachers, such as 2,1,1; all the same if none")
    ] = "",
    names: Annotated[
        Optional[List[str]],
        typer.Option(
            "--map", help="OLD=NEW: what a label of the teachers is called; as often as you like"
        ),
    ] = None,
    drop: Annotated[
        Optional[List[str]],
        typer.Option(help="A label of the teachers that is to be O; as often as you like"),
    ] = None,
    labels: Annotated[
        str,
        typer.Option(
            help="The student's labels, such as LOC,ORG,PER, of which a teacher may lack some; "
            "else those of the gold entities in SOURCE, else the first teacher's"
        ),
    ] = "",
    smoothing: Annotated[
        float,
        typer.Option(
            help="Of a teacher that sets entities without scores: share of the probability that "
            "is spread evenly over the other tags"
        ),
    ] = DEFAULT_SMOOTHING,
    iob1: Annotated[
        bool,
        typer.Option(
            "--iob1",
            help="Checkpoints are trained on IOB1: an entity begins with I unless it follows one "
            "of its label",
        ),
    ] = False,
    lang: Annotated[
        str, typer.Option(help="Language that text is tokenised by; the first pipeline's if none")
    ] = "",
    shard_size: Annotated[int, typer.Option(help="Documents in one file")] = 10_000,
    batch_size: Annotated[
        int, typer.Option(help="Documents that the teacher gets at a time")
    ] = 1024,
    gpu: Annotated[int, typer.Option("--gpu", "-g", help="GPU to use, -1 for the CPU")] = -1,
) -> None:
    """Label documents with a teacher: soft targets and pseudo-labels.

    A teacher is any spaCy pipeline that finds entities, with scores or without, or a Hugging Face
    checkpoint. Gold entities that are there already stay as they are. Each output document keeps
    the teacher's log-probabilities beside its entities, for `spacy-distill.DistillationCorpus.v1`
    to read.
    """
    setup_gpu(gpu, silent=True)
    shares = read_weights(weights)
    label_map = read_label_map(names or [], drop=drop or [])
    for given in (teacher, *(also or [])):
        if is_on_hub(given) and not is_package(given) and not split_revision(given)[1]:
            msg.warn(f"No revision of {given} given: it may change. Use {given}@REVISION")
    load = partial(load_teacher, smoothing=smoothing, iob1=iob1, gpu=gpu)
    teachers = [load(given) for given in (teacher, *(also or []))]
    docs = list(read_docs(source, nlp=make_reader(teachers, lang)))
    joined = join_teachers(
        teachers,
        weights=shares,
        labels=read_labels(labels) or find_gold_labels(docs),
        label_map=label_map,
        may_lack=bool(labels),
    )
    n_words = sum(len(doc) for doc in docs)
    msg.info(f"{len(docs):,} documents, {n_words:,} words, {len(joined.tags)} tags")
    output.mkdir(parents=True, exist_ok=True)
    with tqdm(total=n_words, unit=" words", unit_scale=True, desc="Annotate", disable=None) as bar:
        annotated = annotate_docs(joined, docs, batch_size=batch_size)
        n_shards = write_shards(annotated, output, shard_size=shard_size, bar=bar)
    n_ents = sum(len(doc.ents) for doc in docs)
    msg.good(f"{n_ents:,} entities in {n_shards} file(s) in {output}")


def make_reader(teachers: Sequence[Teacher], lang: str) -> Language:
    """What tokenises text: a pipeline of the student's language, without components.

    teachers (Sequence[Teacher]): The first that is a pipeline says the language,
    lang (str): unless it is given. English if nothing says it.
    RAISES (ValueError): D121 for a language that spaCy does not have.
    """
    pipelines = [teacher.nlp for teacher in teachers if hasattr(teacher, "nlp")]
    chosen = lang or next((nlp.lang for nlp in pipelines), DEFAULT_LANG)
    try:
        return spacy.blank(chosen)
    except ImportError as error:
        raise ValueError(Errors.D121.format(lang=chosen, reason=error)) from error


def read_labels(text: str) -> List[str]:
    """Labels between commas. RAISES (ValueError): D007 for an empty one, or one given twice."""
    labels = text.split(",") if text else []
    holds = all(labels) and len(labels) == len(set(labels))
    require(holds, "--labels", text, "different labels with commas between them")
    return labels


def find_gold_labels(docs: Sequence[Doc]) -> Optional[List[str]]:
    """The labels of the entities that are there already, sorted; None if there are none."""
    return sorted({ent.label_ for doc in docs for ent in doc.ents if ent.label_}) or None


def read_weights(text: str) -> Optional[List[float]]:
    """Numbers between commas; None if there are none. RAISES (ValueError): D007."""
    if not text:
        return None
    try:
        return [float(part) for part in text.split(",")]
    except ValueError as error:
        requirement = "numbers with commas between them"
        raise ValueError(
            Errors.D007.format(setting="--weights", value=repr(text), requirement=requirement)
        ) from error


def write_shards(docs: Iterable[Doc], output: Path, *, shard_size: int, bar: tqdm) -> int:
    """Write documents to numbered DocBin files, each whole or not at all.

    docs (Iterable[Doc]): Documents with soft targets.
    output (Path): The folder. Files of an earlier run that are not written anew are removed.
    shard_size (int): Documents in one file.
    bar (tqdm): Counts words.
    RETURNS (int): How many files were written.
    """
    written: List[Path] = []
    # An empty source gives one empty file, so that whoever reads the folder finds what it expects.
    for i, batch in enumerate(minibatch(docs, size=shard_size)):
        shard = DocBin(attrs=["ENT_IOB", "ENT_TYPE", "SENT_START"], store_user_data=True)
        for doc in batch:
            shard.add(doc)
            bar.update(len(doc))
        path = output / f"{i:05d}.spacy"
        unfinished = path.with_suffix(".unfinished")
        shard.to_disk(unfinished)
        os.replace(unfinished, path)
        written.append(path)
    if not written:
        DocBin(store_user_data=True).to_disk(output / "00000.spacy")
        written.append(output / "00000.spacy")
    for path in set(output.glob("*.spacy")) - set(written):
        path.unlink()
    return len(written)
