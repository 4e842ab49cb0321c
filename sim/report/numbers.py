"""Numbers as people read them: three significant digits, thousands separators, intervals in words."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sim.report.content import Interval

MINUS = "−"  # the typographic minus
SCALES = ((1e15, "quadrillion"), (1e12, "trillion"), (1e9, "billion"), (1e6, "million"))


def _rounded(x: float, digits: int) -> tuple[float, int]:
    """The number rounded to significant digits, and the decimals that show them."""
    if x == 0:
        return 0.0, 0
    decimals = digits - 1 - math.floor(math.log10(abs(x)))
    rounded = round(x, decimals)
    if rounded != 0:  # 9.996 becomes 10.0: one decimal less
        decimals = digits - 1 - math.floor(math.log10(abs(rounded)))
    return rounded, decimals


def number(x: float, digits: int = 3) -> str:
    """A number with ``digits`` significant digits; millions and more in words.

    Examples
    --------
    >>> number(9943.7), number(0.012345), number(12_840_000), number(-1.5)
    ('9,940', '0.0123', '12.8 million', '−1.50')
    """
    if math.isnan(x):
        return "unknown"
    if math.isinf(x):
        return "no limit" if x > 0 else f"{MINUS}no limit"
    for factor, word in SCALES:
        if abs(_rounded(x, digits)[0]) >= factor:
            return f"{number(x / factor, digits)} {word}"
    rounded, decimals = _rounded(x, digits)
    if 0 < abs(rounded) < 1e-4:
        mantissa, exponent = f"{rounded:.{digits - 1}e}".split("e")
        return f"{mantissa}e{int(exponent)}".replace("-", MINUS)
    return f"{rounded:,.{max(decimals, 0)}f}".replace("-", MINUS)


def signed(x: float, digits: int = 3) -> str:
    """A number with its sign always shown.

    Examples
    --------
    >>> signed(0.25), signed(-3.0)
    ('+0.250', '−3.00')
    """
    return ("+" if x > 0 else "") + number(x, digits)


def aligned(x: float, reference: float, digits: int = 3, sign: bool = False) -> str:
    """A number with as many decimals as ``reference`` shows, so that parts visibly add up to their sum.

    Examples
    --------
    >>> aligned(0.0712, 1.64), aligned(3.0, 212.0), aligned(0.5, 12.3, sign=True)
    ('0.07', '3', '+0.5')
    """
    if not math.isfinite(x) or not reference or abs(x) >= 1e6:
        return number(x, digits)
    text = f"{x:,.{max(_rounded(reference, digits)[1], 0)}f}"
    zero = not text.strip("-0.,")
    if zero:
        return text.lstrip("-")
    return ("+" if sign and x > 0 else "") + text.replace("-", MINUS)


def percent(share: float, digits: int = 2, sign: bool = False) -> str:
    """A share as per cent; whole per cents from 10 on.

    Examples
    --------
    >>> percent(0.4567), percent(0.043), percent(1.0), percent(-0.12, sign=True)
    ('46 %', '4.3 %', '100 %', '−12 %')
    """
    if not math.isfinite(share):
        return number(share)
    if share != 0 and abs(share) < 0.0005:
        return "0.0 %"
    text = number(100 * share, digits if abs(share) < 0.995 else 3)
    plus = "+" if sign and share > 0 else ""
    return f"{plus}{text} %"


def plain_number(x: float) -> str:
    """Three digits without words for millions, for a number whose scale is said elsewhere.

    Examples
    --------
    >>> plain_number(1_064_000), plain_number(0.0799)
    ('1,060,000', '0.0799')
    """
    return f"{_rounded(x, 3)[0]:,.0f}" if 1e6 <= abs(x) < math.inf else number(x)


def scale_of(values: Sequence[float]) -> tuple[float, str]:
    """The factor and its word that suit all values at once, chosen for the largest.

    Examples
    --------
    >>> scale_of([3.0e6, 12.0e6])
    (1000000.0, 'million')
    """
    largest = max((abs(x) for x in values if math.isfinite(x)), default=0.0)
    return next(((factor, word) for factor, word in SCALES if largest >= factor), (1.0, ""))


def bounds(interval: Interval) -> str:
    """The 90 % interval in words, without the words "90 % interval".

    Examples
    --------
    >>> bounds(Interval(7100, 9000, 9940, 11000, 12800))
    '7,100 to 12,800'
    """
    if math.isnan(interval.p50):
        return "unknown"
    factor, word = scale_of([interval.p50 if math.isfinite(interval.p50) else interval.p05])
    if not word:
        return f"{number(interval.p05)} to {number(interval.p95)}"
    return f"{plain_number(interval.p05 / factor)} to {plain_number(interval.p95 / factor)} {word}"


def finite(*intervals: Interval) -> bool:
    """True where the medians and the quartiles around them are numbers that can be drawn."""
    return all(math.isfinite(x) for i in intervals for x in (i.p05, i.p25, i.p50, i.p75))


def span(low: str, high: str) -> str:
    """A range of two formatted values, with their unit once.

    Examples
    --------
    >>> span("620 TFLOP/s", "781 TFLOP/s"), span("8 µs", "1 ms"), span("0.1", "0.2")
    ('620 to 781 TFLOP/s', '8 µs to 1 ms', '0.1 to 0.2')
    """
    number_low, _, unit_low = low.partition(" ")
    _, _, unit_high = high.partition(" ")
    return f"{number_low if unit_low == unit_high else low} to {high}"


def with_interval(interval: Interval, unit: str = "") -> str:
    """Median, unit and interval in words.

    Examples
    --------
    >>> with_interval(Interval(7100, 9000, 9940, 11000, 12800), "H100")
    '9,940 H100 (90 % interval 7,100 to 12,800)'
    """
    if math.isnan(interval.p50):
        return "unknown"
    head = f"{number(interval.p50)} {unit}".rstrip()
    return f"{head} (90 % interval {bounds(interval)})"


def whole_percent(share: float) -> str:
    """A share in whole per cents; what is smaller than one is said to be.

    Examples
    --------
    >>> whole_percent(0.4567), whole_percent(0.004), whole_percent(0.0)
    ('46 %', '<1 %', '0 %')
    """
    if math.isnan(share):
        return "unknown"
    return "<1 %" if 0 < share < 0.005 else f"{100 * share:.0f} %".replace("-", MINUS)


def duration(seconds: float) -> str:
    """A time with the unit that suits it.

    Examples
    --------
    >>> duration(0.0421), duration(12.0), duration(2e-5)
    ('42.1 ms', '12.0 s', '20.0 µs')
    """
    for factor, unit in ((1.0, "s"), (1e-3, "ms")):
        if abs(seconds) >= factor:
            return f"{number(seconds / factor)} {unit}"
    return f"{number(seconds / 1e-6)} µs" if seconds else "0 s"


def scaled(interval: Interval, factor: float) -> Interval:
    """The interval in another unit: every quantile times ``factor`` (positive)."""
    return Interval(*(factor * getattr(interval, name) for name in Interval.__slots__))
