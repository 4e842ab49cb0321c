"""Throughput of a fleet against the speed each user gets, for one cluster."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from sim.report.charts.style import FILL, GREY, HALF, INK, LIGHT, SMALL, described, frame, styled
from sim.report.content import RunIdentity
from sim.report.numbers import duration, number

Point = tuple[float, float]


@styled
def throughput_latency(
    identity: RunIdentity, claim: str, points: Sequence[Point], ringed: Point, tpot_s: float
) -> Figure:
    """One curve over the batch, the point that keeps the promise, and the promise.

    Parameters
    ----------
    claim : str
        Title of the figure.
    points : sequence of (tokens/s of a user, output tokens/s of a chip)
    ringed : (x, y)
        The operating point.
    tpot_s : float
        Promised time per output token [s].
    """
    body = 2.3
    subtitle = (
        "Output tokens/s per chip, prefill chips included. Ringed: the mean load that keeps the promise."
    )
    picture = frame(identity, HALF, body, claim, subtitle)
    axes = picture.axes(0.46, 0.34, HALF - 0.06, body - 0.02)
    x, y = zip(*sorted(points), strict=True)
    axes.set_xlim(0, 1.05 * max(*x, ringed[0]))
    axes.set_ylim(0, 1.12 * max(*y, ringed[1]))
    axes.grid(axis="y")
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}" if max(y) >= 10 else f"{value:g}")
    axes.set_xlabel("tokens/s per user", size=SMALL, labelpad=2)
    axes.plot(x, y, color=FILL["a"], lw=1.6, marker="o", ms=3.4, mec="white", mew=0.5)
    axes.plot(*ringed, "o", ms=9, mfc="none", mec=INK, mew=1.0, zorder=5)
    if 1 / tpot_s < axes.get_xlim()[1]:
        axes.axvline(1 / tpot_s, color=LIGHT, lw=0.9, ls=(0, (3, 2)))
        axes.annotate(f"promised: {duration(tpot_s)} per token", (1 / tpot_s, 1.0), xycoords=("data", "axes fraction"),
                      xytext=(3, -1), textcoords="offset points", size=SMALL, color=GREY, va="top",
                      ha="left" if 1 / tpot_s < 0.55 * axes.get_xlim()[1] else "right")  # fmt: skip
    text = (
        f"{claim}. From {number(max(y))} tokens/s per chip at its slowest to {number(min(y))} at its fastest."
    )
    return described(picture.figure, text)
