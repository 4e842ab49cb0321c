"""One look for all charts: fonts, the two colours, the frame with title, unit and source line.

Sizes are in inches of the printed page; a chart is placed in the report at its own size, so 8 points here are
8 points on paper.
"""

from __future__ import annotations

import bisect
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import matplotlib as mpl
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextToPath

from sim.report.content import Interval, RunIdentity

FONT_DIR = Path(__file__).parents[1] / "fonts"
FAMILY = "Source Sans Pro"

INK, GREY, LIGHT, RULE = "#1b1f24", "#59636e", "#9aa4ae", "#dfe3e7"
# Dark blue and amber: apart for every common colour blindness, and dark against light in grey.
FILL = {"a": "#12437a", "b": "#eda52c"}
PALE = {"a": "#5d88b6", "b": "#f7d391"}
TEXT = {"a": "#12437a", "b": "#8f5600"}  # the same hues, dark enough to read as small text
ON_FILL = {"a": "#ffffff", "b": INK}
MARKER = {"a": "o", "b": "s"}

MAKERS = {
    "AMD",
    "AWS",
    "Biren",
    "Cambricon",
    "Google",
    "Huawei",
    "Hygon",
    "Intel",
    "Kunlun",
    "MetaX",
    "NVIDIA",
}
WIDE, HALF = 6.85, 3.32  # text width of the page, and half of it less the gutter
TITLE, SUBTITLE, LABEL, SMALL, FOOT = 9.5, 8.0, 7.8, 7.3, 7.3

RC: dict[Any, Any] = {
    "font.family": [FAMILY],
    "font.size": LABEL,
    "text.parse_math": False,  # a label may hold dollars and underscores
    "text.color": INK,
    "axes.edgecolor": LIGHT,
    "axes.linewidth": 0.6,
    "axes.labelcolor": GREY,
    "axes.labelsize": LABEL,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "xtick.color": LIGHT,
    "ytick.color": LIGHT,
    "xtick.labelcolor": GREY,
    "ytick.labelcolor": GREY,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "hatch.linewidth": 0.5,
    "svg.fonttype": "none",
    "svg.hashsalt": "chip-parity",
}

P = ParamSpec("P")
R = TypeVar("R")


@cache
def _register_fonts() -> None:
    for path in sorted(FONT_DIR.glob("*.otf")):
        font_manager.fontManager.addfont(path)


