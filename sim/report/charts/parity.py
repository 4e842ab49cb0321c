"""The answer in one picture: how many of B do the work of A, job by job."""

from __future__ import annotations

import math

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from sim.report.certainty import blind_words
from sim.report.charts.rows import LINE, interval_row, margin_for, row_name, row_value
from sim.report.charts.style import (
    FILL,
    GREY,
    LABEL,
    RULE,
    SMALL,
    TEXT,
    WIDE,
    axes_width,
    bare,
    described,
    frame,
    styled,
    text_width,
    wrap,
)
from sim.report.claims import parity_claim
from sim.report.content import JobContent, PaperMetric, ReportContent
from sim.report.numbers import bounds, number
from sim.report.verdicts import base_words, decider_words, deciders, flip_words, slogan_verdict
from sim.report.wording import spoken

RIGHT = 0.5  # inch: the column of medians
PAGE = 7.3  # inch: what the words of the first page and the rows of this chart share
LEFT_BOX, RIGHT_BOX, BOX_TEXT = 3.38, 2.8, 8.4  # inch, inch, point: the two boxes below the chart
LEAST, MOST = 0.2, 0.38  # inch: bounds of the height of a row
Row = str | PaperMetric | JobContent


def rows_of(content: ReportContent) -> list[Row]:
    """Group names, paper metrics and jobs from top to bottom."""
    rows: list[Row] = []
    if content.paper_metrics:
        rows += ["On paper", *content.paper_metrics]
    for kind, name in (("training", "Training, simulated"), ("serving", "Serving, simulated")):
        jobs = [job for job in content.jobs if job.kind == kind]
        if jobs:
            rows += [name, *jobs]
    return rows


@styled
def parity(content: ReportContent, width: float = 4.75) -> Figure:
    """One row per job: median, 50 % and 90 % interval of the count of B that does the work of A."""
    a, b = content.clusters
    rows = rows_of(content)
    body = min(max(_room(content) / len(rows), LEAST), MOST) * len(rows) + 0.42
    picture = frame(
        content.identity,
        width,
        body,
        parity_claim(content),
        f"{b.label} that do the same work as {a.chips:,} {a.label}. Dot: median, thick bar: 50 % interval, "
        "thin bar: 90 % interval, hollow: datasheet ratio."
        + (
            " TPP: total processing performance."
            if any(m.name == "TPP" for m in content.paper_metrics)
            else ""
        ),
    )
    names = [
        row if isinstance(row, str) else row.name if isinstance(row, PaperMetric) else row.label
        for row in rows
    ]
    left = margin_for(names, 0.36 * width)
    axes = picture.axes(left, 0.22, width - RIGHT, body - 0.2)
    _scale(axes, content)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    most = int((body - 0.42) / len(rows) / (LINE * SMALL / 72))  # lines of small print that a row holds
    for y, (row, name) in enumerate(zip(rows, names, strict=True)):
        _row(axes, y, row, name, left, max(most, 1))
    if content.slogan_count:
        _slogan(axes, content.slogan_count, b.label)
    alt = "; ".join(
        f"{job.label}: {number(job.equal_count.p50)} {b.label}, 90 % interval {bounds(job.equal_count)}"
        for job in content.jobs
    )
    return described(picture.figure, f"{parity_claim(content)}. {alt}.")


def _room(content: ReportContent) -> float:
    """Height for the rows of the chart that the words of the first page leave [inch]."""
    lead = sum(len(wrap(sentence, WIDE, 10.6)) for sentence in (*content.answers, slogan_verdict(content)))
    return (
        PAGE
        - 0.34 * len(wrap(content.title, WIDE, 22, "semibold"))
        - 0.19 * lead
        - max(_box_left(content), _box_right(content))
        - (0.32 if blind_words(content) else 0.0)
    )


