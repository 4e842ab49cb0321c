"""What moves the answers: tornado, total Sobol indices, and whether the draws are enough."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sim.quantity import WEAK_KINDS
from sim.report.charts.rows import lines_of, stacked
from sim.report.charts.style import (
    FILL,
    GREY,
    INK,
    LABEL,
    SMALL,
    TEXT,
    WIDE,
    Frame,
    apart,
    axes_width,
    bare,
    described,
    frame,
    styled,
    text_width,
)
from sim.report.claims import tornado_claim
from sim.report.content import Driver, ReportContent, Sensitivity
from sim.report.numbers import number, span, whole_percent
from sim.report.verdicts import flip_words
from sim.report.wording import owner_and_field

HEAD = 0.22  # inch: room for the names of the lines
ROW = 0.25  # inch: an input with its range beneath
LEFT = 2.75  # inch: widest margin for names
APART = 0.02  # share: from here on the headline is marked beside the answer at the medians
INDEX = 0.95  # inch: the column right of the tornado
HIGH, LOW = "#59636e", "#c3cad1"


def marked(driver: Driver) -> str:
    """What an input is, without what it belongs to, with a dagger when its source is weak."""
    return owner_and_field(driver.name)[1] + ("†" if driver.kind in WEAK_KINDS else "")


@styled
def tornado(content: ReportContent, sensitivity: Sensitivity, count: int = 10) -> Figure:
    """The answer with each input at its 10th and 90th percentile, and the share of the spread it explains."""
    a, b = content.clusters
    drivers = list(sensitivity.drivers)[:count]
    left = min(max([*map(_width, drivers), 1.0]) + 0.12, LEFT)
    blocks = [block(d, left - 0.1) for d in drivers]
    row = max([ROW, *stacked([len(first) + len(second) for first, second in blocks], ROW, SMALL)])
    body = row * len(drivers) + HEAD
    claim = tornado_claim(sensitivity)
    headline = _headline(content, sensitivity)
    weak = " †: weak source." if any(d.kind in WEAK_KINDS for d in drivers) else ""
    subtitle = (
        f"{b.label} that do the work of {a.chips:,} {a.label}, "
        f"one input at its 10th (pale) or 90th (dark) percentile.{weak}"
        + (f" Dotted: headline {number(headline)}." if headline else "")
    )
    picture = frame(content.identity, WIDE, body, claim, subtitle)
    indexed = any(d.total_index is not None for d in drivers)
    right = WIDE - (INDEX + 0.14 if indexed else 0.0)
    axes = picture.axes(left, 0.0, right, body - HEAD)
    _swings(axes, sensitivity.median, drivers, headline)
    _names(picture, blocks, body, row)
    _lines(axes, content, sensitivity.median)
    if indexed:
        _indices(picture, axes, drivers, right + 0.14, body)
    words = "; ".join(
        f"{d.name} from {span(d.input_low, d.input_high)}: {number(d.at_low)} to {number(d.at_high)}"
        + (f", {flips}" if (flips := flip_words(content, d)) else "")
        for d in drivers
    )
    return described(
        picture.figure,
        f"{claim}. All inputs at their medians: {number(sensitivity.median)} {b.label}. {words}.",
    )


def _headline(content: ReportContent, sensitivity: Sensitivity) -> float | None:
    """The median over all draws, where it is visibly not the answer with all inputs at their medians."""
    counts = [job.equal_count.p50 for job in content.jobs if job.id == sensitivity.job_id]
    if (
        not counts
        or not sensitivity.median
        or not math.isfinite(counts[0])
        or abs(counts[0] / sensitivity.median - 1) <= APART
    ):
        return None
    return counts[0]


def _swings(axes: Axes, median: float, drivers: Sequence[Driver], headline: float | None) -> None:
    ends = [end for d in drivers for end in (d.at_low, d.at_high) if math.isfinite(end)] + [median]
    if headline is not None:
        ends.append(headline)
        axes.axvline(headline, color=INK, lw=0.9, ls=(0, (1, 1.5)), zorder=2)
    low, high = min(ends), max(ends)
    room = 0.42 / (axes_width(axes))  # a label at either end, share of the axes
    pad = (high - low or abs(median) or 1.0) * room / (1 - 2 * room)
    axes.set_xlim(low - pad, high + pad)
    axes.set_ylim(len(drivers) - 0.5, -0.5)
    bare(axes)
    axes.set_xticks([])
    axes.set_yticks([])
    edge = axes.get_xlim()[1]
    for y, d in enumerate(drivers):
        # An end that no number of chips reaches leaves the chart; one without an answer is not drawn.
        at_low, at_high = (median if math.isnan(x) else min(x, edge) for x in (d.at_low, d.at_high))
        # The longer bar first, so that a shorter one on the same side stays in sight.
        for end, colour in sorted(((at_low, LOW), (at_high, HIGH)), key=lambda item: -abs(item[0] - median)):
            axes.barh(y, end - median, 0.62, left=median, color=colour)
        for end, side in zip(sorted((d.at_low, d.at_high)), ("right", "left"), strict=True):
            if not math.isfinite(end):
                axes.annotate(number(end), (edge, y), xytext=(-2.5, 0), textcoords="offset points", ha="right",
                              va="center", size=SMALL, color="white")  # fmt: skip
                continue
            x = min(end, median) if side == "right" else max(end, median)
            axes.annotate(number(end), (x, y), xytext=(-2.5 if side == "right" else 2.5, 0),
                          textcoords="offset points", ha=side, va="center", size=SMALL,
                          bbox={"fc": "white", "ec": "none", "pad": 0.4})  # fmt: skip


def _width(driver: Driver) -> float:
    """Width of an input with its range beneath, unbroken [inch]."""
    return max(text_width(marked(driver), LABEL), text_width(" · ".join(_below(driver)), SMALL))


def _below(driver: Driver) -> list[str]:
    """What an input belongs to, if it is said, and its range."""
    owner = owner_and_field(driver.name)[0]
    return [owner] * bool(owner) + [span(driver.input_low, driver.input_high)]


def block(driver: Driver, width: float) -> tuple[list[str], list[str]]:
    """Lines of the name of an input, and lines on what it belongs to and its range; nothing is cut that can break."""
    below = _below(driver)
    together = " · ".join(below)
    if text_width(together, SMALL) <= width:
        return lines_of(marked(driver), width), [together]
    return lines_of(marked(driver), width), [
        line for part in below for line in lines_of(part, width, SMALL, 3)
    ]


def _names(picture: Frame, blocks: Sequence[tuple[list[str], list[str]]], body: float, row: float) -> None:
    for y, (names, below) in enumerate(blocks):
        middle = body - HEAD - row * (y + 0.5)
        line = 0.115
        top = middle + line * (len(names) + len(below)) / 2
        picture.text(0, top, "\n".join(names), size=LABEL, va="top", linespacing=1.0)
        picture.text(
            0,
            top - line * len(names) - 0.008,
            "\n".join(below),
            size=SMALL,
            color=GREY,
            va="top",
            linespacing=1.08,
        )


def _lines(axes: Axes, content: ReportContent, median: float) -> None:
    """The median and, where it is in sight, the slogan's count, each named above the bars."""
    low, high = axes.get_xlim()
    inches = axes_width(axes)
    lines = [(median, f"all inputs at their medians: {number(median)}", INK, INK)]
    count = content.slogan_count
    if count and low < count < high:
        lines.append((count, f"slogan {count:,.0f}", FILL["b"], TEXT["b"]))
    widths = [text_width(text, LABEL, "semibold") + 0.1 for _, text, _, _ in lines]
    wanted = [(x - low) / (high - low) * inches for x, *_ in lines]
    first, last = (pick(zip(wanted, widths, strict=True))[1] for pick in (min, max))
    places = apart(wanted, sum(widths) / 2, first / 2, max(inches - last / 2, first / 2))
    for (x, text, line, colour), place in zip(lines, places, strict=True):
        axes.axvline(x, color=line, lw=0.9 if line == INK else 1.3, zorder=0.5 if line != INK else 3)
        axes.annotate(text, (place / inches, 1.0), xycoords="axes fraction", xytext=(0, 2.5), ha="center",
                      textcoords="offset points", size=LABEL, weight="semibold", color=colour)  # fmt: skip


