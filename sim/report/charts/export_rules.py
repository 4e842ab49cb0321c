"""Export rules in pictures: chips against rules, and designs against thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from sim.report.charts.style import (
    GREY,
    INK,
    RULE,
    SMALL,
    WIDE,
    described,
    fitted,
    frame,
    styled,
    text_width,
)
from sim.report.content import RunIdentity

# From hard to free; each with a letter, so that the picture reads without colour.
WEIGHTS = {
    "barred": ("#12437a", "#ffffff", "B"),
    "licence": ("#5d88b6", "#ffffff", "L"),
    "conditional": ("#f7d391", INK, "C"),
    "free": ("#e9eef2", GREY, "·"),
    "open": ("#eda52c", INK, "?"),
    "none": ("#ffffff", GREY, ""),
}
MEANING = {
    "barred": "B barred, discouraged or presumed denied",
    "licence": "L licence required",
    "conditional": "C conditional: case by case, exception, fee or duty",
    "open": "? not decidable from public data",
    "free": "· not caught",
}


@dataclass(frozen=True, slots=True)
class MatrixContent:
    """Chips against rules.

    Attributes
    ----------
    rules : sequence of str
        Names of the columns.
    rows : sequence of (str, sequence of str)
        Name of the chip, and the weight of each result.
    """

    identity: RunIdentity
    title: str
    subtitle: str
    rules: Sequence[str]
    rows: Sequence[tuple[str, Sequence[str]]]


@styled
def matrix(content: MatrixContent, width: float = WIDE) -> Figure:
    """One row per chip, one column per rule, one letter per result."""
    names = 1.55
    cell = (width - names) / len(content.rules)
    pitch, head, foot = 0.145, _head(content.rules), 0.32
    body = head + pitch * len(content.rows) + foot
    picture = frame(content.identity, width, body, content.title, content.subtitle)
    axes = picture.axes(0.0, 0.0, width, body)
    axes.set_xlim(0, width)
    axes.set_ylim(0, body)
    axes.axis("off")
    for column, rule in enumerate(content.rules):
        x = names + (column + 0.5) * cell
        axes.text(x, body - head + 0.06, rule, rotation=90, ha="center", va="bottom", size=SMALL, color=GREY)
    for row, (chip, weights) in enumerate(content.rows):
        y = body - head - (row + 1) * pitch
        axes.text(0, y + pitch / 2, fitted(chip, names - 0.08, SMALL, "normal"), va="center", size=SMALL)
        for column, weight in enumerate(weights):
            fill, ink, letter = WEIGHTS[weight]
            left = names + column * cell
            axes.add_patch(_tile(left, y, cell, pitch, fill))
            axes.text(left + cell / 2, y + pitch / 2, letter, ha="center", va="center", size=SMALL, color=ink)
    _legend(axes, width)
    caught = sum(any(w in ("barred", "licence") for w in weights) for _, weights in content.rows)
    text = f"{content.title}. {caught} of {len(content.rows)} chips meet at least one licence requirement or bar."
    return described(picture.figure, text)


def _head(rules: Sequence[str]) -> float:
    return 0.12 + max(text_width(rule, SMALL) for rule in rules)


def _tile(left: float, bottom: float, width: float, height: float, fill: str) -> Rectangle:
    return Rectangle((left, bottom), width, height, fc=fill, ec=RULE, lw=0.5)


def _legend(axes: Axes, width: float) -> None:
    x, y = 0.0, 0.19
    for weight, words in MEANING.items():
        needed = 0.16 + text_width(words, SMALL) + 0.14
        if x + needed > width:
            x, y = 0.0, y - 0.13
        axes.add_patch(_tile(x, y - 0.05, 0.1, 0.1, WEIGHTS[weight][0]))
        axes.text(x + 0.15, y, words, va="center", size=SMALL, color=GREY)
        x += needed
