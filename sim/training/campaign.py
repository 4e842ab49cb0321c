"""A run of weeks as events: failures, restarts, spares, repairs, planned stops, late deliveries."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import simpy
from numpy.typing import NDArray

from sim.training.campaign_plan import LOSSES, CampaignPlan
from sim.training.checkpoints import checkpoint_interval
from sim.training.goodput import goodput

Steps = Generator[simpy.Event, None, None]
HOPELESS = 1e-3  # share of the calendar below which the events would never end
EXCHANGED, SWAPPED, KEPT = "server exchanged", "server swapped in place", "same servers"


class CampaignEvent(NamedTuple):
    """One entry of the log of a run."""

    time_s: float
    kind: str  # "start", "failure", "wait", "resume", "planned", "slow", "delivery", "end"
    detail: str


@dataclass(frozen=True, slots=True)
class CampaignRun:
    """One course that the run can take.

    Attributes
    ----------
    wall_s : float
        Calendar time until the work is done [s].
    share : float
        Work at full speed over wall time [1].
    stops : int
        Unplanned interruptions, those during a restart included.
    energy_j : float
        Energy at the meter [J].
    losses : dict
        Share of the calendar lost, by cause (``LOSSES``).
    causes : dict
        Unplanned interruptions by what failed.
    events : tuple of CampaignEvent
        What happened, in order.
    """

    wall_s: float
    share: float
    stops: int
    energy_j: float
    losses: dict[str, float]
    causes: dict[str, int]
    events: tuple[CampaignEvent, ...]


def simulate(plan: CampaignPlan, rng: np.random.Generator) -> CampaignRun:
    """One possible course of the run.

    Parameters
    ----------
    plan : CampaignPlan
        Plain numbers; of a plan with draws take one with :meth:`CampaignPlan.at`.
    rng : numpy.random.Generator
        Source of the failures; the same state gives the same run.

    Raises
    ------
    TypeError
        When the plan holds arrays.
    ValueError
        When interruptions leave less than a thousandth of the calendar for work.

    Notes
    -----
    Change points are failures, ends of restarts and repairs, planned stops, deliveries, onsets and ends of
    slow servers. Checkpoints are not: between two change points the run is a fixed cycle of work and
    checkpoint, so that its state follows from the time elapsed, and so does whether the last checkpoint has been written
    out in the background. The mean over many runs is that of
    :func:`sim.training.goodput.goodput`.

    Examples
    --------
    >>> plan = CampaignPlan(work_s=1e6, chips=1024, checkpoint_s=10.0, checkpoint_every_s=1000.0)
    >>> simulate(plan, np.random.default_rng(1)).wall_s
    1010000.0
    """
    if not plan.is_scalar:
        raise TypeError("the event engine runs one draw at a time: pass plan.at(draw)")
    if not goodput(plan).share > HOPELESS:
        raise ValueError("the run is interrupted faster than it recovers, and would not end")
    env = simpy.Environment()
    course = _Course(plan, rng, env)
    env.run(until=env.process(course.train()))
    return course.result()


def simulate_many(plan: CampaignPlan, rng: np.random.Generator, runs: int) -> list[CampaignRun]:
    """Independent courses of the same plan, each with its own stream of random numbers."""
    return [simulate(plan, stream) for stream in rng.spawn(runs)]


def spread(runs: Sequence[CampaignRun], probabilities: Sequence[float]) -> dict[str, NDArray[np.float64]]:
    """Quantiles over runs of wall time [s], share [1], stops [1] and energy [J]."""
    return {
        name: np.quantile([getattr(run, name) for run in runs], probabilities)
        for name in ("wall_s", "share", "stops", "energy_j")
    }


class _Course:
    """State of one run. Progress is counted in seconds at the full speed of the chips present."""

    def __init__(self, plan: CampaignPlan, rng: np.random.Generator, env: simpy.Environment) -> None:
        self.plan, self.rng, self.env = plan, rng, env
        self.events: list[CampaignEvent] = []
        self.spent = dict.fromkeys(LOSSES, 0.0)
        self.left_s = float(plan.work_s)  # work not yet in a checkpoint, at the speed of the whole cluster
        self.position_s = 0.0  # progress since the last checkpoint, its writing included
        self.copied_s = -np.inf  # when the last checkpoint was copied, if its write may not be complete
        self.slow_until_s = -1.0  # in running time
        self.running_s = 0.0
        self.causes = dict.fromkeys((cause.name for cause in plan.causes), 0)
        self.energy_j = 0.0
        self.spares = simpy.Container(env)
        self.next_slow_s = self._after(0.0)

    def train(self) -> Steps:
        """The run from the first chip to the last checkpoint."""
        phases = self.plan.phases()
        yield self.env.timeout(phases[0][0])
        for index, (_, chips) in enumerate(phases):
            if self.left_s <= 0.0:
                break
            yield from self._take_in(float(chips))
            self.log("start" if index == 0 else "delivery", f"{chips:.0f} chips")
            until = phases[index + 1][0] if index + 1 < len(phases) else np.inf
            while self.cycles and self.env.now < until:
                yield from self._stretch(until)
        owed = self._planned_owed()
        if owed > 0.0:
            yield from self._stand_still(owed, "planned")
        self.log("end", f"{sum(self.causes.values())} stops")

    def result(self) -> CampaignRun:
        wall, work = self.env.now, float(self.plan.work_s)
        if self.plan.deliveries:
            self.spent["undelivered"] = wall - work - sum(self.spent.values())
        losses = {cause: seconds / wall for cause, seconds in self.spent.items()}
        stops = sum(self.causes.values())
        return CampaignRun(wall, work / wall, stops, self.energy_j, losses, self.causes, tuple(self.events))

    def log(self, kind: str, detail: str) -> None:
        self.events.append(CampaignEvent(self.env.now, kind, detail))

    def _take_in(self, chips: float) -> Steps:
        """Set pace, failure rate, spares and checkpoint cycle for the chips that are there."""
        plan = self.plan
        self.chips = chips
        self.present = chips / float(plan.chips)
        self.rate = float(plan.failure_rate) * chips
        self.slow_rate = float(plan.straggler_rate) * chips
        self.next_slow_s = self._after(self.slow_rate)
        here_s = self.left_s / self.present
        self.cycles = int(np.ceil(here_s / float(checkpoint_interval(plan, chips)) - 1e-6))
        self.tau_s = here_s / self.cycles
        self.cycle_s = self.tau_s + float(plan.checkpoint_s)
        wanted = int(float(plan.spares) * chips / plan.node_chips + 1e-9)
        arrived = wanted - getattr(self, "spare_servers", 0)
        self.spare_servers = wanted
        if arrived > 0:
            yield self.spares.put(arrived)

    def _stretch(self, until: float) -> Steps:
        """Run up to the next change point."""
        slow = self.running_s < self.slow_until_s
        speed = 1.0 - float(self.plan.straggler_loss) if slow else 1.0
        cycles = self._cycles_to_boundary(until, speed)
        to_boundary = (cycles * self.cycle_s - self.position_s) / speed
        to_failure = self._after(self.rate)
        to_slow = self.next_slow_s - self.running_s
        to_fast = self.slow_until_s - self.running_s if slow else np.inf
        step = min(to_boundary, to_failure, to_slow, to_fast)
        yield self.env.timeout(step)
        self.running_s += step
        self.position_s += step * speed
        self.spent["stragglers"] += step * (1.0 - speed)
        self.energy_j += step * float(self.plan.power_w) * self.present
        if step == to_boundary:
            self._bank(cycles)
            self.position_s, self.copied_s = 0.0, self.env.now
            if not self.cycles:
                yield from self._last_write()
            elif self._planned_owed() >= float(self.plan.planned_stop_s):
                yield from self._stand_still(self._planned_owed(), "planned")
                self.log("resume", f"{self.left_s:.0f} s of work left")
        elif step == to_failure:
            self._fall_back(speed)
            yield from self._recover()
        elif step == to_slow:
            self.slow_until_s = self.running_s + float(self.plan.straggler_s)
            self.next_slow_s = self.running_s + self._after(self.slow_rate)
            self.log("slow", "a slow server holds up the others")

    def _cycles_to_boundary(self, until: float, speed: float) -> int:
        """Cycles from the last checkpoint to the next at which something is due."""
        due_s = until - self.env.now
        downtime = float(self.plan.planned_downtime)
        if downtime > 0.0:
            missing_s = float(self.plan.planned_stop_s) - self._planned_owed()
            due_s = min(due_s, missing_s * (1.0 - downtime) / downtime)
        if not np.isfinite(due_s):
            return self.cycles
        ahead = (self.position_s + max(due_s, 0.0) * speed) / self.cycle_s
        return min(self.cycles, max(1, int(np.ceil(ahead - 1e-9)), int(self.position_s / self.cycle_s) + 1))

    def _bank(self, cycles: int) -> None:
        """Count whole cycles as done: their work is safe in a checkpoint."""
        self.cycles -= cycles
        self.left_s = self.cycles * self.tau_s * self.present
        self.position_s -= cycles * self.cycle_s
        self.spent["checkpoints"] += cycles * float(self.plan.checkpoint_s)

    def _fall_back(self, speed: float) -> None:
        """Lose what is not in a complete checkpoint; of a write that was under way, the whole part before it."""
        passed = int(self.position_s / self.cycle_s)
        self._bank(passed)
        if passed:
            self.copied_s = self.env.now - self.position_s / speed
        if self.env.now < self.copied_s + float(self.plan.write_s):
            self._bank(-1)
        self.spent["repeated"] += self.position_s
        self.position_s, self.copied_s = 0.0, -np.inf

    def _last_write(self) -> Steps:
        """Wait until the last checkpoint is complete; a stop before then costs the part that is in it."""
        failed_after, write_s = self._after(self.rate), float(self.plan.write_s)
        yield from self._stand_still(min(failed_after, write_s), "checkpoints")
        if failed_after < write_s:
            self._fall_back(1.0)
            yield from self._recover()

    def _recover(self) -> Steps:
        """Exchange the server if it is broken, then restart; a restart that fails starts again."""
        plan, shares = self.plan, [float(cause.share) for cause in self.plan.causes]
        while True:
            cause = plan.causes[int(np.searchsorted(np.cumsum(shares[:-1]), self.rng.random(), side="right"))]
            self.causes[cause.name] += 1
            broken = self.rng.random() < cause.exchanged
            swapped = broken and self.rng.random() < plan.swap_share
            done = SWAPPED if swapped else EXCHANGED if broken else KEPT
            self.log("failure", f"{cause.name}: {done}")
            if broken and float(plan.repair_s) > 0.0:
                yield from self._exchange()
            failed_after = self._after(self.rate)
            restart_s = float(plan.swap_s if swapped else plan.restart_s)
            yield from self._stand_still(min(failed_after, restart_s), "restarts")
            if failed_after >= restart_s:
                self.log("resume", f"{self.left_s:.0f} s of work left")
                return

    def _exchange(self) -> Steps:
        """Take a spare server, or wait until one comes back from repair."""
        self.env.process(self._repair())
        asked = self.env.now
        if self.spares.level < 1:
            self.log("wait", "no spare server")
        yield self.spares.get(1)
        self.spent["waiting"] += self.env.now - asked
        self.energy_j += (self.env.now - asked) * float(self.plan.stopped_power_w) * self.present

    def _repair(self) -> Steps:
        yield self.env.timeout(float(self.plan.repair_s))
        yield self.spares.put(1)

    def _stand_still(self, seconds: float, cause: str) -> Steps:
        if cause == "planned":
            self.log("planned", f"{seconds:.0f} s")
        yield self.env.timeout(seconds)
        self.spent[cause] += seconds
        self.energy_j += seconds * float(self.plan.stopped_power_w) * self.present

    def _planned_owed(self) -> float:
        """Planned downtime that the time at work so far calls for and that has not been taken yet [s]."""
        downtime = float(self.plan.planned_downtime)
        awake = self.env.now - self.plan.phases()[0][0] - self.spent["planned"]
        return awake * downtime / (1.0 - downtime) - self.spent["planned"]

    def _after(self, rate: float) -> float:
        """Time to the next event of a Poisson process [s]."""
        return float(self.rng.exponential(1.0 / rate)) if rate > 0.0 else np.inf
