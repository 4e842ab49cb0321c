"""A run of weeks in closed form: how much of the calendar is training that counts."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, lambertw, pdtr

Array = NDArray[np.float64] | float
Delivery = tuple[float, float]

LOSSES = ("checkpoints", "repeated", "restarts", "waiting", "planned", "stragglers", "undelivered")
"""Where the calendar goes that is not work at full speed."""


@dataclass(frozen=True, slots=True)
class CampaignPlan:
    """Weeks of one training run on one cluster.

    Attributes
    ----------
    work_s : Array
        Steps times step time on all chips, without a single stop [s].
    chips : Array
        Chips that train, spares not counted [chip].
    failure_rate : Array
        Unplanned interruptions of the run per chip and time, all causes [1/chip/s].
    restart_s : Array
        Detection, rescheduling, loading, warm-up after an interruption [s].
    checkpoint_s : Array
        Time for which training waits while a checkpoint is written [s]; see :func:`checkpoint_time`.
    planned_downtime : Array
        Share of the calendar lost to planned stops and evaluations [1].
    planned_stop_s : float
        Length of one planned stop, for the event engine [s].
    checkpoint_every_s : Array or None
        Training time between two checkpoints [s]; None: the interval that wastes least.
    shortest_interval_s : Array
        Checkpoints are never closer than this, usually one step [s].
    spares : Array
        Chips held ready, as a share of ``chips`` [1].
    node_chips : float
        Chips that leave together with a broken server [chip].
    broken_share : Array
        Share of interruptions after which a server must be exchanged [1].
    repair_s : Array
        Time until a broken server is back among the spares [s]; 0: there is always a spare.
    straggler_rate, straggler_s, straggler_loss : Array
        Slow servers: onsets per chip and time [1/chip/s], time until found [s], speed that the whole run
        loses meanwhile [1].
    power_w, stopped_power_w : Array
        Power of the whole facility while training and while stopped [W].
    deliveries : tuple of (time, chips)
        Chips present from a time [s after the start] on, ascending; empty: all from the start. Speed follows
        the chips.
    """

    work_s: Array
    chips: Array
    failure_rate: Array = 0.0
    restart_s: Array = 0.0
    checkpoint_s: Array = 0.0
    planned_downtime: Array = 0.0
    planned_stop_s: float = 4 * 3600.0
    checkpoint_every_s: Array | None = None
    shortest_interval_s: Array = 1.0
    spares: Array = 0.0
    node_chips: float = 8.0
    broken_share: Array = 1.0
    repair_s: Array = 0.0
    straggler_rate: Array = 0.0
    straggler_s: Array = 0.0
    straggler_loss: Array = 0.0
    power_w: Array = 0.0
    stopped_power_w: Array = 0.0
    deliveries: tuple[Delivery, ...] = ()

    def __post_init__(self) -> None:
        starts = [start for start, _ in self.deliveries]
        if starts != sorted(starts) or any(chips <= 0 for _, chips in self.deliveries):
            raise ValueError(f"deliveries must ascend in time and bring chips: {self.deliveries}")

    def at(self, *index: int) -> CampaignPlan:
        """The plan of one entry of the arrays, as plain numbers.

        Parameters
        ----------
        *index : int
            Index into the shape that all arrays broadcast to, such as (count, draw) or (draw,).
        """
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "deliveries"}
        arrays = {name: value for name, value in values.items() if value is not None}
        shape = np.broadcast_shapes(*(np.shape(value) for value in arrays.values()))
        entry: dict[str, Any] = {
            name: float(np.broadcast_to(value, shape)[index]) for name, value in arrays.items()
        }
        return replace(self, **entry)

    def phases(self) -> tuple[Delivery, ...]:
        """Deliveries, or all chips from the start."""
        return self.deliveries or ((0.0, self.chips),)  # type: ignore[return-value]


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
    """

    share: Array
    wall_s: Array
    stops: Array
    interval_s: Array
    energy_j: Array
    losses: dict[str, Array]


def checkpoint_time(state_bytes: Array, bandwidth_per_chip: Array, chips: Array) -> Array:
    """Time to write a checkpoint from all chips at once [s]: bytes over (chips times bandwidth)."""
    return state_bytes / (bandwidth_per_chip * chips)


def interval_young(checkpoint_s: Array, mtbf_s: Array) -> Array:
    """First-order best time between checkpoints [s]: sqrt(2 delta M).

    References
    ----------
    J. W. Young, "A first order approximation to the optimum checkpoint interval", CACM 17 (1974).
    """
    return np.sqrt(2.0 * checkpoint_s * mtbf_s)


