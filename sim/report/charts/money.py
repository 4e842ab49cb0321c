"""What the job costs: stacked blocks in three views, and the gap between the clusters by cause."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sim.report.charts.style import (
    FILL,
    GREY,
    HALF,
    INK,
    LABEL,
    LIGHT,
    PALE,
    SMALL,
    TEXT,
    WIDE,
    Frame,
    apart,
    axes_height,
    bare,
    described,
    frame,
    shorten,
    styled,
    text_width,
)
from sim.report.content import Interval, JobContent, ReportContent
from sim.report.numbers import aligned, number, scale_of, scaled, signed, with_interval
from sim.report.wording import cost_claim, cost_unit, gap_claim, view_name, views_of

COLUMN, GAP = 0.30, 0.30  # inch: width of a column, and the gap that holds the two interval bars
LADDER_BODY = 1.85
STEP = 0.195  # inch: a row of the waterfall


@styled
def cost_ladder(content: ReportContent, job: JobContent) -> Figure:
    """Blocks of cost on both clusters, one panel per view, with the interval of the total."""
    a, b = content.clusters
    views = [view for view in views_of(job.a.cost) if view in job.b.cost]
    factor, word = scale_of([side.cost[view].p50 for side in (job.a, job.b) for view in views])
    unit = f"{word} {cost_unit(job)}".strip()
    tops = [max(_top(job.a, view), _top(job.b, view)) / factor for view in views]
    own = bool(tops) and max(tops) > 4 * min(tops)
    note = " Each view has its own scale." if own else ""
    subtitle = (
        f"Median cost, {unit}, by block. Bars in the middle: 50 % and 90 % interval of the total.{note}"
    )
    picture = frame(content.identity, WIDE, LADDER_BODY, cost_claim(job, a, b), subtitle)
    panel = WIDE / max(len(views), 1)
    for i, view in enumerate(views):
        axes = picture.axes(i * panel, 0.17, (i + 1) * panel - 0.04, LADDER_BODY - 0.2)
        axes.set_xlim(0, panel - 0.04)
        axes.set_ylim(0, 1.1 * (tops[i] if own else max(tops)))
        bare(axes, keep=["bottom"])
        axes.set_xticks([])
        axes.set_yticks([])
        picture.text(i * panel + (panel - 0.04) / 2, LADDER_BODY - 0.02, view_name(view), size=LABEL,
                     weight="semibold", ha="center", va="top")  # fmt: skip
        middle = (panel - 0.04) / 2
        for key, side, label in (("a", job.a, a.label), ("b", job.b, b.label)):
            _column(axes, key, middle, scaled(side.cost[view], 1 / factor),
                    {name: value / factor for name, value in side.cost_blocks.get(view, {}).items()})  # fmt: skip
            x = i * panel + middle + (-GAP / 2 if key == "a" else GAP / 2)
            name = shorten(label, middle - GAP / 2 - 0.02, LABEL, "semibold")
            picture.text(x, 0.12, name, size=LABEL, color=TEXT[key], weight="semibold",
                         ha="right" if key == "a" else "left", va="top")  # fmt: skip
    words = [
        f"{view_name(view)}: {a.label} {with_interval(job.a.cost[view])}, {b.label} {with_interval(job.b.cost[view])}"
        for view in views
    ]
    return described(picture.figure, f"{cost_claim(job, a, b)}. {'; '.join(words)} {cost_unit(job)}.")


def _top(side: object, view: str) -> float:
    cost, blocks = side.cost[view], side.cost_blocks.get(view, {})  # type: ignore[attr-defined]
    return float(max(cost.p95, sum(blocks.values())))


def _column(axes: Axes, key: str, middle: float, total: Interval, blocks: Mapping[str, float]) -> None:
    """One stacked column, its labels on the outer side, its interval on the inner side, its total on top."""
    outward = -1 if key == "a" else 1
    inner = middle + outward * GAP / 2
    x = inner + outward * COLUMN / 2
    edge = inner + outward * COLUMN
    ends = []
    base = 0.0
    blocks = {name: value for name, value in blocks.items() if value > 0} or {"": total.p50}
    for i, value in enumerate(blocks.values()):
        axes.bar(x, value, COLUMN, bottom=base, color=(FILL if i % 2 == 0 else PALE)[key], ec="white", lw=0.6)
        ends.append(base + value / 2)
        base += value
    bar = middle + outward * 0.06
    axes.plot([bar, bar], [total.p05, total.p95], color=FILL[key], lw=1.2, solid_capstyle="butt")
    axes.plot([bar, bar], [total.p25, total.p75], color=FILL[key], lw=4.0, solid_capstyle="butt")
    _, top = axes.get_ylim()
    per_inch = top / (axes_height(axes))
    axes.text(x, base + 0.02 * top, number(total.p50), size=LABEL, weight="semibold", color=TEXT[key],
              ha="center", va="bottom")  # fmt: skip
    room = (middle - GAP / 2 - COLUMN) - 0.09
    for (name, value), wanted, y in zip(
        blocks.items(), ends, apart(ends, 0.118 * per_inch, 0.055 * per_inch, top), strict=True
    ):
        axes.plot([edge, edge + outward * 0.07], [wanted, y], color=LIGHT, lw=0.5)
        figure = aligned(value, total.p50)
        label = f"{shorten(name, room - text_width(figure + ' ', SMALL), SMALL)} {figure}" if name else ""
        axes.text(edge + outward * 0.09, y, label, size=SMALL, color=INK, va="center",
                  ha="right" if key == "a" else "left")  # fmt: skip


@styled
def waterfall(content: ReportContent, job: JobContent) -> Figure:
    """From B's cost to A's, cause by cause."""
    a, b = content.clusters
    factor, word = scale_of([value for _, value in job.gap])
    steps = [(name, value / factor) for name, value in job.gap]
    body = STEP * len(steps) + 0.08
    unit = f"{word} {job.gap_unit}".strip()
    subtitle = f"{unit[0].upper()}{unit[1:]}, median. Hollow: saves."
    picture = frame(content.identity, HALF, body, gap_claim(job, a, b), subtitle)
    left = min(max(text_width(name, LABEL) for name, _ in steps) + 0.1, 1.3)
    axes = picture.axes(left, 0.02, HALF, body - 0.02)
    _steps(axes, steps, left, picture)
    words = "; ".join(f"{name} {signed(value)}" for name, value in steps[1:-1])
    alt = f"{gap_claim(job, a, b)}. {steps[0][0]} {number(steps[0][1])}, {words}, {steps[-1][0]} {number(steps[-1][1])}"
    return described(picture.figure, f"{alt} ({unit}).")


def _steps(axes: Axes, steps: Sequence[tuple[str, float]], left: float, picture: Frame) -> None:
    """Bars from top to bottom; the first and last are totals, the others hang between running sums."""
    running = 0.0
    spans = []
    for i, (_, value) in enumerate(steps):
        whole = i in (0, len(steps) - 1)
        start = 0.0 if whole else running
        running = value if whole else running + value
        spans.append((start, running))
    edges = [edge for span in spans for edge in span]
    low, high = min(edges), max(edges)
    room = 0.5 / (picture.width - left)  # the labels at the right, as a share of the axes
    axes.set_xlim(low, low + (high - low) / (1 - room))
    axes.set_ylim(len(steps) - 0.4, -0.6)
    bare(axes, keep=["left"])
    axes.set_xticks([])
    axes.set_yticks([])
    largest = max((abs(value) for _, value in steps[1:-1]), default=high)
    for i, ((name, value), (start, end)) in enumerate(zip(steps, spans, strict=True)):
        key = {0: "b", len(steps) - 1: "a"}.get(i)
        face = FILL[key] if key else GREY if value > 0 else "white"
        axes.barh(i, end - start, 0.66, left=start, color=face, ec=FILL[key] if key else GREY, lw=0.8)
        if i + 1 < len(steps):
            axes.plot([end, end], [i + 0.33, i + 0.67], color=LIGHT, lw=0.6)
        colour, weight = (TEXT[key], "semibold") if key else (INK, "normal")
        label = number(value) if key else aligned(value, largest, sign=True)
        axes.annotate(label, (max(start, end), i), xytext=(3, 0),
                      textcoords="offset points", va="center", size=LABEL, color=colour, weight=weight)  # fmt: skip
        axes.annotate(shorten(name, left - 0.08), (0, i), xycoords=axes.get_yaxis_transform(), xytext=(-72 * left, 0),
                      textcoords="offset points", va="center", size=LABEL, color=colour, weight=weight)  # fmt: skip
