"""Load a pipeline, and any code that it needs, onto a device."""

from functools import cache
from pathlib import Path
from typing import Optional, Union

import spacy
from spacy.cli._util import setup_gpu
from spacy.language import Language
from spacy.util import import_file
from thinc.api import require_cpu

from .errors import Errors


def load_pipeline(source: Union[str, Path]) -> Language:
    """Load a pipeline.

    source (Union[str, Path]): Its folder, or the name of an installed package.
    RETURNS (Language): The pipeline.
    RAISES (OSError): spaCy's error for a missing file. (ValueError): D019 for any other error,
        because damaged files may raise anything.
    """
    try:
        return spacy.load(source)
    except OSError:
        raise
    except Exception as error:
        raise ValueError(Errors.D019.format(source=source, reason=error)) from error


def load_blank(lang: str) -> Language:
    """Make a pipeline without components, which reads documents and tokenises text of a language.

    lang (str): Code of the language.
    RETURNS (Language): The pipeline.
    RAISES (ValueError): D121 if there is no such language, or its tokenizer lacks a package.
    """
    try:
        return spacy.blank(lang)
    except ImportError as reason:
        raise ValueError(Errors.D121.format(lang=lang, reason=reason)) from reason


def use_gpu(gpu: int) -> None:
    """Use a GPU, or the CPU for -1. RAISES (ValueError): D020 if there is no such GPU."""
    if gpu < 0:
        require_cpu()
        return
    try:
        setup_gpu(gpu, silent=True)
    except Exception as error:  # CuPy has its own exception for a number that is too high
        raise ValueError(Errors.D020.format(gpu=gpu, reason=error)) from error


def find_code(path: Optional[Path]) -> str:
    """Return the absolute path of a Python file, or an empty string for None.

    RAISES (FileNotFoundError): D016 if it does not exist, or is not a .py file.
    """
    if path is None:
        return ""
    if not path.is_file() or path.suffix != ".py":
        raise FileNotFoundError(Errors.D016.format(path=path))
    return str(path.resolve())


@cache
def import_code(path: str) -> None:
    """Import a Python file, if one is given.

    A file is imported only once per process, because most functions can't be registered twice.

    RAISES (ValueError): D018 if it fails.
    """
    if path:
        try:
            import_file("python_code", path)
        except Exception as error:  # users' code may raise anything
            reason = f"{type(error).__name__}: {error}"
            raise ValueError(Errors.D018.format(path=path, reason=reason)) from error
