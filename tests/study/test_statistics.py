"""Quantiles, blocks and waterfalls: what is printed adds up, and what is unknown stays unknown."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.study.summary.statistics import (
    gap_steps,
    grouped,
    interval,
    median_blocks,
    most_common,
)

POSITIVE = st.floats(1e-3, 1e3)


def test_quantiles_of_a_line() -> None:
    # 0, 1 ... 100: the p-th percentile is p.
    found = interval(np.random.default_rng(1).permutation(101))
    assert (found.p05, found.p25, found.p50, found.p75, found.p95) == (5.0, 25.0, 50.0, 75.0, 95.0)


def test_a_plain_number_has_no_spread() -> None:
    assert interval(3.0) == interval([3.0, 3.0])
    assert interval(3.0).p05 == interval(3.0).p95 == 3.0


def test_infinite_draws_are_kept() -> None:
    # Two of twenty draws need endless chips: the 95th percentile falls among them, the median does not.
    found = interval([*range(18), math.inf, math.inf])
    assert found.p95 == math.inf
    assert found.p50 in (9.0, 10.0)
    assert found.p05 == 1.0
    assert interval([math.inf] * 3).p05 == math.inf


def test_draws_without_an_answer_are_left_out() -> None:
    assert interval([1.0, math.nan, 3.0]) == interval([1.0, 3.0])
    assert all(math.isnan(getattr(interval([math.nan, math.nan]), name)) for name in ("p05", "p50", "p95"))


def test_draws_without_an_answer_beside_infinite_ones() -> None:
    found = interval([math.nan, 1.0, math.inf])
    assert (found.p05, found.p95) == (1.0, math.inf)


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=30))
def test_quantiles_ascend(values: list[float]) -> None:
    found = interval(values)
    levels = [found.p05, found.p25, found.p50, found.p75, found.p95]
    assert all(math.isnan(x) for x in levels) or all(x <= y for x, y in pairwise(levels))


@given(st.lists(st.tuples(POSITIVE, POSITIVE, POSITIVE), min_size=1, max_size=30))
def test_blocks_add_up_to_the_median(rows: list[tuple[float, float, float]]) -> None:
    columns = dict(zip(("chip", "power", "staff"), np.array(rows).T, strict=True))
    found = median_blocks(columns)
    assert sum(found.values()) == pytest.approx(np.median(np.array(rows).sum(axis=1)), rel=1e-9)
    assert all(value > 0 for value in found.values())


def test_blocks_by_hand() -> None:
    # Totals 4 and 8, median 6; shares of the chip 1/4 and 3/4, mean 1/2.
    assert median_blocks({"chip": np.array([1.0, 6.0]), "power": np.array([3.0, 2.0])}) == {
        "chip": 3.0,
        "power": 3.0,
    }


def test_a_block_that_is_the_same_in_every_draw() -> None:
    found = median_blocks({"chip": 1.0, "power": np.array([1.0, 3.0])})
    assert sum(found.values()) == pytest.approx(3.0)


def test_blocks_of_unknown_cost_are_unknown() -> None:
    found = median_blocks({"chip": math.nan, "power": np.array([1.0, 2.0])})
    assert set(found) == {"chip", "power"}
    assert all(math.isnan(value) for value in found.values())


def test_blocks_beside_worlds_without_a_price() -> None:
    # In the third world nothing is served: totals 2, 6 and infinity, median 6, half of it each.
    blocks = {"chip": np.array([1.0, 3.0, np.inf]), "power": np.array([1.0, 3.0, np.inf])}
    assert median_blocks(blocks) == {"chip": 3.0, "power": 3.0}
    assert interval(blocks["chip"] + blocks["power"]).p50 == 6.0
    mostly_none = {"chip": np.array([1.0, np.inf, np.inf])}
    assert math.isnan(median_blocks(mostly_none)["chip"])


@given(
    causes=st.dictionaries(st.sampled_from("abcdefg"), st.floats(-1e6, 1e6)),
    ends=st.tuples(st.floats(0.1, 1e6), st.floats(0.1, 1e6)),
)
def test_steps_lead_from_end_to_end(causes: dict[str, float], ends: tuple[float, float]) -> None:
    steps = gap_steps((("B", ends[0]), ("A", ends[1])), causes)
    assert steps[0] == ("B", ends[0])
    assert steps[-1] == ("A", ends[1])
    assert steps[0][1] + sum(value for _, value in steps[1:-1]) == pytest.approx(steps[-1][1], abs=1e-6)


def test_steps_come_largest_first_and_without_zeros() -> None:
    steps = gap_steps((("B", 10.0), ("A", 14.0)), {"price": 1.0, "power": 0.0, "throughput": -2.0})
    assert steps == [
        ("B", 10.0),
        ("throughput", -2.0),
        ("price", 1.0),
        ("spread of inputs", 5.0),
        ("A", 14.0),
    ]


@pytest.mark.parametrize("end", [math.nan, math.inf])
def test_no_steps_to_what_is_unknown(end: float) -> None:
    assert gap_steps((("B", 10.0), ("A", end)), {"price": math.nan}) == []
    assert gap_steps((("B", 10.0), ("A", end)), {"price": 1.0}) == []


SIDE = st.dictionaries(
    st.sampled_from(["gemm", "attention", "network", "host", "lookup"]), POSITIVE, min_size=1
)


@given(SIDE, SIDE)
def test_grouping_keeps_sums_and_names(a: dict[str, float], b: dict[str, float]) -> None:
    found = grouped(a, b)
    for side, before in zip(found, (a, b), strict=True):
        assert sum(side.values()) == pytest.approx(sum(before.values()))
    assert list(found[0]) == list(found[1])
    # What is large on one side is shown on both.
    for name, value in a.items():
        if value >= 0.01 * sum(a.values()):
            assert found[0][name] == value
            assert found[1][name] == b.get(name, 0.0)


def test_most_common() -> None:
    assert most_common(np.array([3, 1, 3, 2])) == 3
