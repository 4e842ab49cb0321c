"""Dated series: the value that was known on a day, and none that came later."""

from __future__ import annotations

import calendar
from collections.abc import Sequence
from datetime import date
from typing import TypeVar

Value = TypeVar("Value")


class NotYetKnownError(LookupError):
    """A dated value was asked for before the first one was known."""


def last_day(iso: str) -> date:
    """Last day of a year (``2025``), month (``2025-06``) or day (``2025-06-30``).

    Raises
    ------
    ValueError
        When the text is no such date.

    Examples
    --------
    >>> last_day("2024-02"), last_day("2025")
    (datetime.date(2024, 2, 29), datetime.date(2025, 12, 31))
    """
    try:
        parts = [int(part) for part in iso.split("-")]
        year, month = parts[0], parts[1] if len(parts) > 1 else 12
        return date(year, month, parts[2] if len(parts) > 2 else calendar.monthrange(year, month)[1])
    except (ValueError, IndexError) as error:
        raise ValueError(f"'{iso}' is not a date: write YYYY, YYYY-MM or YYYY-MM-DD") from error


def value_as_of(
    series: Sequence[tuple[str, Value]], as_of: str | None = None, what: str = "this series"
) -> Value:
    """Latest value of a series that was known on a date; the latest of all when no date is given.

    A value dated by month or year counts from the last day of that period, because it may rest on any day of
    it.

    Parameters
    ----------
    series : sequence of (ISO date, value)
        In any order.
    as_of : str, optional
        ISO year, month or day.
    what : str
        Name of the series, for the message.

    Raises
    ------
    NotYetKnownError
        When the series is empty or starts later.

    Examples
    --------
    >>> value_as_of([("2023-06", 8.0), ("2025-10", 1.7), ("2026-03", 2.35)], "2026-01-15")
    1.7
    """
    ordered = sorted(series, key=lambda entry: last_day(entry[0]))
    if not ordered:
        raise NotYetKnownError(f"no value of {what} is known")
    if as_of is None:
        return ordered[-1][1]
    known = [value for day, value in ordered if last_day(day) <= last_day(as_of)]
    if not known:
        raise NotYetKnownError(f"no value of {what} was known by {as_of}: the first is of {ordered[0][0]}")
    return known[-1]
