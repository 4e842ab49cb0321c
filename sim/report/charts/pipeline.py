"""One training step in the pipeline, layout by layout on one time axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, MaxNLocator

from sim.report.charts.style import (
    FILL,
    LABEL,
    LIGHT,
    PALE,
    SMALL,
    TEXT,
    WIDE,
    bare,
    described,
    frame,
    shorten,
    styled,
)
from sim.report.content import RunIdentity
from sim.report.numbers import duration, percent

SHADES = {"F": FILL["a"], "B": PALE["a"], "W": LIGHT, "F&B": FILL["b"]}


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A step to be drawn.

    Attributes
    ----------
    label : str
        The layout in words.
    bars : sequence of (rank, start s, end s, kind)
        Kind "F", "B", "W" or "F&B" (a forward and a backward that overlap).
    idle : float
        Share of the step in which an average rank waits [1].
    """

    label: str
    bars: Sequence[tuple[int, float, float, str]]
    idle: float

    @property
    def end(self) -> float:
        """Length of the step [s]."""
        return max(bar[2] for bar in self.bars)

    @property
    def ranks(self) -> int:
        """Pipeline ranks."""
        return 1 + max(bar[0] for bar in self.bars)


@styled
def pipelines(identity: RunIdentity, claim: str, steps: Sequence[Pipeline]) -> Figure:
    """Every rank of every layout as a row of coloured bars; white is waiting.

    Parameters
    ----------
    claim : str
        Title of the figure.
    steps : sequence of Pipeline
        From the top; all share the time axis.
    """
    kinds = {bar[3] for step in steps for bar in step.bars}
    words = {
        "F": "Dark blue: forward",
        "B": "pale blue: backward",
        "W": "grey: weight gradients",
        "F&B": "amber: both at once",
    }
    legend = ", ".join(text for kind, text in words.items() if kind in kinds)
    subtitle = f"Rows are pipeline ranks, time runs to the right on one scale. {legend}, white: waiting."
    height = 1.05
    picture = frame(identity, WIDE, height * len(steps) + 0.2, claim, subtitle)
    end = max(step.end for step in steps)
    factor, unit = (1.0, "s") if end >= 1 else (1e3, "ms")
    for i, step in enumerate(steps):
        bottom = 0.2 + height * (len(steps) - 1 - i)
        last = i == len(steps) - 1
        axes = picture.axes(0.08, bottom + 0.06, WIDE - 0.1, bottom + height - 0.2)
        axes.set_xlim(0, factor * end)
        axes.set_ylim(step.ranks - 0.4, -0.6)
        _blocks(axes, step, factor)
        bare(axes, keep=["bottom"] if last else [])
        axes.set_yticks([])
        axes.xaxis.set_major_locator(MaxNLocator(7))
        axes.tick_params(axis="x", labelsize=SMALL, labelbottom=last, length=2.5 if last else 0)
        axes.xaxis.set_major_formatter(FormatStrFormatter(f"%g {unit}"))
        figures = f": {duration(step.end)}, {percent(step.idle)} waiting"
        text = shorten(step.label, WIDE - 2.0, LABEL, "semibold") + figures
        picture.text(
            0, bottom + height - 0.04, text, size=LABEL, weight="semibold", color=TEXT["a"], va="top"
        )
    told = "; ".join(
        f"{step.label}: {duration(step.end)}, {percent(step.idle)} of it waiting" for step in steps
    )
    return described(picture.figure, f"{claim}. {told}.")


def _blocks(axes: Axes, step: Pipeline, factor: float) -> None:
    for kind, colour in SHADES.items():
        boxes = [
            [(factor * s, y - 0.42), (factor * e, y - 0.42), (factor * e, y + 0.42), (factor * s, y + 0.42)]
            for y, s, e, what in step.bars
            if what == kind
        ]
        if boxes:
            # A hairline between bars as long as it leaves most of them; thousands of bars need all their width.
            edge = 0.25 if len(step.bars) < 200 * step.ranks else 0.0
            axes.add_collection(PolyCollection(boxes, fc=colour, ec="white", lw=edge))
