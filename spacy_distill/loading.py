"""Loading a pipeline that somebody names."""

from pathlib import Path
from typing import Union

import spacy
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
