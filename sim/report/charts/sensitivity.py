"""What moves the answers: tornado, total Sobol indices, and whether the draws are enough."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from sim.quantity import WEAK_KINDS
from sim.report.charts.style import (
    FILL,
    GREY,
    HALF,
    INK,
    LABEL,
    PALE,
    RULE,
    SMALL,
    TEXT,
    WIDE,
    Frame,
    apart,
    axes_width,
    bare,
    described,
    frame,
    shorten,
    styled,
    text_width,
    wrap,
)
from sim.report.content import Driver, ReportContent, Sensitivity
from sim.report.numbers import number, span, whole_percent
from sim.report.wording import convergence_claim, sobol_claim, tornado_claim

HEAD = 0.22  # inch: room for the names of the lines
ROW = 0.25  # inch: an input with its range beneath
INDEX = 0.95  # inch: the column right of the tornado
HIGH, LOW = "#59636e", "#c3cad1"


def marked(driver: Driver) -> str:
    """Name of an input, with a dagger when its source is weak."""
    return driver.name + ("†" if driver.kind in WEAK_KINDS else "")


@styled
def tornado(content: ReportContent, sensitivity: Sensitivity, count: int = 10) -> Figure:
    """The answer with each input at its 10th and 90th percentile, and the share of the spread it explains."""
    a, b = content.clusters
    drivers = list(sensitivity.drivers)[:count]
    body = ROW * len(drivers) + HEAD
    claim = tornado_claim(sensitivity)
    weak = " †: weak source." if any(d.kind in WEAK_KINDS for d in drivers) else ""
    subtitle = (
        f"{b.label} that do the work of {a.chips:,} {a.label}, "
        f"with one input at its 10th (pale) or 90th (dark) percentile.{weak}"
    )
    picture = frame(content.identity, WIDE, body, claim, subtitle)
    left = min(
        max(
            (
                max(text_width(marked(d), LABEL), text_width(span(d.input_low, d.input_high), SMALL))
                for d in drivers
            ),
            default=1.0,
        )
        + 0.12,
        2.7,
    )
    indexed = any(d.total_index is not None for d in drivers)
    right = WIDE - (INDEX + 0.14 if indexed else 0.0)
    axes = picture.axes(left, 0.0, right, body - HEAD)
    _swings(axes, sensitivity.median, drivers)
    _names(picture, drivers, body, left)
    _lines(axes, content, sensitivity.median)
    if indexed:
        _indices(picture, axes, drivers, right + 0.14, body)
    words = "; ".join(
        f"{d.name} from {span(d.input_low, d.input_high)}: {number(d.at_low)} to {number(d.at_high)}, {d.flips_at}"
        for d in drivers
    )
    return described(picture.figure, f"{claim}. Median {number(sensitivity.median)} {b.label}. {words}.")


def _swings(axes: Axes, median: float, drivers: Sequence[Driver]) -> None:
    ends = [end for d in drivers for end in (d.at_low, d.at_high)] + [median]
    low, high = min(ends), max(ends)
    room = 0.42 / (axes_width(axes))  # a label at either end, share of the axes
    pad = (high - low or abs(median) or 1.0) * room / (1 - 2 * room)
    axes.set_xlim(low - pad, high + pad)
    axes.set_ylim(len(drivers) - 0.5, -0.5)
    bare(axes)
    axes.set_xticks([])
    axes.set_yticks([])
    for y, d in enumerate(drivers):
        # The longer bar first, so that a shorter one on the same side stays in sight.
        for end, colour in sorted(
            ((d.at_low, LOW), (d.at_high, HIGH)), key=lambda item: -abs(item[0] - median)
        ):
            axes.barh(y, end - median, 0.62, left=median, color=colour)
        for end, side in zip(
            (min(d.at_low, d.at_high), max(d.at_low, d.at_high)), ("right", "left"), strict=True
        ):
            x = min(end, median) if side == "right" else max(end, median)
            axes.annotate(number(end), (x, y), xytext=(-2.5 if side == "right" else 2.5, 0),
                          textcoords="offset points", ha=side, va="center", size=SMALL,
                          bbox={"fc": "white", "ec": "none", "pad": 0.4})  # fmt: skip


def _names(picture: Frame, drivers: Sequence[Driver], body: float, left: float) -> None:
    for y, d in enumerate(drivers):
        middle = body - HEAD - ROW * (y + 0.5)
        picture.text(0, middle + 0.008, shorten(marked(d), left - 0.1), size=LABEL, va="bottom")
        picture.text(0, middle - 0.002, shorten(span(d.input_low, d.input_high), left - 0.1, SMALL), size=SMALL,
                     color=GREY, va="top")  # fmt: skip


def _lines(axes: Axes, content: ReportContent, median: float) -> None:
    """The median and, where it is in sight, the slogan's count, each named above the bars."""
    low, high = axes.get_xlim()
    inches = axes_width(axes)
    lines = [(median, f"median {number(median)}", INK, INK)]
    count = content.slogan_count
    if count and low < count < high:
        lines.append((count, f"slogan {count:,.0f}", FILL["b"], TEXT["b"]))
    widths = [text_width(text, LABEL, "semibold") + 0.1 for _, text, _, _ in lines]
    places = apart(
        [(x - low) / (high - low) * inches for x, *_ in lines],
        max(widths),
        widths[0] / 2,
        inches - widths[0] / 2,
    )
    for (x, text, line, colour), place in zip(lines, places, strict=True):
        axes.axvline(x, color=line, lw=0.9 if line == INK else 1.3, zorder=0.5 if line != INK else 3)
        axes.annotate(text, (place / inches, 1.0), xycoords="axes fraction", xytext=(0, 2.5), ha="center",
                      textcoords="offset points", size=LABEL, weight="semibold", color=colour)  # fmt: skip


