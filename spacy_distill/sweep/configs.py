"""The configs of a sweep, and how systems and the environment override their settings."""

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
    """Check that systems override only settings that their configs have.

    systems (Sequence[System]): The systems.
    configs (Path): Folder of the configs.
    RAISES (ValueError): D606 for unknown settings. (FileNotFoundError): D008 if a config does not
        exist.
    """
    for system in systems:
        path = configs / f"{system.config}.cfg"
        if not path.is_file():
            raise FileNotFoundError(Errors.D008.format(path=path))
        if unknown := unknown_settings(path, system.overrides):
            raise ValueError(Errors.D606.format(name=system.name, keys=unknown, path=path))


def unknown_settings(path: Path, overrides: Mapping[str, str]) -> List[str]:
    """List settings that are neither in a config nor among the defaults of its functions."""
    unknown = find_unknown(overrides, load_config(path))
    if not unknown:
        return []
    try:
        changed = load_config(path, read_values(overrides), interpolate=True)
        filled = load_model_from_config(changed, auto_fill=True).config
    except ValueError:  # an unknown section or argument
        return unknown
    return find_unknown(unknown, filled)


def read_environment() -> Dict[str, str]:
    """Read the settings of SPACY_CONFIG_OVERRIDES, which every `spacy train` applies."""
    return {
        key: value if isinstance(value, str) else srsly.json_dumps(value)
        for key, value in parse_config_overrides([]).items()
    }


def config_digest(path: Path, overrides: Mapping[str, str]) -> str:
    """Compute the SHA-256 of a config after overriding settings.

    Its comments, its layout and the values that are overridden have no influence.

    path (Path): The config.
    overrides (Mapping[str, str]): section.key to value, as on the command line.
    RETURNS (str): The digest.
    """
    return digest_json(load_config(path, read_values(overrides), interpolate=False))


def read_values(overrides: Mapping[str, str]) -> Dict[str, Any]:
    return {key: read_value(value) for key, value in overrides.items()}


def read_value(text: str) -> Any:
    """Parse a value of the command line as one in a config."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
