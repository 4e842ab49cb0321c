"""What moves the answers: every input alone, the strongest ones together, and where the answer flips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sim.report.content import Driver, Flip, Sensitivity
from sim.study.answer import ServingAnswer, ServingStudy, TrainingAnswer, TrainingStudy
from sim.study.inputs import NamedInput
from sim.study.joint import taken_along
from sim.study.metrics import metrics
from sim.study.question import Question
from sim.study.sensitivity import (
    rank_correlation,
    saltelli_probabilities,
    sobol_indices,
    sobol_ranges,
)
from sim.study.summary.flips import cost_flips, count_flips
from sim.study.summary.moves import COUNT, exact_numbers, headlines, ratio_of_costs, relative, with_less
from sim.study.worlds import one_at_a_time, sobol_probabilities

Vector = NDArray[np.float64]
Study = TrainingStudy | ServingStudy
SHOWN = 10  # inputs of a tornado
TOGETHER = 6  # strongest inputs, whose Sobol indices are worked out
COSTS, LEAST = (
    6,
    0.01,
)  # inputs of which it is asked where they change which is cheaper, and the least they move
SAMPLES = 256  # rows of each Sobol matrix


@dataclass(frozen=True, slots=True)
class Swings:
    """Answers with one input at a time at its 10th and 90th percentile, all others at their medians (inputs,).

    Attributes
    ----------
    others : mapping of str to (inputs,) array
        Relative moves of the other numbers of the first page, by their name: "cost on H100", "power on H100".
    exact : mapping of str to (numbers,) array
        Relative move of each headline when a tenth is taken off a number without a range.
    """

    median: float
    low: Vector
    high: Vector
    others: Mapping[str, Vector] = field(default_factory=dict)
    exact: Mapping[str, Vector] = field(default_factory=dict)

    @property
    def size(self) -> Vector:
        """Relative move of the answer between the two."""
        both = np.stack([self.low, self.high])
        with np.errstate(invalid="ignore"):
            moved = np.abs(both[1] - both[0]) / abs(self.median)
        return np.where(np.isfinite(moved), moved, np.inf)


def swings(question: Question, study: Study) -> Swings:
    """Move every input alone, and take a tenth off every number without a range."""
    count, numbers = len(question.inputs), exact_numbers(question)
    moved = np.concatenate([np.full((1, count), 0.5), one_at_a_time(count)])
    rows = np.concatenate([taken_along(moved, question.ties), np.full((len(numbers), count), 0.5)])
    world = with_less(question.world(rows), numbers, len(rows))
    found = headlines(question, study, world, len(rows))
    exact = {name: relative(values[len(moved) :], float(values[0])) for name, values in found.items()}
    answers = found.pop(COUNT)
    others = {name: _moved(values, count) for name, values in found.items()}
    return Swings(float(answers[0]), answers[1 : count + 1], answers[count + 1 : len(moved)], others, exact)


def _moved(values: Vector, count: int) -> Vector:
    """Relative distance of the answers at both ends of each input."""
    return np.abs(
        relative(values[count + 1 : 2 * count + 1], float(values[0]))
        - relative(values[1 : count + 1], float(values[0]))
    )


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
    draws : (probabilities (draws, inputs), counts (draws,))
        The main draws: counts of B that do the work of A.
    threshold : float
        Count of B at which the conclusion flips.
    """
    order = [int(i) for i in np.argsort(-moved.size)[:SHOWN] if moved.size[i] > 0]
    if not order or not np.isfinite(moved.median):  # nothing moves the answer, or there is none to move
        return Sensitivity(study.task.job.id, study.task.label, moved.median, ())
    known = ~np.isnan(draws[1])
    correlation = rank_correlation(draws[0][known][:, order], draws[1][known])
    shares = _shares(question, study, order[:TOGETHER], seed)
    flips = count_flips(question, study, inputs, order, draws, threshold)
    drivers = [
        Driver(
            name=inputs[column].name,
            path=inputs[column].quantity.path,
            at_low=float(moved.low[column]),
            at_high=float(moved.high[column]),
            total_index=float(shares.total[rank]) if rank < TOGETHER else None,
            first_index=float(shares.first[rank]) if rank < TOGETHER else None,
            total_range=_pair(shares.totals[rank]) if rank < TOGETHER else None,
            first_range=_pair(shares.firsts[rank]) if rank < TOGETHER else None,
            rank_correlation=float(correlation[rank]),
            input_low=inputs[column].at(0.1),
            input_high=inputs[column].at(0.9),
            flips_at=flips[rank].words,
            flips_value=flips[rank].value,
            source=inputs[column].source_title,
            kind=inputs[column].quantity.kind,
        )
        for rank, column in enumerate(order)
    ]
    return Sensitivity(study.task.job.id, study.task.label, moved.median, drivers)


