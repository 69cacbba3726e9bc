"""Ids on the Hugging Face Hub, of models and of datasets, and how they differ from paths."""

import re
from pathlib import Path
from typing import Optional, Tuple

from .files import last_name

# Forms of the id of a dataset: name, name@revision, name:config, name:config@revision.
ID = re.compile(r"(?P<name>[^:@]+)(:(?P<config>[^@]+))?(@(?P<revision>.+))?")


def is_path(source: str) -> bool:
    """Return whether a source is a path, or meant as one, instead of an id on the hub.

    A path that exists is always a path. `OWNER/NAME` is also taken for one if there is a folder
    OWNER here, unless it has a revision.
    """
    if Path(source).exists() or Path(source).is_absolute():
        return True
    owner = source.partition("/")[0]
    leads_into_folder = "@" not in source and Path(owner).is_dir()
    return leads_into_folder or source.startswith(("/", "\\", ".", "~"))


def is_model_id(source: str) -> bool:
    """Return whether a source can only be an id on the hub: `OWNER/NAME`, or with a revision."""
    return not is_path(source) and ("@" in source or source.count("/") == 1)


def split_revision(source: str) -> Tuple[str, str]:
    """Split `NAME@REVISION` into its two parts. The latter is empty if missing, or for a folder."""
    if Path(source).exists():
        return source, ""
    name, _, revision = source.partition("@")
    return name, revision


def split_dataset_id(source: str) -> Tuple[str, Optional[str], Optional[str]]:
    """Split `name:config@revision` into its three parts. The last two are None if absent."""
    found = ID.fullmatch(source)
    return (found["name"], found["config"], found["revision"]) if found else (source, None, None)


def public_name(source: str) -> str:
    """Return a source as others may see it: only the last part of a path; the rest is private."""
    return last_name(source) if is_path(source) else source
