"""The answer at every point of a sweep."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from sim.report.charts.rows import interval_row, margin_for, row_name
from sim.report.charts.style import WIDE, bare, described, frame, styled
from sim.report.content import Interval, RunIdentity
from sim.report.numbers import bounds, number

ROW, HEAD, MOST = 0.2, 0.26, 60  # inch, inch, rows of one picture
RIGHT = 0.62  # inch: the column of medians
Series = Mapping[str, Mapping[int, Interval]]


@styled
def parity_over_axis(
    identity: RunIdentity, axis: str, points: Sequence[str], jobs: Series, other: str
) -> Figure:
    """One row per point, job after job: median, 50 % and 90 % interval of the count that does the same work.

    Parameters
    ----------
    axis : str
        What varies.
    points : sequence of str
        Its values, in the order of the sweep.
    jobs : mapping of label to mapping of point to Interval
        Points without an answer are left out.
    other : str
        The chip that is counted.
    """
    rows = _rows(points, jobs)
    body = sum(HEAD if interval is None else ROW for _, interval in rows) + 0.3
    picture = frame(identity, WIDE, body, _claim(axis, jobs, other), _subtitle(axis, points, jobs, other))
    left = margin_for([name for name, _ in rows], 0.4 * WIDE)
    axes = picture.axes(left, 0.2, WIDE - RIGHT, body - 0.04)
    _scale(axes, [interval for _, interval in rows if interval is not None])
    y = 0.0
    for name, interval in rows:
        height = HEAD if interval is None else ROW
        row_name(axes, y + height / 2, name, left, weight="semibold" if interval is None else "normal")
        if interval is not None:
            interval_row(axes, y + height / 2, interval, RIGHT)
        y += height
    axes.set_ylim(y, 0)
    told = "; ".join(f"{name} {number(i.p50)} ({bounds(i)})" for name, i in rows if i is not None)
    return described(picture.figure, f"{_claim(axis, jobs, other)}. {told}.")


def _rows(points: Sequence[str], jobs: Series) -> list[tuple[str, Interval | None]]:
    rows: list[tuple[str, Interval | None]] = []
    for label, series in jobs.items():
        rows.append((label, None))
        rows += [(points[point].replace("\n", ", "), series[point]) for point in sorted(series)]
    return rows[:MOST] or [("no point has an answer", None)]


def _claim(axis: str, jobs: Series, other: str) -> str:
    """What the first job says from its lowest to its highest point."""
    for label, series in jobs.items():
        found = [interval.p50 for interval in series.values() if math.isfinite(interval.p50)]
        if len(found) > 1:
            return f"{label}: {number(min(found))} to {number(max(found))} {other} do the same work, as {axis} varies"
        if found:
            return f"{label}: {number(found[0])} {other} do the same work"
    return f"No point has an answer in {other}"


def _subtitle(axis: str, points: Sequence[str], jobs: Series, other: str) -> str:
    text = f"{other} that do the same work, by {axis}. Dot: median, thick bar: 50 % interval, thin bar: 90 % interval."
    left_out = sum(len(series) + 1 for series in jobs.values()) - MOST
    return text + (f" {left_out} rows more are in the table." if left_out > 0 else "")


def _scale(axes: Axes, intervals: Sequence[Interval]) -> None:
    ends = [end for interval in intervals for end in (interval.p05, interval.p95) if math.isfinite(end)]
    axes.set_xlim(0, 1.04 * max(ends, default=1.0))
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.grid(axis="x")
    bare(axes, keep=("bottom",))
    axes.set_yticks([])