def interval_daly(checkpoint_s: Array, mtbf_s: Array) -> Array:
    """Exact best time between checkpoints for exponential failures [s].

    Notes
    -----
    Minimises (exp((tau + delta) / M) - 1) / tau, the expected time per unit of work (Daly's complete model),
    hence tau = M (1 + W(-exp(-1 - delta / M))) with Lambert's W. Tends to Young's formula for delta << M.

    References
    ----------
    J. T. Daly, "A higher order estimate of the optimum checkpoint interval for restart dumps", FGCS 22
    (2006).

    Examples
    --------
    >>> round(float(interval_daly(10.0, 10_000.0))), round(float(interval_young(10.0, 10_000.0)))
    (441, 447)
    """
    ratio = np.asarray(checkpoint_s, dtype=float) / mtbf_s
    found = mtbf_s * (1.0 + np.real(lambertw(np.asarray(-np.exp(-1.0 - ratio), dtype=float), 0)))
    # Below 1e-12 the two terms cancel and only the first order is left in double precision.
    return np.where(ratio < 1e-12, interval_young(checkpoint_s, mtbf_s), found)


def checkpoint_interval(plan: CampaignPlan, chips: Array) -> Array:
    """Training time between checkpoints with ``chips`` at work [s]: equal parts of the work."""
    work_s = plan.work_s * (plan.chips / np.asarray(chips, dtype=float))
    rate = np.asarray(plan.failure_rate * np.asarray(chips, dtype=float))
    if plan.checkpoint_every_s is not None:
        wanted = np.asarray(plan.checkpoint_every_s, dtype=float)
    else:
        best = interval_daly(plan.checkpoint_s, 1.0 / np.where(rate > 0, rate, 1.0))
        wanted = np.where(rate > 0, np.maximum(best, plan.shortest_interval_s), np.inf)
    return work_s / np.ceil(work_s / np.minimum(wanted, work_s) - 1e-9)


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


def goodput(plan: CampaignPlan) -> Goodput:
    """Expected course of a run, for scalars or arrays of draws.

    Notes
    -----
    Work comes in equal parts of length tau, each followed by a checkpoint of length delta. Interruptions
    strike at exponential times (mean M), also during restarts, and throw the run back to the last checkpoint.
    The expected time of one part is then M exp(R / M) (exp((tau + delta) / M) - 1) (Daly 2006, complete
    model): exact, also for large delta, R or tau. Waiting for a spare (Erlang B) and planned stops stretch
    the calendar. Stragglers slow the run to 1 - loss (1 - exp(-rate x duration)) on average; tranches are
    walked one by one, each at its own rate.

    Examples
    --------
    Without failures nothing but the checkpoint at the end is added.

    >>> round(float(goodput(CampaignPlan(work_s=1e6, chips=1024, checkpoint_s=10.0)).wall_s), 6)
    1000010.0
    """
    left = np.asarray(plan.work_s, dtype=float)
    wall, stops, energy = (np.zeros_like(left) for _ in range(3))
    spent = dict.fromkeys(LOSSES, np.zeros_like(left))
    phases = plan.phases()
    for index, (start_s, chips) in enumerate(phases):
        # A tranche is at work from its arrival until the next one comes; the last until the work is done.
        per_work = _time_per_work(plan, chips)
        until = phases[index + 1][0] if index + 1 < len(phases) else np.inf
        done = np.minimum(left, np.maximum(until - start_s, 0.0) / per_work["wall"])
        left = left - done
        wall = wall + done * per_work["wall"]
        stops = stops + done * per_work["stops"]
        energy = energy + done * per_work["energy"]
        spent = {cause: spent[cause] + done * per_work[cause] for cause in LOSSES}
    first_s = phases[0][0]
    wall = wall + first_s
    spent["undelivered"] = spent["undelivered"] + first_s
    return Goodput(
        share=plan.work_s / wall,
        wall_s=wall,
        stops=stops,
        interval_s=checkpoint_interval(plan, plan.chips),
        energy_j=energy,
        losses={cause: spent[cause] / wall for cause in LOSSES},
    )


def _time_per_work(plan: CampaignPlan, chips: Array) -> dict[str, Array]:
    """Calendar seconds, stops and joules per second of full-speed work while ``chips`` are present."""
    rate = np.asarray(plan.failure_rate * np.asarray(chips, dtype=float))
    slowdown = plan.chips / np.asarray(chips, dtype=float)
    # Below: per second of work of the chips present; at the end scaled to work of the whole cluster.
    tau = checkpoint_interval(plan, chips)
    speed = 1.0 - plan.straggler_loss * -np.expm1(-plan.straggler_rate * np.asarray(chips) * plan.straggler_s)
    cycle = (tau + plan.checkpoint_s) / speed
    active = np.where(rate > 0, np.expm1(rate * cycle) / np.where(rate > 0, rate, 1.0), cycle) / tau
    running = active * np.exp(rate * plan.restart_s)
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
        "checkpoints": checkpoints,
        "repeated": active * speed - 1.0 - checkpoints,
        "restarts": running - active,
        "waiting": awake - running,
        "planned": wall - awake,
        "stragglers": active * (1.0 - speed),
    }
    return {name: value * slowdown for name, value in parts.items()} | {"undelivered": slowdown - 1.0}
