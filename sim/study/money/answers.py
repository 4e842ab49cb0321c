"""Cost of the jobs of a question in words and intervals: ladders, margins, break-evens, training over tokens served."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sim.economics.margin import MILLION, TokenMix, margin, markup, reachable
from sim.economics.ownership import Blocks, Ownership, total
from sim.profiles.served import PriceList
from sim.quantity import Array
from sim.report.content import Interval
from sim.study.money.tokens import (
    BreakEvens,
    TokenCosts,
    request_revenue,
    serving_break_evens,
    training_break_evens,
    training_per_million,
)
from sim.study.question import Side
from sim.study.summary.statistics import interval, median_blocks
from sim.study.training import TrainingRuns
from sim.units import KWH

Views = dict[str, Interval]


@dataclass(frozen=True, slots=True)
class Ladder:
    """A cost in every view, with its blocks.

    Attributes
    ----------
    what, unit : str
        "output with its prompts", "USD per million tokens".
    metric : str
        Its name in tables, before the view: a key of :data:`sim.study.metrics.UNITS`.
    views : dict of view to Interval
    blocks : dict of view to dict of block to float
        Parts of the median; they add up to it.
    ranges : dict of view to dict of block to Interval
        Each block by itself over the draws.
    """

    what: str
    unit: str
    metric: str
    views: Views
    blocks: dict[str, dict[str, float]] = field(default_factory=dict)
    ranges: dict[str, dict[str, Interval]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MarginAnswer:
    """A price list against the cost of a mean request.

    Attributes
    ----------
    revenue_usd : Interval
        What a mean request sells for [USD].
    margin, markup : dict of view to Interval
        Share of the revenue left after cost; profit over cost [1].
    """

    prices: str
    name: str
    valid_from: str
    revenue_usd: Interval
    margin: Views
    markup: Views


@dataclass(frozen=True, slots=True)
class BreakEvenAnswer:
    """The value of an input at which a cost meets a target.

    Attributes
    ----------
    input, unit, against : str
        "utilisation", "1", and what is met: a price list, or the other cluster.
    now : Interval
        The input as it is.
    found : Interval
        Over all draws, those out of range included: they are beyond either end and keep their order. NaN where the
        input does not move the cost.
    low, high : float
        Range in which the input means anything.
    share : float
        Draws that have a break-even within it [1].
    out_of_range : str
        What it means that there is none.
    """

    input: str
    unit: str
    against: str
    now: Interval
    found: Interval
    low: float
    high: float
    share: float
    out_of_range: str


@dataclass(frozen=True, slots=True)
class SideAnswer:
    """One job on one cluster.

    Attributes
    ----------
    tokens : tuple or None
        Prompt tokens computed, prompt tokens found in the cache, and output tokens of a mean request, at the median.
    """

    key: str
    label: str
    chips: int
    system: str
    region: str
    ladders: tuple[Ladder, ...]
    margins: tuple[MarginAnswer, ...] = ()
    break_evens: tuple[BreakEvenAnswer, ...] = ()
    tokens: tuple[float, float, float] | None = None
    notes: tuple[str, ...] = ()


def ladder(what: str, unit: str, metric: str, costs: Mapping[Any, Blocks], split: bool = False) -> Ladder:
    """Quantiles of a cost in every view, with its blocks where they are wanted."""
    views = {view: interval(total(blocks)) for view, blocks in costs.items()}
    if not split:
        return Ladder(what, unit, metric, views)
    return Ladder(
        what,
        unit,
        metric,
        views,
        {view: median_blocks(blocks) for view, blocks in costs.items()},
        {view: {name: interval(value) for name, value in blocks.items()} for view, blocks in costs.items()},
    )


def serving_ladders(costs: TokenCosts, session_requests: float | None) -> Iterator[Ladder]:
    """Every kind of token, a request and a session."""
    per_million = "USD per million tokens"
    yield ladder("output with its prompts", "USD per million output tokens", "cost", costs.all_in, split=True)
    yield ladder("prompt, computed", per_million, "input_cost", costs.miss)
    yield ladder("prompt, from the cache", per_million, "hit_cost", costs.hit)
    yield ladder("output, decode alone", per_million, "decode_cost", costs.output)
    yield ladder("a request", "USD", "request_cost", costs.request)
    if session_requests is not None:
        session = {
            view: {name: value * session_requests for name, value in blocks.items()}
            for view, blocks in costs.request.items()
        }
        yield ladder(f"a session of {session_requests:g} requests", "USD", "session_cost", session)


def with_training(costs: TokenCosts, run_usd: Array, served_s: float, what: str) -> Ladder:
    """The training run on every million output tokens, beside what serving them costs; amortised view."""
    training = training_per_million(run_usd, costs, served_s)
    return ladder(
        what, "USD per million output tokens", "training_cost", {"amortised": {"training": training}}
    )


def trained_tokens(runs: TrainingRuns, bills: Mapping[Any, Blocks]) -> Ladder:
    """The run over the tokens that it trains on."""
    millions = np.asarray(runs.job.tokens, dtype=float) / MILLION
    costs: dict[Any, Blocks] = {view: {"run": total(blocks) / millions} for view, blocks in bills.items()}
    return ladder("a million trained tokens", "USD per million tokens", "token_cost", costs)


def margin_answer(costs: TokenCosts, prices: PriceList) -> MarginAnswer:
    """Margin of a mean request at a price list, in every view."""
    earned = request_revenue(costs, prices)
    spent = {view: total(blocks) for view, blocks in costs.request.items()}
    return MarginAnswer(
        prices.id,
        prices.name,
        prices.valid_from or "",
        interval(earned),
        {view: interval(margin(usd, earned)) for view, usd in spent.items()},
        {view: interval(markup(usd, earned)) for view, usd in spent.items()},
    )


def serving_break_even_answers(
    costs: TokenCosts, target_usd: Array, against: str
) -> tuple[BreakEvenAnswer, ...]:
    """Utilisation and prices at which a request costs as much as a target."""
    found = serving_break_evens(costs, target_usd)
    load = np.asarray(costs.runs.job.utilisation)
    assert found.utilisation is not None
    words = "not even a full fleet is enough"
    return (
        _answer("utilisation", "1", against, (load, found.utilisation), (0.0, 1.0), words),
        *_price_answers(found, against, costs.runs.cluster.ownership),
    )


def training_break_even_answers(
    runs: TrainingRuns, chips: int, target_usd: Array, against: str
) -> tuple[BreakEvenAnswer, ...]:
    """Prices at which a run costs as much as a target."""
    found = training_break_evens(runs, chips, target_usd)
    return _price_answers(found, against, runs.cluster.ownership)


def _price_answers(found: BreakEvens, against: str, own: Ownership) -> tuple[BreakEvenAnswer, ...]:
    kwh = KWH
    power = np.asarray(own.electricity_usd_per_j) * kwh, np.asarray(found.electricity_usd_per_j) * kwh
    anything = 0.0, np.inf
    prices = [
        _answer(
            "chip price", "USD per chip", against, (own.chip_usd, found.chip_usd), anything,
            "not even a free chip is enough",
        ),
        _answer("price of electricity", "USD/kWh", against, power, anything, "not even free power is enough"),
    ]  # fmt: skip
    if np.any(np.asarray(own.grey_premium) != 1.0):
        pair = own.grey_premium, found.grey_premium
        words = "not even the official price is enough"
        prices.append(_answer("price paid over official price", "1", against, pair, (1.0, np.inf), words))
    return tuple(prices)


def _answer(
    name: str, unit: str, against: str, pair: tuple[Array, Array], span: tuple[float, float], words: str
) -> BreakEvenAnswer:
    now, found = pair
    share = float(np.mean(reachable(found, *span)))
    return BreakEvenAnswer(name, unit, against, interval(now), interval(found), *span, share, words)


def tokens_of(mix: TokenMix) -> tuple[float, float, float]:
    """Tokens of a mean request by kind, at the median over the draws."""
    missed, hit, output = (
        float(np.nanmedian(np.asarray(each))) for each in (mix.missed, mix.hit, mix.output)
    )
    return missed, hit, output


def side_answer(side: Side, ladders: Iterator[Ladder] | tuple[Ladder, ...], **rest: object) -> SideAnswer:
    """Name and place of a side with what it costs."""
    return SideAnswer(
        side.key, side.label, side.choice.chips, side.system.name, side.region.name, tuple(ladders), **rest,  # type: ignore[arg-type]
    )  # fmt: skip
