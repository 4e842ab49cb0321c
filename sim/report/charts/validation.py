"""Pictures of a validation page: predicted against measured by metric, and the error by group with the worst misses."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, LogLocator, NullFormatter, NullLocator

from sim.report.charts.style import (
    FILL,
    GREY,
    INK,
    LABEL,
    LIGHT,
    RULE,
    SMALL,
    TEXT,
    WIDE,
    Frame,
    bare,
    described,
    frame,
    shorten,
    styled,
    text_width,
)
from sim.report.claims import group_claim, scatter_claim
from sim.report.content import RunIdentity, ValidationGroup, ValidationRecord
from sim.report.numbers import number, percent
from sim.report.wording import family_name

BAND, FACTOR = 0.2, 2.0  # grey band, and the lines beside it
PANELS, ACROSS, FEWEST = 6, 3, 3  # panels, panels in a row, rows of the table that make a panel
STEPS = ((1.0, 2.0, 5.0), (1.0, 2.0, 3.0, 4.0, 6.0, 8.0))
NAMED = 2  # misses named in a panel
WORST = 14  # misses drawn
TITLES = {
    "step_time_s": "Step time, s",
    "tokens_per_s_per_chip": "Tokens per second and chip",
    "total_tokens_per_s_per_chip": "All tokens per second and chip",
    "tflops_per_chip": "TFLOP/s per chip",
    "mfu": "MFU",
    "gpu_hours_total": "Chip-hours of the run",
    "wall_days": "Days of the run",
    "interruptions": "Unplanned stops",
    "goodput": "Goodput",
    "tpot_ms": "Time per output token, ms",
    "ttft_ms": "Time to first token, ms",
    "tokens_per_s_per_user": "Tokens per second and user",
}
# Rows of each use, drawn from the back to the front: fill, edge, size, marker, name.
USES = {
    "context": ("white", LIGHT, 3.0, "^", "for context"),
    "calibrate": ("white", GREY, 3.6, "o", "factors fitted on them"),
    "validate": (FILL["a"], "white", 4.4, "o", "no factor fitted"),
}


@dataclass(frozen=True, slots=True)
class Dot:
    """One predicted row.

    Attributes
    ----------
    use : str
        validate, calibrate or context.
    counted : bool
        Whether it counts in the headline.
    """

    case_id: str
    metric: str
    use: str
    counted: bool
    measured: float
    predicted: float
    low: float
    high: float

    @property
    def miss(self) -> float:
        """Distance from the measured value, in logarithms."""
        return abs(math.log(self.predicted / self.measured))


def metrics_drawn(dots: Sequence[Dot]) -> list[str]:
    """Metrics with enough rows for a panel, those with most rows first."""
    rows = {
        metric: sum(dot.metric == metric for dot in dots) for metric in dict.fromkeys(d.metric for d in dots)
    }
    enough = [metric for metric, count in rows.items() if count >= FEWEST]
    return sorted(enough, key=lambda metric: -rows[metric])[:PANELS]


@styled
def scatter(identity: RunIdentity, record: ValidationRecord, dots: Sequence[Dot]) -> Figure:
    """Predicted against measured, a panel of logarithmic axes for each metric."""
    metrics = metrics_drawn(dots)
    rows, cell = max(1, math.ceil(len(metrics) / ACROSS)), 2.2
    subtitle = (
        "Across: measured, up: predicted, both logarithmic; one mark per published number. "
        f"Grey band: within {percent(BAND)}; dashed: a factor of {FACTOR:g}. Named: the largest misses of a panel among "
        "rows no factor was fitted to."
    )
    picture = frame(identity, WIDE, rows * cell + 0.24, scatter_claim(record), subtitle)
    _key(picture)
    for index, metric in enumerate(metrics):
        row, column = divmod(index, ACROSS)
        left, bottom = column * WIDE / ACROSS, (rows - 1 - row) * cell
        axes = picture.axes(left + 0.42, bottom + 0.24, left + WIDE / ACROSS - 0.06, bottom + cell - 0.2)
        picture.text(left + 0.42, bottom + cell - 0.16, TITLES.get(metric, metric.replace("_", " ")), size=LABEL,
                     weight="semibold")  # fmt: skip
        _panel(axes, [dot for dot in dots if dot.metric == metric])
    shown = [dot for dot in dots if dot.metric in metrics]
    within = sum(abs(dot.predicted / dot.measured - 1) <= BAND for dot in shown)
    return described(
        picture.figure, f"{scatter_claim(record)}. {within} of {len(shown)} marks lie within {percent(BAND)}."
    )


def _key(picture: Frame) -> None:
    x = 0.42
    for face, edge, size, marker, name in reversed(USES.values()):
        axes = picture.axes(x, picture.height - 0.2, x + 0.1, picture.height - 0.02)
        axes.set_axis_off()
        axes.plot([0], [0], ls="", marker=marker, ms=size, mfc=face, mec=edge, mew=0.8)
        picture.text(x + 0.13, picture.height - 0.11, name, size=SMALL, color=GREY, va="center")
        x += text_width(name, SMALL) + 0.4


def _panel(axes: Axes, dots: Sequence[Dot]) -> None:
    values = [value for dot in dots for value in (dot.measured, dot.predicted)]
    low, high = min(values) / 1.5, max(values) * 1.5
    for axis, scale, limits in (
        (axes.xaxis, axes.set_xscale, axes.set_xlim),
        (axes.yaxis, axes.set_yscale, axes.set_ylim),
    ):
        scale("log")
        limits(low, high)
        axis.set_major_locator(_ticks(low, high))
        axis.set_minor_locator(NullLocator())
        axis.set_minor_formatter(NullFormatter())
        axis.set_major_formatter(lambda x, _: _short(x))
    line = np.array([low, high])
    axes.fill_between(line, (1 - BAND) * line, (1 + BAND) * line, color=RULE, alpha=0.7, lw=0, zorder=0)
    axes.plot(line, line, color=GREY, lw=0.7, zorder=1)
    for factor in (FACTOR, 1 / FACTOR):
        axes.plot(line, factor * line, color=LIGHT, lw=0.6, ls=(0, (3, 3)), zorder=1)
    for order, (use, (face, edge, size, marker, _)) in enumerate(USES.items(), 2):
        points = [(dot.measured, dot.predicted) for dot in dots if dot.use == use]
        if points:
            axes.plot(*zip(*points, strict=True), ls="", marker=marker, ms=size, mfc=face, mec=edge, mew=0.6,
                      zorder=order)  # fmt: skip
    _name_misses(axes, dots)


def _ticks(low: float, high: float) -> LogLocator | FixedLocator:
    """Powers of ten, and between them one, two and five where fewer than two powers are in sight."""
    powers = math.floor(math.log10(high)) - math.ceil(math.log10(low)) + 1
    if powers >= 2:
        return LogLocator(10, numticks=5)
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)

    def inside(steps: Sequence[float]) -> list[float]:
        return [m * 10.0**e for e in exponents for m in steps if low <= m * 10.0**e <= high]

    return FixedLocator(next((t for s in STEPS if len(t := inside(s)) >= 2), inside(STEPS[-1])))


def _short(x: float) -> str:
    return (
        number(x, 1).replace(" million", "M").replace(" billion", "G") if x < 1 or x >= 1e6 else f"{x:,.0f}"
    )


def _name_misses(axes: Axes, dots: Sequence[Dot]) -> None:
    """Names of the largest misses in the empty corner on their side of the line, each tied to its mark."""
    missed = [dot for dot in dots if dot.use == "validate" and abs(dot.predicted / dot.measured - 1) > BAND]
    named = sorted(missed, key=lambda dot: -dot.miss)[:NAMED]
    for above in (True, False):
        here = sorted((d for d in named if (d.predicted > d.measured) == above), key=lambda d: d.measured)
        for i, dot in enumerate(here):
            place = (0.03, 0.95 - 0.085 * i) if above else (0.97, 0.05 + 0.085 * (len(here) - 1 - i))
            axes.annotate(
                shorten(dot.case_id, 1.2, SMALL), (dot.measured, dot.predicted), xytext=place, textcoords="axes fraction",
                ha="left" if above else "right", va="center", size=SMALL - 0.6, color=TEXT["a"], zorder=8,
                arrowprops={"arrowstyle": "-", "color": LIGHT, "lw": 0.5, "shrinkA": 1, "shrinkB": 3},
            )  # fmt: skip


@styled
def errors(identity: RunIdentity, record: ValidationRecord, dots: Sequence[Dot]) -> Figure:
    """Error by group beside the simple rules, and the rows that miss most."""
    worst = sorted((dot for dot in dots if dot.counted), key=lambda dot: -dot.miss)[:WORST]
    groups = [(group, False) for group in record.groups] + [(group, True) for group in record.baselines]
    subtitle = (
        "Left: relative error of rows no factor was fitted to; dot median, bar to the 90th percentile, hollow: simple "
        "rules; share of 80 % intervals that held. Right: predicted over measured with its 80 % interval, largest misses "
        "first; bold where it missed."
    )
    body = 0.175 * max(len(groups), len(worst)) + 0.42
    picture = frame(identity, WIDE, body, group_claim(record), subtitle)
    _groups(picture, groups)
    _misses(picture, worst)
    words = "; ".join(
        f"{g.name}: median {percent(g.median_error)}, 90th percentile {percent(g.p90_error)}"
        for g, _ in groups
    )
    return described(picture.figure, f"{group_claim(record)}. {words}.")


def _groups(picture: Frame, groups: Sequence[tuple[ValidationGroup, bool]]) -> None:
    left = min(max(text_width(family_name(group.name), LABEL) for group, _ in groups) + 0.1, 1.45)
    right, top = 2.35, picture.height - 0.18
    bottom = top - 0.175 * len(groups)
    axes = picture.axes(left, bottom, right, top)
    ours = max(group.p90_error for group, simple in groups if not simple)
    rules = [group.median_error for group, simple in groups if simple]
    limit = 1.1 * min(max(ours, *rules, 0.05), 1.5)
    axes.set_xlim(0, limit)
    axes.set_ylim(len(groups) - 0.5, -0.5)
    bare(axes, keep=["left", "bottom"])
    axes.set_yticks([])
    axes.locator_params(axis="x", nbins=3)
    axes.xaxis.set_major_formatter(lambda x, _: f"{100 * x:.0f} %")
    axes.grid(axis="x")
    columns = (("rows", right + 0.32), ("bias", right + 0.72), ("held", right + 1.06))
    for name, x in columns:
        picture.text(x, picture.height - 0.02, name, size=SMALL, color=GREY, ha="right", va="top")
    for y, (group, simple) in enumerate(groups):
        colour = LIGHT if simple else FILL["a"]
        axes.plot([group.median_error, min(group.p90_error, limit)], [y, y], color=colour, lw=1.4, zorder=3)
        if group.p90_error > limit:
            axes.plot([limit], [y], ">", color=colour, ms=4, clip_on=False, zorder=4)
        axes.plot([min(group.median_error, limit)], [y], "o", ms=5, mfc="white" if simple else colour,
                  mec=GREY if simple else "white", mew=0.8, zorder=5, clip_on=False)  # fmt: skip
        height = top - 0.175 * (y + 0.5)
        style: dict[str, Any] = {"va": "center", "color": GREY if simple else INK}
        weight = "semibold" if y == 0 else "normal"
        picture.text(
            0, height, shorten(family_name(group.name), left - 0.06), size=LABEL, weight=weight, **style
        )
        cells = (f"{group.rows}", percent(group.bias, sign=True), "–" if math.isnan(group.coverage) or simple
                 else percent(group.coverage))  # fmt: skip
        for (_, x), text in zip(columns, cells, strict=True):
            picture.text(x, height, text, size=SMALL, ha="right", va="center", color=GREY)


def _misses(picture: Frame, worst: Sequence[Dot]) -> None:
    if not worst:
        return
    start, top = 3.72, picture.height - 0.18
    bottom = top - 0.175 * len(worst)
    left = start + min(max(text_width(dot.case_id, SMALL) for dot in worst) + 0.08, 1.5)
    axes = picture.axes(left, bottom, WIDE - 0.42, top)
    axes.set_xscale("log")
    ends = [ratio for dot in worst for ratio in (dot.low / dot.measured, dot.high / dot.measured)]
    axes.set_xlim(min(0.45, max(min(ends), 0.2)) / 1.05, max(2.2, min(max(ends), 5.0)) * 1.05)
    axes.set_ylim(len(worst) - 0.5, -0.5)
    bare(axes, keep=["bottom"])
    axes.set_yticks([])
    axes.xaxis.set_major_locator(FixedLocator([0.25, 0.5, 1.0, 2.0, 4.0]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:g}×")
    axes.axvspan(1 - BAND, 1 + BAND, color=RULE, alpha=0.7, lw=0, zorder=0)
    axes.axvline(1.0, color=GREY, lw=0.7, zorder=1)
    for y, dot in enumerate(worst):
        ratio = dot.predicted / dot.measured
        held = dot.low <= dot.measured <= dot.high
        axes.plot(
            [dot.low / dot.measured, dot.high / dot.measured], [y, y], color=FILL["a"], lw=1.2, zorder=3
        )
        axes.plot([ratio], [y], "o", ms=5, mfc=FILL["a"], mec="white", mew=0.8, zorder=4)
        height = top - 0.175 * (y + 0.5)
        picture.text(
            start,
            height,
            shorten(dot.case_id, left - start - 0.06, SMALL),
            size=SMALL,
            va="center",
            color=INK,
        )
        picture.text(WIDE, height, percent(ratio - 1, sign=True), size=SMALL, ha="right", va="center",
                     color=GREY if held else INK, weight="normal" if held else "semibold")  # fmt: skip
