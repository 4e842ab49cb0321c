"""What a mistyped command is told: one plain line, as any other mistake of the user."""

from __future__ import annotations

import math
import re
from typing import Any

import typer

UsageError: type[Exception] = typer.BadParameter.__base__  # type: ignore[assignment]
"""Everything that can be wrong with the words of a command: unknown, missing or out of range."""

_VALUE = re.compile(r"Invalid value for '?([^':]+(?:' / '[^']+)*)'?: ")
_WORDS = (("Input should be", "should be"), ("Value error, ", ""))
_HELP = "NoArgsIsHelpError"  # a group typed alone prints its help, which is no mistake


def is_usage(error: Exception) -> bool:
    """Whether the words of a command are wrong, rather than a group typed alone."""
    return isinstance(error, UsageError) and type(error).__name__ != _HELP


def usage_line(error: Any) -> str:
    """One line: the option and what is wrong with it, and where the options are listed.

    Examples
    --------
    >>> usage_line(typer.BadParameter("0 is not in the range x>=1.", param_hint="--workers"))
    '--workers: 0 is not in the range x>=1'
    """
    said = " ".join(error.format_message().split()).rstrip(".").removeprefix("Invalid value: ")
    for wordy, plain in _WORDS:
        said = said.replace(wordy, plain)
    value = _VALUE.match(said)
    if value:
        return f"{value[1]}: {said[value.end() :]}"
    where = getattr(error.ctx, "command_path", None)
    return f"{said}; `{where} --help` lists what there is" if where else said


def finite(value: float | None) -> float | None:
    """Refuse a number that is none: every comparison with NaN is false, so no limit would.

    Raises
    ------
    typer.BadParameter
        When it is infinite or NaN.
    """
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"read {value}, where a finite number is expected")
    return value
