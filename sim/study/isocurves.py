"""Lines of equal work and of equal money: the count of B along one input, all others drawn as ever."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.economics.ownership import View
from sim.profiles.fields import Document
from sim.profiles.leaves import quantities
from sim.profiles.messages import InputError, Problem
from sim.quantity import Quantity
from sim.resolve import World
from sim.study.answer import ServingStudy, TrainingStudy
from sim.study.convergence import ends_error
from sim.study.equal import job_counts
from sim.study.question import Question
from sim.study.sensitivity import tipping_point
from sim.units import did_you_mean

Vector = NDArray[np.float64]
SPREAD = 2.0  # of an input without a range: from half of it to twice
LEVELS = (0.05, 0.50, 0.95)


@dataclass(frozen=True, slots=True)
class IsoCurve:
    """Counts of B along an input.

    Attributes
    ----------
    quantity : Quantity
        The input.
    values : (points,) array
        Where it stands, in base units.
    work, money : (points, draws) array
        Chips of B that do the work of A, and that cost what A costs over the same time [chip]; money is NaN where a price
        is unknown.
    """

    quantity: Quantity
    values: Vector
    work: Vector
    money: Vector

    def crossing(self, counts: Vector, threshold: float) -> tuple[float | None, ...]:
        """Value at which the 5th, 50th and 95th percentile of a line pass a count; None where they do not."""
        with warnings.catch_warnings():  # a value at which no draw has an answer has no percentile either
            warnings.filterwarnings("ignore", "All-NaN slice")
            bands = np.nanquantile(np.where(np.isinf(counts), 1e30, counts), LEVELS, axis=1)
        return tuple(tipping_point(self.values, band, threshold) for band in bands)

    @property
    def ends_error(self) -> float:
        """How well the ends of the intervals of the counts are known, at the worst of the values [1]."""
        return ends_error([*self.work])

    @property
    def moves(self) -> bool:
        """Whether anything depends on the input."""
        return any(bool((np.fmax.reduce(line) > np.fmin.reduce(line)).any()) for line in self.lines)

    @property
    def lines(self) -> tuple[Vector, ...]:
        """Those lines that are known."""
        return tuple(line for line in (self.work, self.money) if not np.isnan(line).all())


def leaf(question: Question, path: str) -> Quantity:
    """A number of a question by its path.

    Raises
    ------
    InputError
        When no file of the question has it, or leaves it unknown.
    """
    found = {
        quantity.path: quantity
        for document in _documents(question)
        for quantity in quantities(document).values()
    }
    found |= {side.rent.path: side.rent for side in question.sides if side.rent is not None}
    if path not in found:
        raise InputError([Problem(f"--along {path}: no number of this question{did_you_mean(path, found)}")])
    if found[path].is_unknown:
        raise InputError(
            [Problem(f"--along {path}: the files leave it unknown; give it a value there first")]
        )
    return found[path]


def _documents(question: Question) -> list[Document]:
    sides = [
        document
        for side in question.sides
        for document in (side.chip, side.kernels, side.system, side.region)
    ]
    return [*sides, *(task.workload for task in question.tasks)]


def grid_of(quantity: Quantity, points: int, low: float | None = None, high: float | None = None) -> Vector:
    """Values along an input: over its 90 % interval, or from half of it to twice where it has none (points,)."""
    if low is None:
        low = float(quantity.quantile(0.05)) if quantity.is_uncertain else quantity.median / SPREAD
    if high is None:
        high = float(quantity.quantile(0.95)) if quantity.is_uncertain else quantity.median * SPREAD
    if not low < high:
        raise InputError(
            [Problem(f"the values go from {low:g} to {high:g}; let the first be the smaller one")]
        )
    return np.linspace(low, high, points)


def isocurve(
    question: Question,
    study: TrainingStudy | ServingStudy,
    quantity: Quantity,
    values: Vector,
    draws: int,
    seed: int,
    view: View = "amortised",
) -> IsoCurve:
    """Counts of B that do the work, and that cost the money, of A, at each value of an input.

    Notes
    -----
    All points see the same worlds, so that the lines are smooth. Layouts of training jobs stay those that are best with all
    inputs at their medians; a sweep over the same path searches them anew.
    """
    world = question.world(np.tile(question.points(draws, seed), (len(values), 1)))
    put = World({**world.values, quantity.path: np.repeat(values, draws)})
    answer = study.answer(put)
    counts = {each.basis: each.count for each in job_counts(question, study.task.job.id, answer, view)}
    shape = (len(values), draws)
    lines = [
        np.full(shape, np.nan) if count is None else np.asarray(count, dtype=float).reshape(shape)
        for count in (counts["work"], counts["cost"])
    ]
    return IsoCurve(quantity, values, lines[0], lines[1])
