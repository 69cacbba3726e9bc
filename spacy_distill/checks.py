"""Settings are refused where they are given, not where they break."""

from typing import Any

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
        # An option of the command line is in no block of a config.
        where = "" if setting.startswith("--") else " in the block that holds it"
        raise ValueError(
            Errors.D007.format(
                setting=setting, value=repr(value), requirement=requirement, where=where
            )
        )
