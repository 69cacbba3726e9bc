"""Files that are whole or not there, whatever happens on the way, and what identifies them."""

import hashlib
import json
import os
import shutil
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Iterable, Iterator, List, Optional, Union
from uuid import uuid4

import srsly

from .errors import Errors

# What a file is called until it is whole: hidden, so that no reader of a corpus sees it.
PART = ".{name}.{unique}.part"


def check_folder(path: Path) -> None:
    """Refuse a file where a folder is to be. RAISES (OSError): D901."""
    if path.exists() and not path.is_dir():
        raise OSError(Errors.D901.format(path=path, reason="it is a file, not a folder"))


def make_folder(path: Path) -> None:
    """Make a folder, and those that it is in. RAISES (OSError): D901 if there is a file instead."""
    check_folder(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(Errors.D901.format(path=path, reason=error.strerror or error)) from error


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that it is either whole or not there, even after a loss of power.

    RAISES (OSError): D901 if it can't be written. Nothing of it is left then.
    """
    part = path.with_name(PART.format(name=path.name, unique=uuid4().hex))
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
        sync_folder(path.parent)
    except OSError as error:
        raise OSError(Errors.D901.format(path=path, reason=error.strerror or error)) from error
    finally:
        part.unlink(missing_ok=True)


def check_apart(path: Path, sources: Iterable[Union[str, Path]]) -> None:
    """Refuse to write where something is read from. RAISES (ValueError): D915.

    path (Path): The folder, which need not exist.
    sources (Iterable[Union[str, Path]]): Files and folders; others are passed over.
    """
    output = path.resolve()
    for source in (Path(source).resolve() for source in sources if Path(source).exists()):
        if source.is_relative_to(output) or output.is_relative_to(source):
            raise ValueError(Errors.D915.format(output=output, source=source))


def is_path(source: str) -> bool:
    """Whether a source is a path, or meant as one, rather than an id on the hub.

    What looks like `OWNER/NAME` is a path if there is a folder OWNER here; one with a revision is
    an id, whatever there is.
    """
    if Path(source).exists() or Path(source).is_absolute():
        return True
    owner, slash, _ = source.partition("/")
    leads_into_folder = slash != "" and "@" not in source and Path(owner).is_dir()
    return leads_into_folder or source.startswith(("/", "\\", ".", "~"))


@contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """Fill a folder that takes the place of another, or is a new one, once it is whole.

    YIELDS (Path): What to make and fill, in a folder that is removed at the end. Where that fails,
        the other stays as it is.
    """
    folder = folder.resolve()
    make_folder(folder.parent)
    with TemporaryDirectory(dir=folder.parent, prefix=".") as temporary:
        new, old = Path(temporary) / "new", Path(temporary) / "old"
        try:
            yield new
        except shutil.Error as error:  # it lists all files that could not be copied
            reason = error.args[0][0][-1]
            raise OSError(Errors.D901.format(path=folder, reason=reason)) from error
        try:
            if folder.exists():
                folder.rename(old)
            new.rename(folder)
        except BaseException:
            if old.exists() and not folder.exists():
                old.rename(folder)
            raise


def read_json(path: Path, *, kind: type = dict) -> Any:
    """Read a file of JSON.

    kind (type): What it must hold, dict or list.
    RAISES (ValueError): D916 if it does not.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        found, reason = None, str(error)
    else:
        reason = f"found is {type(found).__name__}"
    if not isinstance(found, kind):
        what = "an object" if kind is dict else "a list"
        raise ValueError(Errors.D916.format(path=path, kind=what, reason=reason))
    return found


def write_json(path: Path, value: Any) -> None:
    """Write a file of JSON, whole or not at all, as `write_whole` does. RAISES (OSError): D901."""
    write_whole(path, srsly.json_dumps(value, indent=2).encode("utf-8"))


def make_parent(path: Path) -> None:
    """Make the folder of a file, before the work whose result it gets.

    RAISES (OSError): D901 if that can't be, or if the file is a folder.
    """
    make_folder(path.parent)
    if path.is_dir():
        raise IsADirectoryError(Errors.D901.format(path=path, reason="it is a folder"))


def last_name(path: str) -> str:
    """The last part of a path, of `.` and `..` that of the folder which they are."""
    name = Path(path).name
    return name if name not in ("", "..") else Path(path).resolve().name


def public_name(source: str) -> str:
    """A source as others may see it: of a path the last part, for the rest is private."""
    return last_name(source) if is_path(source) else source


def append_line(path: Path, line: str) -> None:
    """Append to a file. It is on the disk when this returns. RAISES (OSError): D901."""
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise OSError(Errors.D901.format(path=path, reason=error.strerror or error)) from error


@contextmanager
def hold(folder: Path) -> Iterator[Optional[int]]:
    """Hold a folder, where the system can, until the end, even that of a process that is killed.

    YIELDS (Optional[int]): The handle that holds it. A process that gets it (`pass_fds`) holds the
        folder, too, until its own end. None where the system can't.
    RAISES (OSError): D914 if another process holds it.
    """
    if os.name != "posix":
        yield None
        return
    import fcntl

    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise OSError(Errors.D914.format(path=folder)) from error
    except OSError:
        pass  # of some file systems no part can be held
    try:
        yield handle
    finally:
        os.close(handle)


@contextmanager
def make_and_hold(folder: Path) -> Iterator[Optional[int]]:
    """Hold a folder that need not be there yet. One that was made for this goes if it stays empty.

    YIELDS (Optional[int]): As `hold` does.
    RAISES (OSError): D901 if it can't be made, D914 if another process holds it.
    """
    was_there = folder.exists()
    make_folder(folder)
    try:
        with hold(folder) as handle:
            yield handle
    finally:
        if not was_there:
            with suppress(OSError):
                folder.rmdir()


def remove_parts(folder: Path) -> None:
    """Remove what writers that were killed have left."""
    for path in folder.glob(PART.format(name="*", unique="*")):
        path.unlink(missing_ok=True)


def folder_size(path: Path) -> int:
    """Bytes of all files in a folder and below."""
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def list_files(folder: Path) -> List[Path]:
    """The files in a folder and below, in order of their names, without what is hidden.

    Links to folders are followed, but no folder is read twice.
    """
    found: List[Path] = []
    seen = set()
    for parent, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(parent)
        if real in seen:  # where a link leads back, there would be no end
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(parent, name) for name in names if not name.startswith(".")]
    return sorted(path for path in found if path.is_file())


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk, where the system can."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            with suppress(OSError):  # some file systems of other machines can't
                os.fsync(handle)
        finally:
            os.close(handle)


def digest(path: Path) -> str:
    """The SHA-256 of a file."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            found.update(block)
    return found.hexdigest()


def digest_json(value: Any) -> str:
    """The SHA-256 of what JSON can hold, in whatever order its keys are."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def digest_source(path: Path) -> str:
    """The SHA-256 of a file, or of all files in a folder."""
    return digest_folder(path) if path.is_dir() else digest(path)


def digest_folder(folder: Path) -> str:
    """The SHA-256 of all files in a folder and below: of their names and what they hold.

    Hidden files, and what Python compiled, take no part.
    """
    found = hashlib.sha256()
    for name in sorted(path.relative_to(folder).as_posix() for path in list_files(folder)):
        if not any(part.startswith("__pycache__") for part in name.split("/")):
            found.update(f"{name}\n{digest(folder / name)}\n".encode())
    return found.hexdigest()
