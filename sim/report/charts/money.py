"""What the job costs: stacked blocks in three views, and the gap between the clusters by cause."""

from __future__ import annotations

import math
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
    fitted,
    frame,
    shorten,
    styled,
    text_width,
)
from sim.report.claims import cost_claim, gap_claim
from sim.report.content import Interval, JobContent, JobSide, ReportContent
from sim.report.numbers import aligned, finite, number, scale_of, scaled, signed, with_interval
from sim.report.wording import capital, cost_unit, drawn_views, view_name

COLUMN, GAP = 0.25, 0.26  # inch: width of a column, and the gap that holds the two interval bars
LADDER_BODY = 1.55
BLOCKS = 7  # blocks shown one by one
CAUSES = 6  # steps of a waterfall that are named; the others are put together
STEP = 0.172  # inch: a row of the waterfall


@styled
def cost_ladder(content: ReportContent, job: JobContent) -> Figure:
    """Blocks of cost on both clusters, one panel per view, with the interval of the total."""
    a, b = content.clusters
    views = drawn_views(job)
    factor, word = scale_of([cost.p50 for view in views for cost in _costs(job, view).values()])
    unit = f"{word} {cost_unit(job)}".strip()
    tops = [_top(job, view) / factor for view in views]
    own = max(tops) > 4 * min(tops)
    note = " Each view has its own scale." if own else ""
    subtitle = (
        f"Median cost, {unit}, by block. Bars in the middle: 50 % and 90 % interval of the total "
        f"(an arrow: it goes on).{note}"
    )
    picture = frame(content.identity, WIDE, LADDER_BODY, cost_claim(job, a, b), subtitle)
    left = 0.0
    for view, top, panel in zip(views, tops, _panels(job, views), strict=True):
        axes = picture.axes(left, 0.17, left + panel - 0.04, LADDER_BODY - 0.2)
        axes.set_xlim(0, panel - 0.04)
        axes.set_ylim(0, 1.06 * (top if own else max(tops)))
        bare(axes, keep=["bottom"])
        axes.set_xticks([])
        axes.set_yticks([])
        middle = (panel - 0.04) / 2
        picture.text(left + middle, LADDER_BODY - 0.02, view_name(view), size=LABEL, weight="semibold",
                     ha="center", va="top")  # fmt: skip
        for key, side, label in (("a", job.a, a.label), ("b", job.b, b.label)):
            if key in _costs(job, view):
                _column(axes, key, middle, scaled(side.cost[view], 1 / factor), _blocks(side, view, factor))
            else:
                _unknown(axes, key, middle, view)
            name = fitted(label, middle - GAP / 2 - 0.02)
            x = left + middle + (-GAP / 2 if key == "a" else GAP / 2)
            picture.text(x, 0.12, name, size=LABEL, color=TEXT[key], weight="semibold",
                         ha="right" if key == "a" else "left", va="top")  # fmt: skip
        left += panel
    words = [
        f"{view_name(view)}: "
        + ", ".join(
            f"{label} {with_interval(costs[key]) if key in costs else 'unknown'}"
            for key, label in (("a", a.label), ("b", b.label))
        )
        for view in views
        for costs in (_costs(job, view),)
    ]
    return described(picture.figure, f"{cost_claim(job, a, b)}. {'; '.join(words)} {cost_unit(job)}.")


def _costs(job: JobContent, view: str) -> dict[str, Interval]:
    """The costs in a view that are numbers, by the key of the cluster."""
    sides = {"a": job.a.cost.get(view), "b": job.b.cost.get(view)}
    return {key: cost for key, cost in sides.items() if cost is not None and finite(cost)}


def _unknown(axes: Axes, key: str, middle: float, view: str) -> None:
    """What stands in the place of a column that nobody can size."""
    outward = -1 if key == "a" else 1
    what = "no market\nrent known" if view == "rental" else "not known"
    axes.text(middle + outward * GAP / 2, 0.02 * axes.get_ylim()[1], what, size=SMALL, color=GREY, va="bottom",
              ha="right" if key == "a" else "left")  # fmt: skip


def _blocks(side: JobSide, view: str, factor: float) -> dict[str, float]:
    """The blocks that cost something; those beyond the seventh in size are put together."""
    blocks = {name: value / factor for name, value in side.cost_blocks.get(view, {}).items() if value > 0}
    kept = set(sorted(blocks, key=lambda name: -blocks[name])[:BLOCKS])
    other = sum(value for name, value in blocks.items() if name not in kept)
    shown = {name: value for name, value in blocks.items() if name in kept} | (
        {"other": other} if other else {}
    )
    return shown or {"": side.cost[view].p50 / factor}


