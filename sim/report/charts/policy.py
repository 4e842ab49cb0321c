"""Charts of a policy question: fans over time, compute by pathway, what binds, what moves the outcome."""

from __future__ import annotations

import math

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from sim.report.charts.style import (
    FILL,
    GREY,
    HALF,
    INK,
    LABEL,
    LIGHT,
    PALE,
    RULE,
    SMALL,
    TEXT,
    WIDE,
    Frame,
    apart,
    bare,
    described,
    frame,
    shorten,
    styled,
    text_width,
)
from sim.report.content import RunIdentity
from sim.report.numbers import MINUS, number, scale_of
from sim.report.policy_content import Binding, Fan, Stack, Tornado

# Kinds that can be told apart in grey: dark to pale, and some with hatches.
SHADES = (
    ("#12437a", ""), ("#5d88b6", ""), ("#b9cde2", "////"), ("#eda52c", ""), ("#f7d391", "...."), ("#9aa4ae", "xxxx"),
    ("#59636e", ""), ("#8f5600", "\\\\"), ("#dfe3e7", ""), ("#a8442a", ""), ("#e5b8a8", "----"),
)  # fmt: skip
NOTHING = ("#eef0f2", "")  # where no input is scarce
TICK = 0.62  # inch between the ticks of a tornado, at least
LINE = 0.16  # inch, of a legend


def _years(axes: Axes, dates: tuple[float, ...], short: bool = False) -> None:
    first, last = math.ceil(dates[0] - 0.26), math.floor(dates[-1] + 1e-6)
    axes.set_xticks(range(first, last + 1))
    axes.set_xticklabels([f"’{year % 100:02d}" if short else str(year) for year in range(first, last + 1)])


def _past(axes: Axes, past: float, low: float) -> None:
    if past <= low:
        return
    axes.axvline(past, color=LIGHT, lw=0.7, ls=(0, (2, 2)), zorder=1)
    axes.annotate("data until here", (past, 1.0), xycoords=axes.get_xaxis_transform(), xytext=(-3, -2),
                  textcoords="offset points", size=SMALL - 0.4, color=GREY, va="top", ha="right")  # fmt: skip


@styled
def fan(identity: RunIdentity, content: Fan, width: float = WIDE, body: float = 2.3) -> Figure:
    """Median, 50 and 90 % band of one or two scenarios over time."""
    picture = frame(identity, width, body, content.title, content.subtitle)
    right = 1.15 if width > HALF else 0.82
    axes = picture.axes(0.50, 0.25, width - right, body - 0.06)
    dates = tuple(content.dates)
    tops = [point.p95 for series in content.series for point in series.points if math.isfinite(point.p95)]
    top = 1.06 * max([*tops, *(content.line[1] if content.line else ())], default=1.0)
    for series in content.series:
        _band(axes, dates, series.key, [(p.p05, p.p25, p.p50, p.p75, p.p95) for p in series.points])
    axes.set_xlim(dates[0], dates[-1])
    if content.log:
        axes.set_yscale("log")
        lows = [point.p05 for series in content.series for point in series.points if point.p05 > 0]
        lows += [value for value in (content.line[1] if content.line else ()) if value > 0]
        axes.set_ylim(0.8 * min(lows, default=0.1), top * 1.3)
    else:
        axes.set_ylim(0, top)
    axes.yaxis.set_major_formatter(lambda y, _: f"{y:,g}")
    axes.grid(axis="y")
    if content.line:
        axes.plot(dates, content.line[1], color=INK, lw=1.1, ls=(0, (4, 2)), zorder=5)
    _years(axes, dates, short=width <= HALF)
    _past(axes, content.past, dates[0])
    _ends(axes, content, body - 0.31, right - 0.08)
    return described(picture.figure, f"{content.title}. {content.subtitle} {_spoken(content)}")


def _band(axes: Axes, dates: tuple[float, ...], key: str, rows: list[tuple[float, ...]]) -> None:
    p05, p25, p50, p75, p95 = zip(*rows, strict=True)
    axes.fill_between(dates, p05, p95, color=PALE[key], alpha=0.30, lw=0, zorder=2)
    axes.fill_between(dates, p25, p75, color=PALE[key], alpha=0.55, lw=0, zorder=2)
    axes.plot(dates, p50, color=FILL[key], lw=1.9, zorder=4, ls="-" if key == "a" else (0, (5, 1.2)))


def _ends(axes: Axes, content: Fan, height: float, room: float) -> None:
    """Labels at the right end of the lines, kept apart."""
    labels = [(series.points[-1].p50, series.label, TEXT[series.key]) for series in content.series]
    if content.line:
        labels.append((content.line[1][-1], content.line[0], INK))
    low, high = axes.get_ylim()
    forward = (lambda y: math.log(max(y, low))) if content.log else (lambda y: y)
    back = math.exp if content.log else (lambda y: y)
    span = forward(high) - forward(low)
    places = apart([forward(y) for y, _, _ in labels], 0.27 * span / height, forward(low), forward(high))
    for place, (value, label, colour) in zip(places, labels, strict=True):
        text = f"{number(value)}\n{shorten(label, room, SMALL)}"
        axes.annotate(text, (1.0, back(place)), xycoords=axes.get_yaxis_transform(), xytext=(4, 0),
                      textcoords="offset points", va="center", size=SMALL, color=colour,
                      linespacing=1.0)  # fmt: skip


