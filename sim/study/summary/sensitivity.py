"""What moves the answers: every input alone, the strongest ones together, and where the answer flips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.report.content import Driver, Sensitivity
from sim.study.answer import ServingStudy, TrainingStudy
from sim.study.inputs import NamedInput
from sim.study.question import Question
from sim.study.sensitivity import rank_correlation, saltelli_probabilities, sobol_indices, tipping_point
from sim.study.worlds import one_at_a_time, sobol_probabilities, sweeps

Vector = NDArray[np.float64]
Study = TrainingStudy | ServingStudy
SHOWN = 10  # inputs of a tornado
TOGETHER = 6  # strongest inputs, whose Sobol indices are worked out
SAMPLES = 256  # rows of each Sobol matrix
GRID = np.linspace(0.05, 0.95, 19)  # probabilities along which an input is swept for tipping points


@dataclass(frozen=True, slots=True)
class Swings:
    """Answers with one input at a time at its 10th and 90th percentile, all others at their medians (inputs,)."""

    median: float
    low: Vector
    high: Vector

    @property
    def size(self) -> Vector:
        """Relative move of the answer between the two."""
        both = np.stack([self.low, self.high])
        with np.errstate(invalid="ignore"):
            moved = np.abs(both[1] - both[0]) / abs(self.median)
        return np.where(np.isfinite(moved), moved, np.inf)


def swings(question: Question, study: Study) -> Swings:
    """Move every input alone."""
    count = len(question.inputs)
    rows = np.concatenate([np.full((1, count), 0.5), one_at_a_time(count)])
    answers = study.equal(question.world(rows))
    return Swings(float(answers[0]), answers[1 : count + 1], answers[count + 1 :])


def sensitivity(
    question: Question,
    study: Study,
    inputs: Sequence[NamedInput],
    moved: Swings,
    draws: tuple[Vector, Vector],
    threshold: float,
    seed: int,
) -> Sensitivity:
    """Tornado, rank correlations, Sobol indices and tipping points of one job.

    Parameters
    ----------
    draws : (probabilities (draws, inputs), answers (draws,))
        The main draws, for rank correlations.
    threshold : float
        Count of B at which the conclusion flips.
    """
    order = [int(i) for i in np.argsort(-moved.size)[:SHOWN] if moved.size[i] > 0]
    if not order or not np.isfinite(moved.median):  # nothing moves the answer, or there is none to move
        return Sensitivity(study.task.job.id, study.task.label, moved.median, ())
    known = ~np.isnan(draws[1])
    correlation = rank_correlation(draws[0][known][:, order], draws[1][known])
    first, total = _indices(question, study, order[:TOGETHER], seed)
    flips = _tipping(question, study, inputs, order, threshold)
    drivers = [
        Driver(
            name=inputs[column].name,
            path=inputs[column].quantity.path,
            at_low=float(moved.low[column]),
            at_high=float(moved.high[column]),
            total_index=float(total[rank]) if rank < TOGETHER else None,
            first_index=float(first[rank]) if rank < TOGETHER else None,
            rank_correlation=float(correlation[rank]),
            input_low=inputs[column].at(0.1),
            input_high=inputs[column].at(0.9),
            flips_at=flips[rank],
            source=inputs[column].source_title,
            kind=inputs[column].quantity.kind,
        )
        for rank, column in enumerate(order)
    ]
    return Sensitivity(study.task.job.id, study.task.label, moved.median, drivers)


def _indices(question: Question, study: Study, columns: list[int], seed: int) -> tuple[Vector, Vector]:
    """Sobol indices on the logarithm of the answer, so that a few extreme worlds do not decide them."""
    count = len(question.inputs)
    both = sobol_probabilities(SAMPLES, 2 * count, seed + 1)
    rows = saltelli_probabilities(both[:, :count], both[:, count:], columns)
    answers = study.equal(question.world(rows))
    known = answers[np.isfinite(answers)]
    if not len(known):
        return np.zeros(len(columns)), np.zeros(len(columns))
    low, middle, high = np.quantile(known, [0.01, 0.5, 0.99])
    # Worlds in which neither side can do the work have no answer and count as the median.
    filled = np.where(np.isnan(answers), middle, answers)
    found = sobol_indices(np.log1p(np.clip(filled, low, high)), SAMPLES)
    # Estimates of tiny indices scatter around zero; a share of variance does not.
    return np.clip(found.first, 0.0, 1.0), np.clip(found.total, 0.0, 1.0)


def _tipping(
    question: Question, study: Study, inputs: Sequence[NamedInput], columns: list[int], threshold: float
) -> list[str]:
    rows = sweeps(len(question.inputs), columns, GRID)
    answers = study.equal(question.world(rows)).reshape(len(columns), len(GRID))
    points = [tipping_point(GRID, answer, threshold) for answer in answers]
    return [
        "does not flip within its range" if p is None else f"flips at {inputs[column].at(p)}"
        for column, p in zip(columns, points, strict=True)
    ]
