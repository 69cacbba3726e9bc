"""The output folder of an annotation, and which of its shards are already finished."""

import re
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Sequence

from ..errors import Errors
from ..files import read_json, remove_parts
from ..manifest import (
    MANIFEST,
    Record,
    State,
    add_record,
    begin_journal,
    is_others,
    read_state,
    write_manifest,
)
from ..teachers.label_map import NO_MAP, list_labels
from .shards import Advance, InputShard, shard_name

# The names of shards' files.
NAME = re.compile(r"\d{5,}\.spacy")
NOTHING = State(None, {}, is_finished=False)


class Folder:
    """An output folder and its finished shards, recorded in memory and in the journal.

    path (Path): The folder.
    settings (Dict[str, Any]): The settings that its shards are annotated with.
    state (State): The content of its manifest or journal.
    overwrite (bool): Whether shards made from other texts are annotated again.
    """

    def __init__(
        self, path: Path, settings: Dict[str, Any], state: State, *, overwrite: bool
    ) -> None:
        self.path = path
        self.settings = settings
        self.records = dict(state.records)
        self.is_finished = state.is_finished
        self.overwrite = overwrite

    @classmethod
    def begin(cls, path: Path, settings: Dict[str, Any], *, overwrite: bool) -> "Folder":
        """Read the state of a folder, and remove unfinished files and shards that are not recorded.

        RAISES (ValueError): D904 if it holds files that do not belong to an annotation; without
            `overwrite`, D902 if it was annotated with other settings, D905 if its manifest or
            journal is damaged.
        """
        if is_others(path):
            raise ValueError(Errors.D904.format(path=path, names=MANIFEST))
        known: Optional[List[str]] = None
        try:
            state = read_state(path)
            check_settings(path, state, settings)
            if state.is_finished or state.settings is None:
                known = [*state.records]
        except ValueError:
            if not overwrite:
                raise
            state = NOTHING
        # Files that do not belong to an annotation are never overwritten.
        check_files(path, known)
        remove_parts(path)
        folder = cls(path, settings, state, overwrite=overwrite)
        if not folder.is_finished:
            begin_journal(path, settings, folder.records)
            folder.remove_others()
        return folder

    def list_missing(
        self, shards: Iterator[InputShard], *, known: Sequence[str], advance: Advance
    ) -> Iterator[InputShard]:
        """Yield the shards whose output is missing or damaged, and forget outdated records.

        shards (Iterator[InputShard]): All shards.
        known (Sequence[str]): The labels that gold entities may have.
        advance (Callable[[int, int], Any]): Called with (n_docs, 0) for each finished shard.
        YIELDS (InputShard): The shards to annotate.
        RAISES (ValueError): D906 for an unknown label, D903 for other texts than before, without
            `overwrite`.
        """
        names, first = set(), 0
        for shard in shards:
            check_labels(shard, known, first=first)
            first += shard.n_docs
            names.add(shard_name(shard.index))
            record = self.records.get(shard_name(shard.index))
            if record is not None and record.source != shard.digest:
                if record.docs:  # otherwise nothing is lost
                    self.check_overwrite(f"those of {record.name} are others")
            elif record is not None and record.is_whole(self.path):
                advance(shard.n_docs, 0)
                continue
            if record is not None:
                self.forget(record)
            yield shard
        for name in sorted(self.records.keys() - names):
            self.check_overwrite(f"there are none for {name}")
            self.forget(self.records[name])

    def check_overwrite(self, found: str) -> None:
        if not self.overwrite:
            raise ValueError(Errors.D903.format(path=self.path, found=found))

    def forget(self, record: Record) -> None:
        """Forget a shard that is outdated or damaged. It is not removed from the journal, because
        the next run would notice it again."""
        del self.records[record.name]
        self.reopen()

    def add(self, record: Record) -> None:
        """Record a finished shard."""
        self.reopen()
        self.records[record.name] = record
        add_record(self.path, record)

    def reopen(self) -> None:
        """Turn the manifest of a finished folder into a journal."""
        if self.is_finished:
            begin_journal(self.path, self.settings, self.records)
            self.is_finished = False

    def finish(self) -> None:
        """Turn the journal into the manifest, because all shards are finished."""
        if not self.is_finished:
            self.remove_others()
            write_manifest(self.path, self.settings, self.in_order())
            self.is_finished = True

    def remove_others(self) -> None:
        """Remove shards without a record; all other files are kept."""
        for file in self.path.glob("*.spacy"):
            if NAME.fullmatch(file.name) and file.name not in self.records:
                file.unlink()

    def in_order(self) -> List[Record]:
        return sorted(self.records.values(), key=lambda record: (len(record.name), record.name))


def labels_of_folder(path: Path) -> List[str]:
    """Return the labels that the documents of a finished folder were annotated with."""
    return list_labels(read_json(path / MANIFEST)["settings"]["tags"], NO_MAP)


def check_settings(path: Path, state: State, settings: Dict[str, Any]) -> None:
    """Refuse a folder that was annotated with other settings. RAISES (ValueError): D902."""
    if state.settings is None:
        return
    differences = [
        # The digests of teachers would mean nothing to a user.
        name if name == "teachers" else f"{name} ({found!r}, now {settings.get(name)!r})"
        for name, found in state.settings.items()
        if found != settings.get(name)
    ]
    if differences:
        raise ValueError(Errors.D902.format(path=path, differences=", ".join(differences)))


def check_files(path: Path, known: Optional[Sequence[str]]) -> None:
    """Refuse a folder with files that do not belong to this annotation. RAISES (ValueError): D904.

    known (Optional[Sequence[str]]): The names of this annotation's files. None: it is not finished,
        so every file that is named like a shard belongs to it.
    """
    names = sorted(file.name for file in path.glob("*.spacy"))
    is_own = NAME.fullmatch if known is None else known.__contains__
    others = [name for name in names if not is_own(name)]
    if others:
        raise ValueError(Errors.D904.format(path=path, names=", ".join(others[:5])))


def check_labels(shard: InputShard, known: Sequence[str], *, first: int) -> None:
    """Refuse gold entities with labels that the student does not have.

    shard (InputShard): The shard.
    known (Sequence[str]): The student's labels.
    first (int): The number of documents before this shard.
    RAISES (ValueError): D906.
    """
    unknown = [label for label in shard.labels if label not in known]
    if unknown:
        raise ValueError(Errors.D906.format(first=first + 1, unknown=unknown, known=known))
