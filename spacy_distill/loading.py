"""Loading a pipeline that somebody names, and the code that it needs, onto a device."""

from functools import cache
from pathlib import Path
from typing import Optional, Union

import spacy
from spacy.cli._util import setup_gpu
from spacy.language import Language
from spacy.util import import_file

from .errors import Errors


def load_pipeline(source: Union[str, Path]) -> Language:
    """Load a pipeline.

    source (Union[str, Path]): Its folder, or the name of an installed package.
    RETURNS (Language): The pipeline.
    RAISES (OSError): spaCy's, for a file that is not there. (ValueError): D019 for whatever else
        keeps it from being loaded: damaged files may raise anything.
    """
    try:
        return spacy.load(source)
    except OSError:
        raise
    except Exception as error:
        raise ValueError(Errors.D019.format(source=source, reason=error)) from error


def use_gpu(gpu: int) -> None:
    """Use a GPU, or -1: the CPU. RAISES (ValueError): D020 if there is none."""
    try:
        setup_gpu(gpu, silent=True)
    except Exception as error:  # CuPy has its own for a number that is too high
        raise ValueError(Errors.D020.format(gpu=gpu, reason=error)) from error


def find_code(path: Optional[Path]) -> str:
    """A file of code, wherever it is imported. RAISES (FileNotFoundError): D016."""
    if path is None:
        return ""
    if not path.is_file() or path.suffix != ".py":
        raise FileNotFoundError(Errors.D016.format(path=path))
    return str(path.resolve())


@cache
def import_code(path: str) -> None:
    """Import a file of code, if one is given: once a process, for most can't be registered twice.

    RAISES (ValueError): D018 if it fails.
    """
    if path:
        try:
            import_file("python_code", path)
        except Exception as error:  # whatever somebody's code does
            reason = f"{type(error).__name__}: {error}"
            raise ValueError(Errors.D018.format(path=path, reason=reason)) from error
