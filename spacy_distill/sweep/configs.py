"""The configs of a sweep, and what is changed in them: by systems, and by the environment."""

import json
from pathlib import Path
from typing import Any, Dict, List, Mapping, Sequence

import srsly
from spacy.cli._util import parse_config_overrides
from spacy.util import load_config, load_model_from_config

from ..checks import find_unknown
from ..errors import Errors
from ..files import digest_json
from .plan import System


def check_overrides(systems: Sequence[System], configs: Path) -> None:
    """Refuse a system that sets what its config can't have.

    RAISES (ValueError): D606. (FileNotFoundError): D008 for a config that is not there.
    """
    for system in systems:
        path = configs / f"{system.config}.cfg"
        if not path.is_file():
            raise FileNotFoundError(Errors.D008.format(path=path))
        if unknown := unknown_settings(path, system.overrides):
            raise ValueError(Errors.D606.format(name=system.name, keys=unknown, path=path))


def unknown_settings(path: Path, overrides: Mapping[str, str]) -> List[str]:
    """Those settings that are neither in a config nor among the defaults of what is in it."""
    unknown = find_unknown(overrides, load_config(path))
    if not unknown:
        return []
    try:
        changed = load_config(path, read_values(overrides), interpolate=True)
        filled = load_model_from_config(changed, auto_fill=True).config
    except ValueError:  # a section that there is not, or an argument
        return unknown
    return find_unknown(unknown, filled)


def read_environment() -> Dict[str, str]:
    """The settings of SPACY_CONFIG_OVERRIDES, which every `spacy train` obeys."""
    return {
        key: value if isinstance(value, str) else srsly.json_dumps(value)
        for key, value in parse_config_overrides([]).items()
    }


def config_digest(path: Path, overrides: Mapping[str, str]) -> str:
    """The SHA-256 of what a config says once settings are overridden: its comments may change, its
    layout, and those defaults that are overridden.

    path (Path): The config.
    overrides (Mapping[str, str]): section.key to value, as on the command line.
    """
    return digest_json(load_config(path, read_values(overrides), interpolate=False))


def read_values(overrides: Mapping[str, str]) -> Dict[str, Any]:
    return {key: read_value(value) for key, value in overrides.items()}


def read_value(text: str) -> Any:
    """A value of the command line, as `spacy train` reads it."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
