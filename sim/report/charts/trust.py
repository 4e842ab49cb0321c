"""How far to trust the physics: predictions against published measurements, misses included."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, NullLocator

from sim.report.charts.rows import centres, lines_of, margin_for, row_name, stacked
from sim.report.charts.style import (
    FILL,
    GREY,
    HALF,
    INK,
    LIGHT,
    MARKER,
    RULE,
    SMALL,
    TEXT,
    axes_width,
    bare,
    described,
    frame,
    styled,
)
from sim.report.claims import group_claim, scatter_claim
from sim.report.content import ReportContent, ValidationGroup, ValidationRecord
from sim.report.numbers import number, percent
from sim.report.wording import family_name

ROW = 0.17
BAND = 0.2  # the grey band of the scatter: predicted within 20 % of measured


@styled
def validation_scatter(content: ReportContent, record: ValidationRecord, width: float = HALF) -> Figure:
    """Predicted against measured on logarithmic axes; the families of A and B in their colours."""
    claim = scatter_claim(record)
    within = [abs(predicted / measured - 1) <= BAND for _, _, measured, predicted in record.points]
    subtitle = (
        f"Predicted against measured, {record.kind}, both axes logarithmic; each dot is one published run. "
        f"Grey band: within {percent(BAND)}, which holds {sum(within)} of {len(within)}."
    )
    body = 2.1
    picture = frame(content.identity, width, body, claim, subtitle)
    axes = picture.axes(0.52, 0.34, width - 0.08, body - 0.02)
    values = [v for _, _, measured, predicted in record.points for v in (measured, predicted) if v > 0]
    low, high = 0.7 * min(values), 1.5 * max(values)
    for scale, limits in ((axes.set_xscale, axes.set_xlim), (axes.set_yscale, axes.set_ylim)):
        scale("log")
        limits(low, high)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(10, numticks=6))
        axis.set_minor_locator(NullLocator())
        axis.set_minor_formatter(NullFormatter())
        axis.set_major_formatter(lambda x, _: number(x, 1) if x < 1 or x >= 1e6 else f"{x:,.0f}")
    axes.fill_between([low, high], [(1 - BAND) * low, (1 - BAND) * high], [(1 + BAND) * low, (1 + BAND) * high],
                      color=RULE, alpha=0.6, lw=0)  # fmt: skip
    axes.plot([low, high], [low, high], color=GREY, lw=0.8)
    axes.set_xlabel("measured", size=SMALL, labelpad=1)
    axes.set_ylabel("predicted", size=SMALL, labelpad=2)
    _dots(axes, content, record)
    return described(
        picture.figure, f"{claim}. {sum(within)} of {len(within)} runs lie within {percent(BAND)}."
    )


def _dots(axes: Axes, content: ReportContent, record: ValidationRecord) -> None:
    """Other families first and in grey, then B's and A's; counts in the empty upper left corner."""
    keys: Mapping[str, str] = {c.family: c.key for c in reversed(content.clusters) if c.family}
    lines = []
    for key in ("a", "b", ""):
        points = [(m, p) for _, family, m, p in record.points if keys.get(family, "") == key]
        if not points:
            continue
        face = FILL[key] if key else "white"
        axes.plot(*zip(*points, strict=True), ls="", marker=MARKER.get(key, "^"), ms=4.2 if key else 3.4, mfc=face,
                  mec="white" if key else LIGHT, mew=0.5 if key else 0.8, zorder={"a": 6, "b": 5}.get(key, 2))  # fmt: skip
        name = next((family_name(f) for f, k in keys.items() if k == key), "other families")
        lines.append((key, f"{name} ({len(points)})"))
    for i, (key, text) in enumerate(lines):
        y = 0.955 - 0.07 * i
        axes.plot([0.035], [y], ls="", marker=MARKER.get(key, "^"), ms=4.6, transform=axes.transAxes,
                  mfc=FILL[key] if key else "white", mec=FILL[key] if key else LIGHT)  # fmt: skip
        axes.text(0.07, y, text, transform=axes.transAxes, size=SMALL, va="center", weight="semibold",
                  color=TEXT.get(key, GREY))  # fmt: skip


@styled
def validation_error(content: ReportContent, record: ValidationRecord, width: float = HALF) -> Figure:
    """Error by group, beside what two simple rules would have reached."""
    claim = group_claim(record)
    subtitle = (
        "Relative error: dot median, bar to the 90th percentile. Hollow: simple rules. "
        "Right: rows, and share inside the 80 % interval."
    )
    groups, baselines = list(record.groups), list(record.baselines)
    rows: list[tuple[ValidationGroup, bool]] = [(g, False) for g in groups] + [(g, True) for g in baselines]
    names = [family_name(g.name) for g, _ in rows]
    left = margin_for(names, 1.6)
    heights = stacked([len(lines_of(name, left - 0.08)) for name in names], ROW)
    body = sum(heights) + 0.38
    picture = frame(content.identity, width, body, claim, subtitle)
    axes = picture.axes(left, 0.22, width - 0.8, body - 0.16)
    top = max(g.p90_error for g, _ in rows)
    axes.set_xlim(0, 1.05 * min(top, 2.0))
    axes.set_ylim(sum(heights), 0.0)
    bare(axes, keep=["left", "bottom"])
    axes.set_yticks([])
    axes.locator_params(axis="x", nbins=4)
    axes.xaxis.set_major_formatter(lambda x, _: f"{100 * x:.0f} %")
    axes.grid(axis="x")
    for y, (group, simple) in zip(centres(heights), rows, strict=True):
        _error_row(axes, y, group, simple, left, content)
    picture.text(width - 0.42, body - 0.02, "rows", size=SMALL, color=GREY, ha="right", va="top")
    picture.text(width, body - 0.02, "inside", size=SMALL, color=GREY, ha="right", va="top")
    words = "; ".join(
        f"{g.name}: median {percent(g.median_error)}, 90th percentile {percent(g.p90_error)}" for g, _ in rows
    )
    return described(picture.figure, f"{claim}. {words}.")


def _error_row(
    axes: Axes, y: float, group: ValidationGroup, simple: bool, left: float, content: ReportContent
) -> None:
    key = next((c.key for c in content.clusters if c.family and c.family == group.name), "")
    colour = LIGHT if simple else FILL[key] if key else GREY
    limit = axes.get_xlim()[1]
    axes.plot(
        [group.median_error, min(group.p90_error, limit)],
        [y, y],
        color=colour,
        lw=1.4,
        solid_capstyle="butt",
        zorder=3,
    )
    if group.p90_error > limit:
        axes.plot([limit], [y], ">", color=colour, ms=4, clip_on=False, zorder=4)
    axes.plot([group.median_error], [y], MARKER.get(key, "o"), ms=5.5, mfc="white" if simple else colour,
              mec=GREY if simple else "white", mew=0.9, zorder=4, clip_on=False)  # fmt: skip
    inches = axes_width(axes)
    style: dict[str, Any] = {"transform": axes.get_yaxis_transform(), "va": "center", "clip_on": False}
    weight = "semibold" if group.name == "all" or key else "normal"
    colour = TEXT.get(key, GREY if simple else INK)
    row_name(axes, y, family_name(group.name), left, weight=weight, colour=colour)
    axes.text(1 + 0.38 / inches, y, f"{group.rows}", size=SMALL, ha="right", color=GREY, **style)
    cover = "–" if (simple and group.coverage == 0) or math.isnan(group.coverage) else percent(group.coverage)
    axes.text(1 + 0.8 / inches, y, cover, size=SMALL, ha="right", color=GREY, **style)