def cheaper_where(
    question: Question,
    study: Study,
    inputs: Sequence[NamedInput],
    moved: Swings,
    answer: TrainingAnswer | ServingAnswer,
    probabilities: Vector,
) -> list[Flip]:
    """Where the inputs that move costs most make the other cluster the cheaper one."""
    rows = len(probabilities)
    with np.errstate(all="ignore"):
        costs = ratio_of_costs(metrics(question, study, answer, rows), rows)
    return cost_flips(question, study, inputs, _movers_of_cost(moved), (probabilities, costs))


def _movers_of_cost(moved: Swings) -> list[int]:
    """Inputs that move the cost on one of the clusters, strongest first."""
    moves = [values for name, values in moved.others.items() if name.startswith("cost on")]
    if not moves:
        return []
    size = np.nan_to_num(np.sum(moves, axis=0), posinf=1e9)
    return [int(i) for i in np.argsort(-size)[:COSTS] if size[i] > LEAST]


@dataclass(frozen=True, slots=True)
class _Shares:
    """Sobol indices (columns,) and their 90 % bootstrap intervals (columns, 2)."""

    first: Vector
    total: Vector
    firsts: Vector
    totals: Vector


def _pair(interval: Vector) -> tuple[float, float]:
    return float(interval[0]), float(interval[1])


def _shares(question: Question, study: Study, columns: list[int], seed: int) -> _Shares:
    """Sobol indices on the logarithm of the answer, so that a few extreme worlds do not decide them.

    An input that shares a cause with others counts together with that cause: the two are independent of all the rest.
    """
    count = question.dimensions
    both = sobol_probabilities(SAMPLES, 2 * count, seed + 1)
    rows = saltelli_probabilities(
        both[:, :count], both[:, count:], [_with_causes(question, c) for c in columns]
    )
    answers = study.equal(question.world(question.probabilities(rows)))
    known = answers[np.isfinite(answers)]
    if not len(known):
        nothing = np.zeros(len(columns))
        return _Shares(nothing, nothing, np.zeros((len(columns), 2)), np.zeros((len(columns), 2)))
    low, middle, high = np.quantile(known, [0.01, 0.5, 0.99])
    # Worlds in which neither side can do the work have no answer and count as the median.
    logs = np.log1p(np.clip(np.where(np.isnan(answers), middle, answers), low, high))
    found = sobol_indices(logs, SAMPLES)
    ranges = sobol_ranges(logs, SAMPLES, np.random.default_rng(seed))
    # Estimates of tiny indices scatter around zero; a share of variance does not.
    return _Shares(*(np.clip(x, 0.0, 1.0) for x in (found.first, found.total, ranges.first, ranges.total)))


def _with_causes(question: Question, column: int) -> tuple[int, ...]:
    """An input among the dimensions of a draw, with the causes it shares."""
    count = len(question.inputs)
    return (column, *(count + i for i, tie in enumerate(question.ties) if column in tie.columns))