def _box_left(content: ReportContent) -> float:
    """Height of the words on what decides the answer [inch]."""
    found = deciders(content)
    words = [
        f"{kind}: {spoken(d.name)} {decider_words(content, s, d)}; {flip_words(content, d)}."
        for kind, s, d in found
    ]
    lines = sum(len(wrap(each, LEFT_BOX, BOX_TEXT)) for each in words)
    return 0.145 * lines + 0.07 * len(found) + 0.13 * len(wrap(base_words(content), LEFT_BOX, 7.6)) + 0.15


def _box_right(content: ReportContent) -> float:
    """Height of the words on what is not modelled [inch]."""
    points = sum(len(wrap(point, RIGHT_BOX - 0.15, BOX_TEXT)) for point in content.not_modelled)
    warned = len(wrap("Mind: " + " ".join(content.warnings), RIGHT_BOX, BOX_TEXT)) if content.warnings else 0
    return 0.145 * (points + warned) + 0.07 * len(content.not_modelled)


def _scale(axes: Axes, content: ReportContent) -> None:
    """Zero-based unless the answers span more than a factor of twelve; then logarithmic, and said on the axis."""
    counts = [job.equal_count for job in content.jobs]
    highs = [x for c in counts for x in (c.p50, c.p95)] + [m.equal_count for m in content.paper_metrics]
    lows = [job.equal_count.p05 for job in content.jobs] + [m.equal_count for m in content.paper_metrics]
    marks = [content.slogan_count] if content.slogan_count else []
    shown = [x for x in highs + lows + marks if math.isfinite(x)]
    top, low = max(shown, default=0.0) or 1.0, min([x for x in lows + marks if math.isfinite(x)], default=0.0)
    if top > 12 * low > 0:
        axes.set_xscale("log")
        axes.set_xlim(10 ** math.floor(math.log10(low) * 4 / 4), 1.15 * top)
        axes.set_xlabel("logarithmic axis", size=SMALL, labelpad=1)
    else:
        axes.set_xlim(0, 1.04 * top)
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda x, _: number(x) if x < 1e3 or x >= 1e6 else f"{x:,.0f}")
    )
    axes.set_yticks([])
    axes.grid(axis="x")
    bare(axes, keep=["bottom"])


def _row(axes: Axes, y: int, row: Row, name: str, left: float, most: int) -> None:
    if isinstance(row, str):
        row_name(axes, y + 0.12, name, left, weight="semibold")
        axes.plot([-left / axes_width(axes), 1.0], [y + 0.48, y + 0.48], color=RULE, lw=0.6, clip_on=False,
                  transform=axes.get_yaxis_transform())  # fmt: skip
    elif isinstance(row, PaperMetric):
        row_name(axes, y, name, left, colour=GREY)
        axes.plot([row.equal_count], [y], "D", ms=5, mfc="white", mec=GREY, mew=1.1, zorder=4)
        row_value(axes, y, row.equal_count, RIGHT, colour=GREY)
    else:
        row_name(axes, y, name, left, size=LABEL if text_width(name, LABEL) <= left - 0.08 else SMALL,
                 most=most)  # fmt: skip
        interval_row(axes, y, row.equal_count, RIGHT)


def _slogan(axes: Axes, count: float, label: str) -> None:
    axes.axvline(count, color=FILL["b"], lw=1.4, zorder=2)
    low, high = axes.get_xlim()
    share = (
        (count - low) / (high - low)
        if axes.get_xscale() == "linear"
        else math.log(count / low) / math.log(high / low)
    )
    side = "right" if share > 0.7 else "left" if share < 0.3 else "center"
    axes.annotate(
        f"slogan: {number(count) if count >= 1e6 else f'{count:,.0f}'} {label}",
        (count, 1.0), xycoords=("data", "axes fraction"), xytext=(0, 2.5), textcoords="offset points",
        ha=side, va="bottom", size=LABEL, color=TEXT["b"], weight="semibold",
    )  # fmt: skip
