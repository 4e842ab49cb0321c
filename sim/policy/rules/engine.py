"""Export rules as data: which branch of a rule an item falls under on a date, and by how much.

Nothing here is legal advice: the engine repeats what the rule files say about the figures it is given.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sim.policy.rules.margins import margins
from sim.policy.rules.records import (
    NOT_APPLICABLE,
    NOT_DECIDABLE,
    NOT_IN_FORCE,
    OUT_OF_SCOPE,
    Item,
    Result,
    Rule,
    Weight,
)
from sim.policy.rules.truth import OPEN, TRUE, Array, Bounds, Outcome, Test, holds


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
        margins=margins(rule, dated, drawn),
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