def _spoken(content: Fan) -> str:
    return " ".join(
        f"{s.label} at the end: median {number(s.points[-1].p50)}, 90 % interval {number(s.points[-1].p05)} to "
        f"{number(s.points[-1].p95)}."
        for s in content.series
    )


@styled
def stack(identity: RunIdentity, content: Stack, width: float = HALF, body: float = 2.1) -> Figure:
    """Medians by kind over time, stacked, with the names at the right end."""
    picture = frame(identity, width, body, content.title, content.subtitle)
    axes = picture.axes(0.45, 0.25, width - 1.0, body - 0.06)
    dates = tuple(content.dates)
    floor = [0.0] * len(dates)
    middles: list[tuple[float, str]] = []
    for (label, values), (colour, hatch) in zip(content.layers, SHADES, strict=False):
        ceiling = [low + value for low, value in zip(floor, values, strict=True)]
        axes.fill_between(dates, floor, ceiling, facecolor=colour, hatch=hatch, edgecolor="white", lw=0.4)
        middles.append(((floor[-1] + ceiling[-1]) / 2, label))
        floor = ceiling
    top = 1.05 * max(floor) if max(floor) > 0 else 1.0
    axes.set_ylim(0, top)
    axes.set_xlim(dates[0], dates[-1])
    axes.yaxis.set_major_formatter(lambda y, _: f"{y:,g}")
    _years(axes, dates, short=width <= HALF)
    _past(axes, content.past, dates[0])
    places = apart([middle for middle, _ in middles], 0.15 * top / (body - 0.31), 0.0, top)
    for place, (_, label) in zip(places, middles, strict=True):
        axes.annotate(label, (1.0, place), xycoords=axes.get_yaxis_transform(), xytext=(4, 0),
                      textcoords="offset points", va="center", size=SMALL, color=INK)  # fmt: skip
    words = "; ".join(f"{label} {number(values[-1])}" for label, values in content.layers)
    return described(picture.figure, f"{content.title}. {content.subtitle} At the end: {words}.")


@styled
def binding(identity: RunIdentity, content: Binding, width: float = WIDE) -> Figure:
    """For each maker and the sites: share of the draws in which each input is the scarce one."""
    row, gap, left = 0.28, 0.10, 1.55
    names = list(dict.fromkeys(name for strip in content.strips for name, _ in strip.shares))
    lines = 1 + max(line for _, line in _places(names, left, width).values())
    body = (row + gap) * len(content.strips) + 0.27 + LINE * lines
    picture = frame(identity, width, body, content.title, content.subtitle)
    scarce = [name for name in names if not name.startswith("nothing")]
    colours = {name: SHADES[i % len(SHADES)] for i, name in enumerate(scarce)}
    colours |= {name: NOTHING for name in names if name not in scarce}
    _legend(picture, names, colours, left, body)
    dates = tuple(content.dates)
    for index, strip in enumerate(content.strips):
        bottom = body - LINE * lines - 0.05 - (row + gap) * (index + 1) + gap
        axes = picture.axes(left, bottom, width - 0.18, bottom + row)
        floor = [0.0] * len(dates)
        for name, shares in strip.shares:
            colour, hatch = colours[name]
            axes.bar([d - 0.125 for d in dates], shares, 0.25, bottom=floor, color=colour, hatch=hatch, edgecolor="white",
                     lw=0.3)  # fmt: skip
            floor = [low + share for low, share in zip(floor, shares, strict=True)]
        axes.set_xlim(dates[0] - 0.25, dates[-1])
        axes.set_ylim(0, 1)
        axes.set_yticks([])
        bare(axes, keep=("bottom",) if index == len(content.strips) - 1 else ())
        if index < len(content.strips) - 1:
            axes.set_xticks([])
        else:
            _years(axes, dates)
        picture.text(0, bottom + row / 2, shorten(strip.label, left - 0.1), size=LABEL, va="center")
    return described(picture.figure, f"{content.title}. {content.subtitle} {_binds(content)}")


def _legend(
    picture: Frame, names: list[str], colours: dict[str, tuple[str, str]], left: float, body: float
) -> None:
    for name, (x, y) in _places(names, left, picture.width).items():
        colour, hatch = colours[name]
        top = body - LINE * y
        axes = picture.axes(x, top - 0.13, x + 0.13, top - 0.02)
        axes.bar([0], [1], 1, color=colour, hatch=hatch, edgecolor="white", lw=0.3)
        axes.set_axis_off()
        picture.text(x + 0.17, top - 0.075, name, size=SMALL, va="center")


