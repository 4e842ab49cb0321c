"""Where each input takes a conclusion of the first page to its opposite, in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.report.content import Flip
from sim.study.inputs import NamedInput
from sim.study.question import Question
from sim.study.summary.moves import Study, cost_ratio
from sim.study.tipping import GRID, medians_at, tipping_points

Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Tip:
    """Where an input flips a conclusion: in words, and as a number in base units where it does so at one."""

    words: str
    value: float | None = None


NEVER = "does not flip within its range"
NO_CASE = "does not flip in any case"


def count_flips(
    question: Question,
    study: Study,
    inputs: Sequence[NamedInput],
    columns: Sequence[int],
    draws: tuple[Vector, Vector],
    threshold: float,
) -> list[Tip]:
    """Where each input brings the median count of B across the threshold.

    Parameters
    ----------
    columns : sequence of int
        Inputs to look at.
    draws : (probabilities (draws, inputs), counts (draws,))
        The main draws.
    """

    def respond(probabilities: Vector) -> Vector:
        return np.broadcast_to(study.equal(question.world(probabilities)), len(probabilities))

    return _flips(respond, inputs, columns, draws, threshold)


def cost_flips(
    question: Question,
    study: Study,
    inputs: Sequence[NamedInput],
    columns: Sequence[int],
    draws: tuple[Vector, Vector],
) -> list[Flip]:
    """Where each input makes the other cluster the cheaper one; ``draws`` holds the cost on A over that on B."""

    def respond(probabilities: Vector) -> Vector:
        return cost_ratio(question, study, question.world(probabilities), len(probabilities))

    if not np.isfinite(draws[1]).any():
        return []
    tips = _flips(respond, inputs, columns, draws, 1.0)
    return [
        Flip(named.name, named.quantity.path, named.at(0.1), named.at(0.9), tip.words, named.quantity.kind)
        for named, tip in zip((inputs[column] for column in columns), tips, strict=True)
    ]


def _flips(
    respond: Callable[[Vector], Vector],
    inputs: Sequence[NamedInput],
    columns: Sequence[int],
    draws: tuple[Vector, Vector],
    threshold: float,
) -> list[Tip]:
    probabilities, answers = draws
    numbers = [column for column in columns if not inputs[column].cases]
    found = tipping_points(
        respond, probabilities, answers, numbers, _alone(respond, numbers, probabilities), threshold
    )
    places = dict(zip(numbers, found, strict=True))
    usual = bool(np.nanmedian(answers) >= threshold)
    return [
        number_tip(inputs[column], places[column])
        if column in places
        else case_tip(
            inputs[column], _by_case(respond, inputs[column], column, probabilities), threshold, usual
        )
        for column in columns
    ]


def _alone(respond: Callable[[Vector], Vector], columns: Sequence[int], probabilities: Vector) -> Vector:
    """Answers with each input alone along the grid (columns, places)."""
    if not columns:
        return np.zeros((0, len(GRID)))
    rows = np.full((len(columns) * len(GRID), probabilities.shape[1]), 0.5)
    for block, column in enumerate(columns):
        rows[block * len(GRID) : (block + 1) * len(GRID), column] = GRID
    return respond(rows).reshape(len(columns), len(GRID))


def _by_case(
    respond: Callable[[Vector], Vector], named: NamedInput, column: int, probabilities: Vector
) -> dict[str, float]:
    """Median answer in each case of a contested matter."""
    ends = np.cumsum([weight for weight, _ in named.quantity.parts])
    middles = [float(middle) for middle in ends - np.diff(ends, prepend=0.0) / 2]
    return dict(zip(named.cases, medians_at(respond, probabilities, column, middles), strict=True))


def number_tip(named: NamedInput, place: float | None) -> Tip:
    """Where a number flips the conclusion."""
    if place is None:
        return Tip(NEVER)
    return Tip(f"flips at {named.at(place)}", float(named.quantity.quantile(place)))


def case_tip(named: NamedInput, medians: dict[str, float], threshold: float, usual: bool) -> Tip:
    """In which case of a contested matter the conclusion is the opposite one."""
    other = [
        case for case, median in medians.items() if not np.isnan(median) and (median >= threshold) != usual
    ]
    return Tip(f"flips at {other[0]}" if other else NO_CASE)
