"""From a recipe, a cluster and a step time to the weeks of a run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

import numpy as np
from numpy.typing import NDArray

from sim.layout.layouts import Layouts
from sim.physics.counts import parameter_counts
from sim.profiles.hardware import SystemProfile
from sim.profiles.reliability import Reliability
from sim.profiles.scenario import ClusterChoice
from sim.profiles.workload import TrainingRecipe
from sim.quantity import Array
from sim.resolve import MEDIAN, World, stated_reliability
from sim.resolve.filled import given
from sim.study.cluster import Cluster
from sim.training.campaign_plan import CampaignPlan, Cause, Delivery
from sim.training.checkpoints import checkpoint_time
from sim.training.job import TrainingJob
from sim.training.ramp import RampStage, ramped_work, run_steps
from sim.training.step import step_time
from sim.units import DAY

Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Crew:
    """Chips of a cluster in their roles, and what each does and draws.

    Attributes
    ----------
    owned : Array
        All of them [chip].
    working : Array
        Chips of the layout [chip].
    server : float
        Chips that leave with a broken server [chip].
    domain : float
        Chips of the largest scale-up domain [chip].
    failure_rate : Array
        Interruptions of a run [1/chip/s].
    busy_w, idle_w : Array
        Power at the meter while training and while standing still [W/chip].
    """

    owned: Array
    working: Array
    server: float
    domain: float
    failure_rate: Array
    busy_w: Array = 0.0
    idle_w: Array = 0.0

    def spares(self, rate: Array, broken: Array, repair_s: Array) -> Array:
        """Chips held ready [chip].

        Notes
        -----
        Where servers break so often that the idle chips of the layout cannot stand in for those under repair, the run gives
        up data-parallel replicas until they can: the mean number under repair plus two standard deviations.
        """
        under_repair = rate * self.owned * broken * repair_s
        wanted = self.server * (under_repair + 2.0 * np.sqrt(under_repair))
        return np.maximum(self.owned - np.asarray(self.working), wanted)


def scale_up_domain(system: SystemProfile) -> float:
    """Chips of the largest scale-up domain of a system [chip]."""
    sizes = [float(tier.size) for tier in system.tiers if tier.size != "unlimited"]
    return max(sizes, default=float(system.chips_per_server))


def state_bytes(job: TrainingJob) -> float:
    """Weights and optimizer state of a checkpoint [byte]."""
    return parameter_counts(job.architecture).total * (job.state.weight + job.state.optimizer)


def campaign_plan(
    rules: Reliability, state: Array, crew: Crew, work_s: Array, world: World = MEDIAN
) -> CampaignPlan:
    """The weeks of a run whose steps take ``work_s`` on the chips of its layout [s]; shape (counts, draws).

    Parameters
    ----------
    state : Array
        Bytes of a checkpoint; see :func:`state_bytes`.
    """
    rules = stated_reliability(rules)
    causes, stops = stop_causes(rules, world)
    rate = crew.failure_rate * stops
    broken = sum((np.asarray(cause.share) * cause.exchanged for cause in causes), np.zeros(()))
    repair_s = 0.0 if rules.repair is None else world(rules.repair)
    spares = crew.spares(rate, broken, repair_s)
    training = crew.owned - spares
    slow = rules.stragglers
    plan = CampaignPlan(
        work_s=work_s * (crew.working / training),
        chips=training,
        failure_rate=rate,
        causes=causes,
        planned_downtime=world(rules.planned_downtime),
        planned_stop_s=world(given(rules.planned_stop)),
        spares=spares / training,
        node_chips=crew.server,
        repair_s=repair_s,
        straggler_rate=0.0 if slow is None else world(slow.rate),
        straggler_s=0.0 if slow is None else world(slow.duration),
        straggler_loss=0.0 if slow is None else world(slow.slowdown),
        power_w=training * crew.busy_w + spares * crew.idle_w,
        stopped_power_w=crew.owned * crew.idle_w,
    )
    plan = _with_checkpoints(plan, rules, state, world)
    return plan if crew.domain <= crew.server else _with_swaps(plan, rules, world)


def stop_causes(rules: Reliability, world: World) -> tuple[tuple[Cause, ...], Array]:
    """What stops the run, by component; and all its stops over those that the chip's failure rate counts [1]."""
    if not rules.causes:
        return (Cause("any", 1.0, 1.0 if rules.hardware is None else world(rules.hardware)),), 1.0
    rates = {name: np.asarray(world(cause.rate)) for name, cause in rules.causes.items()}
    total = sum(rates.values(), np.zeros(()))
    shares = {name: rate / total for name, rate in rates.items()}
    return tuple(Cause(n, shares[n], world(cause.exchanged)) for n, cause in rules.causes.items()), total


