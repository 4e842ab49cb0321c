"""Training jobs of a question: layouts chosen once per count, then timed, stopped, powered and paid for in every world."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sim.layout.layouts import Layouts, concatenate
from sim.profiles.workload import TrainingRecipe
from sim.quantity import UnknownQuantityError
from sim.resolve import MEDIAN, World, resolve_training
from sim.study.campaign import Crew, campaign_plan, deliveries, run_time, scale_up_domain, state_bytes
from sim.study.cluster import Cluster, resolve_cluster
from sim.study.question import Side, Task
from sim.training.campaign_plan import CampaignPlan
from sim.training.flops import model_flop_per_token
from sim.training.goodput import Goodput, goodput
from sim.training.job import TrainingJob
from sim.training.search import SearchResult, search
from sim.training.step import StepTime, step_time

Vector = NDArray[np.float64]
TOP = 6  # layouts kept per count: which of them is best may differ from draw to draw


@dataclass(frozen=True)
class TrainingPlan:
    """Layouts of one job on one side at several counts of chips.

    Attributes
    ----------
    counts : tuple of int
        Chips of the cluster, spares included.
    searches : tuple of SearchResult
        Best layouts at each count, at the median of all inputs.
    """

    side: Side
    task: Task
    counts: tuple[int, ...]
    searches: tuple[SearchResult, ...]

    @cached_property
    def layouts(self) -> Layouts:
        """All candidates, count after count, ``TOP`` rows each (the last one repeated where there are fewer)."""
        rows = [np.minimum(np.arange(TOP), len(found.layouts) - 1) for found in self.searches]
        return concatenate([found.layouts.select(r) for found, r in zip(self.searches, rows, strict=True)])


@dataclass(frozen=True)
class TrainingRuns:
    """The job in every world, at every count.

    Attributes
    ----------
    step_s : (counts, draws) array
        Duration of a step in the best layout of each draw [s].
    choice : (counts, draws) int array
        Row of that layout among the candidates of its count.
    plan : CampaignPlan
        The weeks of the run, (counts, draws).
    goodput : Goodput
        Its calendar, stops and energy, (counts, draws).
    tokens_per_s : (counts, draws) array
        Training tokens per second of calendar time, stops included.
    power_w : (counts, draws) array
        Mean facility power over the run [W].
    """

    job: TrainingJob
    cluster: Cluster
    times: StepTime
    step_s: Vector
    choice: NDArray[np.int64]
    plan: CampaignPlan
    goodput: Goodput
    tokens_per_s: Vector
    power_w: Vector


def available_chips(task: Task, chips: int) -> int:
    """Chips that may train when the others of the cluster are held as spares."""
    assert isinstance(task.workload, TrainingRecipe)
    return int(chips / (1.0 + task.workload.reliability.spares.median))


def plan_training(side: Side, task: Task, counts: tuple[int, ...]) -> TrainingPlan:
    """Search layouts at each count.

    Raises
    ------
    NoLayoutError
        When the model fits on one of the counts in no layout; the message says what did not fit.
    """
    assert isinstance(task.workload, TrainingRecipe)
    cluster = resolve_cluster(side, MEDIAN)
    job = resolve_training(task.model, task.workload, cluster.chip, side.kernels)
    found = tuple(
        search(
            job, cluster.chip, cluster.network, available_chips(task, count),
            chips_per_server=side.system.chips_per_server, top=TOP,
        )
        for count in counts
    )  # fmt: skip
    return TrainingPlan(side, task, counts, found)


def run_training(plan: TrainingPlan, world: World) -> TrainingRuns:
    """The job in every world of ``world``, in the best of the planned layouts.

    Raises
    ------
    UnknownQuantityError
        When nobody has stated how often the chip interrupts a run.
    """
    recipe = plan.task.workload
    assert isinstance(recipe, TrainingRecipe)
    cluster = resolve_cluster(plan.side, world)
    job = resolve_training(plan.task.model, recipe, cluster.chip, plan.side.kernels, world)
    times = step_time(job, cluster.chip, cluster.network, plan.layouts)
    candidates = times.total.reshape(len(plan.counts), TOP, -1)
    choice = candidates.argmin(axis=1)
    step_s = candidates.min(axis=1)
    rows = choice + TOP * np.arange(len(plan.counts))[:, None]
    work_s = run_time(recipe, job, cluster, plan.layouts, rows, step_s, world)
    weeks = _weeks(plan, recipe, job, cluster, work_s, world)
    course = goodput(weeks)
    return TrainingRuns(
        job, cluster, times, step_s, choice, weeks, course,
        tokens_per_s=np.asarray(job.tokens / course.wall_s),
        power_w=np.asarray(course.energy_j / course.wall_s),
    )  # fmt: skip


def model_flop_utilisation(runs: TrainingRuns, chips: int) -> Vector:
    """Model FLOP (causal attention) while training over the dense BF16 peak of all chips, at the first count [1]."""
    job = runs.job
    per_token = model_flop_per_token(job.architecture, job.sequence, causal=True, mtp=job.mtp)
    peak = chips * np.asarray(runs.cluster.chip.matrix_peak["bf16"])
    return np.asarray(per_token * job.global_batch / runs.step_s[0] / peak)


def _weeks(
    plan: TrainingPlan,
    recipe: TrainingRecipe,
    job: TrainingJob,
    cluster: Cluster,
    work_s: Vector,
    world: World,
) -> CampaignPlan:
    if plan.side.chip.failure_rate is None:
        raise UnknownQuantityError(
            f"{plan.side.chip.name} ({plan.side.chip.id}) has no failure rate, so the weeks of a training run cannot be "
            "told: add `failure_rate` to its file, for instance that of h100-sxm with a wide range"
        )
    crew = Crew(
        owned=np.array(plan.counts, dtype=float)[:, None],
        working=np.array([found.layouts.chips[0] for found in plan.searches], dtype=float)[:, None],
        server=float(plan.side.system.chips_per_server),
        domain=scale_up_domain(plan.side.system),
        failure_rate=cluster.failure_rate,
        busy_w=cluster.power(1.0) * cluster.ownership.pue,
        idle_w=cluster.power(0.0) * cluster.ownership.pue,
    )
    weeks = campaign_plan(recipe.reliability, state_bytes(job), crew, work_s, world)
    return replace(weeks, deliveries=deliveries(plan.side.choice))
