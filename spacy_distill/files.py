"""Files: atomic writes, folders that are replaced or locked, and digests."""

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

# Name of a file until it is complete: hidden, so that no reader of a corpus sees it.
PART = ".{name}.{unique}.part"


def check_folder(path: Path) -> None:
    """Check that a path is not a file, if a folder is needed. RAISES (OSError): D901 if it is."""
    if path.exists() and not path.is_dir():
        raise OSError(Errors.D901.format(path=path, reason="it is a file, not a folder"))


def make_folder(path: Path) -> None:
    """Create a folder and its parents. RAISES (OSError): D901 if that fails."""
    check_folder(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(Errors.D901.format(path=path, reason=error.strerror or error)) from error


def write_whole(path: Path, data: bytes) -> None:
    """Write a file atomically: no reader finds a part of it, even after a power failure.

    A link stays, and the file that it leads to is replaced.

    RAISES (OSError): D901 if it can't be written. No temporary file is left in this case.
    """
    target = path.resolve()
    part = target.with_name(PART.format(name=target.name, unique=uuid4().hex))
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, target)
        sync_folder(target.parent)
    except OSError as error:
        raise OSError(Errors.D901.format(path=path, reason=error.strerror or error)) from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def check_apart(path: Path, sources: Iterable[Union[str, Path]]) -> None:
    """Check that an output folder neither contains a source nor lies in one.

    path (Path): The output folder, which need not exist.
    sources (Iterable[Union[str, Path]]): Files and folders; sources that do not exist are ignored.
    RAISES (ValueError): D915 if it does.
    """
    output = path.resolve()
    for source in (Path(source).resolve() for source in sources if Path(source).exists()):
        if source.is_relative_to(output) or output.is_relative_to(source):
            raise ValueError(Errors.D915.format(output=output, source=source))


@contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """Fill a new folder, which replaces any existing one when it is complete.

    YIELDS (Path): The folder to create and fill, within a temporary folder that is removed at the
        end. If filling it fails, an existing folder stays as it is.
    RAISES (OSError): D901 if files can't be copied to it, or if its parent can't be created.
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
    """Read a JSON file.

    kind (type): Type of its content, dict or list.
    RAISES (ValueError): D916 if it is not valid JSON of this type.
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

    RAISES (OSError): D901 if that fails, or if the path is a folder.
    """
    make_folder(path.parent)
    if path.is_dir():
        raise IsADirectoryError(Errors.D901.format(path=path, reason="it is a folder"))


def last_name(path: str) -> str:
    """Return the last part of a path; for `.` and `..`, the name of the folder they refer to."""
    name = Path(path).name
    return name if name not in ("", "..") else Path(path).resolve().name


def append_line(path: Path, line: str) -> None:
    """Append a line to a file, and flush it to disk. An incomplete line at its end is removed.

    RAISES (OSError): D901 if that fails.
    """
    try:
        with path.open("a+b") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":
                    file.truncate(path.read_bytes().rfind(b"\n") + 1)
            file.write(f"{line}\n".encode())
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise OSError(Errors.D901.format(path=path, reason=error.strerror or error)) from error


def read_whole_lines(path: Path) -> List[bytes]:
    """Return the lines of a file, without the last one if an interrupted write left it incomplete.

    RETURNS (List[bytes]): The lines, without line endings; none if there is no file.
    """
    return path.read_bytes().split(b"\n")[:-1] if path.exists() else []


@contextmanager
def hold(folder: Path) -> Iterator[Optional[int]]:
    """Lock a folder, if the system supports it, until the end of the context or of the process.

    YIELDS (Optional[int]): The handle of the lock. A process that inherits it (`pass_fds`) also
        holds the lock, until it ends. None if the system does not support locks.
    RAISES (OSError): D914 if another process holds the lock.
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
        pass  # some file systems do not support locks
    try:
        yield handle
    finally:
        os.close(handle)


@contextmanager
def make_and_hold(folder: Path) -> Iterator[Optional[int]]:
    """Lock a folder, which is created if necessary. In this case it is removed if it stays empty.

    YIELDS (Optional[int]): As `hold` does.
    RAISES (OSError): D901 if it can't be created, D914 if another process holds the lock.
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
    """Remove the temporary files of writers that were killed."""
    for path in folder.glob(PART.format(name="*", unique="*")):
        path.unlink(missing_ok=True)


def folder_size(path: Path) -> int:
    """Return the size in bytes of all files in a folder and its subfolders."""
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def list_files(folder: Path) -> List[Path]:
    """Return the files in a folder and its subfolders, sorted by name, without hidden ones.

    Links to folders are followed, but no folder is read twice.
    """
    found: List[Path] = []
    seen = set()
    for parent, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(parent)
        if real in seen:  # otherwise a link to a parent folder would never end
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(parent, name) for name in names if not name.startswith(".")]
    return sorted(path for path in found if path.is_file())


def sync_folder(folder: Path) -> None:
    """Flush the names in a folder to disk, if the system supports it."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            with suppress(OSError):  # some network file systems do not support it
                os.fsync(handle)
        finally:
            os.close(handle)


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            found.update(block)
    return found.hexdigest()


def digest_json(value: Any) -> str:
    """Return the SHA-256 of JSON data, independently of the order of keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def digest_source(path: Path) -> str:
    """Return the SHA-256 of a file, or of all files in a folder."""
    return digest_folder(path) if path.is_dir() else digest(path)


def digest_folder(folder: Path) -> str:
    """Return the SHA-256 of the names and contents of all files in a folder and its subfolders.

    Hidden files and files compiled by Python are ignored.
    """
    found = hashlib.sha256()
    for name in sorted(path.relative_to(folder).as_posix() for path in list_files(folder)):
        if not any(part.startswith("__pycache__") for part in name.split("/")):
            found.update(f"{name}\n{digest(folder / name)}\n".encode())
    return found.hexdigest()
