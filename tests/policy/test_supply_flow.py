"""The flow of chips: nothing is lost, hand arithmetic holds without uncertainty, and the scarce input decides."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.policy.supply.flow import DOMESTIC, PROXY, Inflow, Inputs, Lane, Shock, simulate
from sim.policy.supply.gates import LIMITS, Trade, admitted, wanted_at
from sim.policy.supply.makers import INPUTS, Maker, Product
from sim.policy.supply.series import Change, Horizon, changed, decimal_year, stepped
from sim.policy.supply.wafers import good_dies, gross_dies

QUARTERS = 8


def flat(value: float, draws: int = 1) -> np.ndarray:
    return np.full((QUARTERS, draws), float(value))


def maker(draws: int = 1, **changes: object) -> Maker:
    base = Maker(
        name="maker",
        products=(Product("x", flat(1, draws), dies=2, stacks=8),),
        dies=flat(1000, draws),
        fab_lead=flat(1, draws),
        bought_dies=flat(0, draws),
        banked_dies=np.zeros(draws),
        packaging=flat(100, draws),
        build_lead=flat(1, draws),
        die_store=np.full(draws, 4.0),
        first_dies=np.ones(draws),
    )
    return replace(base, **changes)


def country(draws: int = 1, **changes: object) -> Inputs:
    base = Inputs(
        horizon=Horizon(2024.0, QUARTERS, draws),
        makers=(maker(draws),),
        inflows=(Inflow(Lane("legal", "y"), flat(50, draws), flat(1, draws)),),
        stacks=flat(400, draws),
        banked_stacks=np.zeros(draws),
        initial={Lane("legal", "y"): np.full(draws, 10.0)},
        watts={"x": np.full(draws, 1000.0), "y": np.full(draws, 1000.0)},
        power_w=flat(1e9, draws),
        network=flat(np.inf, draws),
        life=np.full(draws, 100.0),
        failing=np.zeros(draws),
    )
    return replace(base, **changes)


def test_hand_arithmetic_without_uncertainty() -> None:
    # 400 stacks a quarter, 8 a package: 50 packages a quarter, fewer than the 100 that can be packed.
    course = simulate(country())
    assert course.total("made", DOMESTIC)[:, 0].tolist() == [50.0] * QUARTERS
    assert set(course.binding[0, :, 0]) == {INPUTS.index("HBM")}
    # One quarter on the way: at the end of the eighth, seven quarters' packages are installed, one is in transit.
    assert course.total("installed", DOMESTIC)[-1, 0] == 350.0
    assert course.total("in_transit", DOMESTIC)[-1, 0] == 50.0
    assert course.total("installed", "legal")[-1, 0] == 10.0 + 350.0
    assert course.power_w[-1, 0] == 710_000.0


@settings(max_examples=40, deadline=None)
@given(
    lead=st.floats(0.0, 3.0), life=st.floats(1.0, 12.0), failing=st.floats(0.0, 0.3), power=st.floats(0.0, 2e6),
    stacks=st.floats(0.0, 2000.0), lost=st.floats(0.0, 1.0),
)  # fmt: skip
def test_chips_are_conserved(
    lead: float, life: float, failing: float, power: float, stacks: float, lost: float
) -> None:
    inputs = country(
        draws=3,
        inflows=(Inflow(Lane("legal", "y"), flat(50, 3), lead + flat(1, 3) * np.array([0.0, 0.3, 0.6])),),
        life=np.array([life, life + 0.5, life + 3.0]),
        failing=np.full(3, failing),
        power_w=flat(power, 3),
        stacks=flat(stacks, 3),
        shocks=(Shock(2.5, np.full(3, lost), "legal"),),
    )
    course = simulate(inputs)
    there = sum(np.asarray(amount) for amount in inputs.initial.values())
    came = there + np.cumsum(course.total("made"), axis=0)
    parts = ("installed", "waiting", "failed", "retired", "in_transit")
    assert np.allclose(came, sum(course.total(part) for part in parts), rtol=1e-12, atol=1e-9)
    assert all((course.total(part) >= -1e-9).all() for part in parts)


def test_power_is_never_exceeded() -> None:
    course = simulate(country(power_w=flat(200_000.0)))
    assert course.power_w.max() <= 200_000.0 * (1 + 1e-12)
    assert course.total("waiting")[-1, 0] > 0


def test_more_of_an_input_that_does_not_bind_changes_nothing_and_more_of_the_one_that_does_helps() -> None:
    before = simulate(country()).total("made", DOMESTIC).sum()
    assert simulate(country(makers=(maker(packaging=flat(110)),))).total("made", DOMESTIC).sum() == before
    assert simulate(country(makers=(maker(dies=flat(2000)),))).total("made", DOMESTIC).sum() == before
    # One more stack a quarter is an eighth of a package.
    more = simulate(country(stacks=flat(401))).total("made", DOMESTIC).sum()
    assert more - before == pytest.approx(QUARTERS / 8)


def test_die_bank_is_the_proxy_foundry_and_fits_some_products_only() -> None:
    products = (Product("x", flat(1), 2, 0, banked=True), Product("z", flat(1), 1, 0, banked=False))
    own = maker(products=products, banked_dies=np.array([100.0]), packaging=flat(100))
    watts = {name: np.ones(1) for name in "xyz"}
    course = simulate(country(makers=(own,), watts=watts))
    # 100 packages: 50 x with 100 dies, all from the bank in the first quarter, and 50 z with dies of their own.
    assert course.total("made", PROXY, "x")[0, 0] == 50.0
    assert course.total("made", PROXY)[1:].sum() == 0.0
    assert course.total("made", DOMESTIC, "z")[0, 0] == 50.0
    assert Lane(PROXY, "z") not in course.lanes


def test_retirement_follows_the_life() -> None:
    # 80 chips from the start with a life of 2.5 quarters: half go in the second quarter, half in the third.
    course = simulate(
        country(makers=(), inflows=(), initial={Lane("legal", "y"): np.array([80.0])}, life=np.array([2.5]))
    )
    assert course.total("installed")[:, 0].tolist() == [80.0, 40.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]


def test_dies_per_wafer_and_die_limit_of_the_published_table() -> None:
    # 665.6 mm2 on 300 mm: 70,686 / 665.6 - 942.5 / 36.5 = 106.2 - 25.8 = 80.4; 20,000 wafers a month for a year.
    assert gross_dies(665.6) == pytest.approx(80.4, abs=0.1)
    packages = [float(good_dies(240_000, gross_dies(665.6), share)) / 2 / 1e6 for share in (0.2, 0.4, 0.6)]
    assert packages == pytest.approx([1.9, 3.8, 5.8], abs=0.06)


# --- borders -----------------------------------------------------------------------------------------------


def trade(draws: int = 1, **changes: object) -> Trade:
    base = Trade(
        offered=flat(100, draws), wanted=flat(np.inf, draws), export_gate=flat(1, draws), import_gate=flat(1, draws),
        quota=flat(np.inf, draws), cap_share=flat(np.inf, draws), home_volume=flat(0, draws),
    )  # fmt: skip
    return replace(base, **changes)


@pytest.mark.parametrize(
    ("change", "flow", "limit"),
    [
        ({}, 100.0, "vendor supply"),
        ({"wanted": flat(70)}, 70.0, "buyers' demand"),
        ({"export_gate": flat(0.2)}, 20.0, "exporter's licences"),
        ({"export_gate": flat(0.5), "import_gate": flat(0.1)}, 10.0, "importer's approval"),
        ({"quota": flat(30)}, 30.0, "quota"),
        ({"cap_share": flat(0.5), "home_volume": flat(60)}, 30.0, "volume cap"),
    ],
)
def test_the_smallest_of_the_limits_passes(change: dict[str, np.ndarray], flow: float, limit: str) -> None:
    passed = admitted(trade(**change))
    assert passed.flow[0, 0] == flow
    assert LIMITS[passed.binding[0, 0]] == limit


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000))
def test_caps_hold_in_every_draw(seed: int) -> None:
    draw = np.random.default_rng(seed)
    many = {
        name: draw.lognormal(3, 1, (QUARTERS, 20)) for name in ("offered", "wanted", "quota", "home_volume")
    }
    gates = {name: draw.uniform(0, 1, (QUARTERS, 20)) for name in ("export_gate", "import_gate", "cap_share")}
    found = Trade(**many, **gates)
    flow = admitted(found).flow
    assert (flow <= found.quota).all()
    assert (flow <= found.cap_share * found.home_volume).all()
    requested = np.minimum(found.offered, found.wanted)
    assert (flow <= found.export_gate * requested).all()
    assert (flow <= found.import_gate * requested).all()


def test_a_gate_is_named_where_nothing_is_offered_behind_it() -> None:
    passed = admitted(trade(offered=flat(0), export_gate=flat(0)))
    assert LIMITS[passed.binding[0, 0]] == "exporter's licences"
    assert LIMITS[admitted(trade(offered=flat(0))).binding[0, 0]] == "vendor supply"


def test_dies_at_the_start_and_in_store() -> None:
    # No wafer is started: 3 quarters of dies for 100 packages a quarter of 2 dies each.
    dry = maker(dies=flat(0), first_dies=np.full(1, 3.0), build_lead=flat(0))
    course = simulate(country(makers=(dry,), stacks=flat(10_000)))
    assert course.total("made", "domestic")[:, 0].tolist() == [100, 100, 100, 0, 0, 0, 0, 0]
    # Half a quarter in store, fab included: what is started in a quarter is packed in the next.
    lean = maker(first_dies=np.zeros(1), die_store=np.full(1, 0.5), build_lead=flat(0))
    made = simulate(country(makers=(lean,), stacks=flat(10_000))).total("made", "domestic")[:, 0]
    assert made.max() == pytest.approx(50.0)


def test_demand_falls_with_the_landed_cost() -> None:
    assert wanted_at(100.0, 1.25, 1.0, 1.0) == pytest.approx(
        80.0
    )  # 25 % dearer at elasticity 1: a fifth less
    assert wanted_at(100.0, 1.25, 1.0, 0.0) == 100.0


# --- series ------------------------------------------------------------------------------------------------


def test_series_and_changes_are_means_over_quarters() -> None:
    horizon = Horizon(2024.0, 4, 1)
    series = stepped(horizon, [2024.0, decimal_year("2024-05-16")], [4.0, 8.0])
    # The second quarter has half of each: April 1 to May 15 and May 16 to June 30.
    assert series[:, 0] == pytest.approx([4.0, 6.0, 8.0, 8.0])
    banned = changed(horizon, series, Change(decimal_year("2024-08-16"), set=0.0))
    assert banned[:, 0] == pytest.approx([4.0, 6.0, 4.0, 0.0])
    lifted = changed(horizon, banned, Change(2024.0, end=2024.25, times=2.0))
    assert lifted[:, 0] == pytest.approx([8.0, 6.0, 4.0, 0.0])


def test_a_new_limit_replaces_none() -> None:
    horizon = Horizon(2024.0, 2, 1)
    limited = changed(horizon, np.full((2, 1), np.inf), Change(2024.125, set=5.0))
    assert limited[:, 0].tolist() == [5.0, 5.0]


def test_a_series_that_begins_too_late_is_refused() -> None:
    with pytest.raises(ValueError, match="begins in"):
        stepped(Horizon(2024.0, 2, 1), [2025.0], [1.0])
