"""What happens inside one job: where the time goes, the schedule, the calendar, the frontier."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, MaxNLocator

from sim.report.charts.rows import margin_for, row_name
from sim.report.charts.style import (
    FILL,
    GREY,
    HALF,
    LABEL,
    LIGHT,
    PALE,
    SMALL,
    TEXT,
    WIDE,
    Frame,
    axes_width,
    bare,
    described,
    fitted,
    frame,
    interval_marks,
    styled,
    text_width,
)
from sim.report.claims import breakdown_claim, timeline_claim, utilisation_claim, wall_time_claim
from sim.report.content import ClusterContent, JobContent, JobSide, ReportContent
from sim.report.numbers import aligned, bounds, duration, number, percent

TERMS = 9  # rows of a breakdown, besides what is put together
FAR = 1.4  # times the 95th percentile: end of the axis of days
PAIR = 0.243  # inch: a row with one bar of each cluster


def paired_bars(picture: Frame, clusters: tuple[ClusterContent, ClusterContent], rows: Mapping[str, tuple[float, float]],
                labels: Mapping[str, tuple[str, str]], limit: float | None = None) -> None:  # fmt: skip
    """Two zero-based bars per row, labelled at their ends; rows from top to bottom in the order given."""
    names = list(rows)
    left = margin_for(names, 0.42 * picture.width)
    axes = picture.axes(left, 0.0, picture.width, picture.height - 0.18)
    room = max(text_width(text, SMALL) for pair in labels.values() for text in pair) + 0.08
    top = limit or max(max(pair) for pair in rows.values()) or 1.0
    axes.set_xlim(0, top / (1 - room / (picture.width - left)))
    axes.set_ylim(len(names) - 0.5, -0.5)
    bare(axes, keep=["left"])
    axes.set_xticks([])
    axes.set_yticks([])
    for i, name in enumerate(names):
        for key, shift, value, text in zip("ab", (-0.22, 0.22), rows[name], labels[name], strict=True):
            axes.barh(i + shift, value, 0.38, color=FILL[key])
            axes.annotate(text, (value, i + shift), xytext=(2.5, 0), textcoords="offset points", va="center",
                          size=SMALL, color=TEXT[key])  # fmt: skip
        row_name(axes, i, name, left)
    _key(picture, clusters, left)


def _key(picture: Frame, clusters: tuple[ClusterContent, ClusterContent], x: float) -> None:
    """The names of the clusters in their colours, above the first bars, or from the left edge if they are long."""
    room = picture.width / 2 - 0.3
    labels = {cluster.key: fitted(cluster.label, room) for cluster in clusters}
    wide = sum(text_width(label, LABEL, "semibold") for label in labels.values()) + 0.4
    x = max(min(x, picture.width - wide), 0.0)
    for cluster in clusters:
        picture.text(x, picture.height - 0.02, "■", size=LABEL, color=FILL[cluster.key], va="top")
        picture.text(x + 0.11, picture.height - 0.02, labels[cluster.key], size=LABEL, weight="semibold",
                     color=TEXT[cluster.key], va="top")  # fmt: skip
        x += text_width(labels[cluster.key], LABEL, "semibold") + 0.26


def largest_terms(a: Mapping[str, float], b: Mapping[str, float]) -> dict[str, tuple[float, float]]:
    """Pairs of both sides, largest first; what is beyond the ninth place goes together as "other"."""
    pairs = {name: (a.get(name, 0.0), b.get(name, 0.0)) for name in {**a, **b}}
    ranked = sorted(pairs, key=lambda name: (name == "other", -max(pairs[name])))
    if len(ranked) <= TERMS + 1:  # a row for "other" would save nothing
        return {name: pairs[name] for name in ranked}
    kept, rest = ranked[:TERMS], ranked[TERMS:]
    other = [pairs[name] for name in rest]
    return {name: pairs[name] for name in kept} | {
        "other": (sum(x for x, _ in other), sum(y for _, y in other))
    }


@styled
def breakdown(content: ReportContent, job: JobContent, width: float = HALF) -> Figure:
    """Where the time of one step goes, term by term."""
    rows = largest_terms(job.a.breakdown, job.b.breakdown)
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
    height = 0.78
    claim = timeline_claim(job, *content.clusters)
    kinds = {row[3] for _, side in sides for row in side.timeline}
    both = ", between: both at once" if "F&B" in kinds else ""
    weights = ", grey: weight gradients" if "W" in kinds else ""
    subtitle = (
        "As played by events, without gradient exchange, optimizer and jitter. Rows: pipeline stages, on one "
        "scale of time. Dark: forward, "
        f"pale: backward{both}{weights}, white: idle."
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
        rows = f"{stages} {'stage' if stages == 1 else 'stages'}"
        text = f"{cluster.label}: {rows}, {duration(_end(side))}, {percent(idle_share(side))} idle"
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
    red, green, blue = 0.5 * np.add(to_rgb(FILL[key]), to_rgb(PALE[key]))
    both = to_hex((red, green, blue))
    shades = {"F": FILL[key], "B": PALE[key], "W": LIGHT, "F&B": both}
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
    top = 1.05 * max(_far(side) for _, side in sides)
    subtitle = "Days, stops included, over all draws. Bars: 50 % and 90 % interval."
    beyond = sum(days > top for _, side in sides for days in side.wall_days_samples)
    if beyond:
        subtitle += f" {beyond} {'draw lies' if beyond == 1 else 'draws lie'} beyond the axis."
    if any(side.wall_days_chance for _, side in sides):
        subtitle += " Grey: 90 % by chance of the stops alone."
    row = 0.72
    picture = frame(content.identity, width, row * len(sides) + 0.31, claim, subtitle)
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


def _far(side: JobSide) -> float:
    """Days to show: all but the longest half per cent of the draws, and not far beyond the 95th percentile."""
    assert side.wall_days is not None
    samples = side.wall_days_samples or [side.wall_days.p95]
    return float(min(max(np.quantile(samples, 0.995), side.wall_days.p95), FAR * side.wall_days.p95))


def _distribution(axes: Axes, cluster: ClusterContent, side: JobSide, top: float) -> None:
    """A histogram above, the interval marks below, the name and median at the emptier side."""
    assert side.wall_days is not None
    if len(side.wall_days_samples):
        counts, edges = np.histogram(np.asarray(side.wall_days_samples), bins=60, range=(0, top))
        axes.stairs(counts / max(counts.max(), 1), edges, fill=True, color=PALE[cluster.key], zorder=2)
    axes.set_ylim(-0.42, 1.05)
    interval_marks(axes, -0.16, side.wall_days, cluster.key)
    if side.wall_days_chance is not None:
        ends = [side.wall_days_chance.p05, side.wall_days_chance.p95]
        axes.plot(ends, [-0.36, -0.36], color=GREY, lw=1.6, solid_capstyle="butt", zorder=3)
    right = top - side.wall_days.p95 > side.wall_days.p05
    x = side.wall_days.p95 + 0.02 * top if right else side.wall_days.p05 - 0.02 * top
    room = (top - x if right else x) / top * axes_width(axes)
    text = f"{fitted(cluster.label, room)}\n{number(side.wall_days.p50)} days"
    axes.text(x, 0.62, text, ha="left" if right else "right", va="center", size=LABEL, weight="semibold",
              color=TEXT[cluster.key], linespacing=1.25)  # fmt: skip
