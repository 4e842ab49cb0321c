"""What one more unit of an input adds: one HBM stack, one wafer, one licence, one megawatt."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.policy.supply.series import QUARTER_S, Change
from sim.study.policy.outcomes import quarter_at
from sim.study.policy.simulate import PolicyResult, simulate_policy

Vector = NDArray[np.float64]
COUNTS = 0.01  # of the compute of the mean chip: what adds less is left out of account
MEGAWATT = 1e6
SPREAD = 8  # quarters over which the units come
STEP = 0.02  # of the input's own level: small enough to be the slope, large enough to be no rounding


@dataclass(frozen=True, slots=True)
class Marginal:
    """Compute at work at the date shown for one more unit of an input.

    Attributes
    ----------
    value : (draws,) array
        In the leading metric's own unit per unit of input; zero where the input does not bind.
    counts : (draws,) array of bool
        Where that is more than a hundredth of what the mean chip at work does.
    """

    name: str
    unit: str
    value: Vector
    counts: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Tried:
    name: str
    unit: str
    series: tuple[str, ...]
    base: str
    is_stock: bool = False


def marginals(result: PolicyResult, metric: str) -> list[Marginal]:
    """Finite differences: every input is raised by 2 % of its level over two years, one at a time.

    Notes
    -----
    The two years end on the date shown. Units that come too late to be at work by then are counted as given.
    """
    quarter = quarter_at(result, result.question.scenario.show.date)
    before = result.own.stock(metric)[quarter] / result.reference(metric)
    least = COUNTS * float(np.median(before)) / float(np.median(result.own.chips()[quarter]))
    found = []
    for tried in _tried(result):
        given = _given(result, tried, quarter)
        if not np.any(given > 0):
            continue
        raised = Change(start=float(result.horizon.edges[_first(quarter)]), times=1.0 + STEP)
        other = simulate_policy(
            result.question, result.world, result.rates, [(name, raised) for name in tried.series]
        )
        after = other.own.stock(metric)[quarter] / result.reference(metric)
        value = np.divide(after - before, given, out=np.zeros_like(given), where=given > 0)
        found.append(Marginal(tried.name, tried.unit, value, np.abs(value) > least))
    return found


def _given(result: PolicyResult, tried: _Tried, quarter: int) -> Vector:
    """Units that the raise adds until the date."""
    spread = slice(_first(quarter), quarter + 1)
    level = result.own.book(tried.base)[spread]
    if tried.base.endswith("_gate"):
        trade = result.own.resolved.borders[tried.base.split(".")[1]].trade
        allowed = level * np.minimum(trade.offered, trade.wanted)[spread]
        if tried.base.endswith("export_gate"):
            allowed = np.minimum(allowed, np.minimum(trade.quota, trade.volume_cap)[spread])
        return np.asarray(STEP * allowed.sum(axis=0))
    if tried.is_stock:
        return np.asarray(STEP * level[-1] / MEGAWATT)
    return np.asarray(STEP * level.sum(axis=0) * QUARTER_S)


def _first(quarter: int) -> int:
    return max(quarter + 1 - SPREAD, 0)


def _tried(result: PolicyResult) -> Iterator[_Tried]:
    supply = result.question.own.supply
    if supply.memory is not None:
        yield _Tried("domestic HBM stack", "stack", ("memory.domestic",), "memory.domestic")
    for maker in supply.makers:
        at = f"makers.{maker.id}"
        name = maker.name.split(",")[0]
        yield _Tried(f"wafer for {name}", "wafer", (f"{at}.wafers",), f"{at}.wafers")
        yield _Tried(f"package of {name}", "package", (f"{at}.packaging",), f"{at}.packaging")
    for each in supply.imports:
        at = f"imports.{each.id}"
        names = (f"{at}.export_gate", f"{at}.quota", f"{at}.volume_cap")
        yield _Tried(f"licence for {each.name or each.id}", "chip", names, f"{at}.export_gate")
        yield _Tried(
            f"import approval for {each.name or each.id}", "chip", (f"{at}.import_gate",), f"{at}.import_gate"
        )
    yield _Tried("megawatt of facility power", "MW", ("sites.power",), "sites.power", is_stock=True)