def _indices(picture: Frame, beside: Axes, drivers: Sequence[Driver], left: float, body: float) -> None:
    """Total Sobol index as a bar, the first-order part of it dark."""
    axes = picture.axes(left, 0.0, WIDE - 0.36, body - HEAD, share=beside)
    totals = [max(d.total_index or 0.0, 0.0) for d in drivers]
    ends = [d.total_range[1] for d in drivers if d.total_range is not None]
    axes.set_xlim(0, max([*totals, *ends, 1e-9]))
    bare(axes, keep=["left"])
    axes.set_xticks([])
    axes.tick_params(axis="y", length=0, labelleft=False)
    for y, (d, total) in enumerate(zip(drivers, totals, strict=True)):
        axes.barh(y, total, 0.62, color=LOW)
        axes.barh(y, min(max(d.first_index or 0.0, 0.0), total), 0.62, color=HIGH)
        low, high = d.total_range or (total, total)
        axes.plot([low, high], [y, y], color=GREY, lw=0.8, zorder=3)
        axes.annotate(whole_percent(total) if d.total_index is not None else "–", (max(total, high), y), xytext=(2.5, 0),
                      textcoords="offset points", va="center", size=SMALL)  # fmt: skip
    picture.text(left, body - HEAD + 0.05, "share of the spread", size=SMALL, color=GREY, va="bottom")
