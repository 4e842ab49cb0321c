"""Three-valued tests: Kleene's tables, the edges of every sign, and that a range is decided only where all of it agrees."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.policy.metrics import performance_density, total_processing_performance
from sim.policy.rules.truth import (
    UNKNOWN,
    Bounds,
    Compare,
    Every,
    Not,
    OneOf,
    Some,
    compare,
    holds,
    names_match,
)

T, F, U = 1.0, 0.0, 0.5
CELLS = {T: Compare("t", ">", 0), F: Compare("f", ">", 0), U: Compare("u", ">", 0)}
FIGURES = {"t": Bounds.of(1.0), "f": Bounds.of(-1.0), "u": UNKNOWN}


def value(test) -> float:
    return float(np.asarray(holds(test, FIGURES, {}, lambda _: U)))


# Kleene, Introduction to Metamathematics (1952), section 64, strong tables.
@pytest.mark.parametrize(
    ("a", "b", "both", "either"),
    [(T, T, T, T), (T, F, F, T), (F, F, F, F), (T, U, U, T), (F, U, F, U), (U, U, U, U)],
)
def test_kleenes_tables(a: float, b: float, both: float, either: float) -> None:
    assert value(Every((CELLS[a], CELLS[b]))) == both
    assert value(Some((CELLS[a], CELLS[b]))) == either
    assert value(Not(CELLS[a])) == 1 - a


@pytest.mark.parametrize(
    ("op", "below", "at", "above"),
    [(">=", F, T, T), (">", F, F, T), ("<=", T, T, F), ("<", T, F, F), ("==", F, T, F)],
)
def test_every_sign_at_its_edge(op: str, below: float, at: float, above: float) -> None:
    got = [float(compare(Bounds.of(x), op, 4800.0)) for x in (4799.999, 4800.0, 4800.001)]
    assert got == [below, at, above]


@given(
    st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.floats(0, 1),
    st.sampled_from([">=", ">", "<=", "<"]),
)  # fmt: skip
def test_a_decided_range_decides_every_value_in_it(
    a: float, b: float, threshold: float, at: float, op: str
) -> None:
    low, high = sorted((a, b))
    inside = min(max(low + at * (high - low), low), high)
    whole, one = (
        float(compare(Bounds(low, high), op, threshold)),
        float(compare(Bounds.of(inside), op, threshold)),
    )
    assert whole in (one, U)


@given(st.floats(0, 1e5), st.floats(0, 1e5), st.floats(1, 1e4), st.floats(1, 1e4))
def test_a_quotient_of_ranges_holds_all_quotients(a: float, b: float, c: float, d: float) -> None:
    top, down = Bounds(*sorted((a, b))), Bounds(*sorted((c, d)))
    got = top.over(down)
    for x in (a, b):
        for y in (c, d):
            assert got.low <= x / y * (1 + 1e-12)
            assert x / y <= got.high * (1 + 1e-12)


def test_nothing_over_nothing_is_unknown() -> None:
    assert UNKNOWN.over(Bounds.of(814.0)) == UNKNOWN
    assert Bounds.of(100.0).over(UNKNOWN).high == np.inf


def test_names_match_by_whole_words() -> None:
    assert names_match("h20 / NVIDIA H20", "H20")
    assert not names_match("h200-sxm / NVIDIA H200", "H20")
    assert names_match("rtx-pro-6000d", "RTX PRO 6000D")
    assert float(np.asarray(holds(OneOf("vendor", ("NVIDIA",)), {}, {"vendor": None}, lambda _: U))) == U


def test_tests_broadcast_over_draws() -> None:
    tpp = Bounds.of(np.array([4799.0, 4800.0, np.nan]))
    assert np.array_equal(compare(tpp, ">=", 4800.0), [F, T, U])


# Worked examples of the technical notes: 600 INT8 TOPS and 300 FP16 TFLOPS both make 4,800; H100 FP8 1,979 x 8 = 15,832.
def test_total_processing_performance() -> None:
    assert total_processing_performance({"int8": 600e12}) == pytest.approx(4800)
    assert total_processing_performance({"fp16": 300e12}) == pytest.approx(4800)
    assert total_processing_performance({"bf16": 989.5e12, "fp8": 1979e12, "tf32": 494.7e12}) == 15832
    assert np.isnan(total_processing_performance({}))
    assert performance_density(2368.0, 814.0) == pytest.approx(2.909, abs=1e-3)  # H20: 2368 / 814