def _with_checkpoints(plan: CampaignPlan, rules: Reliability, state: Array, world: World) -> CampaignPlan:
    """Checkpoints, and restarts with detection and loading of them."""
    storage = None if rules.storage_bandwidth is None else world(rules.storage_bandwidth)
    through_storage = 0.0 if storage is None else checkpoint_time(state, storage, plan.chips)
    noticed = 0.0 if rules.detection is None else world(rules.detection)
    every = rules.checkpoint_interval
    return replace(
        plan,
        checkpoint_s=checkpoint_time(state, world(rules.checkpoint_bandwidth), plan.chips),
        write_s=through_storage if rules.checkpoint == "asynchronous" else 0.0,
        checkpoint_every_s=None if every is None else world(every),
        restart_s=noticed + np.asarray(world(rules.restart)) + through_storage,
    )


def _with_swaps(plan: CampaignPlan, rules: Reliability, world: World) -> CampaignPlan:
    """Hot swap, on systems whose scale-up domain is larger than a server."""
    if rules.hot_swap is None:
        return plan
    noticed = 0.0 if rules.detection is None else world(rules.detection)
    swap_s = noticed + np.asarray(world(rules.hot_swap.restart))
    return replace(plan, swap_share=world(rules.hot_swap.reach), swap_s=swap_s)


def run_time(
    recipe: TrainingRecipe, job: TrainingJob, cluster: Cluster, layouts: Layouts, rows: NDArray[np.int64],
    step_s: Vector, world: World,
) -> Vector:  # fmt: skip
    """All steps of the run in the chosen layouts, without a stop [s]: at one batch, or with the ramp of the recipe.

    Parameters
    ----------
    rows : (counts, draws) int array
        Row of ``layouts`` that each draw takes.
    step_s : (counts, draws) array
        Its step at the full batch [s].
    """
    if not recipe.batch_ramp:
        return np.asarray(job.steps * step_s)
    stages = [RampStage(world(s.batch), world(s.tokens), s.gradual) for s in recipe.batch_ramp]
    steps = run_steps(stages, job.tokens, job.global_batch)
    small = min(stage.batch.value for stage in recipe.batch_ramp)
    used, place = np.unique(rows, return_inverse=True)
    chosen = layouts.select(used)
    sequences = small * job.sequences / (chosen.dp * chosen.micro_batch)
    fewer = replace(chosen, micro_batches=np.maximum(1, np.ceil(sequences - 1e-9)).astype(chosen.dp.dtype))
    # What the micro-batches hold, rounding up included, is the batch that this step really trains.
    share = (fewer.micro_batches / np.maximum(chosen.micro_batches, 1))[place.reshape(rows.shape)]
    times = step_time(
        replace(job, global_batch=small * job.global_batch), cluster.chip, cluster.network, fewer
    )
    total = np.broadcast_to(times.total, (len(used), max(np.shape(times.total)[-1], rows.shape[-1])))
    small_s = np.take_along_axis(total, place.reshape(rows.shape), axis=0)
    return np.where(
        share < 1.0,
        ramped_work(step_s, small_s, np.minimum(share, 1 - 1e-9), steps, job.tokens, job.global_batch),
        step_s * steps,
    )


def first_day(written: str) -> date:
    """First day of a year, month or day.

    Examples
    --------
    >>> first_day("2026"), first_day("2026-12")
    (datetime.date(2026, 1, 1), datetime.date(2026, 12, 1))
    """
    return date.fromisoformat(written + "-01-01"[: 10 - len(written)] if len(written) < 10 else written)


def deliveries(choice: ClusterChoice) -> tuple[Delivery, ...]:
    """Share of the cluster that is there from a time after the start on [s]; empty where all of it is from the start."""
    if not choice.tranches:
        return ()
    start = first_day(choice.start or "")
    arriving: dict[float, int] = {}
    at_once = choice.chips - sum(tranche.chips for tranche in choice.tranches)
    if at_once:
        arriving[0.0] = at_once
    for tranche in choice.tranches:
        time = max(0.0, DAY * (first_day(tranche.date) - start).days)
        arriving[time] = arriving.get(time, 0) + tranche.chips
    times = sorted(arriving)
    present = np.cumsum([arriving[time] for time in times]) / choice.chips
    return tuple((time, float(share)) for time, share in zip(times, present, strict=True))
