"""Which inputs matter for which job, and whether the draws are enough."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from sim.report.charts.sensitivity import marked
from sim.report.charts.style import (
    FILL,
    GREY,
    HALF,
    LABEL,
    PALE,
    RULE,
    SMALL,
    TEXT,
    WIDE,
    apart,
    bare,
    described,
    frame,
    shorten,
    styled,
    text_width,
    wrap,
)
from sim.report.content import ReportContent
from sim.report.numbers import number, whole_percent
from sim.report.wording import convergence_claim, owner_and_field, sobol_claim

ROW = 0.25  # inch


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
    width = (WIDE - left) / max(len(columns), 1)
    heads = [wrap(s.job_label, width - 0.06, SMALL) for s in columns]
    head = 0.12 * max(len(lines) for lines in heads) + 0.08
    body = ROW * len(ranked) + head
    picture = frame(content.identity, WIDE, body, claim, subtitle)
    axes = picture.axes(left, 0.0, WIDE, body - head)
    axes.set_xlim(-0.5, len(columns) - 0.5)
    axes.set_ylim(len(ranked) - 0.5, -0.5)
    bare(axes)
    axes.set_xticks([])
    axes.set_yticks([])
    for y, path in enumerate(ranked):
        axes.axhline(y + 0.5, color=RULE, lw=0.6)
        field, owner = names[path]
        middle = body - head - ROW * (y + 0.5)
        picture.text(
            0, middle + (0.008 if owner else -0.05), shorten(field, left - 0.1), size=LABEL, va="bottom"
        )
        picture.text(0, middle - 0.002, shorten(owner, left - 0.1, SMALL), size=SMALL, color=GREY, va="top")
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
