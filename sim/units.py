"""A closed vocabulary of units: text such as ``3.35 TB/s`` becomes a plain float in base units, and back.

The vocabulary is ours alone. The stock registry of pint reads ``80`` as bytes and ``Gb`` as gilberts, drops
``$``, and does not know ``FLOP``; here every word that is not listed below is an error with a hint.

Base units are second, byte, FLOP, joule (hence watt), USD, token, chip, mm2 and a few counted things.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import pint


class UnitError(ValueError):
    """A text that is no number with a unit of the expected dimension."""


_DECIMAL = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18, "Z": 1e21}
_BINARY = {"Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50}
# In base units, for those who count in them.
HOUR, DAY = 3_600.0, 86_400.0
YEAR = 365.25 * DAY
KWH, GWH = 3.6e6, 3.6e12

# Prefixes are spelled out unit by unit, so that no "millibyte" or "kiloweek" is ever understood by accident.
_PREFIXED: tuple[tuple[str, str, str], ...] = (  # name, prefixes, meaning
    ("B", "kMGTPE", "byte"),
    ("bit", "kMGTPE", "0.125 byte"),
    ("FLOP", "kMGTPEZ", "flop"),
    ("OP", "kMGTPEZ", "flop"),
    ("token", "kMGTP", "tok"),
    ("J", "kMGTPE", "joule"),
    ("W", "kMGT", "joule / second"),
    ("Wh", "kMGTP", "3600 joule"),
    ("USD", "kMGT", "dollar"),
)
_PLAIN: dict[str, str] = {
    "s": "second",
    "ms": "1e-3 second",
    "us": "1e-6 second",
    "µs": "1e-6 second",
    "ns": "1e-9 second",
    "min": "60 second",
    "minute": "60 second",
    "h": "3600 second",
    "hour": "3600 second",
    "day": f"{DAY} second",
    "week": f"{7 * DAY} second",
    "month": f"{YEAR / 12} second",
    "quarter": f"{YEAR / 4} second",
    "year": f"{YEAR} second",
    "mW": "1e-3 joule / second",
    "mm": "millimetre",
    "cm": "10 millimetre",
    "mm2": "millimetre ** 2",
    "cm2": "100 millimetre ** 2",
    "percent": "0.01",
    "chip": "package",
    "request": "call",
    "wafer": "disc",
    "die": "piece",
    "stack": "pile",
    "server": "machine",
}
_BASES = ("byte", "flop", "tok", "second", "joule", "dollar", "millimetre")
_COUNTED = ("package", "call", "disc", "piece", "pile", "machine")

_NAMES = {  # dimension: what a person calls it, and an example
    "FLOP/s": ("a rate of work", "989.5 TFLOP/s"),
    "FLOP": ("an amount of work", "6.5e24 FLOP"),
    "B": ("an amount of data", "80 GB"),
    "B/s": ("a data rate", "3.35 TB/s"),
    "s": ("a time", "25 us"),
    "1/s": ("a rate per time", "0.08 / year"),
    "W": ("a power", "700 W"),
    "J": ("an energy", "1.2 kWh"),
    "mm2": ("an area", "814 mm2"),
    "USD": ("an amount of money", "25000 USD"),
    "USD/J": ("a price of energy", "0.09 USD/kWh"),
    "USD/W": ("a price per power", "12 USD/W"),
    "USD/s": ("a cost per time", "40000 USD/year"),
    "USD/chip/s": ("a rent", "2.10 USD/chip/hour"),
    "USD/token": ("a price of tokens", "1.2 USD/Mtoken"),
    "USD/chip": ("a price per chip", "25000 USD/chip"),
    "USD/wafer": ("a price per wafer", "17000 USD/wafer"),
    "1/chip/s": ("a rate per chip and time", "3.35e-5 / chip / hour"),
    "token": ("a number of tokens", "16e12 token"),
    "token/s": ("a token rate", "1850 token/s"),
    "token/chip/s": ("a token rate per chip", "1850 token/chip/s"),
    "FLOP/B": ("an arithmetic intensity", "295 FLOP/B"),
    "1/mm2": ("a density", "0.001 / mm2"),
    "chip": ("a number of chips", "12000 chip"),
    "chip/s": ("a flow of chips", "200000 chip/quarter"),
    "wafer/s": ("a flow of wafers", "20000 wafer/month"),
    "stack/s": ("a flow of memory stacks", "1000000 stack/quarter"),
    "": ("a pure number", "0.85"),
}

_RATE_WORD = re.compile(r"^([kMGTPEZ]?)(FLOP|OP)[Ss]$")
_HINTS: tuple[tuple[re.Pattern[str], str], ...] = (
    (_RATE_WORD, 'write "{0}{1}/s" for a rate or "{0}{1}" for an amount'),
    (re.compile(r"^([kKMGTP]?)b$"), 'write "{0}bit" for bits or "{0}B" for bytes'),
    (re.compile(r"^([kKMGTP]?)bps$"), 'write "{0}bit/s"'),
    (re.compile(r"^([kKMGTP]?)Bps$"), 'write "{0}B/s"'),
    (re.compile(r"^([kKMGTP]?)bE$"), 'write "{0}bit/s"'),
    (
        re.compile(r"^([kMGT]?)[Hh][Zz]$"),
        'a clock rate is no amount of work; give the peak, as in "989.5 TFLOP/s"',
    ),
    (re.compile(r"^(?:US)?[$]|^[$€¥£]"), 'write the currency after the number as "USD"'),
    (
        re.compile(r"^(?:CNY|RMB|yuan|EUR|euro?s?)$", re.IGNORECASE),
        'convert to "USD" at the rate of that date, and say so in the note',
    ),
    (re.compile(r"^K(B|bit|token|W|J|USD)$"), 'write "k{0}" (1000) or, for data, "Ki{0}" (1024)'),
    (re.compile(r"^(?:sec|secs|seconds?)$"), 'write "s"'),
    (re.compile(r"^(?:hrs?|hr)$"), 'write "hour"'),
    (re.compile(r"^(?:yrs?|annum|a)$"), 'write "year"'),
    (re.compile(r"^(?:dollars?|usd)$", re.I), 'write "USD"'),
    (re.compile(r"^(?:gpus?|npus?|tpus?|accelerators?|packages?)$", re.I), 'write "chip"'),
)

_NUMBER = re.compile(r"^\s*([+-]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(.*?)\s*$")
_WORD = re.compile(r"[^\W\d][\w$€¥£]*|[$€¥£]+")


@lru_cache(maxsize=1)
def _registry() -> pint.UnitRegistry[Any]:
    # pint takes a third of a second to import: not before the first text with a unit is met
    import pint

    registry: pint.UnitRegistry[Any] = pint.UnitRegistry(None)
    for base in (*_BASES, *_COUNTED):
        registry.define(f"{base} = [{base}]")
    for name, prefixes, meaning in _PREFIXED:
        for prefix in ("", *prefixes):
            registry.define(f"{prefix}{name} = {_DECIMAL[prefix]!r} * {meaning}")
    for prefix, factor in _BINARY.items():
        registry.define(f"{prefix}B = {factor!r} * byte")
        registry.define(f"{prefix}bit = {factor / 8!r} * byte")
    for name, meaning in _PLAIN.items():
        registry.define(f"{name} = {meaning}")
    return registry


@lru_cache(maxsize=1)
def vocabulary() -> tuple[str, ...]:
    """Every unit word that is understood."""
    prefixed = (prefix + name for name, prefixes, _ in _PREFIXED for prefix in ("", *prefixes))
    binary = (prefix + name for prefix in _BINARY for name in ("B", "bit"))
    return (*prefixed, *binary, *_PLAIN)


@lru_cache(maxsize=4096)
def _factor(unit: str) -> tuple[float, frozenset[tuple[str, float]]]:
    """Size of a unit in base units, and the base units it is made of with their powers."""
    text = unit.replace("%", "percent").replace("\N{GREEK SMALL LETTER MU}", "\N{MICRO SIGN}")
    for word in _WORD.findall(text):
        if not _is_known(word):
            raise UnitError(f'unit "{word}" is not known{_hint(word)}')
    if text.startswith(("/", "per ")):
        text = "1 " + text
    try:
        registry = _registry()
        factor, base = cast("tuple[float, Any]", registry.get_base_units(registry.parse_units(text)))
    except Exception:  # pint raises whatever its tokenizer raises
        raise UnitError(f'"{unit}" is not a unit; write for example "TB/s" or "USD/chip/hour"') from None
    return float(factor), frozenset((str(name), float(power)) for name, power in base._units.items())


def _is_known(word: str) -> bool:
    words = vocabulary()
    plural = word.endswith("s") and word[:-1] in words and not _RATE_WORD.match(word)
    return word in words or plural or word == "per"


def _hint(word: str) -> str:
    for pattern, text in _HINTS:
        found = pattern.match(word)
        if found:
            return "; " + text.format(*(found.groups("") or ("",)))
    return did_you_mean(word, vocabulary())


def _split(raw: Any) -> tuple[float, str]:
    """Number and unit text of what a file holds."""
    if raw is None or isinstance(raw, bool):
        raise UnitError(f"read {'nothing' if raw is None else str(raw).lower()}, where a number is expected")
    if isinstance(raw, int | float):
        return float(raw), ""
    found = _NUMBER.match(str(raw))
    if not found:
        money = (
            '; write the currency after the number as "USD"'
            if re.match(r"\s*(?:US)?[$€¥£]", str(raw))
            else ""
        )
        raise UnitError(f'read "{raw}", which does not start with a number{money}')
    number, unit = found.groups()
    if re.match(r",\d", unit):
        raise UnitError(f'read "{raw}"; write numbers without commas, with a point for decimals')
    return float(number), unit


def to_base(raw: Any, dimension: str) -> float:
    """Value in base units of a number with a unit.

    Parameters
    ----------
    raw : str or float
        What the file holds: ``"3.35 TB/s"``; for ``dimension`` "" a bare number or a percentage.
    dimension : str
        Base unit that the text must reduce to, such as ``"B/s"``; "" for pure numbers.

    Raises
    ------
    UnitError
        When a unit is missing, unknown, or of another dimension: what was read, what is expected.

    Examples
    --------
    >>> to_base("3.35 TB/s", "B/s") == 3.35e12
    True
    >>> to_base("400 Gbit/s", "B/s") == 50e9
    True
    >>> to_base("85 %", "")
    0.85
    """
    number, unit = _split(raw)
    if not math.isfinite(number):
        raise UnitError(
            f"read {raw}, where a finite number is expected; write `unknown` if nobody has published it"
        )
    if not dimension:
        return number * _pure_factor(raw, unit)
    if not unit:
        raise UnitError(f'{raw} needs a unit, for example "{example(dimension)}"')
    factor, parts = _read_unit(raw, unit)
    if parts != _factor(dimension)[1]:
        raise UnitError(_mismatch(raw, unit, dimension))
    return number * factor


def _read_unit(raw: Any, unit: str) -> tuple[float, frozenset[tuple[str, float]]]:
    try:
        return _factor(unit)
    except UnitError as error:
        raise UnitError(f'read "{raw}": {error}') from None


def _pure_factor(raw: Any, unit: str) -> float:
    if not unit:
        return 1.0
    factor, parts = _read_unit(raw, unit)
    if parts:
        raise UnitError(f'read "{raw}", where a pure number without unit is expected, such as 0.85 or 85 %')
    return factor


def _mismatch(raw: Any, unit: str, dimension: str) -> str:
    name = _NAMES[dimension][0] if dimension in _NAMES else f'"{dimension}"'
    wanted = f'{name} is expected, for example "{example(dimension)}"'
    parts = _factor(unit)[1]
    names = (name for other, (name, _) in _NAMES.items() if other and _factor(other)[1] == parts)
    known = next((f", {name}" for name in names), "")
    for tail in ("/s", "/chip", "/chip/hour", "/W", "/token"):
        if _factor(unit + tail)[1] == _factor(dimension)[1]:
            return f'read "{raw}"{known}, where {wanted}; perhaps "{raw}{tail}"'
    return f'read "{raw}"{known}, where {wanted}'


def unit_of(raw: Any) -> str:
    """The unit text as written; "" for a bare number or for text that is none."""
    try:
        return _split(raw)[1]
    except UnitError:
        return ""


def example(dimension: str) -> str:
    """A well-formed text of a dimension, for messages and schemas."""
    return _NAMES[dimension][1] if dimension in _NAMES else f"1 {dimension}"


def format_quantity(value: float, unit: str, digits: int = 4) -> str:
    """A base-unit number in the unit a file used.

    Parameters
    ----------
    value : float
        In base units; NaN prints as ``unknown``.
    unit : str
        Unit text, "" for pure numbers.
    digits : int
        Significant digits after which decimals are dropped; whole digits are kept up to a million.

    Examples
    --------
    >>> format_quantity(3.35e12, "TB/s")
    '3.35 TB/s'
    >>> format_quantity(0.85, "%")
    '85 %'
    """
    if math.isnan(value):
        return "unknown"
    return f"{_format_number(value / _factor(unit)[0] if unit else value, digits)} {unit}".rstrip()


def _format_number(x: float, digits: int) -> str:
    if x == 0:
        return "0"
    magnitude = math.floor(math.log10(abs(x)))
    if not -4 <= magnitude < 6:
        mantissa, exponent = f"{x:.{digits - 1}e}".split("e")
        return f"{mantissa.rstrip('0').rstrip('.') if '.' in mantissa else mantissa}e{int(exponent)}"
    text = f"{x:.{max(0, digits - 1 - magnitude)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """``; did you mean "x"?`` for the nearest candidate, or nothing.

    Examples
    --------
    >>> did_you_mean("bandwidht", ["bandwidth", "capacity"])
    '; did you mean "bandwidth"?'
    """
    known = list(candidates)
    near = [each for each in known if each.casefold() == word.casefold()]
    near = near or difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f'; did you mean "{near[0]}"?' if near else ""
