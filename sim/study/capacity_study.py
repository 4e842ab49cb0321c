"""What a fleet serves within its promise, in closed form over all draws and by events at the median of all inputs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np

from sim.economics.ownership import Blocks, View, total
from sim.profiles.catalogue import Catalogue
from sim.profiles.messages import InputError, Problem, unknown_id
from sim.profiles.served import PriceList, ServedDay
from sim.profiles.workload import ServingTraffic
from sim.report.content import Interval, RunIdentity
from sim.resolve import MEDIAN
from sim.serving.ranking import RankedUnit, ranked_units
from sim.serving.step_costs import scalar
from sim.serving.sustained import Sustained, sustained_load
from sim.serving.unit_run import play_unit
from sim.study.events import LOAD, Check, Latency, played_latency
from sim.study.money.tokens import token_costs
from sim.study.question import Side, Task, load_question, uncertain_inputs
from sim.study.served_day import ServedDayStudy, study_served_day
from sim.study.serving import ServingRuns, run_serving
from sim.study.summary.report import inputs_hash
from sim.study.summary.statistics import interval
from sim.study.two_chips import TwoChips, two_chips, unplayed
from sim.study.worlds import sobol_probabilities, world_at
from sim.units import UnitError, to_base

DAY = 86400.0
PLAYED = 12_000  # requests of a played unit: the bisection plays nine of them
SHOWN = 4  # unit shapes of each phase
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class CapacityQuestion:
    """One serving job on one cluster of a scenario.

    Attributes
    ----------
    demand_tokens_per_s : float or None
        Prompt and output tokens to be served, averaged over the day [token/s]; None: what the cluster's own chips serve.
    served_day : tuple of ServedDay and PriceList, or None
        What the cluster did on a published day, and what its tokens were sold for.
    """

    side: Side
    task: Task
    draws: int
    seed: int
    demand_tokens_per_s: float | None = None
    served_day: tuple[ServedDay, PriceList] | None = None
    as_of: str | None = None


@dataclass(frozen=True, slots=True)
class CapacityStudy:
    """Answer of a capacity question.

    Attributes
    ----------
    requests_per_s, output_tokens_per_s : Interval
        Per chip, at the highest load that keeps the promise.
    events : Sustained or None
        The same by events at the median, over the closed form; None where nothing is served.
    median_requests_per_s : float
        Closed form at the median of all inputs, per chip.
    units : tuple of RankedUnit
        Shapes in order, per phase; the first of each is the one chosen.
    unit_chips : Interval
        Chips of the smallest set that serves alone: a decode (or aggregated) instance with its share of prefill.
    chips, tokens_per_day : Interval
        Chips needed for the demand, or there are; tokens served on an average day, prompts included.
    cost, input_cost : dict of view to Interval
        USD per million output tokens, prompts included, and per million prompt tokens that miss the cache.
    hit_cost, decode_cost : dict of view to Interval
        USD per million prompt tokens found in the cache, and per million output tokens, decode chips alone.
    energy_kwh : Interval
        Per million output tokens.
    prompt_energy_kwh : Interval
        Of it, per million prompt tokens that miss the cache, on the chips that read prompts.
    utilisation, bounds : dict of phase to dict
        Use of each resource over its peak, and share of a step that each kind of limit takes; medians [1].
    latency : dict of str to dict
        Percentiles of "ttft_s", "tpot_s" and "e2e_s" by events, at ``LOAD`` of the highest load, once settled [s].
    frontier : tuple of (tokens/s of a user, output tokens/s of a chip)
    checks : tuple of (quantity, closed form, events)
        At ``LOAD`` of the closed form's highest load.
    two_chips : TwoChips or None
        The same with prompts read on another system, where the `fleet` block names one.
    not_played : str
        What of the `fleet` block these numbers leave out, in words.
    """

    question: CapacityQuestion
    requests_per_s: Interval
    output_tokens_per_s: Interval
    ttft_s: Interval
    tpot_s: Interval
    median_requests_per_s: float
    events: Sustained | None
    checks: tuple[Check, ...]
    verdict: str
    units: tuple[RankedUnit, ...]
    unit_chips: Interval
    prefill_share: Interval
    limits: dict[str, str]
    chips: Interval
    tokens_per_day: Interval
    tokens_per_request: float
    cost: dict[str, Interval]
    input_cost: dict[str, Interval]
    hit_cost: dict[str, Interval]
    decode_cost: dict[str, Interval]
    energy_kwh: Interval
    prompt_energy_kwh: Interval
    utilisation: dict[str, dict[str, float]]
    bounds: dict[str, dict[str, float]]
    latency: dict[str, dict[str, float]]
    frontier: tuple[Point, ...]
    operating_point: Point
    reason: str
    identity: RunIdentity
    served_day: ServedDayStudy | None = None
    two_chips: TwoChips | None = None
    not_played: str = ""


def load_capacity_question(
    catalogue: Catalogue,
    scenario: str,
    job: str | None = None,
    cluster: str | None = None,
    demand: str | None = None,
    draws: int | None = None,
    seed: int | None = None,
    as_of: str | None = None,
) -> CapacityQuestion:
    """Find the job and the cluster of a scenario.

    Parameters
    ----------
    job : str, optional
        Id of a serving job; the first one when left out.
    cluster : str, optional
        "a" or "b"; a when left out.
    demand : str, optional
        Such as ``"140e12 token/day"``.
    as_of : str, optional
        No price later than this date is used.

    Raises
    ------
    InputError
        When a file is wrong, there is no such serving job or cluster, or the demand is no token rate.
    """
    asked = load_question(catalogue, scenario, as_of)
    serving = {task.job.id: task for task in asked.tasks if isinstance(task.workload, ServingTraffic)}
    if not serving:
        raise InputError(
            [Problem(f"{asked.scenario.id} has no serving job, so there is no capacity to give")]
        )
    if job is not None and job not in serving:
        raise InputError([Problem(f"--job: {unknown_id('serving job', job, serving)}")])
    sides: dict[str, Side] = {side.key: side for side in asked.sides}
    if cluster is not None and cluster not in sides:
        raise InputError([Problem(f'--cluster: read "{cluster}", where a or b is expected')])
    chosen, day = asked.scenario.uncertainty, asked.scenario.served_day
    published = None if day is None or cluster == "b" else (day, catalogue.price_list(day.prices))
    return CapacityQuestion(
        sides[cluster or "a"],
        serving[job or next(iter(serving))],
        chosen.draws if draws is None else draws,
        chosen.seed if seed is None else seed,
        None if demand is None else _demand(demand),
        published,
        asked.as_of,
    )


def _demand(text: str) -> float:
    try:
        rate = to_base(text, "token/s")
    except UnitError as error:
        raise InputError([Problem(f"--demand: {error}")]) from None
    if rate <= 0:
        raise InputError([Problem(f'--demand: read "{text}", where more than nothing is expected')])
    return rate


def study_capacity(catalogue: Catalogue, question: CapacityQuestion, command: str = "") -> CapacityStudy:
    """Closed form over all draws, events at the median, units, chips, cost.

    Raises
    ------
    UnknownQuantityError
        When the answer rests on a number that nobody has published.
    """
    side, task = question.side, question.task
    assert isinstance(task.workload, ServingTraffic)
    inputs = uncertain_inputs((side,), (task,))
    world = world_at(inputs, sobol_probabilities(question.draws, len(inputs), question.seed))
    runs, median = run_serving(side, task, world), run_serving(side, task, MEDIAN)
    capacity = runs.capacity
    traffic = median.job.traffic
    each = float(np.ravel(traffic.prompt.mean)[0] + np.ravel(traffic.output.mean)[0])
    chips, tokens = fleet_for(question, runs)
    events, checks, verdict, latency = _played(median, question.seed)
    with np.errstate(invalid="ignore"):  # where nothing is served, no token has a price
        costs = token_costs(side, runs, world)
    at_median = median.capacity
    files = catalogue.files_read
    return CapacityStudy(
        question=question,
        requests_per_s=interval(capacity.requests_per_s),
        output_tokens_per_s=interval(capacity.output_tokens_per_s),
        ttft_s=interval(capacity.ttft_s),
        tpot_s=interval(capacity.tpot_s),
        median_requests_per_s=float(at_median.requests_per_s[0]),
        events=events,
        checks=checks,
        verdict=verdict,
        units=ranked_units(
            median.job,
            median.cluster.chip,
            median.cluster.network,
            side.choice.chips,
            float(at_median.prefill_share[0]),
            SHOWN,
        ),
        unit_chips=interval(_unit_chips(runs)),
        prefill_share=interval(capacity.prefill_share),
        limits=dict(capacity.limits),
        chips=interval(chips),
        tokens_per_day=interval(tokens * DAY),
        tokens_per_request=each,
        cost=_intervals(costs.all_in),
        input_cost=_intervals(costs.miss),
        hit_cost=_intervals(costs.hit),
        decode_cost=_intervals(costs.output),
        energy_kwh=interval(runs.energy_j_per_million / 3.6e6),
        prompt_energy_kwh=interval(runs.prompt_energy_j_per_million / 3.6e6),
        utilisation={
            "prefill": _medians(capacity.prefill_utilisation),
            "decode": _medians(capacity.utilisation),
        },
        bounds={"prefill": _medians(capacity.prefill_bounds), "decode": _medians(capacity.decode_bounds)},
        latency=latency,
        frontier=at_median.frontier,
        operating_point=median.operating_point,
        reason=capacity.reason,
        identity=RunIdentity(
            version("chip-parity"),
            command,
            question.seed,
            question.draws,
            0,
            inputs_hash(files),
            files,
            as_of=question.as_of or "",
        ),
        served_day=None if question.served_day is None else study_served_day(*question.served_day, runs),
        two_chips=two_chips(catalogue, side, task, runs, world),
        not_played=unplayed(task.workload),
    )


def fleet_for(question: CapacityQuestion, runs: ServingRuns) -> tuple[np.ndarray, np.ndarray]:
    """Chips needed, and prompt and output tokens per second on the average day, in every draw.

    A fleet is sized for its peak: on average it does ``utilisation`` of what it could.
    """
    traffic = runs.job.traffic
    each = np.asarray(traffic.prompt.mean) + np.asarray(traffic.output.mean)
    per_chip = runs.capacity.requests_per_s * each * np.asarray(runs.job.utilisation)
    if question.demand_tokens_per_s is None:
        chips = np.full(np.shape(per_chip), float(question.side.choice.chips))
        return chips, chips * per_chip
    with np.errstate(divide="ignore"):
        chips = question.demand_tokens_per_s / per_chip
    return chips, np.full(np.shape(per_chip), question.demand_tokens_per_s)


def _unit_chips(runs: ServingRuns) -> np.ndarray:
    capacity, ranks = runs.capacity, runs.cluster.chip.ranks
    writing = np.asarray(capacity.decode_unit.shape.ranks) / ranks
    aggregated = runs.job.pools == "aggregated"
    return writing if aggregated else writing / (1.0 - capacity.prefill_share)


def _intervals(by_view: Mapping[View, Blocks]) -> dict[str, Interval]:
    return {view: interval(total(blocks)) for view, blocks in by_view.items()}


def _medians(shares: Mapping[str, np.ndarray]) -> dict[str, float]:
    return {name: float(np.nanmedian(share)) for name, share in shares.items()}


def _played(median: ServingRuns, seed: int) -> tuple[Sustained | None, tuple[Check, ...], str, Latency]:
    capacity, job = median.capacity, median.job
    if not capacity.requests_per_s[0] > 0:
        return None, (), f"serves nothing: {capacity.reason}", {}

    def play(load: float):  # type: ignore[no-untyped-def]
        rng = np.random.default_rng(seed)  # the same requests at every load, on a faster or slower clock
        cluster = median.cluster
        return play_unit(
            job, cluster.chip, cluster.network, capacity, rng,
            load=load, most_requests=PLAYED, trace=median.trace,
        )  # fmt: skip

    found = sustained_load(play, scalar(job.targets.ttft_s), scalar(job.targets.tpot_s))
    usual = play(LOAD)
    return found, usual.checks, str(usual.verdict), played_latency(usual)


def whole_units(study: CapacityStudy) -> int | None:
    """Smallest purchases (servers, racks) that hold the median number of chips; None where no number is enough."""
    unit = study.question.side.system.unit
    return math.ceil(study.chips.p50 / unit - 1e-9) if math.isfinite(study.chips.p50) else None
