"""Loading a pipeline that somebody names, onto a device."""

from pathlib import Path
from typing import Union

import spacy
from spacy.cli._util import setup_gpu
from spacy.language import Language

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
