"""Rows of a chart: the name in the left margin, marks along the row, a value in the right margin."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes

from sim.report.charts.style import INK, LABEL, axes_width, interval_marks, shorten, text_width, wrap
from sim.report.content import Interval
from sim.report.numbers import number

LINE = 1.25  # height of a line of text over the size of its letters


def lines_of(
    text: str, width: float, size: float = LABEL, most: int = 2, weight: str = "normal"
) -> list[str]:
    """The text in at most ``most`` lines no wider than ``width`` [inch]; only what is longer still is cut."""
    lines = wrap(text, width, size, weight)
    kept = [*lines[: most - 1], " ".join(lines[most - 1 :])] if len(lines) > most else lines
    return [shorten(line, width, size, weight) for line in kept]


def margin_for(names: Sequence[str], most: float, size: float = LABEL, weight: str = "normal") -> float:
    """Left margin that holds all names in one line, or ``most`` where they are longer and have to break [inch]."""
    return min(max((text_width(name, size, weight) for name in names), default=0.0) + 0.14, most)


def row_name(
    axes: Axes,
    y: float,
    name: str,
    left: float,
    *,
    size: float = LABEL,
    weight: str = "normal",
    colour: str = INK,
    most: int = 2,
) -> None:
    """A name in the margin of ``left`` inches, in up to ``most`` lines where it needs them."""
    text = "\n".join(lines_of(name, left - 0.08, size, most, weight))
    style: dict[str, Any] = {"transform": axes.get_yaxis_transform(), "va": "center", "clip_on": False}
    axes.text(
        -left / axes_width(axes), y, text, size=size, weight=weight, color=colour, linespacing=0.98, **style
    )


def row_value(
    axes: Axes, y: float, value: float, right: float, *, weight: str = "normal", colour: str = INK
) -> None:
    """A value at the right end of the margin of ``right`` inches."""
    style: dict[str, Any] = {"transform": axes.get_yaxis_transform(), "va": "center", "clip_on": False}
    place = 1 + right / axes_width(axes)
    axes.text(
        place,
        y,
        "–" if math.isnan(value) else number(value),
        size=LABEL,
        weight=weight,
        color=colour,
        ha="right",
        **style,
    )


def interval_row(axes: Axes, y: float, interval: Interval, right: float) -> None:
    """Median, 50 % and 90 % interval along the row, and the median in figures."""
    interval_marks(axes, y, interval, "a")
    row_value(axes, y, interval.p50, right, weight="semibold")


def stacked(lines: Sequence[int], least: float, size: float = LABEL) -> list[float]:
    """Heights of rows that hold so many lines of text each, no row lower than ``least`` [inch].

    Examples
    --------
    >>> [round(height, 3) for height in stacked([1, 2], 0.17, 7.2)]
    [0.17, 0.27]
    """
    return [max(least, count * LINE * size / 72 + 0.02) for count in lines]


def centres(heights: Sequence[float]) -> list[float]:
    """Middle of each row below the top of the first [inch].

    Examples
    --------
    >>> centres([1.0, 3.0])
    [0.5, 2.5]
    """
    found, top = [], 0.0
    for height in heights:
        found.append(top + height / 2)
        top += height
    return found