def _places(names: list[str], left: float, width: float) -> dict[str, tuple[float, int]]:
    """Where each name of the legend stands: from the left [inch], and in which line."""
    found: dict[str, tuple[float, int]] = {}
    x, line = left, 0
    for name in names:
        wide = 0.30 + text_width(name, SMALL)
        if x + wide > width and x > left:
            x, line = left, line + 1
        found[name] = (x, line)
        x += wide
    return found


def _binds(content: Binding) -> str:
    words = []
    for strip in content.strips:
        name, shares = max(strip.shares, key=lambda each: each[1][-1])
        words.append(f"{strip.label}: at the end {name} in {100 * shares[-1]:.0f} % of the draws.")
    return " ".join(words)


@styled
def tornado(identity: RunIdentity, content: Tornado, width: float = WIDE) -> Figure:
    """The outcome with one input at its 10th and 90th percentile and all others at their median."""
    row, left = 0.285, 2.55
    body = row * len(content.bars) + 0.28
    factor, word = _scale(content)
    counted = f"{word} {content.unit}".strip()
    subtitle = f"{counted[:1].upper()}{counted[1:]}. {content.subtitle}" if counted else content.subtitle
    picture = frame(identity, width, body, content.title, subtitle)
    axes = picture.axes(left, 0.25, width - 0.1, body)
    ends = [x for bar in content.bars for x in (bar.at_low, bar.at_high) if math.isfinite(x)]
    middle = content.median if math.isfinite(content.median) else max(ends, default=0.0)
    low, high = min([*ends, middle], default=0.0), max([*ends, middle], default=1.0)
    reach = high - low or abs(middle) or 1.0
    never = high + 0.12 * reach
    pad = reach * _room(content, width - 0.1 - left)
    axes.set_xlim(low - pad, high + pad)
    axes.set_ylim(len(content.bars) - 0.5, -0.5)
    show = _date if content.is_date else number
    for y, bar in enumerate(content.bars):
        tips = [
            (value if math.isfinite(value) else never, key, text)
            for value, key, text in ((bar.at_low, "b", bar.low), (bar.at_high, "a", bar.high))
        ]
        for end, key, _ in sorted(tips, key=lambda each: -abs(each[0] - middle)):
            axes.barh(y, end - middle, left=middle, height=0.52, color=FILL[key], zorder=3)
        tips.sort()
        for (_, key, text), side, place in zip(
            tips, (-1, 1), (min(tips[0][0], middle), max(tips[1][0], middle)), strict=True
        ):
            axes.annotate(text, (place, y), xytext=(4 * side, 0), textcoords="offset points", size=SMALL - 0.4,
                          va="center", ha="left" if side > 0 else "right", color=TEXT[key])  # fmt: skip
        axes.axhline(y + 0.5, color=RULE, lw=0.5, zorder=1)
        height = body - row * (y + 0.5) - 0.0
        mark = "†" if bar.weak else ""
        picture.text(0, height + 0.005, shorten(bar.name + mark, left - 0.1), size=LABEL, va="bottom")
        picture.text(
            0, height - 0.005, shorten(bar.owner, left - 0.1, SMALL), size=SMALL - 0.4, color=GREY, va="top"
        )
    axes.axvline(middle, color=INK, lw=0.9, zorder=4)
    bare(axes, keep=("bottom",))
    axes.set_yticks([])
    inches = (width - 0.1 - left) * (high - low) / (high - low + 2.0 * pad)
    ticks = _ticks(low, high, content.is_date, max(int(inches / TICK), 1))
    axes.set_xticks(
        ticks, [_date(x) if content.is_date else f"{x / factor:,g}".replace("-", MINUS) for x in ticks]
    )
    words = "; ".join(f"{b.name} {show(b.at_low)} to {show(b.at_high)}" for b in content.bars[:5])
    return described(picture.figure, f"{content.title}. {subtitle} {words}.")


def _scale(content: Tornado) -> tuple[float, str]:
    """What the axis is divided by, in a word."""
    return (
        (1.0, "") if content.is_date else scale_of([x for b in content.bars for x in (b.at_low, b.at_high)])
    )


def _ticks(low: float, high: float, is_date: bool, most: int) -> list[float]:
    """A few round values between the outermost ends of the bars: beyond them the room belongs to the labels."""
    steps = [1, 2, 3, 6, 10] if is_date else [1, 2, 2.5, 5, 10]
    unit = 1 / 12 if is_date else 1.0
    found = [
        unit * float(x) for x in MaxNLocator(min(most, 5), steps=steps).tick_values(low / unit, high / unit)
    ]
    inside = [x for x in found if low - 1e-9 <= x <= high + 1e-9]
    return inside or [low]


def _room(content: Tornado, width: float) -> float:
    """What to add on either side for the labels, as a share of the reach of the bars."""
    widest = (
        max((text_width(text, SMALL) for bar in content.bars for text in (bar.low, bar.high)), default=0.0)
        + 0.1
    )
    share = min(widest / width, 0.36)
    return share / (1.0 - 2.0 * share)


def _date(year: float) -> str:
    if not math.isfinite(year):
        return "not by then"
    months = round(year * 12)
    return f"{months // 12}-{months % 12 + 1:02d}"
