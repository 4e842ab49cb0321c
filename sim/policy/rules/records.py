"""Records of the export rules: a rule with its branches, the item that it is asked about, and what it says."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from sim.policy.rules.truth import Bounds, Op, Test

Weight = Literal["barred", "licence", "conditional", "free", "none", "open"]

NOT_DECIDABLE = "not_decidable"
NOT_IN_FORCE = "not_in_force"
NOT_APPLICABLE = "not_applicable"
OUT_OF_SCOPE = "outside_scope"


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
