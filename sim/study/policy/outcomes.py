"""What follows from the chips: the ratio to a rival, the largest training run and its date, tokens served, cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.economics.landed import landed_chip
from sim.economics.ownership import total
from sim.policy.supply.makers import INPUTS
from sim.policy.supply.series import Matrix, decimal_year, overlap
from sim.profiles.workload import TrainingRecipe
from sim.study.cluster import resolve_cluster
from sim.study.policy.resolve import SMUGGLED, Crossing
from sim.study.policy.simulate import CountryRun, PolicyResult
from sim.units import HOUR, YEAR

Vector = NDArray[np.float64]


def quarter_at(result: PolicyResult, date: str | None) -> int:
    """Quarter at whose end the country stands on a date; the last one without a date."""
    if date is None:
        return result.horizon.quarters - 1
    found = int(np.ceil(4.0 * (decimal_year(date) - result.horizon.start) - 1e-9)) - 1
    return min(max(found, 0), result.horizon.quarters - 1)


def ratio(result: PolicyResult, metric: str) -> Matrix:
    """Compute at work of the rival over that of the country, (quarters, draws)."""
    assert result.rival is not None
    return over(result.rival.stock(metric), result.own.stock(metric))


def bought_ratio(result: PolicyResult, metric: str, year: int) -> Vector:
    """Compute delivered in a calendar year: that of the rival over that of the country, (draws,)."""
    assert result.rival is not None
    chosen = quarters_of(result, year)
    rival, own = (run.bought(metric)[chosen].sum(axis=0) for run in (result.rival, result.own))
    return over(rival, own)


def over(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """A ratio; NaN where neither side does anything, as where no chip keeps the promise of a serving job."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(one / other)


def quarters_of(result: PolicyResult, year: int) -> NDArray[np.int64]:
    """Quarters that lie in a calendar year."""
    return np.flatnonzero(np.floor(result.horizon.edges[:-1] + 1e-9) == year)


# --- training ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LargestRun:
    """The largest training run that the largest developer could start at the end of each quarter.

    Attributes
    ----------
    tokens : (quarters, draws) array
        Tokens of the model that it trains in the allowed time.
    needed : (quarters, draws) array
        Tokens that the same result takes at that time, after progress in algorithms and distillation.
    chip : (quarters, draws) int array
        Index into ``chips`` of the kind of chip that does it.
    """

    tokens: Matrix
    needed: Matrix
    chip: NDArray[np.int64]
    chips: tuple[str, ...]


def largest_run(result: PolicyResult) -> LargestRun:
    """One developer, one kind of chip, one run.

    Notes
    -----
    ``tokens = share x chips at work x tokens per second and chip x length``, for the kind of chip that gives most.
    Speed per chip is that of the simulated cluster; beyond its size it is carried on unchanged.
    """
    run, task = result.question.scenario.training, result.question.training
    assert run is not None
    assert task is not None
    assert isinstance(task.workload, TrainingRecipe)
    own = result.own
    ways: Sequence[str] = run.pathways or own.pathways()
    there = {lane.chip for lane in (*own.course.lanes, *own.resolved.remote) if lane.pathway in ways}
    kinds = tuple(sorted(there & set(run.kinds) if run.kinds else there))
    share = own.book("use.training_share")
    length = np.asarray(result.world.values.values.get(run.length.path, run.length.median))
    chips = np.stack([np.asarray(sum(own.chips(way, kind) for way in ways)) for kind in kinds])
    speeds = np.stack(
        [own.worth(kind, "training") if chips[i].any() else 0.0 * share for i, kind in enumerate(kinds)]
    )
    tokens = share * length * chips * speeds
    base = np.asarray(result.world.values(task.workload.tokens))
    return LargestRun(tokens.max(axis=0), base * still_needed(result), tokens.argmax(axis=0), kinds)


def run_cost(result: PolicyResult, quarter: int) -> Vector:
    """What the run of the question costs at the end of a quarter [USD], (draws,).

    The chips that it takes, owned and run for its time, on the kind of chip of the largest run, amortised with power and
    operations.
    """
    run = largest_run(result)
    second = np.stack([_chip_second(result, kind) for kind in run.chips])
    speed = np.stack([result.own.worth(kind, "training")[quarter] for kind in run.chips])
    chosen = run.chip[quarter], np.arange(result.world.draws)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(run.needed[quarter] / speed[chosen] * second[chosen])


def _chip_second(result: PolicyResult, chip: str) -> Vector:
    """Owning and running one chip under full load [USD/s], (draws,)."""
    cluster = resolve_cluster(result.own.country.sides[chip], result.world.values)
    cost = np.asarray(total(cluster.cost_blocks(cluster.power(1.0))["amortised"]))
    return np.broadcast_to(cost, result.world.draws)


def teacher_cost(result: PolicyResult, quarter: int) -> Vector:
    """Tokens bought of a teacher [USD], (draws,); nothing where nothing is distilled."""
    book = result.own.book
    price = book.number("use.teacher_tokens") * book.number("use.teacher_price")
    return np.asarray(np.where(book("use.distilled_share", 0.0)[quarter] > 0, price, 0.0))


