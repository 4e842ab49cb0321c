"""The inverse question: at which level of a series an outcome stays above or below a bound, draw by draw."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim import units
from sim.policy.supply.series import Change, decimal_year
from sim.profiles.catalogue import Catalogue
from sim.profiles.messages import InputError, Problem
from sim.profiles.supply_changes import dimension_of
from sim.study.policy.changes import named_series
from sim.study.policy.headlines import Headline, headlines, one
from sim.study.policy.question import PolicyQuestion, load_policy
from sim.study.policy.rates import Rates
from sim.study.policy.simulate import simulate_policy
from sim.study.policy.worlds import drawn_world
from sim.units import did_you_mean

Vector = NDArray[np.float64]
Flags = NDArray[np.bool_]
HALVINGS = 24  # the level is known to a sixteen-millionth of the range
GRID = 9  # levels tried between the ends, to see whether the outcome turns back


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked.

    Attributes
    ----------
    outcome : str
        Id of an outcome, or the part before its colon: ``ratio`` is the first ratio of the scenario.
    bound : float
        In the unit of the outcome.
    above : bool
        Whether the outcome is to stay above the bound, or below it.
    series : str
        Series that is set to one level.
    low, high : str
        Ends of the range, with unit.
    since : str
        First day of the level; "" for the first day simulated.
    """

    outcome: str
    bound: float
    above: bool
    series: str
    low: str
    high: str
    since: str = ""


@dataclass(frozen=True, slots=True)
class Solution:
    """Levels that keep an outcome on the wanted side.

    Attributes
    ----------
    unit : str
        Of the levels, as the range was written.
    level : (draws,) array
        Border between the levels that do and those that do not; NaN where all of the range does, or none.
    all_hold, none_hold : (draws,) array of bool
    up_to : bool
        Whether levels up to the border do, rather than levels from it on.
    at_low, at_border, at_high : Headline
        The outcome with the series at the low end, at the median border in every draw, at the high end.
    turns_back : float
        Share of the draws in which the outcome crosses the bound more than once within the range.
    """

    question: PolicyQuestion
    wanted: Wanted
    unit: str
    low: float
    high: float
    level: Vector
    all_hold: Flags
    none_hold: Flags
    up_to: bool
    at_low: Headline
    at_border: Headline | None
    at_high: Headline
    turns_back: float

    def kept_in(self, share: float) -> float | None:
        """Outermost level that keeps the outcome on the wanted side in a share of the draws; None if no level does."""
        missing, whole = (-np.inf, np.inf) if self.up_to else (np.inf, -np.inf)
        ends = np.where(self.all_hold, whole, np.where(self.none_hold, missing, self.level))
        ordered = np.sort(ends)[::-1] if self.up_to else np.sort(ends)
        found = float(ordered[int(np.ceil(share * len(ordered))) - 1])
        if found == missing:
            return None
        return float(np.clip(found, self.low, self.high))


def solve_policy(
    catalogue: Catalogue,
    scenario: str,
    wanted: Wanted,
    draws: int | None = None,
    seed: int | None = None,
    accounts: Mapping[str, str] | None = None,
) -> Solution:
    """Bisection on the level of a series, in every draw by itself and in the same draws throughout.

    Raises
    ------
    InputError
        When scenario, series, outcome or range cannot be read.
    """
    question = load_policy(catalogue, scenario)
    low, high, unit = _range(question, wanted)
    count = draws or question.scenario.draws
    world = drawn_world([question], count, question.scenario.seed if seed is None else seed, accounts).world
    rates = Rates(question, world.values, count)
    since = decimal_year(wanted.since or question.start)
    id = _outcome_id(headlines(simulate_policy(question, world, rates)), wanted.outcome)

    def outcome(level: Vector | float) -> Headline:
        """The outcome with the series at a level in base units, which may differ from draw to draw."""
        change = Change(start=since, set=np.asarray(level, dtype=float))
        return one(simulate_policy(question, world, rates, [(wanted.series, change)]), id)

    def holds(level: Vector | float) -> Flags:
        values = outcome(level).values
        return np.asarray(values > wanted.bound if wanted.above else values < wanted.bound)

    level, all_hold, none_hold, up_to, turns = bisected(holds, low, high, count)
    factor = _factor(unit)
    middle = float(np.nanmedian(level)) if np.isfinite(level).any() else None
    return Solution(
        question, wanted, unit, low / factor, high / factor, level / factor, all_hold, none_hold, up_to, outcome(low),
        None if middle is None else outcome(middle), outcome(high), turns,
    )  # fmt: skip


