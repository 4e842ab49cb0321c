"""A run of weeks in closed form: how much of the calendar is training that counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, pdtr

from sim.training.campaign_plan import LOSSES, CampaignPlan
from sim.training.checkpoints import checkpoint_interval

Array = NDArray[np.float64] | float


@dataclass(frozen=True, slots=True)
class Goodput:
    """What becomes of the calendar of a run; every field has the shape of the plan's arrays.

    Attributes
    ----------
    share : Array
        Work at full speed over wall time [1].
    wall_s : Array
        Calendar time from the first step to the last checkpoint [s].
    stops : Array
        Unplanned interruptions expected [1].
    interval_s : Array
        Training time between checkpoints, with all chips [s].
    energy_j : Array
        Energy at the meter [J].
    losses : mapping of cause to Array
        Share of the calendar lost to each of ``LOSSES``; with ``share`` they add up to 1.
    causes : mapping of component to Array
        Unplanned interruptions by what failed [1].
    present : Array
        Mean share of the cluster that had been delivered [1].
    """

    share: Array
    wall_s: Array
    stops: Array
    interval_s: Array
    energy_j: Array
    losses: Mapping[str, Array]
    causes: Mapping[str, Array]
    present: Array


def waiting_share(plan: CampaignPlan, chips: Array) -> Array:
    """Share of the time in which the run stands still because no spare server is left [1].

    Notes
    -----
    Broken servers are a loss system: with s spares the run stops at s + 1 in repair, so the share is Erlang's
    B with s + 1 channels and a load of rate times repair time. Holds for any distribution of repair times
    (insensitivity), in the long run.
    """
    channels = np.floor(np.asarray(plan.spares * np.asarray(chips) / plan.node_chips) + 1e-9) + 1.0
    load = np.asarray(plan.failure_rate * np.asarray(chips) * plan.broken_share * plan.repair_s, dtype=float)
    log_load = np.log(np.where(load > 0, load, 1.0))
    probability = np.exp(channels * log_load - load - gammaln(channels + 1.0)) / pdtr(channels, load)
    return np.where(load > 0, probability, 0.0)


def back_after_stop(plan: CampaignPlan, rate: Array) -> Array:
    """Factor by which stops and restarts stretch the time that runs [1].

    Notes
    -----
    A restart takes one of several times R_i, with probability q_i, and is itself interrupted at the rate of the run. The
    expected time from a stop to the end of the restart that holds is (1 / phi - 1) M with phi = sum of q_i exp(-R_i / M);
    for a single R that is Daly's M (exp(R / M) - 1).
    """
    swapped = np.asarray(plan.broken_share * plan.swap_share)
    phi = swapped * np.exp(-rate * plan.swap_s) + (1.0 - swapped) * np.exp(-rate * plan.restart_s)
    return 1.0 / phi


def goodput(plan: CampaignPlan) -> Goodput:
    """Expected course of a run, for scalars or arrays of draws.

    Notes
    -----
    Work comes in equal parts of length tau, each followed by a checkpoint of length delta. Interruptions
    strike at exponential times (mean M), also during restarts, and throw the run back to the last complete
    checkpoint. The expected time of one part is then M exp((w + R) / M) (exp((tau + delta) / M) - 1): Daly's complete
    model (2006) with w = 0, and with a write of length w in the background the same as a restart longer by w, because a
    stop before the write is complete costs the part before as well. Exact, also for large delta, R or tau, as long as
    w is no longer than tau. Waiting for a spare (Erlang B) and planned stops stretch
    the calendar. Stragglers slow the run to 1 - loss (1 - exp(-rate x duration)) on average; tranches are
    walked one by one, each at its own rate.

    Examples
    --------
    Without failures nothing but the checkpoint at the end is added.

    >>> round(float(goodput(CampaignPlan(work_s=1e6, chips=1024, checkpoint_s=10.0)).wall_s), 6)
    1000010.0
    """
    left = np.asarray(plan.work_s, dtype=float)
    totals = {name: np.zeros_like(left) for name in ("wall", "stops", "energy", "present", *LOSSES)}
    phases = plan.phases()
    for index, (start_s, chips) in enumerate(phases):
        # A tranche is at work from its arrival until the next one comes; the last until the work is done.
        per_work = _time_per_work(plan, chips)
        until = phases[index + 1][0] if index + 1 < len(phases) else np.inf
        done = np.minimum(left, np.maximum(until - start_s, 0.0) / per_work["wall"])
        left = left - done
        totals = {name: total + done * per_work[name] for name, total in totals.items()}
    last = _last_write(plan)
    totals = {name: total + last.get(name, 0.0) for name, total in totals.items()}
    wall = totals["wall"] + phases[0][0]
    lost = {cause: totals[cause] / wall for cause in LOSSES}
    return Goodput(
        share=plan.work_s / wall,
        wall_s=wall,
        stops=totals["stops"],
        interval_s=checkpoint_interval(plan, plan.chips),
        energy_j=totals["energy"],
        losses=lost | {"undelivered": lost["undelivered"] + phases[0][0] / wall},
        causes={cause.name: totals["stops"] * cause.share for cause in plan.causes},
        present=totals["present"] / wall,
    )


def _last_write(plan: CampaignPlan) -> dict[str, Array]:
    """What the write of the last checkpoint adds, when nothing is left to do beside it."""
    rate = np.asarray(plan.failure_rate * np.asarray(plan.chips, dtype=float))
    write_s = np.asarray(plan.write_s, dtype=float)
    active = np.where(rate > 0, np.expm1(rate * write_s) / np.where(rate > 0, rate, 1.0), write_s)
    wall = active * back_after_stop(plan, rate)
    return {
        "wall": wall,
        "stops": rate * wall,
        "energy": wall * plan.stopped_power_w,
        "present": wall,
        "checkpoints": write_s,
        "repeated": active - write_s,
        "restarts": wall - active,
    }


def _time_per_work(plan: CampaignPlan, chips: Array) -> dict[str, Array]:
    """Calendar seconds, stops and joules per second of full-speed work while ``chips`` are present."""
    rate = np.asarray(plan.failure_rate * np.asarray(chips, dtype=float))
    slowdown = plan.chips / np.asarray(chips, dtype=float)
    # Below: per second of work of the chips present; at the end scaled to work of the whole cluster.
    tau = checkpoint_interval(plan, chips)
    speed = 1.0 - plan.straggler_loss * -np.expm1(-plan.straggler_rate * np.asarray(chips) * plan.straggler_s)
    cycle = (tau + plan.checkpoint_s) / speed
    active = np.where(rate > 0, np.expm1(rate * cycle) / np.where(rate > 0, rate, 1.0), cycle) / tau
    active = active * np.exp(rate * plan.write_s)
    running = active * back_after_stop(plan, rate)
    blocked = waiting_share(plan, chips)
    awake = running / (1.0 - blocked)
    wall = awake / (1.0 - np.asarray(plan.planned_downtime))
    checkpoints = plan.checkpoint_s / tau
    present = 1.0 / slowdown
    energy = present * (active * plan.power_w + (wall - active) * plan.stopped_power_w)
    parts = {
        "wall": wall,
        "stops": rate * running,
        "energy": energy,
        "present": present * wall,
        "checkpoints": checkpoints,
        "repeated": active * speed - 1.0 - checkpoints,
        "restarts": running - active,
        "waiting": awake - running,
        "planned": wall - awake,
        "stragglers": active * (1.0 - speed),
    }
    return {name: value * slowdown for name, value in parts.items()} | {"undelivered": slowdown - 1.0}