def styled(function: Callable[P, R]) -> Callable[P, R]:
    """Run a function under the look of the report, whatever the caller's matplotlib settings."""

    @wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        _register_fonts()
        with mpl.rc_context(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Glyph .* missing from font")
            mpl.rcdefaults()
            mpl.rcParams.update(RC)
            return function(*args, **kwargs)

    return wrapper


@cache
def text_width(text: str, size: float, weight: str = "normal") -> float:
    """Width of one line of text [inch]."""
    font = FontProperties(family=FAMILY, size=size, weight=weight)
    width, _, _ = TextToPath().get_text_width_height_descent(text, font, False)
    return 1.015 * float(width) / 72  # a little more, for renderers that hint


def wrap(text: str, width: float, size: float, weight: str = "normal") -> list[str]:
    """Break text into lines no wider than ``width`` [inch], at hyphens where a word alone is wider."""
    lines: list[str] = []
    words: list[str] = []
    for word in text.replace(" %", "\u00a0%").split(" "):
        fits = text_width(word, size, weight) <= width
        words += [word] if fits else word.replace("-", "-\n").split("\n")
    for word in words:
        longer = f"{lines[-1]}{'' if lines[-1].endswith('-') else ' '}{word}" if lines else word
        if lines and text_width(longer, size, weight) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines or [""]


def balanced(text: str, width: float, size: float, weight: str = "normal") -> list[str]:
    """As :func:`wrap`, but with lines of like length, so that no single word is left over."""
    lines = wrap(text, width, size, weight)
    if len(lines) == 1:
        return lines
    for share in (0.6, 0.7, 0.8, 0.9):
        narrower = wrap(text, share * width, size, weight)
        if len(narrower) == len(lines):
            return narrower
    return lines


def fitted(label: str, width: float, size: float = LABEL, weight: str = "semibold") -> str:
    """The label of a cluster within ``width`` [inch]: whole, else without its maker, else cut at a word."""
    if text_width(label, size, weight) <= width:
        return label
    maker, _, chip = label.partition(" ")
    return shorten(chip if maker in MAKERS and chip else label, width, size, weight)


def shorten(text: str, width: float, size: float = LABEL, weight: str = "normal") -> str:
    """The text, cut with an ellipsis where it is wider than ``width`` [inch], at a word if half of it can stay."""
    if text_width(text, size, weight) <= width:
        return text
    kept = bisect.bisect_right(
        range(1, len(text)), width, key=lambda n: text_width(text[:n] + "…", size, weight)
    )
    cut = text[:kept].rstrip()
    words = cut.rpartition(" ")[0].rstrip(" ,:;") if text[kept : kept + 1] != " " else cut
    return (words if 2 * len(words) >= len(cut) else cut) + "…"


@dataclass(frozen=True, slots=True)
class Frame:
    """A figure with its title written and a free body, measured in inches from the body's lower left corner."""

    figure: Figure
    width: float
    height: float
    base: float  # from the bottom of the figure to the body

    def axes(self, left: float, bottom: float, right: float, top: float, share: Axes | None = None) -> Axes:
        """Axes between two corners of the body [inch]."""
        total_width, total_height = self.figure.get_size_inches()
        box = (left / total_width, (self.base + bottom) / total_height,
               (right - left) / total_width, (top - bottom) / total_height)  # fmt: skip
        return self.figure.add_axes(box, sharey=share)

    def text(self, x: float, y: float, text: str, **style: object) -> None:
        """Text at a place in the body [inch]."""
        total_width, total_height = self.figure.get_size_inches()
        self.figure.text(x / total_width, (self.base + y) / total_height, text, **style)  # type: ignore[arg-type]


def source_line(identity: RunIdentity, width: float) -> str:
    """What a picture needs to be traced when it travels alone, as fully as one line allows."""
    run = f"inputs {identity.inputs_hash} · seed {identity.seed} · {identity.draws:,} draws"
    if identity.as_of:
        run = f"prices as of {identity.as_of} · {run}"
    program = f"Chip Parity {identity.version}"
    named = f"{program} · {identity.scenario}" if identity.scenario else program
    for text in (f"Source: {named} · {run}", f"{named} · {run}", f"Source: {program} · {run}"):
        if text_width(text, FOOT) <= width:
            return text
    return f"{program} · {run}"


def frame(identity: RunIdentity, width: float, body: float, title: str, subtitle: str) -> Frame:
    """A new figure: the claim on top, the unit below it, the source line at the foot, and a free body between.

    Parameters
    ----------
    width, body : float
        Width of the figure and height of the free body [inch]. The figure grows with the lines of its title.
    title, subtitle : str
        The claim; the unit and what the marks mean.
    """
    heads = balanced(title, width - 0.02, TITLE, "semibold")
    subs = wrap(subtitle, width - 0.02, SUBTITLE)
    head = 0.165 * len(heads) + 0.135 * len(subs) + 0.09
    base = 0.2
    # Whole points: at whole multiples of 72 dots per inch no row of pixels is lost.
    total = math.ceil(72 * (base + body + head)) / 72
    figure = Figure(figsize=(math.floor(72 * width) / 72, total))
    y = total - 0.02
    for line in heads:
        figure.text(0, y / total, line, size=TITLE, weight="semibold", va="top")
        y -= 0.165
    for line in subs:
        figure.text(0, y / total, line, size=SUBTITLE, color=GREY, va="top")
        y -= 0.135
    figure.text(0, 0.02 / total, source_line(identity, width), size=FOOT, color=GREY, va="bottom")
    return Frame(figure, width, body, base)


def axes_width(axes: Axes) -> float:
    """Width of axes on the page [inch]."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    return float(axes.get_position().width * figure.get_figwidth())


def axes_height(axes: Axes) -> float:
    """Height of axes on the page [inch]."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    return float(axes.get_position().height * figure.get_figheight())


def described(figure: Figure, text: str) -> Figure:
    """Keep the alternative text with the figure; the document reads it back with ``get_label``."""
    figure.set_label(text)
    return figure


def interval_marks(axes: Axes, y: float, interval: Interval, key: str, colour: str | None = None) -> None:
    """Thin bar 90 %, thick bar 50 %, and a dot for the median, along a row."""
    colour = colour or FILL[key]
    edge = axes.get_xlim()[1]  # an interval without end leaves the chart
    low, first, third, high = (
        min(x, edge) if math.isinf(x) else x for x in (interval.p05, interval.p25, interval.p75, interval.p95)
    )
    axes.plot([low, high], [y, y], color=colour, lw=1.2, solid_capstyle="butt", zorder=3)
    axes.plot([first, third], [y, y], color=colour, lw=5.0, solid_capstyle="butt", zorder=3)
    axes.plot([interval.p50], [y], MARKER[key], ms=6.5, mfc=colour, mec="white", mew=1.1, zorder=4)


def bare(axes: Axes, *, keep: Sequence[str] = ()) -> None:
    """Remove spines and ticks but for the named sides."""
    for side in ("left", "right", "top", "bottom"):
        axes.spines[side].set_visible(side in keep)
    if "left" not in keep:
        axes.tick_params(axis="y", length=0)
    if "bottom" not in keep:
        axes.tick_params(axis="x", length=0)


def apart(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places as near as possible to those wanted, in the same order, at least ``gap`` apart, within bounds.

    Neighbours that collide are pooled and moved together to their mean (pool adjacent violators).

    Examples
    --------
    >>> apart([1.0, 1.1, 3.0], 0.5, 0.0, 10.0)
    [0.8, 1.3, 3.0]
    """
    order = sorted(range(len(wanted)), key=lambda i: (wanted[i], i))
    pools: list[tuple[float, int]] = []  # mean of (wanted - rank * gap), size
    for rank, i in enumerate(order):
        pools.append((wanted[i] - rank * gap, 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (m1, n1), (m2, n2) = pools[-2:]
            pools[-2:] = [((m1 * n1 + m2 * n2) / (n1 + n2), n1 + n2)]
    ceiling = high - gap * (len(wanted) - 1)
    flat = [min(max(mean, low), max(ceiling, low)) for mean, size in pools for _ in range(size)]
    places = [0.0] * len(wanted)
    for rank, i in enumerate(order):
        places[i] = round(flat[rank] + rank * gap, 9)
    return places
