"""Splits of a gap add up, are fair, and blame nobody who did not change."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_ownership import owner

from sim.economics.attribution import CAUSES, CostCase, cost_gap, cost_per_million, shapley
from sim.economics.ownership import Ownership

positive = st.floats(0.1, 100.0)


@given(st.lists(st.tuples(positive, positive), min_size=1, max_size=5))
def test_parts_add_up_for_any_product(sides):
    before = {str(i): pair[0] for i, pair in enumerate(sides)}
    after = {str(i): pair[1] for i, pair in enumerate(sides)}
    worth = lambda factors: float(np.prod(list(factors.values())))  # noqa: E731
    parts = shapley(worth, before, after)
    assert sum(parts.values()) == pytest.approx(worth(after) - worth(before), rel=1e-9, abs=1e-9)


def test_additive_function_gives_each_factor_its_own_change():
    parts = shapley(lambda f: f["a"] + 2 * f["b"], {"a": 1, "b": 1}, {"a": 4, "b": 0})
    assert parts == pytest.approx({"a": 3.0, "b": -2.0})


def test_symmetric_factors_share_equally():
    # xy from (1, 1) to (2, 2): the gap of 3 is split 1.5 to 1.5.
    assert shapley(lambda f: f["x"] * f["y"], {"x": 1, "y": 1}, {"x": 2, "y": 2}) == pytest.approx(
        {"x": 1.5, "y": 1.5}
    )


def test_different_factors_are_refused():
    with pytest.raises(ValueError, match="different factors"):
        shapley(lambda f: 0.0, {"a": 1}, {"b": 1})


def cases() -> tuple[CostCase, CostCase]:
    a = CostCase(owner(chip_usd=np.array([20e3, 30e3])), 1_000.0, 1_500.0, goodput=0.95, utilisation=0.6)
    b = CostCase(
        owner(chip_usd=18e3, electricity_usd_per_j=0.056 / 3.6e6, pue=1.25, peak_power_w=1_500.0), 1_300.0,
        np.array([800.0, 900.0]), goodput=0.9, utilisation=0.5,
    )  # fmt: skip
    return a, b


def test_cost_gap_adds_up_on_draws():
    a, b = cases()
    parts = cost_gap(a, b)
    assert list(parts) == list(CAUSES)
    assert sum(parts.values()) == pytest.approx(cost_per_million(b) - cost_per_million(a), rel=1e-12)
    assert np.all(parts["throughput"] > 0)
    assert np.all(parts["failures"] > 0)
    assert np.all(parts["facility and region"] < 0)


def test_same_sides_have_no_gap_and_only_changed_causes_count():
    a, _ = cases()
    assert all(np.allclose(part, 0) for part in cost_gap(a, a).values())
    slower = replace(
        a, tokens_per_chip_s=750.0
    )  # half the speed doubles the cost: the whole gap is the old cost
    parts = cost_gap(a, slower)
    assert parts["throughput"] == pytest.approx(cost_per_million(a))
    assert all(np.allclose(parts[cause], 0) for cause in CAUSES if cause != "throughput")


def test_every_input_belongs_to_one_cause():
    causes = [name for inputs in CAUSES.values() for name in inputs]
    inputs = [f.name for f in fields(Ownership)] + [f.name for f in fields(CostCase) if f.name != "ownership"]
    assert sorted(causes) == sorted(inputs)


def test_gap_adds_up_when_the_two_sides_differ_in_everything():
    a = CostCase(
        owner(storage_usd=900.0, residual=0.05, cooling_share=0.2, spares_per_s=1e-10), 1_000.0, 1_500.0
    )
    other = owner(
        chip_usd=18e3, revenue_share=0.15, pass_through=0.5, duty=0.25, grey_premium=1.5, software_per_s=1e-10,
        depreciation="value loss", value_loss_per_s=0.14 / (365.25 * 86_400), pue=1.1, facility_usd_per_w=5.0,
    )  # fmt: skip
    b = CostCase(other, 1_300.0, 900.0, goodput=0.9, utilisation=0.5)
    parts = cost_gap(a, b)
    assert sum(parts.values()) == pytest.approx(cost_per_million(b) - cost_per_million(a), rel=1e-12)
