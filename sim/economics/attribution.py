"""Why one cluster costs more than another: the gap, split by cause."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from math import factorial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.economics.ownership import Ownership, amortised, total

Array = NDArray[np.float64] | float

CAUSES: dict[str, tuple[str, ...]] = {
    "throughput": ("tokens_per_chip_s",),
    "price": (
        "chip_usd", "server_usd", "network_usd", "storage_usd", "duty", "revenue_share", "pass_through", "grey_premium",
    ),
    "power": ("peak_power_w", "mean_power_w"),
    "facility and region": (
        "facility_usd_per_w", "pue", "electricity_usd_per_j", "cost_of_capital_per_s", "hardware_life_s",
        "facility_life_s", "maintenance_per_s", "staff_per_s", "spares_per_s", "software_per_s", "cooling_share",
        "residual", "value_loss_per_s", "depreciation",
    ),
    "failures": ("goodput",),
    "utilisation": ("utilisation",),
}  # fmt: skip
"""Which inputs each cause stands for."""


@dataclass(frozen=True, slots=True)
class CostCase:
    """One side of a cost comparison: work per paid chip-second, and what the chip-second costs.

    Attributes
    ----------
    ownership : Ownership
        Prices behind a chip.
    mean_power_w : Array
        IT power while working [W/chip].
    tokens_per_chip_s : Array
        Tokens per second and chip while working [token/s/chip].
    goodput : Array
        Share of the calendar in which work that counts is done [1].
    utilisation : Array
        Mean over rated load [1].
    """

    ownership: Ownership
    mean_power_w: Array
    tokens_per_chip_s: Array
    goodput: Array = 1.0
    utilisation: Array = 1.0


def shapley(
    worth: Callable[[Mapping[str, Any]], Array], before: Mapping[str, Any], after: Mapping[str, Any]
) -> dict[str, Array]:
    """Contribution of each factor to ``worth(after) - worth(before)``; the parts add up to it.

    Parameters
    ----------
    worth : callable
        Function of all factors, by name. Called once per subset of factors: 2^n times.
    before, after : mapping
        Values of the factors on the two sides; the same names.

    Returns
    -------
    dict
        Mean change over all orders in which the factors can be exchanged one by one.

    Raises
    ------
    ValueError
        When the two sides name different factors.

    References
    ----------
    L. S. Shapley, "A value for n-person games" (1953); for decompositions A. F. Shorrocks, J. Econ.
    Inequality 11 (2013).

    Examples
    --------
    Price 2 to 3 and quantity 10 to 20: +10 at the old and +20 at the new quantity for the price, so 15.

    >>> bill = lambda sides: sides["price"] * sides["quantity"]
    >>> shapley(bill, {"price": 2, "quantity": 10}, {"price": 3, "quantity": 20})
    {'price': 15.0, 'quantity': 25.0}
    """
    names = tuple(before)
    if set(names) != set(after):
        raise ValueError(f"the two sides name different factors: {sorted(set(names) ^ set(after))}")
    count = len(names)
    values = {
        frozenset(chosen): worth({name: (after if name in chosen else before)[name] for name in names})
        for size in range(count + 1)
        for chosen in combinations(names, size)
    }
    parts: dict[str, Array] = {}
    for name in names:
        without = [chosen for chosen in values if name not in chosen]
        parts[name] = sum(
            factorial(len(chosen)) * factorial(count - len(chosen) - 1) / factorial(count)
            * (values[chosen | {name}] - values[chosen])
            for chosen in without
        )  # fmt: skip
    return parts


def cost_per_million(case: CostCase) -> Array:
    """Amortised cost of a million tokens [USD per million tokens]."""
    per_chip_s = total(amortised(case.ownership, case.mean_power_w))
    return 1e6 * per_chip_s / (case.tokens_per_chip_s * case.goodput * case.utilisation)


def cost_gap(before: CostCase, after: CostCase) -> dict[str, Array]:
    """Cost of a million tokens on ``after`` minus that on ``before``, by cause [USD per million tokens].

    Causes and the inputs they stand for are in ``CAUSES``; the parts add up to the gap.
    """
    return shapley(lambda sides: cost_per_million(_mixed(before, after, sides)), _sides(False), _sides(True))


def _sides(value: bool) -> dict[str, bool]:
    return dict.fromkeys(CAUSES, value)


def _mixed(before: CostCase, after: CostCase, is_after: Mapping[str, bool]) -> CostCase:
    """``before`` with the inputs of the chosen causes taken from ``after``."""
    fields = {field for cause, chosen in is_after.items() if chosen for field in CAUSES[cause]}
    prices = {field: getattr(after.ownership, field) for field in fields if hasattr(after.ownership, field)}
    rest = {field: getattr(after, field) for field in fields if not hasattr(after.ownership, field)}
    return replace(before, ownership=replace(before.ownership, **prices), **rest)
