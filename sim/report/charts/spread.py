"""Which inputs matter for which job, and whether the draws are enough."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from sim.report.certainty import convergence_claim, known_errors
from sim.report.charts.rows import lines_of, stacked
from sim.report.charts.sensitivity import marked
from sim.report.charts.style import (
    FILL,
    GREY,
    HALF,
    LABEL,
    LIGHT,
    PALE,
    RULE,
    SMALL,
    TEXT,
    WIDE,
    apart,
    bare,
    described,
    frame,
    styled,
    text_width,
    wrap,
)
from sim.report.claims import sobol_claim
from sim.report.content import ReportContent
from sim.report.numbers import percent, whole_percent
from sim.report.wording import owner_and_field

ROW = 0.25  # inch
ROUND = (*(m * 10**-e for e in (4, 3, 2, 1) for m in (1, 2, 5)), 1.0)


@styled
def sobol(content: ReportContent, count: int = 10) -> Figure:
    """Which input matters for which job: total Sobol indices as a table of dots."""
    columns = list(content.sensitivities)
    totals = {
        (s.job_id, d.path): max(d.total_index, 0.0)
        for s in columns
        for d in s.drivers
        if d.total_index is not None
    }
    drivers = {d.path: d for s in columns for d in s.drivers if d.total_index is not None}
    ranked = sorted(
        drivers, key=lambda path: (-max(totals.get((s.job_id, path), 0.0) for s in columns), path)
    )[:count]
    claim = sobol_claim(content, [drivers[path] for path in ranked], totals)
    subtitle = (
        "Share of the spread of each answer that the input explains, alone and with others (total Sobol index). "
        "Blank: not among its largest."
    )
    names = {path: (marked(drivers[path]), owner_and_field(drivers[path].name)[0]) for path in ranked}
    widths = [max(text_width(field, LABEL), text_width(owner, SMALL)) for field, owner in names.values()]
    left = min(max([*widths, 0.5]) + 0.15, 2.3)
    blocks = {
        path: (lines_of(field, left - 0.1), lines_of(owner, left - 0.1, SMALL) if owner else [])
        for path, (field, owner) in names.items()
    }
    row = max([ROW, *stacked([len(one) + len(two) for one, two in blocks.values()], ROW, SMALL)])
    width = (WIDE - left) / max(len(columns), 1)
    heads = [wrap(s.job_label, width - 0.06, SMALL) for s in columns]
    head = 0.12 * max(len(lines) for lines in heads) + 0.08
    body = row * len(ranked) + head
    picture = frame(content.identity, WIDE, body, claim, subtitle)
    axes = picture.axes(left, 0.0, WIDE, body - head)
    axes.set_xlim(-0.5, len(columns) - 0.5)
    axes.set_ylim(len(ranked) - 0.5, -0.5)
    bare(axes)
    axes.set_xticks([])
    axes.set_yticks([])
    for y, path in enumerate(ranked):
        axes.axhline(y + 0.5, color=RULE, lw=0.6)
        field, owner = blocks[path]
        top = body - head - row * (y + 0.5) + 0.0575 * (len(field) + len(owner))
        picture.text(0, top, "\n".join(field), size=LABEL, va="top", linespacing=1.0)
        picture.text(0, top - 0.115 * len(field) - 0.008, "\n".join(owner), size=SMALL, color=GREY, va="top",
                     linespacing=1.08)  # fmt: skip
        for x, s in enumerate(columns):
            value = totals.get((s.job_id, path))
            if value is not None:
                axes.plot([x - 0.24], [y], "o", ms=max(15 * value**0.5, 1.0), mfc=PALE["a"], mec="none")
                axes.text(x - 0.02, y, whole_percent(value), size=SMALL, va="center")
    for x, lines in enumerate(heads):
        picture.text(left + width * (x + 0.5), body - head + 0.05, "\n".join(lines), size=SMALL, ha="center",
                     va="bottom", color=GREY, linespacing=1.15)  # fmt: skip
    words = "; ".join(
        f"{s.job_label}: "
        + ", ".join(
            f"{d.name} {whole_percent(d.total_index)}"
            for d in list(s.drivers)[:3]
            if d.total_index is not None
        )
        for s in columns
    )
    return described(picture.figure, f"{claim}. {words}.")


@styled
def convergence(content: ReportContent, width: float = HALF) -> Figure:
    """Whether the draws are enough: the error of the ends of every interval against the number of draws."""
    found = content.convergence
    courses = [(course.label, known_errors(course)) for course in found.courses if known_errors(course)]
    claim = convergence_claim(found)
    subtitle = (
        "Error (half of a 90 % interval) of the 5th or the 95th percentile, whichever is larger, over the median; one line "
        "a job, from eight blocks of the first n draws. Dotted: as the root of n."
    )
    body = 1.6
    picture = frame(content.identity, width, body, claim, subtitle)
    axes = picture.axes(0.42, 0.33, width - 1.35, body - 0.06)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    ends = []
    for i, (label, rows) in enumerate(courses):
        draws, errors = zip(*rows, strict=True)
        axes.plot(
            draws, errors, color=FILL["a"] if i == 0 else GREY, lw=1.6 if i == 0 else 0.8, marker="o", ms=2.5
        )
        ends.append((errors[-1], label, TEXT["a"] if i == 0 else GREY))
    _error_axes(axes, courses, found.asked)
    low, high = axes.get_ylim()
    span = math.log(high / low)
    named = sorted({min(ends), max(ends), ends[0]})  # the best, the worst and the first
    heights = [math.log(error / low) / span for error, _, _ in named]
    places = apart(heights, 0.23 / (body - 0.39), 0.0, 1.0)
    for place, (error, label, colour) in zip(places, named, strict=True):
        text = "\n".join(lines_of(f"{percent(error)} {label}", 1.28, SMALL))
        axes.annotate(text, (1.0, place), xycoords="axes fraction", xytext=(4, 0), textcoords="offset points",
                      va="center", size=SMALL, color=colour)  # fmt: skip
    words = "; ".join(f"{label}: {percent(error)}" for error, label, _ in ends)
    return described(picture.figure, f"{claim}. {words}.")


def _error_axes(
    axes: Axes, courses: Sequence[tuple[str, Sequence[tuple[int, float]]]], asked: float | None
) -> None:
    """Scales in round numbers, the root law from the worst of the first points, and the error asked for."""
    draws = sorted({n for _, rows in courses for n, _ in rows})
    errors = [error for _, rows in courses for _, error in rows if error > 0] or [1.0]
    axes.set_xlim(draws[0], draws[-1])
    low, high = min([*errors, asked or 1.0]) / 1.4, max([*errors, asked or 0.0]) * 1.4
    axes.set_ylim(low, high)
    start = max(error for _, rows in courses for n, error in rows if n == draws[0])
    axes.plot(draws, [start * (draws[0] / n) ** 0.5 for n in draws], ":", color=LIGHT, lw=0.9, zorder=1)
    if asked is not None:
        axes.axhline(asked, color=FILL["b"], lw=1.2)
    axes.xaxis.set_major_locator(FixedLocator(draws))
    axes.yaxis.set_major_locator(FixedLocator([x for x in ROUND if low <= x <= high]))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:,.0f}")
    axes.yaxis.set_major_formatter(lambda y, _: percent(y))
    axes.grid(axis="y")
    axes.set_xlabel("draws", size=SMALL, labelpad=1)
