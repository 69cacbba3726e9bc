"""What each product of `distill` was made from, so that it is not made again needlessly."""

from pathlib import Path
from typing import Optional, Sequence

from ...errors import Errors
from ...files import make_folder, read_json, write_json

# The file in the output folder with the digests.
NOTES = "distilled.json"


def claim_output(output: Path, *, makes: Sequence[str]) -> None:
    """Make the output folder. Refuse one with files that `distill` did not make and would
    overwrite.

    output (Path): The folder, which need not exist.
    makes (Sequence[str]): Names of the files and folders that will be overwritten in it.
    RAISES (ValueError): D417.
    """
    path = output / NOTES
    if path.exists():
        return
    others = [name for name in makes if (output / name).exists()]
    if others:
        raise ValueError(
            Errors.D417.format(path=output, names=", ".join(others), command="distill")
        )
    make_folder(output)
    write_json(path, {})


def recall(product: Path) -> Optional[str]:
    """Return the digest of what a product was made from; None if it was not finished."""
    path = product.parent / NOTES
    return read_json(path).get(product.name) if path.exists() else None


def note(product: Path, made_from: Optional[str]) -> None:
    """Record the digest of what a product was made from; None while it is being made."""
    path = product.parent / NOTES
    known = read_json(path) if path.exists() else {}
    write_json(path, {**known, product.name: made_from})
