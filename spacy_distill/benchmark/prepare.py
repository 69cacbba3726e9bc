"""Prepares the systems: makes a stock `ner`, the teacher as ONNX, and a tokenizer for BERT."""

from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

from spacy.language import Language

from ..teachers.doc_ents import find_entity_labels
from .pipelines import make_stock_ner
from .process import WorkerEnded, start_worker
from .systems import System, explain_missing


class Prepared(NamedTuple):
    """The systems that can be measured, and the reasons why the others can't."""

    systems: List[System]
    left_out: Dict[str, str]


def prepare_peers(
    peers: Sequence[System],
    *,
    student: Language,
    teacher: Optional[str],
    folder: Path,
    threads: int,
) -> Prepared:
    """Prepare the peers, leaving out those that can't be made.

    peers (Sequence[System]): Some of `PEERS`.
    student (Language): The student, which determines language and labels.
    teacher (Optional[str]): The teacher's folder or package.
    folder (Path): Folder for the files of the systems, which are needed during the measurements.
    threads (int): Number of threads of each process.
    RETURNS (Prepared): The peers in their order, and the reasons why others are left out.
    """
    labels = find_entity_labels(student)
    left_out = explain_missing(peers, teacher=teacher, labels=labels)
    needs = {peer.needs for peer in peers if peer.name not in left_out}
    # Further arguments of a peer's loader, by what the peer needs.
    settings: Dict[str, Dict[str, Any]] = {
        "labels": {"path": str(folder / "stock-ner")},
        "teacher": {"path": teacher},
        "tokenizer": {"n_tags": 2 * len(labels) + 1},
        "onnx": {"threads": threads},
    }
    if "labels" in needs:
        make_stock_ner(student.lang or "xx", labels).to_disk(folder / "stock-ner")
    if teacher is not None and needs & {"tokenizer", "onnx"}:
        exported = export(teacher, folder, as_onnx="onnx" in needs, threads=threads)
        for need, more in exported["settings"].items():
            settings[need].update(more)
        for peer in peers:
            if peer.needs in exported["reasons"]:
                left_out.setdefault(peer.name, exported["reasons"][peer.needs])
    systems = [
        peer._replace(settings={**peer.settings, **settings[peer.needs]})
        for peer in peers
        if peer.name not in left_out
    ]
    return Prepared(systems, left_out)


def export(teacher: str, folder: Path, *, as_onnx: bool, threads: int) -> Dict[str, Any]:
    """Call `export_teacher` in its own process, so that PyTorch is not imported here.

    RETURNS (Dict[str, Any]): Its result; if the process fails, the reason why there is nothing.
    """
    try:
        with start_worker("teacher", threads=threads) as worker:
            return worker.ask("export", teacher=teacher, output=str(folder), as_onnx=as_onnx)
    except WorkerEnded as error:
        reasons = {"tokenizer": error.reason, "onnx": error.reason}
        return {"settings": {}, "reasons": reasons}
