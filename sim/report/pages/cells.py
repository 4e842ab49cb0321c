"""Cells of tables: a median with its range, a date, a row of a check."""

from __future__ import annotations

import math
from datetime import date
from typing import Any

from sim.report.content import Interval
from sim.report.numbers import number, percent, scale_of, scaled

Data = dict[str, Any]
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def day(iso: str) -> str:
    """An ISO date as people write it.

    Examples
    --------
    >>> day("2027-01-05"), day("not yet")
    ('5 Jan 2027', 'not yet')
    """
    try:
        when = date.fromisoformat(iso)
    except ValueError:
        return iso
    return f"{when.day} {MONTHS[when.month - 1]} {when.year}"


def cell(interval: Interval | None, factor: float = 1.0) -> list[str]:
    """Median and range, sharing one scale word."""
    if interval is None:
        return ["–", ""]
    shown = scaled(interval, factor)
    scale, word = scale_of([shown.p95])
    if scale_of([shown.p50])[0] != scale:
        scale, word = scale_of([shown.p50])
    shown = scaled(shown, 1 / scale)
    return [f"{number(shown.p50)} {word}".rstrip(), dash(shown)]


def dash(interval: Interval) -> str:
    """The 90 % interval as tables show it."""
    if math.isnan(interval.p50) or math.isinf(interval.p05):  # an end without end is said once, by the median
        return ""
    return f"{number(interval.p05)}–{number(interval.p95)}"


def dates(end: tuple[str, str, str]) -> list[str]:
    """Median and range of a date; the range without its years, which the median shows."""
    first, last = (day(iso).rsplit(" ", 1)[0] for iso in (end[0], end[2]))
    return [day(end[1]), f"{first}–{last}"]


def event_row(quantity: str, closed: float, engine: float) -> list[str]:
    gap = percent(engine / closed - 1, sign=True) if closed else "–"
    return [quantity, number(closed), number(engine), gap]
