"""Dated series as quarters see them: means over each quarter, and what dated changes do to them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sim.quantity import Array
from sim.units import YEAR

Matrix = NDArray[np.float64]  # (quarters, draws)
QUARTER_S = YEAR / 4.0


@dataclass(frozen=True, slots=True)
class Horizon:
    """The quarters that are simulated.

    Attributes
    ----------
    start : float
        First instant [year, such as 2024.0].
    quarters : int
    draws : int
    """

    start: float
    quarters: int
    draws: int

    @property
    def edges(self) -> NDArray[np.float64]:
        """Borders of the quarters [year], one more than there are quarters."""
        return np.asarray(self.start + 0.25 * np.arange(self.quarters + 1), dtype=float)

    @property
    def shape(self) -> tuple[int, int]:
        """Quarters, draws."""
        return self.quarters, self.draws


def decimal_year(date: str) -> float:
    """Start of a year, month or day as a decimal year; all months are equally long.

    Examples
    --------
    >>> decimal_year("2025"), decimal_year("2025-04"), decimal_year("2025-07-16")
    (2025.0, 2025.25, 2025.5416666666667)
    """
    parts = [int(part) for part in date.split("-")]
    month = parts[1] if len(parts) > 1 else 1
    day = parts[2] if len(parts) > 2 else 1
    return parts[0] + (month - 1) / 12 + (day - 1) / 360


def iso_month(year: float) -> str:
    """Month in which a decimal year falls.

    Examples
    --------
    >>> iso_month(2025.25), iso_month(2025.999)
    ('2025-04', '2025-12')
    """
    months = int(np.floor(year * 12 + 1e-9))
    return f"{months // 12}-{months % 12 + 1:02d}"


def overlap(horizon: Horizon, start: Array, end: Array = np.inf) -> Matrix:
    """Share of each quarter that lies between two instants [year], (quarters, draws).

    Examples
    --------
    >>> overlap(Horizon(2024.0, 2, 1), 2024.125).tolist()
    [[0.5], [1.0]]
    """
    low, high = horizon.edges[:-1, None], horizon.edges[1:, None]
    inside = np.minimum(high, np.asarray(end)) - np.maximum(low, np.asarray(start))
    return np.broadcast_to(np.clip(inside / 0.25, 0.0, 1.0), horizon.shape)


def stepped(horizon: Horizon, dates: Sequence[float], values: Sequence[Array]) -> Matrix:
    """Mean over each quarter of a series in which every value holds from its date to the next, (quarters, draws).

    Parameters
    ----------
    dates : sequence of float
        Ascending [year]; the first must not lie after the start of the horizon.

    Raises
    ------
    ValueError
        When the series begins too late, or its dates do not ascend.

    Examples
    --------
    >>> stepped(Horizon(2024.0, 2, 1), [2024.0, 2024.125], [10.0, 20.0]).tolist()
    [[15.0], [20.0]]
    """
    if any(later <= earlier for earlier, later in pairwise(dates)):
        raise ValueError("dates must ascend")
    if dates[0] > horizon.start + 1e-9:
        raise ValueError(f"the series begins in {dates[0]:.2f}, after the first quarter, {horizon.start:.2f}")
    total = np.zeros(horizon.shape)
    for index, (date, value) in enumerate(zip(dates, values, strict=True)):
        end = dates[index + 1] if index + 1 < len(dates) else np.inf
        total += overlap(horizon, date, end) * np.asarray(value)
    return total


Span = tuple[float, float, Array]  # first instant, end [year], value


def overlaid(
    dates: Sequence[float], values: Sequence[Array], spans: Sequence[Span]
) -> tuple[list[float], list[Array]]:
    """Dates and values of a series of which some spans, which do not overlap, have values of their own.

    Examples
    --------
    >>> overlaid([2024.0, 2026.0], [1.0, 2.0], [(2025.0, 2026.5, 0.0)])
    ([2024.0, 2025.0, 2026.0, 2026.5], [1.0, 0.0, 0.0, 2.0])
    """
    ends = {edge for start, end, _ in spans for edge in (start, end)}
    cuts = sorted({edge for edge in ends if dates[0] < edge < np.inf} | set(dates))
    found: list[Array] = []
    for cut in cuts:
        own = values[bisect_right(dates, cut) - 1]
        found.append(next((value for start, end, value in spans if start <= cut < end), own))
    return cuts, found


def limited(horizon: Horizon, spans: Sequence[Span]) -> Matrix:
    """A limit that exists in some spans alone, (quarters, draws): infinite elsewhere.

    A quarter that a limit covers in part has it for the whole of it.

    Examples
    --------
    >>> limited(Horizon(2024.0, 2, 1), [(2024.375, 2025.0, 0.5)]).tolist()
    [[inf], [0.5]]
    """
    covered, total = np.zeros(horizon.shape), np.zeros(horizon.shape)
    for start, end, value in spans:
        share = overlap(horizon, start, end)
        covered = covered + share
        total = total + share * np.asarray(value)
    return np.divide(total, covered, out=np.full(horizon.shape, np.inf), where=covered > 0)


@dataclass(frozen=True, slots=True)
class Change:
    """A dated change of a series: set to, multiplied by, or raised by a value, in force between two instants.

    Attributes
    ----------
    start, end : Array
        Instants [year]; may differ from draw to draw.
    set, times, plus : Array or None
        Exactly one is given.
    active : array of bool or True
        Draws in which the change happens at all.
    """

    start: Array
    end: Array = np.inf
    set: Array | None = None
    times: Array | None = None
    plus: Array | None = None
    active: NDArray[np.bool_] | bool = True


def changed(horizon: Horizon, series: Matrix, change: Change) -> Matrix:
    """The series after a change.

    A quarter that the change covers in part is the mean of both states; where there was no limit before (infinity), the
    new limit holds for the whole of it.

    Examples
    --------
    >>> changed(Horizon(2024.0, 2, 1), np.full((2, 1), 8.0), Change(2024.125, times=0.5)).tolist()
    [[6.0], [4.0]]
    """
    share = overlap(horizon, change.start, change.end) * np.asarray(change.active, dtype=float)
    if change.set is not None:
        finite = np.where(np.isinf(series), np.asarray(change.set), series)
        with np.errstate(invalid="ignore"):  # a limit that is lifted: nothing of infinity
            return np.where(share == 0.0, series, finite + share * (np.asarray(change.set) - finite))
    if change.times is not None:
        return series * (1.0 + share * (np.asarray(change.times) - 1.0))
    return series + share * np.asarray(change.plus)
