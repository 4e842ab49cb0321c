"""Designs over TPP and DRAM bandwidth: what they do, what it costs, where the rules draw their lines, where chips stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator
from numpy.typing import NDArray

from sim.report.charts.style import (
    FILL,
    GREY,
    INK,
    LABEL,
    LIGHT,
    SMALL,
    TEXT,
    WIDE,
    described,
    frame,
    styled,
)
from sim.report.content import RunIdentity
from sim.report.numbers import number

Grid = NDArray[np.float64]
LINES = ("#12437a", "#8f5600", "#4b7d3a", "#7a1f4b", "#59636e", "#1b7a7a")
STYLES: tuple[object, ...] = ("-", (0, (5, 1.5)), (0, (2, 1)), (0, (6, 1, 1, 1)), (0, (1, 1)), (0, (8, 2)))


@dataclass(frozen=True, slots=True)
class MapPanel:
    """One job: speed and cost over the grid."""

    title: str
    speed: Grid  # token/s per chip, (rows, columns)
    cost: Grid  # USD per million tokens, (rows, columns)


@dataclass(frozen=True, slots=True)
class RuleLine:
    """Where a rule starts to bite: allowed below and left of the line."""

    name: str
    tpp: Grid
    dram_gbs: Grid
    allowed: NDArray[np.bool_]  # (rows, columns)


@dataclass(frozen=True, slots=True)
class DesignMapContent:
    """Everything the picture shows."""

    identity: RunIdentity
    title: str
    subtitle: str
    tpp: Grid
    dram_gbs: Grid
    panels: Sequence[MapPanel]
    lines: Sequence[RuleLine]
    dots: Sequence[tuple[str, float, float]]


@styled
def design_map(content: DesignMapContent, width: float = WIDE) -> Figure:
    """One panel per job, one above the other, with a legend of the rules below."""
    each, gap = 3.55, 0.62
    legend = 0.3 + 0.14 * len(content.lines)
    body = len(content.panels) * (each + gap) + legend
    picture = frame(content.identity, width, body, content.title, content.subtitle)
    for index, panel in enumerate(content.panels):
        top = body - index * (each + gap) - 0.2
        axes = picture.axes(0.5, top - each + 0.1, width - 0.05, top)
        _panel(axes, content, panel)
    _legend(picture.axes(0.0, 0.0, width, legend), content.lines)
    ends = (
        (p.title, number(float(np.nanmin(p.speed))), number(float(np.nanmax(p.speed))))
        for p in content.panels
    )
    text = "; ".join(f"{title}: {low} to {high} tokens/s per chip" for title, low, high in ends)
    return described(picture.figure, f"{content.title}. {text}.")


def _panel(axes: Axes, content: DesignMapContent, panel: MapPanel) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(float(content.tpp[0]), float(content.tpp[-1]))
    axes.set_ylim(float(content.dram_gbs[0]), float(content.dram_gbs[-1]))
    axes.set_title(panel.title, loc="left", size=LABEL, weight="semibold", pad=4)
    _iso(axes, content, panel.speed, LIGHT, "-", "{} tok/s", GREY)
    _iso(axes, content, panel.cost, FILL["b"], (0, (1, 1.5)), "{} USD", TEXT["b"])
    for index, line in enumerate(content.lines):
        axes.contour(
            line.tpp, line.dram_gbs, line.allowed.astype(float), levels=[0.5],
            colors=[LINES[index % len(LINES)]], linestyles=[STYLES[index % len(STYLES)]], linewidths=1.5,
        )  # fmt: skip
    _dots(axes, content)
    axes.set_xlabel("TPP (dense TOPS x bit length)", size=SMALL, labelpad=2)
    axes.set_ylabel("DRAM bandwidth, GB/s", size=SMALL, labelpad=2)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:,.0f}")
    axes.yaxis.set_major_formatter(lambda y, _: f"{y:,.0f}")


def _iso(
    axes: Axes, content: DesignMapContent, values: Grid, colour: str, style: object, form: str, ink: str
) -> None:
    finite = values[np.isfinite(values) & (values > 0)]
    if finite.size == 0 or finite.max() <= finite.min():
        return
    levels = _levels(float(finite.min()), float(finite.max()))
    drawn = axes.contour(
        content.tpp, content.dram_gbs, np.where(np.isfinite(values), values, np.nan), levels=levels,
        colors=[colour], linestyles=[style], linewidths=0.9, zorder=1,
    )  # fmt: skip
    axes.clabel(
        drawn, fmt=lambda v: form.format(number(float(v))), fontsize=6.2, colors=[ink], inline_spacing=2
    )


def _levels(low: float, high: float) -> list[float]:
    """1, 2, 5 and their tens between two values."""
    tens = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    return [m * 10.0**t for t in tens for m in (1, 2, 5) if low < m * 10.0**t < high]


def _dots(axes: Axes, content: DesignMapContent) -> None:
    left, right = axes.get_xlim()
    bottom, top = axes.get_ylim()
    taken: list[tuple[float, float]] = []
    for name, x, y in sorted(content.dots, key=lambda dot: (dot[1], dot[2])):
        if not (left <= x <= right and bottom <= y <= top):
            continue
        axes.plot([x], [y], "o", ms=3.4, mfc=INK, mec="white", mew=0.5, zorder=5)
        here = (
            float(np.log(x / left) / np.log(right / left)),
            float(np.log(y / bottom) / np.log(top / bottom)),
        )
        if all(abs(here[0] - u) > 0.1 or abs(here[1] - v) > 0.032 for u, v in taken):
            taken.append(here)
            flip = here[0] > 0.86
            axes.annotate(
                name, (x, y), (-4 if flip else 4, 1), textcoords="offset points", size=6.0, color=INK,
                ha="right" if flip else "left", va="bottom", zorder=6,
                bbox={"fc": "white", "ec": "none", "alpha": 0.75, "pad": 0.3},
            )  # fmt: skip


def _legend(axes: Axes, lines: Sequence[RuleLine]) -> None:
    axes.axis("off")
    axes.set_xlim(0, axes.get_figure(root=True).get_figwidth())  # type: ignore[union-attr]
    height = 0.3 + 0.14 * len(lines)
    axes.set_ylim(0, height)
    axes.text(
        0,
        height - 0.1,
        "Allowed below and left of a line, each read alone:",
        size=SMALL,
        color=GREY,
        va="center",
    )
    for index, line in enumerate(lines):
        y = height - 0.25 - 0.14 * index
        axes.plot([0, 0.4], [y, y], color=LINES[index % len(LINES)], ls=STYLES[index % len(STYLES)], lw=1.5)
        axes.text(0.48, y, line.name, size=SMALL, va="center")
