"""What tokens cost on a fleet: per kind of token, per request and session, in three views, against a price list."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sim.economics.margin import MILLION, TokenMix, TokenPrices, break_even, revenue
from sim.economics.ownership import Blocks, Ownership, View, amortised, scaled, total
from sim.physics.cache import kv_cache_bytes
from sim.profiles.served import PriceList
from sim.quantity import Array
from sim.resolve import World
from sim.study.bills import owned_run
from sim.study.question import Side
from sim.study.serving import ServingRuns
from sim.study.training import TrainingRuns

Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TokenCosts:
    """Cost of one serving job on one side, in every draw.

    Attributes
    ----------
    mix : TokenMix
        Tokens of a mean request.
    hour : dict of view to Blocks
        A chip-second, busy or not [USD/chip/s].
    miss, hit, output, all_in : dict of view to Blocks
        A million prompt tokens that are computed, or found in the cache; a million output tokens, decode alone, and
        with the prompts that belong to them [USD per million].
    request : dict of view to Blocks
        A mean request [USD].
    """

    runs: ServingRuns
    mix: TokenMix
    hour: dict[View, Blocks]
    miss: dict[View, Blocks]
    hit: dict[View, Blocks]
    output: dict[View, Blocks]
    all_in: dict[View, Blocks]
    request: dict[View, Blocks]


def token_costs(side: Side, runs: ServingRuns, world: World) -> TokenCosts:
    """Cost of every kind of token.

    Notes
    -----
    Each phase pays for its own chips, so computed prompt tokens and output tokens carry all of the cost. What a token
    found in the cache costs is stated beside it and is no further part of the sum: the time for which one chip's path
    to host memory is busy with reading the cache of that token, as if nothing overlapped - an upper bound. NaN where
    the system states no such path.
    """
    capacity, job = runs.capacity, runs.job
    mean_prompt = np.asarray(job.traffic.prompt.mean)
    rate = np.asarray(capacity.requests_per_s)
    served = np.where(rate > 0, rate, np.nan)
    mix = TokenMix(
        missed=np.asarray(capacity.input_tokens_per_s) / served,
        hit=mean_prompt * np.asarray(job.traffic.prefix_hit),
        output=np.asarray(capacity.output_tokens_per_s) / served,
    )
    hour = runs.cluster.cost_blocks(runs.it_power_w)
    chip_s = 1.0 / (np.where(rate > 0, rate, 1.0) * np.asarray(job.utilisation))
    reading = MILLION * _read_seconds(side, runs, mean_prompt, world)
    return TokenCosts(
        runs, mix, hour, runs.input_cost(),
        {view: scaled(blocks, reading) for view, blocks in hour.items()},
        runs.decode_cost(), runs.output_cost(),
        # Where nothing is served within the promise, a request has no finite price.
        {view: {name: np.where(rate > 0, usd, np.inf) for name, usd in scaled(blocks, chip_s).items()}
         for view, blocks in hour.items()},
    )  # fmt: skip


def _read_seconds(side: Side, runs: ServingRuns, context: Vector, world: World) -> Array:
    """Time to read the cache of one prompt token from host memory over one chip's path [s]."""
    path = side.system.host_bandwidth
    if path is None or path.is_unknown:
        return float("nan")
    cache = kv_cache_bytes(runs.job.architecture, context, runs.job.precisions)
    return cache / context / world(path)


# --- margin ------------------------------------------------------------------------------------------------


def listed_prices(prices: PriceList) -> TokenPrices:
    """A price list in dollars per million tokens."""
    return TokenPrices(
        *(MILLION * each.median for each in (prices.input_miss, prices.input_hit, prices.output))
    )


def request_revenue(costs: TokenCosts, prices: PriceList) -> Array:
    """What a mean request sells for [USD]."""
    return revenue(listed_prices(prices), costs.mix)


# --- break-even --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BreakEvens:
    """Inputs at which a cost meets a target, draw by draw; each as if all else stayed.

    Attributes
    ----------
    utilisation : Array or None
        Mean over rated load [1]; above 1 not even a full fleet is enough. None for training.
    chip_usd, electricity_usd_per_j : Array
        Below 0 not even a free chip, or free power, is enough.
    grey_premium : Array
        Price paid over official price [1]; below 1 not even the official price is low enough.
    """

    chip_usd: Array
    electricity_usd_per_j: Array
    grey_premium: Array
    utilisation: Array | None = None


CHIP_PRICES = (10_000.0, 30_000.0)  # two points of the straight line through which the break-even is found
POWER_PRICES = (0.0, 1e-7)
PREMIUMS = (1.0, 2.0)
LOADS = (0.1, 1.0)


def serving_break_evens(costs: TokenCosts, target_usd: Array) -> BreakEvens:
    """Where the amortised cost of a request meets a target [USD per request]."""
    runs = costs.runs
    cluster, own = runs.cluster, runs.cluster.ownership
    rate, load = np.asarray(runs.capacity.requests_per_s), np.asarray(runs.job.utilisation)
    with np.errstate(invalid="ignore"):
        earned = np.where(rate > 0, rate * target_usd, np.nan)  # by a busy chip in a second

    def hour(owner: Ownership, use: Array) -> Array:
        return total(amortised(owner, cluster.power(runs.capacity.activity * use)))

    return BreakEvens(
        *_meets(lambda owner: hour(owner, load), own, earned * load),
        utilisation=break_even(lambda x: hour(own, x) - earned * x, 0.0, LOADS),
    )


def training_break_evens(runs: TrainingRuns, chips: int, target_usd: Array) -> BreakEvens:
    """Where the amortised cost of a run meets a target [USD per run]."""
    return BreakEvens(
        *_meets(lambda owner: total(owned_run(runs, chips, owner)), runs.cluster.ownership, target_usd)
    )


def _meets(cost: Callable[[Ownership], Array], own: Ownership, target: Array) -> tuple[Array, Array, Array]:
    """Chip price, price of electricity and premium at which an owner's cost meets a target."""
    return (
        break_even(lambda x: cost(replace(own, chip_usd=x)), target, CHIP_PRICES),
        break_even(lambda x: cost(replace(own, electricity_usd_per_j=x)), target, POWER_PRICES),
        break_even(lambda x: cost(replace(own, grey_premium=x)), target, PREMIUMS),
    )


# --- training over the tokens served -----------------------------------------------------------------------


def training_per_million(run_usd: Array, costs: TokenCosts, served_s: float) -> Array:
    """Cost of the training run on every million output tokens that the fleet serves in a time [USD per million].

    Examples
    --------
    A run of 5.576 M USD over a year of 168 G output tokens a day adds 0.0909 USD to every million.
    """
    runs = costs.runs
    tokens = np.asarray(runs.tokens_per_s) * np.asarray(runs.job.utilisation) * served_s
    with np.errstate(divide="ignore"):
        return np.where(tokens > 0, MILLION * np.asarray(run_usd) / np.where(tokens > 0, tokens, 1.0), np.inf)
