"""The folder that shards are written to: what of them is there already."""

import re
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Sequence

from ..errors import Errors
from ..files import remove_parts
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
from .shards import Advance, InputShard, shard_name

# What a shard's file is called.
NAME = re.compile(r"\d{5,}\.spacy")
NOTHING = State(None, {}, is_finished=False)


class Folder:
    """What is finished, in memory and in the journal.

    path (Path): Where it is.
    settings (Dict[str, Any]): What its shards are annotated with.
    state (State): What it said of itself.
    overwrite (bool): Whether shards of other texts are done anew.
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
        """Look at what is there, and remove what does not belong.

        RAISES (ValueError): D904 for files of something else; unless it is to be overwritten,
            D902 if it was annotated with something else, D905 for a damaged manifest.
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
        # What others wrote is never overwritten.
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
        """The shards that are not there, or not whole.

        known (Sequence[str]): Labels that gold entities may have.
        advance (Callable): Told of the documents that are there.
        RAISES (ValueError): D906 for another label, D903 for other texts than before.
        """
        names, first = set(), 0
        for shard in shards:
            check_labels(shard, known, first=first)
            first += shard.n_docs
            names.add(shard_name(shard.index))
            record = self.records.get(shard_name(shard.index))
            if record is not None and record.source != shard.digest:
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
        """A shard is not what it should be. The journal need not know: it will be found again."""
        del self.records[record.name]
        self.reopen()

    def add(self, record: Record) -> None:
        """Remember a shard that is finished."""
        self.reopen()
        self.records[record.name] = record
        add_record(self.path, record)

    def reopen(self) -> None:
        """Where all was finished, the manifest becomes the journal."""
        if self.is_finished:
            begin_journal(self.path, self.settings, self.records)
            self.is_finished = False

    def finish(self) -> None:
        """All is there: the journal becomes the manifest."""
        if not self.is_finished:
            self.remove_others()
            write_manifest(self.path, self.settings, self.in_order())
            self.is_finished = True

    def remove_others(self) -> None:
        """Remove shards that are not, or no more, part of this, and no other file."""
        for file in self.path.glob("*.spacy"):
            if NAME.fullmatch(file.name) and file.name not in self.records:
                file.unlink()

    def in_order(self) -> List[Record]:
        return sorted(self.records.values(), key=lambda record: (len(record.name), record.name))


def check_settings(path: Path, state: State, settings: Dict[str, Any]) -> None:
    """Refuse a folder that was annotated with something else. RAISES (ValueError): D902."""
    if state.settings is None:
        return
    differences = [
        # A digest tells a user nothing.
        name if name == "teachers" else f"{name} ({found!r}, now {settings.get(name)!r})"
        for name, found in state.settings.items()
        if found != settings.get(name)
    ]
    if differences:
        raise ValueError(Errors.D902.format(path=path, differences=", ".join(differences)))


def check_files(path: Path, known: Optional[Sequence[str]]) -> None:
    """Refuse a folder with files of something else. RAISES (ValueError): D904.

    known (Optional[Sequence[str]]): The files of this annotation. None: it is not finished, so
        that they are whatever is named as a shard is.
    """
    names = sorted(file.name for file in path.glob("*.spacy"))
    is_own = NAME.fullmatch if known is None else known.__contains__
    others = [name for name in names if not is_own(name)]
    if others:
        raise ValueError(Errors.D904.format(path=path, names=", ".join(others[:5])))


def check_labels(shard: InputShard, known: Sequence[str], *, first: int) -> None:
    """Refuse gold entities that the teacher's tags can't say. RAISES (ValueError): D906."""
    unknown = [label for label in shard.labels if label not in known]
    if unknown:
        raise ValueError(Errors.D906.format(first=first + 1, unknown=unknown, known=known))
