"""Units: what is understood, what it is worth, and what is said when it is not."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim import units
from sim.units import UnitError, did_you_mean, format_quantity, to_base, unit_of

YEAR = 365.25 * 24 * 3600

# Right-hand sides are worked out by hand from the definitions of SI, IEC 80000-13 (Gi = 2^30) and the hour.
WORTH = [
    ("3.35 TB/s", "B/s", 3.35e12),
    ("80 GB", "B", 80e9),
    ("80 GiB", "B", 80 * 1024**3),
    ("80GB", "B", 80e9),
    ("400 Gbit/s", "B/s", 50e9),
    ("989.5 TFLOP/s", "FLOP/s", 989.5e12),
    ("1.5 POP/s", "FLOP/s", 1.5e15),
    ("6.5e24 FLOP", "FLOP", 6.5e24),
    ("25 us", "s", 25e-6),
    ("25 µs", "s", 25e-6),
    ("25 \N{GREEK SMALL LETTER MU}s", "s", 25e-6),
    ("10 minutes", "s", 600),
    ("5 years", "s", 5 * YEAR),
    ("1 month", "s", YEAR / 12),
    ("0.08 / year", "1/s", 0.08 / YEAR),
    ("3 per year", "1/s", 3 / YEAR),
    ("8 % / year", "1/s", 0.08 / YEAR),
    ("3.6e-5 / chip / hour", "1/chip/s", 1e-8),
    ("700 W", "W", 700),
    ("30 MW", "W", 30e6),
    ("2 kWh", "J", 7.2e6),
    ("0.09 USD/kWh", "USD/J", 0.09 / 3.6e6),
    ("12 USD/W", "USD/W", 12),
    ("3.6 USD/chip/hour", "USD/chip/s", 1e-3),
    ("1.2 USD/Mtoken", "USD/token", 1.2e-6),
    ("16e12 token", "token", 16e12),
    ("14.8 Ttoken", "token", 14.8e12),
    ("8.14 cm2", "mm2", 814),
    ("20000 wafers/month", "wafer/s", 20000 * 12 / YEAR),
    ("85 %", "", 0.85),
    (0.85, "", 0.85),
    (3, "", 3),
    ("0.85", "", 0.85),
]


@pytest.mark.parametrize(("raw", "dimension", "expected"), WORTH)
def test_worth(raw: str | float, dimension: str, expected: float) -> None:
    assert to_base(raw, dimension) == pytest.approx(expected, rel=1e-14)


REFUSED = [
    (700, "W", '700 needs a unit, for example "700 W"'),
    ("3.35", "B/s", '3.35 needs a unit, for example "3.35 TB/s"'),
    ("400 Gb/s", "B/s", 'write "Gbit" for bits or "GB" for bytes'),
    ("400 Gbps", "B/s", 'write "Gbit/s"'),
    ("989 TFLOPS", "FLOP/s", 'write "TFLOP/s" for a rate or "TFLOP" for an amount'),
    ("989 TFLOPs", "FLOP/s", 'write "TFLOP/s" for a rate'),
    ("989 TFLOP", "FLOP/s", 'an amount of work, where a rate of work is expected'),
    ("989 TFLOP", "FLOP/s", 'perhaps "989 TFLOP/s"'),
    ("1.7 GHz", "FLOP/s", "a clock rate is no amount of work"),
    ("2 USD/hour", "USD/chip/s", 'perhaps "2 USD/hour/chip"'),
    ("85 GB", "", "where a pure number without unit is expected"),
    ("80 KB", "B", 'write "kB" (1000) or, for data, "KiB" (1024)'),
    ("5 mB", "B", 'did you mean "MB"?'),
    ("700 w", "W", 'did you mean "W"?'),
    ("12 $/W", "USD/W", 'write the currency after the number as "USD"'),
    ("$12/W", "USD/W", 'write the currency after the number as "USD"'),
    ("12 CNY/W", "USD/W", 'convert to "USD"'),
    ("1,000 W", "W", "write numbers without commas"),
    ("fast", "B/s", "does not start with a number"),
    ("80 (GB", "B", "is not a unit"),
    (None, "W", "read nothing"),
    (True, "", "read true, where a number is expected"),
    (math.inf, "", "a finite number is expected"),
    (math.nan, "", "write `unknown`"),
]  # fmt: skip


@pytest.mark.parametrize(("raw", "dimension", "said"), REFUSED)
def test_refused(raw: object, dimension: str, said: str) -> None:
    with pytest.raises(UnitError) as error:
        to_base(raw, dimension)
    assert said in str(error.value)


def test_words_of_the_stock_registry_are_unknown() -> None:
    # The stock registry of pint reads these as a current, an angle and so on; here none of them means anything.
    for word in ("gilbert", "radian", "meter", "kilogram", "mB", "kB2", "second"):
        with pytest.raises(UnitError):
            to_base(f"1 {word}", "B")


def test_every_example_reads_in_its_own_dimension() -> None:
    for dimension in units._NAMES:
        assert to_base(units.example(dimension), dimension) > 0


@given(
    st.floats(1e-9, 1e9),
    st.sampled_from(["TB/s", "Gbit/s", "USD/kWh", "/ chip / hour", "%", "GiB", "MW", ""]),
)
def test_round_trip(number: float, unit: str) -> None:
    factor = to_base(f"1 {unit}" if unit else 1, _dimension(unit))
    text = format_quantity(number * factor, unit, digits=12)
    assert to_base(text, _dimension(unit)) == pytest.approx(number * factor, rel=1e-10)


def _dimension(unit: str) -> str:
    of = {
        "TB/s": "B/s",
        "Gbit/s": "B/s",
        "USD/kWh": "USD/J",
        "/ chip / hour": "1/chip/s",
        "GiB": "B",
        "MW": "W",
    }
    return of.get(unit, "")


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (3.35e12, "TB/s", "3.35 TB/s"),
        (989.5e12, "TFLOP/s", "989.5 TFLOP/s"),
        (12345.6, "", "12346"),  # whole digits stay
        (100.0, "W", "100 W"),
        (16e12, "token", "1.6e13 token"),
        (0.85, "%", "85 %"),
        (0.0, "W", "0 W"),
        (2 / 3, "", "0.6667"),
        (1e-8, "/ chip / hour", "3.6e-5 / chip / hour"),
        (math.nan, "W", "unknown"),
    ],
)
def test_format(value: float, unit: str, text: str) -> None:
    assert format_quantity(value, unit) == text


def test_unit_of() -> None:
    assert [unit_of(raw) for raw in ("3.35 TB/s", "85 %", 0.85, "unknown", None)] == ["TB/s", "%", "", "", ""]


def test_did_you_mean_says_nothing_when_nothing_is_near() -> None:
    assert did_you_mean("zzz", ["bandwidth"]) == ""
