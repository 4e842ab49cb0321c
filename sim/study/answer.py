"""The answer to each job: what both clusters do, and how many of B do the work of A."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sim.profiles.workload import ServingTraffic, TrainingRecipe
from sim.resolve import MEDIAN, World
from sim.study.parity import count_grid, equal_count
from sim.study.question import Question, Side, Task
from sim.study.serving import ServingPlan, ServingRuns, plan_serving, run_serving
from sim.study.training import TrainingPlan, TrainingRuns, plan_training, run_training
from sim.training.search import NoLayoutError

Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TrainingAnswer:
    """Both clusters on one training job.

    Attributes
    ----------
    equal : (draws,) array
        Chips of B that train as fast as A [chip].
    counts : (counts,) array
        Chips of B over which the job was looked at [chip].
    curve : TrainingRuns
        B at these counts.
    """

    a: TrainingRuns
    b: TrainingRuns
    equal: Vector
    counts: Vector
    curve: TrainingRuns

    @property
    def ratio(self) -> Vector:
        """Throughput of A over that of B at the stated counts."""
        return self.a.tokens_per_s[0] / self.b.tokens_per_s[0]


@dataclass(frozen=True, slots=True)
class ServingAnswer:
    """Both clusters on one serving job."""

    a: ServingRuns
    b: ServingRuns

    @property
    def ratio(self) -> Vector:
        """Throughput of A over that of B at the stated counts."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.a.tokens_per_s / self.b.tokens_per_s

    @property
    def equal(self) -> Vector:
        """Chips of B that serve as much as A: a fleet grows by whole units that all do the same [chip]."""
        return self.ratio * self.b.chips


class CannotRunError(ValueError):
    """A job cannot be done on one of the clusters at all.

    Attributes
    ----------
    side, key : str
        Key of the cluster in the scenario, and its line that would have to change.
    """

    def __init__(self, side: str, key: str, message: str) -> None:
        super().__init__(message)
        self.side = side
        self.key = key


class Study(Protocol):
    """A job with everything fixed that does not depend on the draw."""

    @property
    def task(self) -> Task:
        """The job."""
        ...

    def equal(self, world: World) -> Vector:
        """Chips of B that do the work of A, in every world."""
        ...


@dataclass(frozen=True, slots=True)
class TrainingStudy:
    """A training job: layouts of A and B at their counts, and of B over a grid of counts."""

    task: Task
    a: TrainingPlan
    b: TrainingPlan
    curve: TrainingPlan

    def answer(self, world: World) -> TrainingAnswer:
        """Both clusters, and the count of B at which it keeps up with A."""
        a, b, curve = (run_training(plan, world) for plan in (self.a, self.b, self.curve))
        return TrainingAnswer(a, b, self._match(a, curve), self._counts, curve)

    def equal(self, world: World) -> Vector:
        """Chips of B that train as fast as A."""
        return self._match(run_training(self.a, world), run_training(self.curve, world))

    @property
    def _counts(self) -> Vector:
        return np.array(self.curve.counts, dtype=float)

    def _match(self, a: TrainingRuns, curve: TrainingRuns) -> Vector:
        return equal_count(a.tokens_per_s[0], self._counts, curve.tokens_per_s)


@dataclass(frozen=True, slots=True)
class ServingStudy:
    """A serving job: unit shapes worth trying on A and on B, of which every world takes the best."""

    task: Task
    a: ServingPlan
    b: ServingPlan

    def answer(self, world: World) -> ServingAnswer:
        """Both clusters."""
        return ServingAnswer(*(run_serving(plan, world) for plan in (self.a, self.b)))

    def equal(self, world: World) -> Vector:
        """Chips of B that serve as much as A."""
        return self.answer(world).equal


def prepare(question: Question, task: Task) -> TrainingStudy | ServingStudy:
    """Choose layouts of a job on both sides, and the grid of counts that brackets the answer.

    Raises
    ------
    CannotRunError
        When the model cannot be trained on one of the clusters, or a chip lacks the number format asked for.
    """
    for side in question.sides:
        check_precision(side, task)
    if not isinstance(task.workload, TrainingRecipe):
        return ServingStudy(task, *(plan_serving(side, task) for side in question.sides))
    a, b = (plan_side(side, task) for side in question.sides)
    ratio = run_training(a, MEDIAN).tokens_per_s[0, 0] / run_training(b, MEDIAN).tokens_per_s[0, 0]
    centre = float(question.b.choice.chips * ratio)
    return TrainingStudy(task, a, b, _curve(question, task, centre))


def check_precision(side: Side, task: Task) -> None:
    """See that a chip computes in the number format a job asks for.

    Raises
    ------
    CannotRunError
        When it does not.
    """
    wanted, own = task.workload.precision, side.chip.compute.matrix
    widened = isinstance(task.workload, ServingTraffic) and wanted == "fp4"  # 4-bit weights, wider arithmetic
    if wanted == "best" or wanted in own or widened:
        return
    raise CannotRunError(
        side.key,
        "system",
        f"{task.label}: {side.chip.name} does not compute in {wanted.upper()}, which workload {task.workload.id} asks "
        f"for; `precision: best` takes the fastest that each chip has",
    )


def plan_side(side: Side, task: Task) -> TrainingPlan:
    """Layouts of a training job on one cluster.

    Raises
    ------
    CannotRunError
        When the model fits in none.
    """
    try:
        return plan_training(side, task, (side.choice.chips,))
    except NoLayoutError as error:
        raise CannotRunError(
            side.key, "chips", f"{task.label} on {side.choice.chips:,} {side.label}: {error}"
        ) from None


def _curve(question: Question, task: Task, centre: float) -> TrainingPlan:
    """Layouts of B from a third to three times the expected count; counts that are too small for the model drop out."""
    found = []
    named = (question.a.choice.chips, question.b.choice.chips)
    for count in count_grid(centre, question.b.system.chips_per_server, named):
        try:
            found.append(plan_training(question.b, task, (int(count),)))
        except NoLayoutError:
            continue
    return TrainingPlan(
        question.b, task, tuple(p.counts[0] for p in found), tuple(p.searches[0] for p in found)
    )
