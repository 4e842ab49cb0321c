"""Lines of equal work and of equal money: how the count of B follows one input."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from sim.report.certainty import curve_claim
from sim.report.charts.style import (
    FILL,
    GREY,
    HALF,
    LIGHT,
    PALE,
    SMALL,
    TEXT,
    apart,
    described,
    frame,
    styled,
)
from sim.report.content import Curve, Interval, RunIdentity
from sim.report.numbers import number
from sim.report.wording import capital, owner_and_field


class Named(Protocol):
    """What this chart asks of a cluster."""

    @property
    def label(self) -> str:
        """Its name."""
        ...

    @property
    def chips(self) -> int:
        """Its chips."""
        ...


class Compared(Protocol):
    """What this chart asks of a report."""

    @property
    def clusters(self) -> tuple[Named, Named]:
        """Both sides."""
        ...

    @property
    def identity(self) -> RunIdentity:
        """Of the run."""
        ...


BODY = 1.65  # inch
RIGHT = 0.62  # for the names of the lines


@styled
def isocurve(content: Compared, curve: Curve, width: float = HALF) -> Figure:
    """Median and 90 % interval of the counts of B that do the same work and that cost the same, along an input."""
    a, b = content.clusters
    owner, field = owner_and_field(curve.input)
    claim = curve_claim(curve.job_label, b.label, b.chips, curve)
    subtitle = (
        f"{b.label} that equal {a.chips:,} {a.label}: median and 90 % interval of {curve.draws:,} draws at each value, all "
        "other inputs drawn."
    )
    picture = frame(content.identity, width, BODY, claim, subtitle)
    axes = picture.axes(0.5, 0.36, width - RIGHT, BODY - 0.06)
    lines = [("same work", curve.work, FILL["a"], PALE["a"], TEXT["a"], "-")]
    if curve.money:
        lines.append(("same money", curve.money, GREY, LIGHT, GREY, "--"))
    for _, counts, line, band, _, dash in lines:
        _line(axes, curve.values, counts, line, band, dash)
    top = 1.05 * max(
        [b.chips, *(each.p95 for _, counts, *_ in lines for each in counts if math.isfinite(each.p95))]
    )
    axes.set_ylim(0, top)
    axes.set_xlim(curve.values[0], curve.values[-1])
    axes.axhline(b.chips, color=FILL["b"], lw=1.3, zorder=2)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: number(x)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:,.0f}"))
    axes.grid(axis="y")
    unit = f" [{curve.unit}]" if curve.unit else ""
    axes.set_xlabel(f"{owner + ', ' if owner else ''}{field}{unit}", size=SMALL, labelpad=1)
    names = [(counts[-1].p50, name, colour) for name, counts, _, _, colour, _ in lines]
    names.append((float(b.chips), f"{b.chips:,}", TEXT["b"]))
    places = apart([min(height, top) for height, *_ in names], 0.125 * top / (BODY - 0.42), 0.0, top)
    for place, (_, name, colour) in zip(places, names, strict=True):
        axes.annotate(name, (1.0, place), xycoords=axes.get_yaxis_transform(), xytext=(4, 0),
                      textcoords="offset points", va="center", size=SMALL, color=colour)  # fmt: skip
    words = "; ".join(
        f"{capital(name)}: {number(counts[0].p50)} to {number(counts[-1].p50)}" for name, counts, *_ in lines
    )
    return described(picture.figure, f"{claim}. {words} {b.label}, from the first to the last value.")


def _line(
    axes: Axes, values: Sequence[float], counts: Sequence[Interval], line: str, band: str, dash: str
) -> None:
    """Median as a line, the 90 % interval as a band; what is endless is left out."""
    known = [(x, c) for x, c in zip(values, counts, strict=True) if math.isfinite(c.p50)]
    bounded = [(x, c.p05, c.p95) for x, c in known if math.isfinite(c.p95)]
    if bounded:
        x, low, high = zip(*bounded, strict=True)
        axes.fill_between(x, low, high, color=band, alpha=0.3, lw=0)
    axes.plot([x for x, _ in known], [c.p50 for _, c in known], dash, color=line, lw=1.6, zorder=3)
