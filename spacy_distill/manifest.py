"""What a folder of annotated shards holds: the manifest, and the journal while it is being made.

`manifest.json` is written when all is done, whole or not at all. Until then `shards.jsonl` has a
line for what is annotated with what, and one for each shard that is finished. Where both are there,
the journal is newer.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from .errors import Errors
from .files import append_line, digest, write_whole

FORMAT = 1
MANIFEST = "manifest.json"
JOURNAL = "shards.jsonl"
# As JSON has them.
Settings = Dict[str, Any]


@dataclass(frozen=True)
class Record:
    """A shard that is finished.

    name (str): Of its file.
    size (int): In bytes.
    sha256 (str): Digest of the file.
    source (str): Digest of the documents that it was annotated from.
    docs, words (int): How many there are.
    entities (Dict[str, int]): How many, by label.
    confidence (float): Sum of the probabilities of the tokens' most probable tags.
    confidences (List[int]): Tokens by this probability, see `count_confidences`.
    """

    name: str
    size: int
    sha256: str
    source: str
    docs: int
    words: int
    entities: Dict[str, int]
    confidence: float
    confidences: List[int]

    def is_whole(self, folder: Path) -> bool:
        """Whether its file is as it was written."""
        path = folder / self.name
        is_there = path.is_file() and path.stat().st_size == self.size
        return is_there and digest(path) == self.sha256


class State(NamedTuple):
    """What a folder says of itself."""

    settings: Optional[Settings]  # None: nothing
    records: Dict[str, Record]  # by name
    is_finished: bool


def is_unfinished(folder: Path) -> bool:
    """Whether a folder is being annotated, or was when that was interrupted."""
    return (folder / JOURNAL).exists()


def is_others(folder: Path) -> bool:
    """Whether a folder's manifest is another program's: JSON that says nothing of a format."""
    try:
        found = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):  # there is none, or it is damaged
        return False
    return not (isinstance(found, dict) and "format" in found)


def read_state(folder: Path) -> State:
    """Read the journal, or else the manifest.

    RAISES (ValueError): D905 for one that is damaged, or a manifest of another format.
    """
    path = folder / JOURNAL
    try:
        if is_unfinished(folder):
            settings, records = read_journal(path)
            if settings is not None:
                return State(settings, records, is_finished=False)
        path = folder / MANIFEST
        if not path.exists():
            return State(None, {}, is_finished=False)
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["format"] != FORMAT:
            raise ValueError(f"its format is {found['format']}, not {FORMAT}")
        shards = {shard["name"]: Record(**shard) for shard in found["shards"]}
        return State(found["settings"], shards, is_finished=True)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(Errors.D905.format(path=path, reason=error)) from error


def read_journal(path: Path) -> Tuple[Optional[Settings], Dict[str, Record]]:
    """The settings and the finished shards; None and nothing if it was not even begun."""
    lines: List[Dict] = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True):
        try:
            # Of a line without its end nobody knows whether it is whole.
            lines.append(json.loads(line if line.endswith("\n") else ""))
        except ValueError:
            break
    if not lines or lines[0].get("format") != FORMAT:
        return None, {}
    records = {line["name"]: Record(**line) for line in lines[1:]}
    return lines[0]["settings"], records


def begin_journal(folder: Path, settings: Settings, records: Dict[str, Record]) -> None:
    """Say what is annotated with what, and what of it is there already."""
    lines = [{"format": FORMAT, "settings": settings}, *map(asdict, records.values())]
    text = "".join(f"{json.dumps(line)}\n" for line in lines)
    write_whole(folder / JOURNAL, text.encode())
    (folder / MANIFEST).unlink(missing_ok=True)


def add_record(folder: Path, record: Record) -> None:
    append_line(folder / JOURNAL, json.dumps(asdict(record)))


def write_manifest(folder: Path, settings: Settings, records: List[Record]) -> None:
    """All is done: the journal becomes the manifest."""
    found = {"format": FORMAT, "settings": settings, "shards": [asdict(part) for part in records]}
    write_whole(folder / MANIFEST, f"{json.dumps(found, indent=1)}\n".encode())
    (folder / JOURNAL).unlink(missing_ok=True)


def find_records(folder: Path) -> Dict[str, Record]:
    """What a folder says of its shards, by name: nothing if it is not one of annotated shards,
    whatever else may be called a manifest there."""
    try:
        return read_state(folder).records
    except ValueError:
        return {}


def find_counts(folder: Path) -> Dict[Path, int]:
    """How many documents each file of a folder has, as far as it says so itself."""
    paths = {folder / name: record for name, record in find_records(folder).items()}
    return {
        path: record.docs
        for path, record in paths.items()
        if path.is_file() and path.stat().st_size == record.size
    }
