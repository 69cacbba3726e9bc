"""Settings are refused where they are given, not where they break."""

from typing import Any, get_args

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
