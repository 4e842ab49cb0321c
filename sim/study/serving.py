"""Serving jobs of a question: the load a fleet carries within its promise, its power and its cost, in every world."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sim.economics.ownership import Blocks, View
from sim.economics.token import MILLION
from sim.profiles.hardware import SystemProfile
from sim.profiles.workload import ServingTraffic
from sim.quantity import Array
from sim.resolve import World, resolve_serving
from sim.serving.capacity import Capacity, Shortlist, serving_capacity, shortlist
from sim.serving.job import ServingJob
from sim.serving.traffic import Trace
from sim.study.cluster import Cluster, resolve_cluster
from sim.study.question import Side, Task, uncertain_inputs
from sim.study.worlds import sobol_probabilities, world_at

Vector = NDArray[np.float64]
PLANNED = 64  # worlds in which every unit shape is tried


@dataclass(frozen=True, slots=True)
class ServingRuns:
    """The job on one side in every world.

    Attributes
    ----------
    capacity : Capacity
        Highest load per chip that keeps the promise, and what limits it.
    it_power_w : Array
        Mean IT power of a chip over the day [W/chip].
    trace : Trace or None
        Requests that the event engine replays; drawn when there is none.
    """

    job: ServingJob
    cluster: Cluster
    capacity: Capacity
    chips: int
    it_power_w: Array
    trace: Trace | None = None

    @property
    def tokens_per_s(self) -> Vector:
        """Output tokens per second of the whole fleet at the highest load that keeps the promise (draws,)."""
        return self.chips * self.capacity.output_tokens_per_s

    @property
    def power_w(self) -> Vector:
        """Mean facility power of the fleet [W] (draws,)."""
        return np.asarray(self.chips * self.it_power_w * self.cluster.ownership.pue)

    @property
    def energy_j_per_million(self) -> Vector:
        """Facility energy per million output tokens, prompts and idle hours included [J] (draws,)."""
        with np.errstate(divide="ignore"):  # nothing served within the promise
            return MILLION * self.power_w / (self.tokens_per_s * self.job.utilisation)

    @property
    def prompt_energy_j_per_million(self) -> Vector:
        """Facility energy per million prompt tokens that miss the cache, chips that read prompts alone, idle hours
        included [J] (draws,)."""
        power = self.cluster.power(self.capacity.prefill_activity * self.job.utilisation)
        chip_w = power * self.cluster.ownership.pue * self.capacity.prefill_share
        with np.errstate(divide="ignore"):
            return np.asarray(MILLION * chip_w / (self.capacity.input_tokens_per_s * self.job.utilisation))

    @property
    def operating_point(self) -> tuple[float, float]:
        """Tokens per second of a user in the mean decode step, and of a chip, in the first draw."""
        step_s = sum(float(np.ravel(seconds)[0]) for seconds in self.capacity.decode_terms.values())
        users = float(np.ravel(self.job.engine.accepted)[0]) / step_s if step_s > 0 else 0.0
        return users, float(self.capacity.output_tokens_per_s[0])

    def output_cost(self) -> dict[View, Blocks]:
        """Cost of a million output tokens with the prompts that belong to them [USD per million], by view and block."""
        return self._per_million(1.0, self.capacity.output_tokens_per_s)

    def decode_cost(self) -> dict[View, Blocks]:
        """Cost of a million output tokens, decode chips alone [USD per million]."""
        return self._per_million(1.0 - self.capacity.prefill_share, self.capacity.output_tokens_per_s)

    def input_cost(self) -> dict[View, Blocks]:
        """Cost of a million prompt tokens that miss the cache, prefill chips alone [USD per million]."""
        return self._per_million(self.capacity.prefill_share, self.capacity.input_tokens_per_s)

    def _per_million(self, share: Array, tokens_per_chip_s: Array) -> dict[View, Blocks]:
        served = np.asarray(tokens_per_chip_s) > 0
        chip_s = (
            MILLION * share / (np.where(served, tokens_per_chip_s, 1.0) * np.asarray(self.job.utilisation))
        )
        # Where nothing is served within the promise, a token has no finite price.
        return {
            view: {name: np.where(served, usd * chip_s, np.inf) for name, usd in blocks.items()}
            for view, blocks in self.cluster.cost_blocks(self.it_power_w).items()
        }


def with_host_memory(job: ServingJob, system: SystemProfile, ranks_per_chip: int, world: World) -> ServingJob:
    """The job with look-up tables in host memory, where the model has them and the path to it is known."""
    path = system.host_bandwidth
    if job.architecture.engram is None or path is None or path.is_unknown:
        return job
    return replace(job, engine=replace(job.engine, host_bandwidth=world(path) / ranks_per_chip))


@dataclass(frozen=True, slots=True)
class ServingPlan:
    """One job on one side, with the unit shapes that are tried in every world."""

    side: Side
    task: Task
    tried: Shortlist


def plan_serving(side: Side, task: Task) -> ServingPlan:
    """Find the unit shapes that lead in some of the worlds that the side and the job allow."""
    inputs = uncertain_inputs((side,), (task,))
    world = world_at(inputs, sobol_probabilities(PLANNED, len(inputs), seed=0))
    job, cluster = _resolved(side, task, world)
    return ServingPlan(side, task, shortlist(job, cluster.chip, cluster.network, side.choice.chips))


def run_serving(plan: ServingPlan, world: World) -> ServingRuns:
    """The job on one side in every world of ``world``, in the best of the planned shapes."""
    chips = plan.side.choice.chips
    job, cluster = _resolved(plan.side, plan.task, world)
    capacity = serving_capacity(job, cluster.chip, cluster.network, chips, plan.tried)
    power = cluster.power(capacity.activity * job.utilisation)
    return ServingRuns(job, cluster, capacity, chips, power, plan.task.trace)


def _resolved(side: Side, task: Task, world: World) -> tuple[ServingJob, Cluster]:
    assert isinstance(task.workload, ServingTraffic)
    cluster = resolve_cluster(side, world)
    job = resolve_serving(task.model, task.workload, cluster.chip, world)
    return with_host_memory(job, side.system, cluster.chip.ranks, world), cluster
