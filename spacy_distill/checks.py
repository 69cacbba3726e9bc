"""Settings are refused where they are given, not where they break."""

from importlib.util import find_spec
from typing import Any, Iterable, Iterator, List, Mapping, get_args

from .errors import Errors


def require(holds: bool, setting: str, value: Any, requirement: object) -> None:
    """Refuse a setting out of its range.

    holds (bool): Whether the value is what it must be.
    setting (str): Its name.
    value (Any): Its value.
    requirement (object): What it must be, after "must be".
    RAISES (ValueError): D007.
    """
    if not holds:
        raise ValueError(
            Errors.D007.format(setting=setting, value=repr(value), requirement=requirement)
        )


def require_one_of(choices: Any, setting: str, value: Any) -> None:
    """Refuse what is none of a Literal's values. RAISES (ValueError): D007."""
    values = get_args(choices)
    require(value in values, setting, value, f"one of {', '.join(values)}")


def require_installed(*packages: str, purpose: str, extra: str) -> None:
    """Refuse work before it begins whose packages are not there.

    packages (str): What is needed.
    purpose (str): For what.
    extra (str): Of this project, that brings them.
    RAISES (ValueError): D024.
    """
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        raise ValueError(
            Errors.D024.format(purpose=purpose, packages=" and ".join(missing), extra=extra)
        )


def is_name(text: str) -> bool:
    """Whether a text can name a system: in files, in a figure, which has no label for what begins
    with _, and on the command line."""
    return text.replace("-", "").replace("_", "").isalnum() and not text.startswith("_")


def find_unknown(names: Iterable[str], config: Mapping[str, Any]) -> List[str]:
    """Those settings, given as section.key, that a config does not have."""
    settings = set(flat_settings(config))
    return [name for name in names if name not in settings]


def flat_settings(section: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """The settings of a config, and its sections, as section.key."""
    for key, value in section.items():
        yield prefix + key
        if isinstance(value, Mapping):
            yield from flat_settings(value, f"{prefix}{key}.")