def _indices(picture: Frame, beside: Axes, drivers: Sequence[Driver], left: float, body: float) -> None:
    """Total Sobol index as a bar, the first-order part of it dark."""
    axes = picture.axes(left, 0.0, WIDE - 0.36, body - HEAD, share=beside)
    totals = [max(d.total_index or 0.0, 0.0) for d in drivers]
    axes.set_xlim(0, max([*totals, 1e-9]))
    bare(axes, keep=["left"])
    axes.set_xticks([])
    axes.tick_params(axis="y", length=0, labelleft=False)
    for y, (d, total) in enumerate(zip(drivers, totals, strict=True)):
        axes.barh(y, total, 0.62, color=LOW)
        axes.barh(y, min(max(d.first_index or 0.0, 0.0), total), 0.62, color=HIGH)
        axes.annotate(whole_percent(total) if d.total_index is not None else "–", (total, y), xytext=(2.5, 0),
                      textcoords="offset points", va="center", size=SMALL)  # fmt: skip
    picture.text(left, body - HEAD + 0.05, "share of the spread", size=SMALL, color=GREY, va="bottom")


@styled
def sobol(content: ReportContent, count: int = 12) -> Figure:
    """Which input matters for which job: total Sobol indices as a table of dots."""
    columns = list(content.sensitivities)
    totals = {(s.job_id, d.path): max(d.total_index or 0.0, 0.0) for s in columns for d in s.drivers}
    drivers = {d.path: d for s in columns for d in s.drivers if d.total_index is not None}
    ranked = sorted(
        drivers, key=lambda path: (-max(totals.get((s.job_id, path), 0.0) for s in columns), path)
    )[:count]
    claim = sobol_claim(content, [drivers[path] for path in ranked], totals)
    subtitle = (
        "Share of the spread of each answer that the input explains, alone and with others (total Sobol index); "
        "the area of a dot is the share; blank: not among the largest."
    )
    left = min(max([text_width(marked(drivers[path]), LABEL) for path in ranked] + [0.5]) + 0.15, 2.5)
    width = (WIDE - left) / max(len(columns), 1)
    heads = [wrap(s.job_label, width - 0.06, SMALL) for s in columns]
    head = 0.12 * max(len(lines) for lines in heads) + 0.08
    body = 0.2 * len(ranked) + head
    picture = frame(content.identity, WIDE, body, claim, subtitle)
    axes = picture.axes(left, 0.0, WIDE, body - head)
    axes.set_xlim(-0.5, len(columns) - 0.5)
    axes.set_ylim(len(ranked) - 0.5, -0.5)
    bare(axes)
    axes.set_xticks([])
    axes.set_yticks([])
    for y, path in enumerate(ranked):
        axes.axhline(y + 0.5, color=RULE, lw=0.6)
        picture.text(
            0,
            body - head - 0.2 * (y + 0.5),
            shorten(marked(drivers[path]), left - 0.1),
            size=LABEL,
            va="center",
        )
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
    """Whether more draws would change the first answer: median and 90 % interval over the number of draws."""
    rows = sorted(content.convergence)
    claim = convergence_claim(rows)
    job = content.jobs[0].label
    subtitle = f"{content.clusters[1].label} for {job}, from the first n draws; axis of draws doubles."
    body = 1.55
    picture = frame(content.identity, width, body, claim, subtitle)
    axes = picture.axes(0.45, 0.33, width - 0.95, body - 0.06)
    draws, low, middle, high = zip(*rows, strict=True)
    axes.set_xscale("log", base=2)
    axes.fill_between(draws, low, high, color=PALE["a"], alpha=0.35, lw=0)
    for line, thick in ((low, 0.9), (middle, 1.6), (high, 0.9)):
        axes.plot(draws, line, color=FILL["a"], lw=thick)
    axes.set_ylim(0, 1.08 * max(high))
    axes.set_xlim(draws[0], draws[-1])
    axes.xaxis.set_major_locator(
        FixedLocator([d for i, d in enumerate(draws) if (len(draws) - 1 - i) % 2 == 0])
    )
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:,.0f}")
    axes.yaxis.set_major_formatter(lambda y, _: f"{y:,.0f}" if max(high) >= 10 else f"{y:g}")
    axes.grid(axis="y")
    axes.set_xlabel("draws", size=SMALL, labelpad=1)
    top = 1.08 * max(high)
    places = apart([low[-1], middle[-1], high[-1]], 0.125 * top / (body - 0.39), 0.0, top)
    for place, text, value in zip(
        places, ("5 %", "median", "95 %"), (low[-1], middle[-1], high[-1]), strict=True
    ):
        axes.annotate(f"{text} {number(value)}", (1.0, place), xycoords=axes.get_yaxis_transform(), xytext=(4, 0),
                      textcoords="offset points", va="center", size=SMALL, color=TEXT["a"])  # fmt: skip
    return described(
        picture.figure,
        f"{claim}. With {draws[-1]:,} draws: median {number(middle[-1])}, "
        f"90 % interval {number(low[-1])} to {number(high[-1])}.",
    )
