"""Checks of settings where they are given, before they cause errors elsewhere."""

from importlib.util import find_spec
from typing import Any, Iterable, Iterator, List, Mapping, get_args

from .errors import Errors


def require(holds: bool, setting: str, value: Any, requirement: object) -> None:
    """Check that a setting is valid.

    holds (bool): Whether the value is valid.
    setting (str): Name of the setting.
    value (Any): Its value.
    requirement (object): What the value must be: the text after "must be".
    RAISES (ValueError): D007 if it is not.
    """
    if not holds:
        raise ValueError(
            Errors.D007.format(setting=setting, value=repr(value), requirement=requirement)
        )


def require_one_of(choices: Any, setting: str, value: Any) -> None:
    """Check that a value is one of a Literal's. RAISES (ValueError): D007 if it is not."""
    values = get_args(choices)
    require(value in values, setting, value, f"one of {', '.join(values)}")


def require_installed(*packages: str, purpose: str, extra: str) -> None:
    """Check that packages are installed, before the work that needs them begins.

    packages (str): The required packages.
    purpose (str): What they are needed for.
    extra (str): The extra of this project that installs them.
    RAISES (ValueError): D024 if any is missing.
    """
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        raise ValueError(
            Errors.D024.format(purpose=purpose, packages=" and ".join(missing), extra=extra)
        )


def is_name(text: str) -> bool:
    """Return whether a text can name a system, in files, in figures and on the command line.

    In figures, a name that begins with _ would have no label.
    """
    return text.replace("-", "").replace("_", "").isalnum() and not text.startswith("_")


def find_unknown(names: Iterable[str], config: Mapping[str, Any]) -> List[str]:
    """Return the settings, given as section.key, that a config does not have."""
    settings = set(flat_settings(config))
    return [name for name in names if name not in settings]


def flat_settings(section: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield the settings of a config, and its sections, as section.key."""
    for key, value in section.items():
        yield prefix + key
        if isinstance(value, Mapping):
            yield from flat_settings(value, f"{prefix}{key}.")
