"""What happens inside one job: where the time goes, the schedule, the calendar, the frontier."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, MaxNLocator

from sim.report.charts.style import (
    FILL,
    GREY,
    HALF,
    INK,
    LABEL,
    LIGHT,
    MARKER,
    PALE,
    SMALL,
    SUBTITLE,
    TEXT,
    WIDE,
    Frame,
    axes_width,
    bare,
    described,
    frame,
    interval_marks,
    shorten,
    styled,
    text_width,
)
from sim.report.content import ClusterContent, JobContent, JobSide, ReportContent
from sim.report.numbers import aligned, bounds, duration, number, percent
from sim.report.wording import (
    breakdown_claim,
    frontier_claim,
    timeline_claim,
    utilisation_claim,
    wall_time_claim,
)

PAIR = 0.275  # inch: a row with one bar of each cluster


def paired_bars(picture: Frame, clusters: tuple[ClusterContent, ClusterContent], rows: Mapping[str, tuple[float, float]],
                labels: Mapping[str, tuple[str, str]], limit: float | None = None) -> None:  # fmt: skip
    """Two zero-based bars per row, labelled at their ends; rows from top to bottom in the order given."""
    names = list(rows)
    left = min(max(text_width(name, LABEL) for name in names) + 0.1, 0.42 * picture.width)
    axes = picture.axes(left, 0.0, picture.width, picture.height - 0.18)
    room = max(text_width(text, SMALL) for pair in labels.values() for text in pair) + 0.08
    top = limit or max(max(pair) for pair in rows.values()) or 1.0
    axes.set_xlim(0, top / (1 - room / (picture.width - left)))
    axes.set_ylim(len(names) - 0.5, -0.5)
    bare(axes, keep=["left"])
    axes.set_xticks([])
    axes.set_yticks([])
    for i, name in enumerate(names):
        for key, shift, value, text in zip("ab", (-0.19, 0.19), rows[name], labels[name], strict=True):
            axes.barh(i + shift, value, 0.36, color=FILL[key])
            axes.annotate(text, (value, i + shift), xytext=(2.5, 0), textcoords="offset points", va="center",
                          size=SMALL, color=TEXT[key])  # fmt: skip
        axes.annotate(shorten(name, left - 0.08), (0, i), xycoords=axes.get_yaxis_transform(),
                      xytext=(-72 * left, 0), textcoords="offset points", va="center", size=LABEL)  # fmt: skip
    _key(picture, clusters, left)


def _key(picture: Frame, clusters: tuple[ClusterContent, ClusterContent], x: float) -> None:
    """The names of the clusters in their colours, above the first bars, or from the left edge if they are long."""
    room = picture.width / 2 - 0.3
    labels = {cluster.key: shorten(cluster.label, room, LABEL, "semibold") for cluster in clusters}
    wide = sum(text_width(label, LABEL, "semibold") for label in labels.values()) + 0.4
    x = max(min(x, picture.width - wide), 0.0)
    for cluster in clusters:
        picture.text(x, picture.height - 0.02, "■", size=LABEL, color=FILL[cluster.key], va="top")
        picture.text(x + 0.11, picture.height - 0.02, labels[cluster.key], size=LABEL, weight="semibold",
                     color=TEXT[cluster.key], va="top")  # fmt: skip
        x += text_width(labels[cluster.key], LABEL, "semibold") + 0.26


@styled
def breakdown(content: ReportContent, job: JobContent, width: float = HALF) -> Figure:
    """Where the time of one step goes, term by term."""
    terms = sorted(
        {**job.a.breakdown, **job.b.breakdown},
        key=lambda name: -max(job.a.breakdown.get(name, 0.0), job.b.breakdown.get(name, 0.0)),
    )
    rows = {name: (job.a.breakdown.get(name, 0.0), job.b.breakdown.get(name, 0.0)) for name in terms}
    totals = sum(job.a.breakdown.values()), sum(job.b.breakdown.values())
    factor, unit = (1.0, "s") if max(totals) >= 1 else (1e3, "ms")
    largest = max(max(pair) for pair in rows.values())
    labels = {
        name: tuple(f"{aligned(factor * value, factor * largest)} ({percent(value / total)})" if total else ""
                    for value, total in zip(pair, totals, strict=True))
        for name, pair in rows.items()
    }  # fmt: skip
    what = "training step" if job.kind == "training" else "decode step"
    subtitle = (
        f"Median {what} by term, {unit} and share; in all {duration(totals[0])} and {duration(totals[1])}."
    )
    claim = breakdown_claim(job, *content.clusters)
    picture = frame(content.identity, width, PAIR * len(rows) + 0.2, claim, subtitle)
    paired_bars(picture, content.clusters, rows, labels)  # type: ignore[arg-type]
    words = "; ".join(f"{name}: {duration(x)} and {duration(y)}" for name, (x, y) in rows.items())
    return described(
        picture.figure, f"{claim}. {content.clusters[0].label} and {content.clusters[1].label}: {words}."
    )


@styled
def utilisation(content: ReportContent, job: JobContent, width: float = HALF) -> Figure:
    """How much of each resource the decode step uses."""
    one, two = job.a.utilisation or {}, job.b.utilisation or {}
    names = sorted({**one, **two}, key=lambda name: -max(one.get(name, 0.0), two.get(name, 0.0)))
    rows = {name: (one.get(name, 0.0), two.get(name, 0.0)) for name in names}
    labels = {name: (percent(x), percent(y)) for name, (x, y) in rows.items()}
    claim = utilisation_claim(job, *content.clusters)
    picture = frame(
        content.identity,
        width,
        PAIR * len(rows) + 0.2,
        claim,
        "Share of its peak in the decode step, median.",
    )
    paired_bars(picture, content.clusters, rows, labels, limit=1.0)
    words = "; ".join(f"{name}: {x} and {y}" for name, (x, y) in labels.items())
    return described(
        picture.figure, f"{claim}. {content.clusters[0].label} and {content.clusters[1].label}: {words}."
    )


@styled
def timeline(content: ReportContent, job: JobContent) -> Figure:
    """One step of the pipeline on both clusters: a thumbnail on one time axis."""
    sides = [
        (cluster, side)
        for cluster, side in zip(content.clusters, (job.a, job.b), strict=True)
        if side.timeline
    ]
    end = max(row[2] for _, side in sides for row in side.timeline)
    height = 0.94
    claim = timeline_claim(job, *content.clusters)
    split = any(row[3] == "W" for _, side in sides for row in side.timeline)
    subtitle = (
        "One training step; rows are pipeline stages, time runs to the right on one scale. Dark: forward, "
        f"pale: backward{' of inputs, grey: of weights' if split else ''}, white: idle."
    )
    picture = frame(content.identity, WIDE, height * len(sides) + 0.2, claim, subtitle)
    factor, unit = (1.0, "s") if end >= 1 else (1e3, "ms")
    for i, (cluster, side) in enumerate(sides):
        bottom = 0.2 + height * (len(sides) - 1 - i)
        axes = picture.axes(0.08, bottom + 0.06, WIDE - 0.1, bottom + height - 0.2)
        stages = 1 + max(row[0] for row in side.timeline)
        _blocks(axes, cluster.key, side)
        axes.set_xlim(0, factor * end)
        axes.set_ylim(stages - 0.4, -0.6)
        bare(axes, keep=["bottom"] if i == len(sides) - 1 else [])
        axes.set_yticks([])
        axes.xaxis.set_major_locator(MaxNLocator(7))
        if i < len(sides) - 1:
            axes.set_xticks([])
        else:
            axes.xaxis.set_major_formatter(FormatStrFormatter(f"%g {unit}"))
        text = f"{cluster.label}: {stages} stages, {duration(_end(side))}, {percent(idle_share(side))} idle"
        picture.text(
            0, bottom + height - 0.04, text, size=LABEL, weight="semibold", color=TEXT[cluster.key], va="top"
        )
    return described(picture.figure, f"{claim}.")


def _end(side: JobSide) -> float:
    return max(row[2] for row in side.timeline)


def idle_share(side: JobSide) -> float:
    """Share of stage-time in the drawn step in which a stage waits."""
    stages = 1 + max(row[0] for row in side.timeline)
    return 1 - sum(end - start for _, start, end, _ in side.timeline) / (stages * _end(side))


def _blocks(axes: Axes, key: str, side: JobSide) -> None:
    shades = {"F": FILL[key], "B": PALE[key], "W": LIGHT}
    factor = 1.0 if _end(side) >= 1 else 1e3
    for kind, colour in shades.items():
        boxes = [
            [(factor * s, y - 0.42), (factor * e, y - 0.42), (factor * e, y + 0.42), (factor * s, y + 0.42)]
            for y, s, e, what in side.timeline
            if what == kind
        ]
        if boxes:
            axes.add_collection(PolyCollection(boxes, fc=colour, ec="white", lw=0.25))


@styled
def wall_time(content: ReportContent, job: JobContent, width: float = HALF) -> Figure:
    """How long the run takes on both clusters: the distribution over draws, and its intervals."""
    sides = [(c, s) for c, s in zip(content.clusters, (job.a, job.b), strict=True) if s.wall_days is not None]
    claim = wall_time_claim(job, *content.clusters)
    subtitle = "Days, stops included, over all draws. Bars: 50 % and 90 % interval."
    row = 0.72
    picture = frame(content.identity, width, row * len(sides) + 0.31, claim, subtitle)
    highs = [max(np.quantile(s.wall_days_samples, 0.995), s.wall_days.p95) if len(s.wall_days_samples) else s.wall_days.p95
             for _, s in sides if s.wall_days]  # fmt: skip
    top = 1.05 * float(max(highs))
    for i, (cluster, side) in enumerate(sides):
        bottom = 0.31 + row * (len(sides) - 1 - i)
        axes = picture.axes(0.06, bottom, width - 0.06, bottom + row - 0.04)
        axes.set_xlim(0, top)
        last = i == len(sides) - 1
        _distribution(axes, cluster, side, top)
        bare(axes, keep=["bottom"] if last else [])
        axes.set_yticks([])
        axes.xaxis.set_major_locator(MaxNLocator(5))
        if not last:
            axes.tick_params(axis="x", labelbottom=False)
        axes.grid(axis="x")
        if last:
            axes.set_xlabel("days", size=SMALL, labelpad=1)
    alt = "; ".join(
        f"{c.label}: {number(s.wall_days.p50)} days, 90 % interval {bounds(s.wall_days)}"
        for c, s in sides
        if s.wall_days
    )
    return described(picture.figure, f"{claim}. {alt}.")


def _distribution(axes: Axes, cluster: ClusterContent, side: JobSide, top: float) -> None:
    """A histogram above, the interval marks below, the name and median at the emptier side."""
    assert side.wall_days is not None
    if len(side.wall_days_samples):
        counts, edges = np.histogram(np.asarray(side.wall_days_samples), bins=60, range=(0, top))
        axes.stairs(counts / max(counts.max(), 1), edges, fill=True, color=PALE[cluster.key], zorder=2)
    axes.set_ylim(-0.42, 1.05)
    interval_marks(axes, -0.2, side.wall_days, cluster.key)
    right = side.wall_days.p50 < 0.5 * top
    x = side.wall_days.p95 + 0.02 * top if right else side.wall_days.p05 - 0.02 * top
    room = (top - x if right else x) / top * axes_width(axes)
    text = f"{shorten(cluster.label, room, LABEL, 'semibold')}\n{number(side.wall_days.p50)} days"
    axes.text(x, 0.62, text, ha="left" if right else "right", va="center", size=LABEL, weight="semibold",
              color=TEXT[cluster.key], linespacing=1.25)  # fmt: skip


@styled
def frontier(content: ReportContent, job: JobContent, width: float = HALF) -> Figure:
    """Throughput per chip against speed per user, both clusters, with the point that the answer uses."""
    claim = frontier_claim(job, *content.clusters)
    subtitle = "Output tokens/s per chip. Ringed: where the answer is taken."
    body = 2.3
    picture = frame(content.identity, width, body, claim, subtitle)
    axes = picture.axes(0.42, 0.34, width - 0.06, body - 0.02)
    sides = [(c, s) for c, s in zip(content.clusters, (job.a, job.b), strict=True) if s.frontier]
    right = max(x for _, s in sides for x, _ in s.frontier)
    top = max(y for _, s in sides for _, y in s.frontier)
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
    """The upper curve is named above it, the lower below, as far right as there is room between curve and axis."""
    curves = {c.key: tuple(zip(*sorted(s.frontier), strict=True)) for c, s in sides}
    heights = {share: {key: float(np.interp(share * right, x, y)) for key, (x, y) in curves.items()}
               for share in (0.62, 0.5, 0.4, 0.3, 0.2)}  # fmt: skip
    share = next((share for share, high in heights.items() if min(high.values()) > 0.14 * top), 0.2)
    inches = axes_width(axes)
    for cluster, _ in sides:
        height = heights[share][cluster.key]
        upper = height == max(heights[share].values())
        room = inches * (1 - share if upper else share) - 0.15
        label = shorten(cluster.label, room, SUBTITLE, "semibold")
        axes.annotate(label, (share * right, height), xytext=(6, 7) if upper else (-6, -8),
                      textcoords="offset points", size=SUBTITLE, weight="semibold", color=TEXT[cluster.key],
                      ha="left" if upper else "right", va="center",
                      bbox={"fc": "white", "ec": "none", "pad": 0.4})  # fmt: skip
