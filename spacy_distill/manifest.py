"""The manifest of a folder of annotated shards, and the journal while it is being annotated.

`manifest.json` is written atomically when everything is finished. Until then, `shards.jsonl` has a
line with the settings, and one for each finished shard. If both exist, the journal is newer.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from .errors import Errors
from .files import append_line, digest, read_whole_lines, write_whole

FORMAT = 1
MANIFEST = "manifest.json"
JOURNAL = "shards.jsonl"
# The settings of an annotation, as JSON represents them.
Settings = Dict[str, Any]


@dataclass(frozen=True)
class Record:
    """A finished shard.

    name (str): Name of its file.
    size (int): Size of the file in bytes.
    sha256 (str): Digest of the file.
    source (str): Digest of the documents that were annotated.
    docs, words (int): Number of documents and of words.
    entities (Dict[str, int]): Number of entities, by label.
    confidence (float): Sum of the probabilities of the words' most probable tags.
    confidences (List[int]): Number of words by this probability: see `count_confidences`.
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
        """Return whether its file is unchanged since it was written."""
        path = folder / self.name
        is_there = path.is_file() and path.stat().st_size == self.size
        return is_there and digest(path) == self.sha256


class State(NamedTuple):
    """The contents of a folder's journal or manifest."""

    settings: Optional[Settings]  # None: it has neither
    records: Dict[str, Record]  # by name
    is_finished: bool


def is_others(folder: Path) -> bool:
    """Return whether a folder's manifest is another program's: valid JSON without a format."""
    try:
        found = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):  # it does not exist, or is damaged
        return False
    return not (isinstance(found, dict) and "format" in found)


def read_state(folder: Path) -> State:
    """Read the journal, or else the manifest.

    RAISES (ValueError): D905 for a damaged one, or for a manifest of another format.
    """
    path = folder / JOURNAL
    try:
        if path.exists():  # it is being annotated, or its annotation was interrupted
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
    """Return the settings and the finished shards.

    None and {} if the journal does not begin with valid settings.
    """
    lines: List[Dict] = []
    for line in read_whole_lines(path):
        try:
            lines.append(json.loads(line))
        except ValueError:
            break
    if not lines or lines[0].get("format") != FORMAT:
        return None, {}
    records = {line["name"]: Record(**line) for line in lines[1:]}
    return lines[0]["settings"], records


def begin_journal(folder: Path, settings: Settings, records: Dict[str, Record]) -> None:
    """Begin a journal with the settings, and with the shards that are already finished."""
    lines = [{"format": FORMAT, "settings": settings}, *map(asdict, records.values())]
    text = "".join(f"{json.dumps(line)}\n" for line in lines)
    write_whole(folder / JOURNAL, text.encode())
    (folder / MANIFEST).unlink(missing_ok=True)


def add_record(folder: Path, record: Record) -> None:
    append_line(folder / JOURNAL, json.dumps(asdict(record)))


def write_manifest(folder: Path, settings: Settings, records: List[Record]) -> None:
    """Finish the annotation: replace the journal by the manifest."""
    found = {"format": FORMAT, "settings": settings, "shards": [asdict(part) for part in records]}
    write_whole(folder / MANIFEST, f"{json.dumps(found, indent=1)}\n".encode())
    (folder / JOURNAL).unlink(missing_ok=True)


def find_records(folder: Path) -> Dict[str, Record]:
    """Return the records of a folder's shards, by name.

    Empty if it is not a folder of annotated shards, even if it holds another file called
    `manifest.json`.
    """
    try:
        return read_state(folder).records
    except ValueError:
        return {}


def find_counts(folder: Path) -> Dict[Path, int]:
    """Return the number of documents of each file in a folder that its records describe."""
    paths = {folder / name: record for name, record in find_records(folder).items()}
    return {
        path: record.docs
        for path, record in paths.items()
        if path.is_file() and path.stat().st_size == record.size
    }
