"""Throughput against speed per user, and where a curve may be named."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from sim.report.charts.style import (
    FILL,
    GREY,
    HALF,
    INK,
    LIGHT,
    MARKER,
    SMALL,
    SUBTITLE,
    TEXT,
    axes_height,
    axes_width,
    described,
    fitted,
    frame,
    styled,
    text_width,
)
from sim.report.claims import frontier_claim
from sim.report.content import ClusterContent, JobContent, JobSide, ReportContent
from sim.report.numbers import duration, number

Point = tuple[float, float]
Box = tuple[float, float, float, float]  # left, bottom, right, top [inch]


@styled
def frontier(content: ReportContent, job: JobContent, width: float = HALF) -> Figure:
    """Throughput per chip against speed per user, both clusters, with the point that the answer uses."""
    claim = frontier_claim(job, *content.clusters)
    subtitle = "Output tokens/s per chip, all inputs at their medians. Ringed: where the answer is taken."
    body = 2.3
    picture = frame(content.identity, width, body, claim, subtitle)
    axes = picture.axes(0.42, 0.34, width - 0.06, body - 0.02)
    sides = [(c, s) for c, s in zip(content.clusters, (job.a, job.b), strict=True) if s.frontier]
    drawn = [p for _, s in sides for p in (*s.frontier, *([s.operating_point] if s.operating_point else []))]
    right, top = max(x for x, _ in drawn), max(y for _, y in drawn)
    axes.set_xlim(0, 1.05 * right)
    axes.set_ylim(0, 1.12 * top)
    axes.grid(axis="y")
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_formatter(lambda y, _: f"{y:,.0f}" if top >= 10 else f"{y:g}")
    axes.set_xlabel("tokens/s per user", size=SMALL, labelpad=2)
    _target(axes, job, right)
    for cluster, side in sides:
        x, y = zip(*sorted(side.frontier), strict=True)
        axes.plot(
            x, y, color=FILL[cluster.key], lw=1.6, marker=MARKER[cluster.key], ms=3.4, mec="white", mew=0.5
        )
        if side.operating_point:
            axes.plot(*side.operating_point, "o", ms=9, mfc="none", mec=INK, mew=1.0, zorder=5)
    _names(axes, sides, right, top)
    points = "; ".join(
        f"{c.label} from {number(max(y for _, y in s.frontier))} tokens/s per chip at its slowest to "
        f"{number(min(y for _, y in s.frontier))} at its fastest" for c, s in sides)  # fmt: skip
    return described(picture.figure, f"{claim}. {points}.")


def _target(axes: Axes, job: JobContent, right: float) -> None:
    target = (job.targets or {}).get("tpot_s")
    if target and 1 / target < 1.05 * right:
        axes.axvline(1 / target, color=LIGHT, lw=0.9, ls=(0, (3, 2)))
        axes.annotate(f"promised: {duration(target)} per token", (1 / target, 1.0), xycoords=("data", "axes fraction"),
                      xytext=(3, -1), textcoords="offset points", size=SMALL, color=GREY, va="top",
                      ha="left" if 1 / target < 0.55 * right else "right")  # fmt: skip


def _names(axes: Axes, sides: list[tuple[ClusterContent, JobSide]], right: float, top: float) -> None:
    """Each curve is named where the name covers least: no curve, no ring, not the promise, not the other name."""
    width, height = axes_width(axes), axes_height(axes)
    scale = width / (1.05 * right), height / (1.12 * top)  # inches per unit
    curves = {
        cluster.key: [(x * scale[0], y * scale[1]) for x, y in _dense(side.frontier)]
        for cluster, side in sides
    }
    rings = [
        (x * scale[0], y * scale[1])
        for x, y in (side.operating_point for _, side in sides if side.operating_point)
    ]
    busy = [point for curve in curves.values() for point in curve] + rings
    taken: list[Box] = [(0.0, height - 0.14, width, height)]  # the line that says what is promised
    for cluster, _ in sides:
        name = fitted(cluster.label, 0.6 * width, SUBTITLE)
        boxes = _beside(curves[cluster.key], text_width(name, SUBTITLE, "semibold"))
        covered = [_covered(box, busy, taken, width, height) for box in boxes]
        left, bottom, _, over = best = boxes[covered.index(min(covered))]
        taken.append(best)
        axes.text(left / scale[0], (bottom + over) / 2 / scale[1], name, size=SUBTITLE, weight="semibold",
                  color=TEXT[cluster.key], va="center", bbox={"fc": "white", "ec": "none", "pad": 0.3})  # fmt: skip


def _dense(curve: Sequence[Point]) -> list[Point]:
    """Forty points along a curve, even along its x."""
    x, y = zip(*sorted(curve), strict=True)
    along = np.linspace(x[0], x[-1], 40)
    return list(zip(along.tolist(), np.interp(along, x, y).tolist(), strict=True))


def _beside(curve: Sequence[Point], width: float) -> list[Box]:
    """Where a name of a given width may stand beside a curve: right or left of a point, above, below or level."""
    return [
        (left, y + rise - 0.06, left + width, y + rise + 0.06)
        for x, y in curve[4:]
        for left in (x + 0.09, x - 0.09 - width)
        for rise in (0.1, -0.11, 0.0)
    ]


def _covered(box: Box, busy: Sequence[Point], taken: Sequence[Box], width: float, height: float) -> int:
    """How much a box would cover: points, other boxes, the edge of the axes."""
    left, bottom, right, top = box
    points = sum(left - 0.05 < x < right + 0.05 and bottom - 0.03 < y < top + 0.03 for x, y in busy)
    boxes = sum(left < r and x < right and bottom < t and y < top for x, y, r, t in taken)
    outside = (left < 0.03) + (bottom < 0.03) + (right > width) + (top > height)
    return points + 20 * boxes + 50 * outside
