"""Prepares the systems: makes a stock `ner`, the teacher as ONNX, and a tokenizer for BERT."""

from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

from spacy.language import Language

from ..teachers.doc_ents import find_entity_labels
from .pipelines import make_stock_ner
from .process import WorkerEnded, start_worker
from .systems import BERT_SHAPES, HEAVY, ONNX, System, explain_missing, peer_system


class Prepared(NamedTuple):
    """The systems that can be measured, and the reasons why the others can't."""

    systems: List[System]
    left_out: Dict[str, str]


def prepare_peers(
    peers: Sequence[str],
    *,
    student: Language,
    teacher: Optional[str],
    folder: Path,
    threads: int,
) -> Prepared:
    """Prepare the peers, leaving out those that can't be made.

    peers (Sequence[str]): Names of `PEERS`.
    student (Language): The student, which determines language and labels.
    teacher (Optional[str]): The teacher's folder or package.
    folder (Path): Folder for the files of the systems, which are needed during the measurements.
    threads (int): Number of threads of each process.
    RETURNS (Prepared): The peers in their order, and the reasons why others are left out.
    """
    labels = find_entity_labels(student)
    left_out = explain_missing(peers, teacher=teacher, labels=labels)
    remaining = [name for name in peers if name not in left_out]
    exported: Dict[str, Any] = {}
    if teacher is not None and {*ONNX, *BERT_SHAPES} & set(remaining):
        as_onnx = bool(set(ONNX) & set(remaining))
        exported = export(teacher, folder, as_onnx=as_onnx, threads=threads)
        for name in remaining:
            needs = "onnx" if name in ONNX else "tokenizer" if name in BERT_SHAPES else ""
            if f"no_{needs}" in exported:
                left_out[name] = exported[f"no_{needs}"]
    systems = []
    for name in remaining:
        if name in left_out:
            continue
        if name == "spacy-ner":
            make_stock_ner(student.lang or "xx", labels).to_disk(folder / name)
            settings: Dict[str, Any] = {"path": str(folder / name)}
            systems.append(peer_system(name, settings, hidden=HEAVY, sorts=False))
        elif name == "teacher":
            systems.append(peer_system(name, {"path": teacher, "sort": True}))
        else:
            n_tags = 2 * len(labels) + 1
            settings = piece_settings(name, exported, n_tags=n_tags, threads=threads)
            systems.append(peer_system(name, settings))
    return Prepared(systems, left_out)


def export(teacher: str, folder: Path, *, as_onnx: bool, threads: int) -> Dict[str, Any]:
    """Call `export_teacher` in its own process, so that PyTorch is not imported here.

    RETURNS (Dict[str, Any]): Its result; if the process fails, the reason why there is neither.
    """
    try:
        with start_worker("teacher", threads=threads) as worker:
            return worker.ask("export", teacher=teacher, output=str(folder), as_onnx=as_onnx)
    except WorkerEnded as error:
        return dict.fromkeys(("no_onnx", "no_tokenizer"), error.reason)


def piece_settings(
    name: str, exported: Dict[str, Any], *, n_tags: int, threads: int
) -> Dict[str, Any]:
    """Return the arguments of a peer's loader, `load_onnx` or `load_bert`."""
    settings = {key: exported[key] for key in ("tokenizer", "max_pieces", "padding")}
    if name in BERT_SHAPES:
        n_pieces = exported["n_pieces"]
        return {**settings, "shape": BERT_SHAPES[name], "n_tags": n_tags, "n_pieces": n_pieces}
    path, n_parameters = exported["onnx"][ONNX[name]], exported["n_parameters"]
    return {**settings, "path": path, "n_parameters": n_parameters, "threads": threads}
