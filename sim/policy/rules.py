"""Export rules as data: which branch of a rule an item falls under on a date, and by how much.

Nothing here is legal advice: the engine repeats what the rule files say about the figures it is given.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sim.policy.truth import (
    OPEN,
    TRUE,
    UNKNOWN,
    Array,
    Bounds,
    Compare,
    Op,
    Outcome,
    Test,
    comparisons,
    holds,
)

Weight = Literal["barred", "licence", "conditional", "free", "none", "open"]

NOT_DECIDABLE = "not_decidable"
NOT_IN_FORCE = "not_in_force"
NOT_APPLICABLE = "not_applicable"
OUT_OF_SCOPE = "outside_scope"
SWITCHES = ("date", "datacenter", "has_hbm", "non_planar")  # yes or no, or a day: no distance to speak of


@dataclass(frozen=True, slots=True)
class Branch:
    """One way through a rule: the first branch whose test holds gives the result.

    Attributes
    ----------
    id : str
        Paragraph or name, as the report prints it.
    weight : str
        How hard the result is, for ordering and colour: barred, licence, conditional, free, none.
    """

    id: str
    test: Test | None
    result: str
    weight: Weight = "none"
    note: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule with its dates.

    Attributes
    ----------
    effective : date or None
        First day it holds; None: never took effect.
    ended : date or None
        First day it no longer holds.
    suspended : pair of date, or None
        First day of a suspension, and first day after it.
    unverified_from : date or None
        From this day on it is not known to us whether it holds.
    destinations : tuple of str
        Country groups it covers; empty: everywhere.
    addressees : Test or None
        Whom it binds; where it is open, the rule is read as if it did.
    branches : tuple of Branch
        In the order of the text; the last has no test. Empty: the rule has no test on an item.
    """

    id: str
    title: str
    effective: datetime.date | None
    ended: datetime.date | None = None
    suspended: tuple[datetime.date, datetime.date] | None = None
    unverified_from: datetime.date | None = None
    destinations: tuple[str, ...] = ()
    addressees: Test | None = None
    branches: tuple[Branch, ...] = ()

    def in_force(self, date: datetime.date) -> bool | None:
        """Whether it holds on a day; None where we do not know."""
        if self.effective is None or date < self.effective or (self.ended is not None and date >= self.ended):
            return False
        if self.suspended is not None and self.suspended[0] <= date < self.suspended[1]:
            return False
        if self.unverified_from is not None and date >= self.unverified_from:
            return None
        return True


