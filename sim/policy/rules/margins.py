"""How far the figures of an item are from the thresholds of a rule."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from sim.policy.rules.records import Item, Margin, Rule
from sim.policy.rules.truth import OPEN, TRUE, UNKNOWN, Array, Bounds, Compare, comparisons, holds

SWITCHES = ("date", "datacenter", "has_hbm", "non_planar")  # yes or no, or a day: no distance to speak of


def margins(rule: Rule, item: Item, drawn: Item | None = None) -> tuple[Margin, ...]:
    """Every comparison of a rule that bears on the item, with the distance from its threshold.

    Parameters
    ----------
    item : Item
        Figures as bounds, and the date.
    drawn : Item, optional
        The same item with one value per draw, for probabilities.
    """
    found: dict[tuple[str, str, float], Margin] = {}
    for branch in rule.branches:
        leaves = comparisons(branch.test) if branch.test is not None else []
        if any(
            leaf.field in SWITCHES and float(np.asarray(_leaf(leaf, item.figures))) == 0 for leaf in leaves
        ):
            continue  # a branch for other kinds of item, or for later days
        for leaf in leaves:
            if leaf.field not in SWITCHES:
                key = (leaf.field, leaf.op, leaf.value)
                found.setdefault(key, _margin(branch.id, leaf, item.figures, drawn))
    return tuple(found.values())


def _margin(branch: str, leaf: Compare, figures: Mapping[str, Bounds], drawn: Item | None) -> Margin:
    figure = figures.get(leaf.field, UNKNOWN)
    low, high = (
        float(np.asarray(end)) / leaf.value - 1 if np.isfinite(end) else float("nan")
        for end in (figure.low, figure.high)
    )
    truth = float(np.asarray(_leaf(leaf, figures)))
    share = None if drawn is None else float(np.mean(np.asarray(_leaf(leaf, drawn.figures)) == TRUE))
    return Margin(branch, leaf.field, leaf.op, leaf.value, truth, low, high, share)


def _leaf(leaf: Compare, figures: Mapping[str, Bounds]) -> Array:
    return holds(leaf, figures, {}, lambda _: OPEN)
