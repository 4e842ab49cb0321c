"""What a fleet serves within its promise, in closed form over all draws and by events at the median of all inputs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np

from sim.economics.ownership import Blocks, View, total
from sim.profiles.catalogue import Catalogue
from sim.profiles.workload import ServingTraffic
from sim.report.content import Interval, RunIdentity
from sim.resolve import MEDIAN
from sim.serving.ranking import RankedUnit, ranked_units
from sim.serving.step_costs import scalar
from sim.serving.sustained import Sustained, sustained_load
from sim.serving.unit_run import play_unit
from sim.study.capacity_question import CapacityQuestion
from sim.study.convergence import ends_error
from sim.study.events import LOAD, Check, Latency, played_latency
from sim.study.money.tokens import TokenCosts, token_costs
from sim.study.question import uncertain_inputs
from sim.study.served_day import ServedDayStudy, study_served_day
from sim.study.serving import ServingRuns, plan_serving, run_serving
from sim.study.summary.report import inputs_hash
from sim.study.summary.statistics import interval
from sim.study.two_chips import TwoChips, reading_side, two_chips, unplayed
from sim.units import DAY, KWH

PLAYED = 12_000  # requests of a played unit: the bisection plays nine of them
SHOWN = 4  # unit shapes of each phase
Point = tuple[float, float]
ByPhase = dict[str, dict[str, float]]


@dataclass(frozen=True, slots=True)
class Served:
    """The highest load that keeps the promise, over all draws.

    Attributes
    ----------
    requests_per_s, output_tokens_per_s : Interval
        Per chip.
    limits : dict of phase to str
        What holds it there.
    utilisation, bounds : dict of phase to dict
        Use of each resource over its peak, and share of a step that each kind of limit takes; medians [1].
    reason : str
        Why nothing is served, where that is so.
    """

    requests_per_s: Interval
    output_tokens_per_s: Interval
    ttft_s: Interval
    tpot_s: Interval
    prefill_share: Interval
    limits: dict[str, str]
    utilisation: ByPhase
    bounds: ByPhase
    reason: str


@dataclass(frozen=True, slots=True)
class Needed:
    """The fleet of the demand, or what the cluster's own chips serve.

    Attributes
    ----------
    unit_chips : Interval
        Chips of the smallest set that serves alone: a decode (or aggregated) instance with its share of prefill.
    chips, tokens_per_day : Interval
        Chips needed for the demand, or there are; tokens served on an average day, prompts included.
    tokens_per_request : float
        Prompt and output of a mean request, at the median of all inputs [token].
    """

    unit_chips: Interval
    chips: Interval
    tokens_per_day: Interval
    tokens_per_request: float


@dataclass(frozen=True, slots=True)
class Money:
    """What tokens cost, and the energy they take.

    Attributes
    ----------
    cost, input_cost : dict of view to Interval
        USD per million output tokens, prompts included, and per million prompt tokens that miss the cache.
    hit_cost, decode_cost : dict of view to Interval
        USD per million prompt tokens found in the cache, and per million output tokens, decode chips alone.
    energy_kwh : Interval
        Per million output tokens.
    prompt_energy_kwh : Interval
        Of it, per million prompt tokens that miss the cache, on the chips that read prompts.
    """

    cost: dict[str, Interval]
    input_cost: dict[str, Interval]
    hit_cost: dict[str, Interval]
    decode_cost: dict[str, Interval]
    energy_kwh: Interval
    prompt_energy_kwh: Interval


@dataclass(frozen=True, slots=True)
class AtMedian:
    """Closed form at the median of all inputs.

    Attributes
    ----------
    median_requests_per_s : float
        Per chip.
    units : tuple of RankedUnit
        Shapes in order, per phase; the first of each is the one chosen.
    frontier : tuple of (tokens/s of a user, output tokens/s of a chip)
    operating_point : (tokens/s of a user, output tokens/s of a chip)
    """

    median_requests_per_s: float
    units: tuple[RankedUnit, ...]
    frontier: tuple[Point, ...]
    operating_point: Point


@dataclass(frozen=True, slots=True)
class Played:
    """The same by events, at the median of all inputs.

    Attributes
    ----------
    events : Sustained or None
        Highest load that is kept, over that of the closed form; None where nothing is served.
    checks : tuple of (quantity, closed form, events)
        At ``LOAD`` of the closed form's highest load.
    latency : dict of str to dict
        Percentiles of "ttft_s", "tpot_s" and "e2e_s" by events, at ``LOAD`` of the highest load, once settled [s].
    """

    events: Sustained | None
    checks: tuple[Check, ...]
    verdict: str
    latency: Latency


@dataclass(frozen=True, slots=True)
class CapacityStudy:
    """Answer of a capacity question.

    Attributes
    ----------
    ends_error : float
        How well the ends of the intervals of load and cost are known, as a share of the median [1].
    two_chips : TwoChips or None
        The same with prompts read on another system, where the `fleet` block names one.
    not_played : str
        What of the `fleet` block these numbers leave out, in words.
    """

    question: CapacityQuestion
    served: Served
    needed: Needed
    money: Money
    at_median: AtMedian
    played: Played
    ends_error: float
    identity: RunIdentity
    served_day: ServedDayStudy | None = None
    two_chips: TwoChips | None = None
    not_played: str = ""


def study_capacity(catalogue: Catalogue, question: CapacityQuestion, command: str = "") -> CapacityStudy:
    """Closed form over all draws, events at the median, units, chips, cost.

    Raises
    ------
    UnknownQuantityError
        When the answer rests on a number that nobody has published.
    """
    side, task = question.side, question.task
    assert isinstance(task.workload, ServingTraffic)
    reader = reading_side(catalogue, side, task, question.as_of)
    further = () if reader is None else uncertain_inputs((reader,), ())
    world = question.asked.drawn(question.draws, question.seed, further)
    plan = plan_serving(side, task)
    runs, median = run_serving(plan, world), run_serving(plan, MEDIAN)
    costs = token_costs(side, runs, world)
    return CapacityStudy(
        question,
        _served(runs),
        _needed(question, runs, median),
        _money(runs, costs),
        _at_median(median),
        _played(median, question.seed),
        ends_error([runs.capacity.requests_per_s, total(costs.all_in["amortised"])]),
        _identity(catalogue, question, command),
        None if question.served_day is None else study_served_day(*question.served_day, runs),
        two_chips(reader, side, task, runs, world),
        unplayed(task.workload),
    )


def _served(runs: ServingRuns) -> Served:
    found = runs.capacity
    return Served(
        requests_per_s=interval(found.requests_per_s),
        output_tokens_per_s=interval(found.output_tokens_per_s),
        ttft_s=interval(found.ttft_s),
        tpot_s=interval(found.tpot_s),
        prefill_share=interval(found.prefill_share),
        limits=dict(found.limits),
        utilisation={"prefill": _medians(found.prefill_utilisation), "decode": _medians(found.utilisation)},
        bounds={"prefill": _medians(found.prefill_bounds), "decode": _medians(found.decode_bounds)},
        reason=found.reason,
    )


def _needed(question: CapacityQuestion, runs: ServingRuns, median: ServingRuns) -> Needed:
    chips, tokens = fleet_for(question, runs)
    each = float(np.ravel(_tokens_per_request(median))[0])
    return Needed(interval(_unit_chips(runs)), interval(chips), interval(tokens * DAY), each)


def fleet_for(question: CapacityQuestion, runs: ServingRuns) -> tuple[np.ndarray, np.ndarray]:
    """Chips needed, and prompt and output tokens per second on the average day, in every draw.

    A fleet is sized for its peak: on average it does ``utilisation`` of what it could.
    """
    each = _tokens_per_request(runs)
    per_chip = runs.capacity.requests_per_s * each * np.asarray(runs.job.utilisation)
    if question.demand_tokens_per_s is None:
        chips = np.full(np.shape(per_chip), float(question.side.choice.chips))
        return chips, chips * per_chip
    with np.errstate(divide="ignore"):
        chips = question.demand_tokens_per_s / per_chip
    return chips, np.full(np.shape(per_chip), question.demand_tokens_per_s)


def _tokens_per_request(runs: ServingRuns) -> np.ndarray:
    traffic = runs.job.traffic
    return np.asarray(np.asarray(traffic.prompt.mean) + np.asarray(traffic.output.mean))


def _unit_chips(runs: ServingRuns) -> np.ndarray:
    capacity, ranks = runs.capacity, runs.cluster.chip.ranks
    writing = np.asarray(capacity.decode_unit.shape.ranks) / ranks
    aggregated = runs.job.pools == "aggregated"
    return writing if aggregated else writing / (1.0 - capacity.prefill_share)


def _money(runs: ServingRuns, costs: TokenCosts) -> Money:
    return Money(
        cost=_intervals(costs.all_in),
        input_cost=_intervals(costs.miss),
        hit_cost=_intervals(costs.hit),
        decode_cost=_intervals(costs.output),
        energy_kwh=interval(runs.energy_j_per_million / KWH),
        prompt_energy_kwh=interval(runs.prompt_energy_j_per_million / KWH),
    )


def _intervals(by_view: Mapping[View, Blocks]) -> dict[str, Interval]:
    return {view: interval(total(blocks)) for view, blocks in by_view.items()}


def _medians(shares: Mapping[str, np.ndarray]) -> dict[str, float]:
    return {name: float(np.nanmedian(share)) for name, share in shares.items()}


def _at_median(median: ServingRuns) -> AtMedian:
    found, cluster = median.capacity, median.cluster
    share = float(found.prefill_share[0])
    return AtMedian(
        median_requests_per_s=float(found.requests_per_s[0]),
        units=ranked_units(median.job, cluster.chip, cluster.network, median.chips, share, SHOWN),
        frontier=found.frontier,
        operating_point=median.operating_point,
    )


def _played(median: ServingRuns, seed: int) -> Played:
    capacity, job = median.capacity, median.job
    if not capacity.requests_per_s[0] > 0:
        return Played(None, (), f"serves nothing: {capacity.reason}", {})

    def play(load: float):  # type: ignore[no-untyped-def]
        rng = np.random.default_rng(seed)  # the same requests at every load, on a faster or slower clock
        cluster = median.cluster
        return play_unit(
            job, cluster.chip, cluster.network, capacity, rng,
            load=load, most_requests=PLAYED, trace=median.trace,
        )  # fmt: skip

    found = sustained_load(play, scalar(job.targets.ttft_s), scalar(job.targets.tpot_s))
    usual = play(LOAD)
    return Played(found, usual.checks, str(usual.verdict), played_latency(usual))


def _identity(catalogue: Catalogue, question: CapacityQuestion, command: str) -> RunIdentity:
    files = catalogue.files_read
    return RunIdentity(
        version=version("chip-parity"), command=command, seed=question.seed, draws=question.draws, event_draws=0,
        inputs_hash=inputs_hash(files), files=files, as_of=question.as_of or "",
    )  # fmt: skip


def whole_units(study: CapacityStudy) -> int | None:
    """Smallest purchases (servers, racks) that hold the median number of chips; None where no number is enough."""
    unit, chips = study.question.side.system.unit, study.needed.chips.p50
    return math.ceil(chips / unit - 1e-9) if math.isfinite(chips) else None