@dataclass(frozen=True, slots=True)
class Item:
    """What the rules ask about a product.

    Attributes
    ----------
    figures : mapping of field to Bounds
        tpp [TOPS x bit], pd [TPP/mm2], dram_bw_gbs, io_bw_gbs, dram_plus_io_bw_gbs [GB/s], memory_bandwidth_density
        [GB/s/mm2], transistors_bn, and datacenter, has_hbm, non_planar as 0 or 1. Absent: unknown.
    labels : mapping of field to str or None
        chip (its names), vendor, origin, kind (processor or memory-stack), declared.
    notes : tuple of str
        What was done with the figures: refused, taken as a range, ...
    """

    id: str
    figures: Mapping[str, Bounds]
    labels: Mapping[str, str | None] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Margin:
    """Where a figure stands against a threshold.

    Attributes
    ----------
    truth : float
        1 met, 0 not met, 1/2 not decidable.
    low, high : float
        Distance of the figure from the threshold, over the threshold: +0.1 is 10 % above. NaN when unknown.
    probability : float or None
        Share of the draws in which the comparison is met.
    """

    branch: str
    field: str
    op: Op
    threshold: float
    truth: float
    low: float
    high: float
    probability: float | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What one rule says of an item.

    Attributes
    ----------
    result : str
        The result of the branch that fires, or not_decidable, not_in_force, outside_scope, not_applicable.
    branch : str
        The branch that fires; several joined by " or " where the figures leave it open.
    in_force : bool or None
        None: not known whether the rule holds on the date.
    possible : tuple of str
        Every result the figures leave open.
    probability : mapping of result to float
        Share of draws with each result; empty without draws.
    """

    rule: str
    result: str
    branch: str
    weight: Weight
    in_force: bool | None
    possible: tuple[str, ...]
    margins: tuple[Margin, ...] = ()
    probability: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def classify(
    item: Item,
    rules: Sequence[Rule],
    date: datetime.date,
    destination: Collection[str],
    drawn: Item | None = None,
) -> tuple[Result, ...]:
    """What every rule says of an item on a date.

    Parameters
    ----------
    item : Item
        Figures as bounds: a range is decided only where all of it agrees.
    rules : sequence of Rule
        All rules, those that others refer to included.
    date : date
    destination : collection of str
        All country groups the place is in, such as {"cn_mo", "d5", "d1_d4_d5"} for China; "world" goes without saying.
    drawn : Item, optional
        The same item with one value per draw, for probabilities.

    Returns
    -------
    tuple of Result, in the order of the rules.
    """
    groups = {*destination, "world"}
    return tuple(_classified(rule, item, rules, date, groups, drawn) for rule in rules)


def classify_one(rule_id: str, item: Item, rules: Sequence[Rule], date: datetime.date) -> Result:
    """What one rule says, whatever the destination.

    Raises
    ------
    KeyError
        When there is no such rule.
    """
    rule = _by_id(rules)[rule_id]
    return _classified(rule, item, rules, date, {"world", *rule.destinations}, None)


def weights(
    rule: Rule, item: Item, rules: Sequence[Rule], date: datetime.date
) -> dict[Weight, NDArray[np.bool_]]:
    """For many items at once: where a rule may give a result of each weight, dates and destinations aside.

    Parameters
    ----------
    item : Item
        Figures as arrays of one shape.

    Returns
    -------
    mapping of weight to bool array
        A rule decides an item where one weight alone is true.
    """
    fires = _fires(rule, _dated(item, date), _by_id(rules), ())
    found: dict[Weight, NDArray[np.bool_]] = {}
    for branch, fire in zip(rule.branches, np.broadcast_arrays(*map(np.asarray, fires)), strict=True):
        may = fire > 0
        found[branch.weight] = found[branch.weight] | may if branch.weight in found else may
    return found


def _by_id(rules: Sequence[Rule]) -> dict[str, Rule]:
    return {rule.id: rule for rule in rules}


def _classified(
    rule: Rule,
    item: Item,
    rules: Sequence[Rule],
    date: datetime.date,
    groups: set[str],
    drawn: Item | None,
) -> Result:
    force = rule.in_force(date)
    if force is False:
        return Result(rule.id, NOT_IN_FORCE, "", "none", False, (NOT_IN_FORCE,))
    if rule.destinations and not groups & set(rule.destinations):
        return Result(rule.id, OUT_OF_SCOPE, "destination", "none", force, (OUT_OF_SCOPE,))
    dated = _dated(item, date)
    notes = list(item.notes)
    if rule.addressees is not None:
        addressed = float(np.asarray(_truth(rule.addressees, dated, _by_id(rules), ())))
        if addressed == 0.0:
            return Result(rule.id, NOT_APPLICABLE, "addressees", "none", force, (NOT_APPLICABLE,))
        if addressed == OPEN:
            notes.append("maker not known: read as if the rule addressed it")
    if not rule.branches:
        return Result(
            rule.id,
            NOT_APPLICABLE,
            "no test on an item",
            "none",
            force,
            (NOT_APPLICABLE,),
            notes=tuple(notes),
        )
    result = _decided(rule, dated, _by_id(rules))
    return replace(
        result,
        in_force=force,
        notes=tuple(notes),
        margins=_margins(rule, dated, drawn),
        probability={} if drawn is None else probabilities(rule, _dated(drawn, date), rules),
    )


def _dated(item: Item, date: datetime.date) -> Item:
    return replace(item, figures={**item.figures, "date": Bounds.of(float(date.toordinal()))})


def _decided(rule: Rule, item: Item, rules: Mapping[str, Rule]) -> Result:
    """The result where all branches that may fire agree on one."""
    fires = _fires(rule, item, rules, ())
    open_branches = [
        branch for branch, fire in zip(rule.branches, fires, strict=True) if float(np.asarray(fire)) > 0
    ]
    possible = tuple(dict.fromkeys(branch.result for branch in open_branches))
    name = " or ".join(branch.id for branch in open_branches)
    if len(possible) == 1:
        return Result(rule.id, possible[0], name, open_branches[0].weight, True, possible)
    return Result(rule.id, NOT_DECIDABLE, name, "open", True, possible)


def _fires(rule: Rule, item: Item, rules: Mapping[str, Rule], way: tuple[str, ...]) -> list[Array]:
    """Truth of "this branch is the first that holds", branch by branch."""
    reach: Array = TRUE
    fires: list[Array] = []
    for branch in rule.branches:
        truth = TRUE if branch.test is None else _truth(branch.test, item, rules, (*way, rule.id))
        fires.append(np.minimum(reach, truth))
        reach = np.minimum(reach, 1.0 - np.asarray(truth))
    return fires


def _truth(test: Test, item: Item, rules: Mapping[str, Rule], way: tuple[str, ...]) -> Array:
    return holds(test, item.figures, item.labels, lambda asked: _outcome(asked, item, rules, way))


def _outcome(asked: Outcome, item: Item, rules: Mapping[str, Rule], way: tuple[str, ...]) -> Array:
    """Truth of "the other rule gives one of these results": open where it may and may not."""
    if asked.rule in way:
        raise ValueError(f"rule {asked.rule} refers to itself by way of {' > '.join(way)}")
    rule = rules[asked.rule]
    fires = _fires(rule, item, rules, way)
    may: Array = 0.0
    may_not: Array = 0.0
    for branch, fire in zip(rule.branches, fires, strict=True):
        if branch.result in asked.results:
            may = np.maximum(may, fire)
        else:
            may_not = np.maximum(may_not, fire)
    return np.where(np.asarray(may_not) == 0, TRUE, np.where(np.asarray(may) == 0, 0.0, OPEN))


def probabilities(rule: Rule, drawn: Item, rules: Sequence[Rule]) -> dict[str, float]:
    """Share of draws with each result; draws that decide nothing count as not decidable."""
    fires = np.stack(np.broadcast_arrays(*(np.atleast_1d(f) for f in _fires(rule, drawn, _by_id(rules), ()))))
    results = [branch.result for branch in rule.branches]
    may = {
        result: np.any(fires[[i for i, r in enumerate(results) if r == result]] > 0, axis=0)
        for result in results
    }
    alone = np.sum(np.stack(list(may.values())), axis=0) == 1
    shares = {result: float(np.mean(at & alone)) for result, at in may.items()}
    shares[NOT_DECIDABLE] = float(np.mean(~alone))
    return {result: share for result, share in shares.items() if share > 0}


def _margins(rule: Rule, item: Item, drawn: Item | None) -> tuple[Margin, ...]:
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
