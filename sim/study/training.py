"""Training jobs of a question: layouts chosen once per count, then timed, stopped, powered and paid for in every world."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sim.layout.layouts import Layouts, concatenate
from sim.physics.counts import parameter_counts
from sim.profiles.workload import TrainingRecipe
from sim.quantity import UnknownQuantityError
from sim.resolve import MEDIAN, World, resolve_training
from sim.study.cluster import Cluster, resolve_cluster
from sim.study.question import Side, Task
from sim.training.goodput import CampaignPlan, Goodput, checkpoint_time, goodput
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
    """The job in every world of ``world``, in the best of the planned layouts."""
    recipe = plan.task.workload
    assert isinstance(recipe, TrainingRecipe)
    cluster = resolve_cluster(plan.side, world)
    job = resolve_training(plan.task.model, recipe, cluster.chip, plan.side.kernels, world)
    times = step_time(job, cluster.chip, cluster.network, plan.layouts)
    candidates = times.total.reshape(len(plan.counts), TOP, -1)
    choice = candidates.argmin(axis=1)
    step_s = candidates.min(axis=1)
    weeks = campaign_plan(plan, cluster, job, recipe, step_s, world)
    course = goodput(weeks)
    return TrainingRuns(
        job, cluster, times, step_s, choice, weeks, course,
        tokens_per_s=np.asarray(job.tokens / course.wall_s),
        power_w=np.asarray(course.energy_j / course.wall_s),
    )  # fmt: skip


def campaign_plan(
    plan: TrainingPlan,
    cluster: Cluster,
    job: TrainingJob,
    recipe: TrainingRecipe,
    step_s: Vector,
    world: World,
) -> CampaignPlan:
    """The weeks of the run, (counts, draws).

    Notes
    -----
    Where servers break so often that the idle chips of the layout cannot stand in for those under repair, the run gives
    up data-parallel replicas until they can: the mean number under repair plus two standard deviations.

    Raises
    ------
    UnknownQuantityError
        When nobody has stated how often the chip interrupts a run.
    """
    if plan.side.chip.failure_rate is None:
        raise UnknownQuantityError(
            f"{plan.side.chip.name} ({plan.side.chip.id}) has no failure rate, so the weeks of a training run cannot be "
            "told: add `failure_rate` to its file, for instance that of h100-sxm with a wide range"
        )
    rules = recipe.reliability
    owned = np.array(plan.counts, dtype=float)[:, None]
    working = np.array([found.layouts.chips[0] for found in plan.searches], dtype=float)[:, None]
    node = float(plan.side.system.chips_per_server)
    broken = 1.0 if rules.hardware is None else world(rules.hardware)
    repair_s = 0.0 if rules.repair is None else world(rules.repair)
    under_repair = cluster.failure_rate * owned * broken * repair_s
    spares = np.maximum(owned - working, node * (under_repair + 2.0 * np.sqrt(under_repair)))
    training = owned - spares
    state = parameter_counts(job.architecture).total * (job.state.weight + job.state.optimizer)
    idle_w, pue = cluster.power(0.0), cluster.ownership.pue
    return CampaignPlan(
        work_s=np.asarray(job.steps * step_s) * (working / training),
        chips=training,
        failure_rate=cluster.failure_rate,
        restart_s=world(rules.restart),
        checkpoint_s=checkpoint_time(state, world(rules.checkpoint_bandwidth), training),
        planned_downtime=world(rules.planned_downtime),
        spares=spares / training,
        node_chips=node,
        broken_share=broken,
        repair_s=repair_s,
        power_w=(training * cluster.power(1.0) + spares * idle_w) * pue,
        stopped_power_w=owned * idle_w * pue,
    )
