"""`spacy-distill annotate`: a teacher labels text for its student."""

import os
from pathlib import Path
from typing import Annotated, Iterable, List, Optional

import typer
from spacy.cli._util import setup_gpu
from spacy.tokens import Doc, DocBin
from spacy.util import load_model, minibatch
from tqdm import tqdm
from wasabi import msg

from ..annotation import annotate_docs, find_teacher
from ..errors import Errors
from ..sources import read_docs


def annotate_cli(
    teacher: Annotated[str, typer.Argument(help="Teacher: a pipeline's folder or package")],
    source: Annotated[
        Path, typer.Argument(help="Text (.txt, a line a text), .jsonl, .spacy, or a folder of them")
    ],
    output: Annotated[Path, typer.Argument(help="Folder for the annotated .spacy files")],
    also: Annotated[
        Optional[List[str]],
        typer.Option(
            "--also",
            "-a",
            help="A further teacher with the same labels, as often as you like: their "
            "distributions are averaged",
        ),
    ] = None,
    weights: Annotated[
        str, typer.Option(help="Weights of the teachers, such as 2,1,1; all the same if none")
    ] = "",
    shard_size: Annotated[int, typer.Option(help="Documents in one file")] = 10_000,
    batch_size: Annotated[
        int, typer.Option(help="Documents that the teacher gets at a time")
    ] = 1024,
    gpu: Annotated[int, typer.Option("--gpu", "-g", help="GPU to use, -1 for the CPU")] = -1,
) -> None:
    """Label documents with a teacher: soft targets and pseudo-labels.

    Gold entities that are there already stay as they are. Each output document keeps the teacher's
    log-probabilities beside its entities, for `spacy-distill.DistillationCorpus.v1` to read.
    """
    setup_gpu(gpu, silent=True)
    nlp = load_model(teacher)
    others = [load_model(other) for other in also or []]
    shares = read_weights(weights)
    tags = find_teacher(nlp).tags
    docs = list(read_docs(source, nlp=nlp))
    n_words = sum(len(doc) for doc in docs)
    msg.info(f"{len(docs):,} documents, {n_words:,} words, {len(tags)} tags")
    output.mkdir(parents=True, exist_ok=True)
    with tqdm(total=n_words, unit=" words", unit_scale=True, desc="Annotate", disable=None) as bar:
        annotated = annotate_docs(nlp, docs, others=others, weights=shares, batch_size=batch_size)
        n_shards = write_shards(annotated, output, shard_size=shard_size, bar=bar)
    n_ents = sum(len(doc.ents) for doc in docs)
    msg.good(f"{n_ents:,} entities in {n_shards} file(s) in {output}")


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