def bisected(
    holds: Callable[[Vector | float], Flags], low: float, high: float, draws: int
) -> tuple[Vector, Flags, Flags, bool, float]:
    """Border of the levels for which a condition holds, in every draw by itself.

    Parameters
    ----------
    holds : callable
        Whether the condition holds in each draw at a level, or at one level per draw.

    Returns
    -------
    level : (draws,) array
        NaN where the condition holds at all levels tried, or at none.
    all_hold, none_hold : (draws,) array of bool
    up_to : bool
        Whether it holds up to the border, in most draws, rather than from it on.
    turns_back : float
        Share of the draws in which it changes more than once.

    Examples
    --------
    >>> level, _, none, up_to, turns = bisected(lambda x: x + np.array([0.0, 9.0]) < 3.0, 0.0, 8.0, 2)
    >>> level.round(4).tolist(), none.tolist(), up_to, turns
    ([3.0, nan], [False, True], True, 0.0)
    """
    tried = np.array([holds(float(level)) for level in np.linspace(low, high, GRID)])
    first, last = tried[0], tried[-1]
    changes = (tried[1:] != tried[:-1]).sum(axis=0)
    up_to = bool(np.sum(first & ~last) >= np.sum(last & ~first))
    crosses = (first != last) & (first == up_to)
    ok, bad = (np.full(draws, end) for end in ((low, high) if up_to else (high, low)))
    for _ in range(HALVINGS if crosses.any() else 0):
        middle = (ok + bad) / 2
        good = holds(middle)
        ok, bad = np.where(good, middle, ok), np.where(good, bad, middle)
    level = np.where(crosses, ok, np.nan)
    every, none = np.asarray(tried.all(axis=0)), np.asarray(~tried.any(axis=0))
    return np.asarray(level, dtype=float), every, none, up_to, float(np.mean(changes > 1))


def _range(question: PolicyQuestion, wanted: Wanted) -> tuple[float, float, str]:
    """Both ends in base units, and the unit as written."""
    known = named_series(question.own.supply)
    if wanted.series not in known:
        hint = did_you_mean(wanted.series, known)
        raise InputError(
            [Problem(f"--vary {wanted.series}: {question.own.supply.name} has no such series{hint}")]
        )
    unit = units.unit_of(wanted.high)
    dimension = dimension_of(unit)
    dated = known[wanted.series]
    expected = dimension_of(next(iter(dated.values())).unit) if dated else dimension
    if dimension is None or dimension != expected:
        message = f'--between: read "{wanted.high}"; {wanted.series} is in {expected or "a pure number"}'
        raise InputError([Problem(message)])
    try:
        low, high = (units.to_base(end, dimension) for end in (wanted.low, wanted.high))
    except units.UnitError as error:
        raise InputError([Problem(f"--between: {error}; both ends need the same unit")]) from None
    if not low < high:
        raise InputError(
            [Problem(f"--between {wanted.low} {wanted.high}: the first is not below the second")]
        )
    return low, high, unit


def _factor(unit: str) -> float:
    return units.to_base(f"1 {unit}", dimension_of(unit) or "") if unit else 1.0


def _outcome_id(found: tuple[Headline, ...], wanted: str) -> str:
    ids = [each.id for each in found]
    match = next((id for id in ids if id == wanted or id.split(":")[0] == wanted), None)
    if match is None:
        hint = did_you_mean(wanted, ids) or f"; there is {', '.join(ids)}"
        raise InputError([Problem(f"--for {wanted}: the scenario has no such outcome{hint}")])
    return match
