"""Sets of rules that a design may have to stay clear of, and where they allow it."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.policy.rules.engine import weights
from sim.policy.rules.records import Rule, Weight
from sim.policy.rules.truth import comparisons
from sim.profiles.hardware import ChipProfile
from sim.study.rules.bench import Designs
from sim.study.rules.book import RuleBook

FREE: frozenset[Weight] = frozenset({"free", "none"})
LENIENT: frozenset[Weight] = FREE | {"conditional"}
BINDING = ("tpp", "pd", "dram_bw_gbs", "io_bw_gbs", "dram_plus_io_bw_gbs")


@dataclass(frozen=True, slots=True)
class Regime:
    """A set of rules, and how gentle a result must be to count as allowed."""

    name: str
    rules: tuple[str, ...]
    accepted: frozenset[Weight]


def regimes_of(book: RuleBook, date: datetime.date, destination: str) -> tuple[Regime, ...]:
    """No rule, each rule with a test on speed or bandwidth, its gentler reading, and all that hold on the date together."""
    found = [Regime("no rule", (), FREE)]
    binding = [rule for rule in book.rules if binds(rule)]
    for rule in binding:
        results = {branch.weight for branch in rule.branches}
        if "free" in results:
            found.append(Regime(f"free of {rule.id}", (rule.id,), FREE))
        if "conditional" in results:
            words = next(b.result for b in rule.branches if b.weight == "conditional").replace("_", " ")
            found.append(Regime(f"{words} under {rule.id}", (rule.id,), LENIENT))
    groups = book.groups(destination)
    in_force = tuple(
        rule.id
        for rule in binding
        if rule.in_force(date) and (not rule.destinations or groups & set(rule.destinations))
    )
    return (*found, Regime(f"free of all in force on {date.isoformat()}", in_force, FREE))


def binds(rule: Rule) -> bool:
    """Whether a rule asks for a licence, or bars, by speed or bandwidth."""
    fields = {leaf.field for branch in rule.branches if branch.test for leaf in comparisons(branch.test)}
    return bool(fields & set(BINDING)) and any(b.weight in ("licence", "barred") for b in rule.branches)


def allowed(
    regime: Regime, designs: Designs, parent: ChipProfile, book: RuleBook, date: datetime.date
) -> NDArray[np.bool_]:
    """Where a regime surely gives no harder result than it accepts."""
    good = np.ones(designs.tpp.shape, dtype=bool)
    item = designs.item(book, parent)
    rules = {rule.id: rule for rule in book.rules}
    for id in regime.rules:
        for weight, may in weights(rules[id], item, book.rules, date).items():
            if weight not in regime.accepted:
                good = good & ~may
    return good
