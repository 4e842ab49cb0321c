"""A policy question in one world: both countries' flows, and what their chips can do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sim.policy.supply.flow import DOMESTIC, PROXY, Course, simulate
from sim.policy.supply.series import Change as Applied
from sim.policy.supply.series import Horizon, Matrix
from sim.resolve import MEDIAN
from sim.study.policy.question import Country, PolicyQuestion
from sim.study.policy.rates import PAPER, SIMULATED, Rates
from sim.study.policy.resolve import REMOTE, SMUGGLED, Resolved, horizon_of, resolve_country
from sim.study.policy.series import Book
from sim.study.policy.worlds import PolicyWorld
from sim.units import DAY

PATHWAYS = ("legal", DOMESTIC, PROXY, SMUGGLED, REMOTE)
Vector = NDArray[np.float64]


@dataclass(frozen=True)
class CountryRun:
    """One country in one world."""

    country: Country
    book: Book
    resolved: Resolved
    course: Course
    rates: Rates

    @property
    def software(self) -> Matrix:
        """Speed of chips that are catching up, relative to their profile, (quarters, draws)."""
        growth = self.book("use.software_growth", 1.0)
        return np.asarray(np.exp(np.cumsum(np.log(growth), axis=0) / 4.0))

    def worth(self, chip: str, metric: str) -> Matrix:
        """Rate of one chip at the end of every quarter, (quarters, draws)."""
        rate = self.rates(self.country.sides[chip], metric)
        gains = metric in SIMULATED and self.country.use(chip).catching_up
        busy = self.busy(chip) if metric == "serving" else np.ones(self.book.horizon.shape)
        return rate * busy * (self.software if gains else 1.0)

    def busy(self, chip: str) -> Matrix:
        """Stated utilisation over that of the traffic, (quarters, draws); one where the files state none."""
        stated = self.book("use.utilisation", np.inf)
        runs = self.rates.served(self.country.sides[chip])
        if runs is None or np.isinf(stated).all():
            return np.ones(stated.shape)
        own = np.asarray(runs.job.utilisation)
        return np.where(np.isinf(stated), 1.0, stated / own)

    def pathways(self) -> tuple[str, ...]:
        """Those by which any chip comes, in their usual order."""
        used = {lane.pathway for lane in self.course.lanes} | {lane.pathway for lane in self.resolved.remote}
        return tuple(way for way in PATHWAYS if way in used)

    def chips(self, pathway: str | None = None, chip: str | None = None) -> Matrix:
        """Chips at work, those rented abroad included, (quarters, draws)."""
        own = self.course.total("installed", pathway, chip)
        abroad = [
            amount
            for lane, amount in self.resolved.remote.items()
            if pathway in (None, REMOTE) and chip in (None, lane.chip)
        ]
        return np.asarray(own + sum(abroad))

    def stock(self, metric: str, pathway: str | None = None) -> Matrix:
        """Aggregate compute at work, (quarters, draws)."""
        kinds = {lane.chip for lane in (*self.course.lanes, *self.resolved.remote)}
        parts = [
            self.chips(pathway, chip) * self.worth(chip, metric)
            for chip in sorted(kinds)
            if self._has(chip, pathway)
        ]
        return np.asarray(sum(parts, np.zeros(self.book.horizon.shape)))

    def bought(self, metric: str, pathway: str | None = None) -> Matrix:
        """Aggregate compute delivered in each quarter, (quarters, draws); nothing for what is rented abroad."""
        kinds = sorted({lane.chip for lane in self.course.lanes if pathway in (None, lane.pathway)})
        parts = [
            self.course.total("arrived", pathway, chip) * self.worth(chip, metric)
            for chip in kinds
            if self.course.total("arrived", pathway, chip).any()
        ]
        return np.asarray(sum(parts, np.zeros(self.book.horizon.shape)))

    def _has(self, chip: str, pathway: str | None) -> bool:
        return bool(self.chips(pathway, chip).any())


@dataclass(frozen=True)
class PolicyResult:
    """A policy question in one world.

    Attributes
    ----------
    world : PolicyWorld
    own, rival : CountryRun
    """

    question: PolicyQuestion
    world: PolicyWorld
    horizon: Horizon
    rates: Rates
    own: CountryRun
    rival: CountryRun | None

    def reference(self, metric: str) -> float:
        """What one unit of a metric is: an H100 at its median for datasheet metrics, a token a day for simulated ones."""
        if metric not in PAPER:
            return 1.0 / DAY if metric in SIMULATED else 1.0
        at_median = Rates(self.question, MEDIAN, 1)
        side = next(iter(self.question.own.sides.values()))
        return float(at_median(replace(side, chip=self.question.reference), metric)[0])


def simulate_policy(
    question: PolicyQuestion,
    world: PolicyWorld,
    rates: Rates | None = None,
    extra: Sequence[tuple[str, Applied]] = (),
) -> PolicyResult:
    """Run both countries of a question in one world.

    Parameters
    ----------
    rates : Rates, optional
        Of the same world, where they are known already.
    extra : sequence of (series, change)
        Further changes of the country in question, for marginal values.
    """
    horizon = horizon_of(question.start, question.quarters, world.draws)
    rates = rates or Rates(question, world.values, world.draws)

    def run(country: Country, more: Sequence[tuple[str, Applied]]) -> CountryRun:
        book = Book(country, horizon, world, tuple(more))
        resolved = resolve_country(country, book)
        return CountryRun(country, book, resolved, simulate(resolved.inputs), rates)

    rival = None if question.rival is None else run(question.rival, ())
    return PolicyResult(question, world, horizon, rates, run(question.own, extra), rival)