def still_needed(result: PolicyResult) -> Matrix:
    """Share of a model's training compute that the same result still takes, (quarters, draws).

    Notes
    -----
    ``progress ** -(years since release less the lag) x (1 - distilled share)``: progress counts from the release of the
    model, later by the lag with which the country follows.
    """
    task = result.question.training
    assert task is not None
    book, horizon = result.own.book, result.horizon
    released = decimal_year(task.model.release_date or result.question.start)
    progress = book("use.frontier_progress", 1.0)
    known_from = released + book("use.progress_lag", 0.0) / YEAR
    within = np.stack([overlap(horizon, known_from[q], np.inf)[q] for q in range(horizon.quarters)])
    before = np.clip(horizon.start - known_from, 0.0, None) * np.log(progress[0])
    gained = before + np.cumsum(0.25 * within * np.log(progress), axis=0)
    return np.asarray(np.exp(-gained) * (1.0 - book("use.distilled_share", 0.0)))


def feasible_date(result: PolicyResult) -> Vector:
    """When the run of the question first fits [year], (draws,); infinite where it does not within the horizon."""
    run = largest_run(result)
    with np.errstate(divide="ignore"):
        margin = np.log(run.tokens) - np.log(run.needed)
    fits = margin >= 0.0
    first = np.argmax(fits, axis=0)
    draw = np.arange(margin.shape[1])
    after, before = margin[first, draw], margin[np.maximum(first - 1, 0), draw]
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(np.isfinite(before) & (after > before), (0.0 - before) / (after - before), 1.0)
    ends = result.horizon.edges[1:]
    date = np.where(first == 0, ends[0], ends[first] - 0.25 * (1.0 - share))
    return np.where(fits.any(axis=0), date, np.inf)


# --- serving -----------------------------------------------------------------------------------------------


def served(result: PolicyResult) -> Matrix:
    """Tokens served per second, prompts included, (quarters, draws)."""
    return result.own.stock("serving") * result.own.book("use.serving_share")


def demand(result: PolicyResult) -> Matrix:
    """Tokens asked for per second, (quarters, draws)."""
    return result.own.book("use.demand")


def hbm_stops_binding(result: PolicyResult, maker: int = 0) -> Vector:
    """From when on HBM is no longer the scarce input of a maker [year], (draws,); infinite where it still is at the end.

    Where it never is, the start of the horizon.
    """
    scarce = result.own.course.binding[maker] == INPUTS.index("HBM")
    backwards = np.argmax(scarce[::-1], axis=0)
    last = len(scarce) - 1 - backwards
    date = np.where(scarce.any(axis=0), result.horizon.edges[1:][last], result.horizon.start)
    return np.where(scarce[-1], np.inf, date)


# --- money -------------------------------------------------------------------------------------------------


def crossing(result: PolicyResult, product: str) -> Crossing:
    """What one import meets at the border."""
    return result.own.resolved.borders[product]


def volume(result: PolicyResult, product: str) -> Matrix:
    """Chips of an import that pass in each quarter, (quarters, draws)."""
    return crossing(result, product).passed.flow


@dataclass(frozen=True, slots=True)
class ChipCost:
    """What a chip costs on one way into the country at a date.

    Attributes
    ----------
    purchase : (draws,) array
        Cash for the chip itself, duties and premium included [USD/chip].
    per_hour : (draws,) array
        Owning and running it with its share of everything around it [USD/chip/hour].
    per_million : (draws,) array
        Per million output tokens, prompts included [USD].
    """

    pathway: str
    chip: str
    purchase: Vector
    per_hour: Vector
    per_million: Vector


def chip_costs(result: PolicyResult, quarter: int, lanes: Sequence[tuple[str, str]]) -> list[ChipCost]:
    """Costs of some (pathway, chip) pairs at the prices of a quarter, amortised with power and operations."""
    return [_chip_cost(result, result.own, quarter, pathway, chip) for pathway, chip in lanes]


def _chip_cost(result: PolicyResult, own: CountryRun, quarter: int, pathway: str, chip: str) -> ChipCost:
    runs = result.rates.served(own.country.sides[chip])
    assert runs is not None
    terms: dict[str, Any] = {}
    products = [each for each in own.country.supply.imports if (each.pathway, each.chip) == (pathway, chip)]
    for product in products:
        at = f"imports.{product.id}"
        terms = {
            "chip_usd": own.resolved.borders[product.id].price[quarter],
            "duty": own.book(f"{at}.duty", 0.0)[quarter],
            "revenue_share": own.book(f"{at}.revenue_share", 0.0)[quarter],
            "pass_through": own.book(f"{at}.passed_on", 1.0)[quarter],
        }
    if pathway == SMUGGLED:
        terms = {
            "grey_premium": own.resolved.grey_premium[chip][quarter],
            "duty": np.zeros(result.world.draws),
        }
    ownership = replace(runs.cluster.ownership, **terms)
    cluster = replace(runs.cluster, ownership=ownership)
    priced = replace(runs, cluster=cluster)
    speed = own.busy(chip)[quarter] * (own.software[quarter] if own.country.use(chip).catching_up else 1.0)
    hour = np.asarray(total(cluster.cost_blocks(runs.it_power_w)["amortised"])) * HOUR
    million = np.asarray(total(priced.output_cost()["amortised"])) / speed
    draws = result.world.draws
    bought = np.asarray(sum(landed_chip(ownership.chip_usd, ownership.border).values()))
    return ChipCost(pathway, chip, *(np.broadcast_to(x, draws) for x in (bought, hour, million)))