def _top(job: JobContent, view: str) -> float:
    """Height to show: the columns whole, the intervals as far as they do not dwarf them."""
    costs = _costs(job, view)
    sides = [(cost, side) for key, cost in costs.items() for side in ((job.a if key == "a" else job.b),)]
    columns = max(max(cost.p50, sum(side.cost_blocks.get(view, {}).values())) for cost, side in sides)
    ends = [x for cost in costs.values() for x in (cost.p95, cost.p75) if math.isfinite(x)]
    return float(max(1.12 * columns, min(max([columns, *ends]), 1.7 * columns)))


def _panels(job: JobContent, views: Sequence[str]) -> list[float]:
    """Widths of the panels [inch]: views of a single block need less room for labels."""
    weights = [
        1.0 if max(len(side.cost_blocks.get(view, {})) for side in (job.a, job.b)) > 1 else 0.62
        for view in views
    ]
    return [WIDE * weight / sum(weights) for weight in weights]


def _column(axes: Axes, key: str, middle: float, total: Interval, blocks: Mapping[str, float]) -> None:
    """One stacked column, its labels on the outer side, its interval on the inner side, its total on top."""
    outward = -1 if key == "a" else 1
    inner = middle + outward * GAP / 2
    x = inner + outward * COLUMN / 2
    edge = inner + outward * COLUMN
    centres = []
    base = 0.0
    for i, value in enumerate(blocks.values()):
        axes.bar(x, value, COLUMN, bottom=base, color=(FILL if i % 2 == 0 else PALE)[key], ec="white", lw=0.6)
        centres.append(base + value / 2)
        base += value
    bar = middle + outward * 0.06
    ceiling = axes.get_ylim()[1]
    ends = [min(x, ceiling) for x in (total.p05, total.p95, total.p25, total.p75)]
    axes.plot([bar, bar], ends[:2], color=FILL[key], lw=1.2, solid_capstyle="butt")
    axes.plot([bar, bar], ends[2:], color=FILL[key], lw=4.0, solid_capstyle="butt")
    if total.p95 > ceiling:
        axes.plot([bar], [ceiling], "^", color=FILL[key], ms=4, clip_on=False)
    _, top = axes.get_ylim()
    per_inch = top / (axes_height(axes))
    axes.text(x, base + 0.02 * top, number(total.p50), size=LABEL, weight="semibold", color=TEXT[key],
              ha="center", va="bottom")  # fmt: skip
    room = (middle - GAP / 2 - COLUMN) - 0.09
    for (name, value), wanted, y in zip(
        blocks.items(), centres, apart(centres, 0.118 * per_inch, 0.055 * per_inch, top), strict=True
    ):
        if len(blocks) == 1:  # the total says it
            break
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
    steps = _few([(name, value / factor) for name, value in job.gap])
    body = STEP * len(steps) + 0.08
    unit = f"{word} {job.gap_unit}".strip()
    subtitle = (
        f"{capital(unit)}, median; Shapley parts of a typical gap, those of throughput at median inputs. "
        "Hollow: saves."
    )
    picture = frame(content.identity, HALF, body, gap_claim(job, a, b), subtitle)
    left = min(max(text_width(name, LABEL) for name, _ in steps) + 0.1, 1.6)
    axes = picture.axes(left, 0.02, HALF, body - 0.02)
    _steps(axes, steps, left, picture)
    words = "; ".join(f"{name} {signed(value)}" for name, value in steps[1:-1])
    alt = f"{gap_claim(job, a, b)}. {steps[0][0]} {number(steps[0][1])}, {words}, {steps[-1][0]} {number(steps[-1][1])}"
    return described(picture.figure, f"{alt} ({unit}).")


def _few(steps: Sequence[tuple[str, float]]) -> list[tuple[str, float]]:
    """The largest causes; the others are put together before what is left over."""
    first, *causes, last = steps
    left = [step for step in causes if step[0] == "spread of inputs"]
    ranked = [step for step in causes if step not in left]
    kept, small = ranked[:CAUSES], ranked[CAUSES:]
    other = [("other", sum(value for _, value in small))] if len(small) > 1 else small
    return [first, *kept, *other, *left, last]


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
