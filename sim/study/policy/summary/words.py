"""Policy outcomes as people read them: medians with intervals, dates, differences."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sim.policy.supply.series import iso_month
from sim.report.content import Interval
from sim.report.numbers import number, percent, plain_number, scale_of, signed, whole_percent
from sim.study.policy.headlines import Headline, gap
from sim.study.summary.statistics import interval


def shown_scale(*headlines: Headline | None) -> tuple[float, str]:
    """Factor and word in which outcomes are written side by side, chosen for the largest median."""
    found = [each for each in headlines if each is not None and each.kind != "date"]
    return scale_of([interval(each.values).p50 for each in found])


def short_interval(headline: Headline, scale: tuple[float, str] | None = None) -> tuple[str, str]:
    """Median, and 90 % interval, as text.

    Parameters
    ----------
    scale : (factor, word), optional
        What the numbers are divided by; the word is left to the heading. Without it they have a word of their own.
    """
    found = interval(headline.values)
    if headline.kind == "date":
        return when(headline, found.p50), f"{when(headline, found.p05)} to {when(headline, found.p95)}"
    factor, word = shown_scale(headline) if scale is None else (scale[0], "")
    median, low, high = (plain_number(x / factor) for x in (found.p50, found.p05, found.p95))
    return f"{median} {word}".rstrip(), f"{low} to {high} {word}".rstrip()


def cell(headline: Headline, scale: tuple[float, str]) -> str:
    """Median with its 90 % interval in one cell of a table whose heading has the scale."""
    if _outside(headline):
        return shares(headline, "")
    median, spread = short_interval(headline, scale)
    return median if _certain(headline) else f"{median} ({spread})"


def _certain(headline: Headline) -> bool:
    """Whether an outcome is the same in nearly every draw."""
    found = interval(headline.values)
    return found.p05 == found.p95


def _outside(headline: Headline) -> bool:
    """Whether the median of a date lies before or beyond the horizon."""
    middle = interval(headline.values).p50
    return headline.kind == "date" and (not np.isfinite(middle) or when(headline, middle) == headline.before)


def shares(headline: Headline, of: str = " of the draws") -> str:
    """In which shares of the draws a date lies beyond and before the horizon, or a ratio above its line; else empty."""
    if np.isfinite(headline.line):
        return (
            f"above {headline.line:g} in {whole_percent(float(np.mean(headline.values > headline.line)))}{of}"
        )
    if headline.kind != "date":
        return ""
    never = float(np.mean(~np.isfinite(headline.values)))
    before = float(np.mean(headline.values <= headline.first)) if headline.before else 0.0
    parts = [(headline.never, never), (headline.before, before)]
    return ", ".join(f"{word} in {whole_percent(share)}{of}" for word, share in parts if share > 0)


def label(headline: Headline, word: str = "") -> str:
    """An outcome with what it is counted in, as the head of a row.

    Examples
    --------
    >>> label(Headline("x", "chips at work", "chips", "amount", np.ones(1)), "million")
    'chips at work [million]'
    """
    unit = (
        "" if headline.kind in ("date", "ratio") or headline.name.startswith(headline.unit) else headline.unit
    )
    counted = f"{word} {unit}".strip()
    return f"{headline.name} [{counted}]" if counted else headline.name


def when(headline: Headline, year: float) -> str:
    """A date of an outcome as year and month; what lies before or beyond the horizon says so."""
    if not np.isfinite(year):
        return headline.never
    return headline.before if headline.before and year <= headline.first else iso_month(year)


def outcome_text(headline: Headline, value: float) -> str:
    """One value of an outcome in words."""
    return when(headline, value) if headline.kind == "date" else number(value)


def difference(a: Headline, b: Headline) -> tuple[str, str]:
    """A against B in the same draws: median and 90 % interval, as text; no interval where the draws agree."""
    values, told = _apart(a, b)
    found = interval(values)
    if found == Interval(0.0, 0.0, 0.0, 0.0, 0.0):
        return "none", ""
    low, middle, high = (told(x) for x in (found.p05, found.p50, found.p95))
    return middle, "" if low == middle == high else _span(low, high)


def _apart(a: Headline, b: Headline) -> tuple[NDArray[np.float64], Callable[[float], str]]:
    """By how much two sides differ in every draw, and how that is written: months, an amount, or a share."""
    if a.kind == "date":
        return 12.0 * gap(a.values, b.values), _months
    if a.kind == "money" or np.median(b.values) == 0.0:
        return gap(a.values, b.values), _signed
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(a.values == b.values, 0.0, a.values / b.values - 1.0), _change


def _span(low: str, high: str) -> str:
    """From one end to another, what both count said once."""
    for unit in (" months later", " months earlier", " times"):
        if low.endswith(unit) and high.endswith(unit):
            low = low.removesuffix(unit)
    return f"{low} to {high}"


def difference_cell(a: Headline, b: Headline) -> str:
    """The same in one cell."""
    median, spread = difference(a, b)
    return f"{median} ({spread})" if spread else median


def _months(x: float) -> str:
    if not np.isfinite(x):
        return f"{'later' if x > 0 else 'earlier'} by an unknown time"
    if abs(x) < 0.05:
        return "0 months"
    return f"{number(abs(x), 2)} months {'later' if x > 0 else 'earlier'}"


def _signed(x: float) -> str:
    return "0" if abs(x) < 1e-12 else signed(x)


def _change(share: float) -> str:
    if not np.isfinite(share):
        return "from nothing"
    if share > 2.0:
        return f"{number(1.0 + share)} times"
    return "0 %" if share == 0 else percent(share, sign=True)


def capital(text: str) -> str:
    """The text with a capital at its beginning."""
    return text[:1].upper() + text[1:]


def lead_sentence(a: Headline, b: Headline | None, other: str) -> str:
    """An outcome in one or two sentences.

    Parameters
    ----------
    other : str
        Label of the scenario of ``b``.
    """
    unit = "" if a.kind in ("date", "ratio") or a.name.startswith(a.unit) else f" {a.unit}"
    text = f"{capital(a.name)}: {_told(a, unit, '90 % interval ')}."
    if b is None:
        return text
    return f"{text} {capital(other)}: {_told(b)}. Difference in the same draws: {difference_cell(a, b)}."


def _told(headline: Headline, unit: str = "", before: str = "") -> str:
    if _outside(headline):
        return shares(headline)
    median, spread = short_interval(headline)
    rest = shares(headline)
    about = " whatever the draw" if _certain(headline) else f" ({before}{spread})"
    return f"{median}{unit}{about}" + (f", {rest}" if rest else "")


def account_rows(
    accounts: Mapping[str, NDArray[np.int64]], branch: str, option: int, a: Headline, b: Headline | None
) -> tuple[Headline, Headline | None]:
    """The draws that follow one account."""
    chosen = accounts[branch] == option
    return _only(a, chosen), None if b is None else _only(b, chosen)


def _only(headline: Headline, chosen: NDArray[np.bool_]) -> Headline:
    return replace(headline, values=headline.values[chosen] if chosen.any() else np.array([np.nan]))
