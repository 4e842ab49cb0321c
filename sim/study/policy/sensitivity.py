"""What moves an outcome of a policy question, and what moves the difference between two scenarios."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.study.policy.worlds import Drawn, PolicyWorld
from sim.study.sensitivity import rank_correlation

Vector = NDArray[np.float64]
LOW, HIGH, TRIED = 0.1, 0.9, 16
WORTH = 0.01  # of the largest swing: what moves less is left out


@dataclass(frozen=True, slots=True)
class Moved:
    """One input and what it does to an outcome.

    Attributes
    ----------
    name : str
        Path of the number or series; "branch:<id>" for contradicting accounts.
    at_low, at_high : float
        The outcome with the input at its 10th and 90th percentile, all others at their median.
    low_text, high_text : str
        The account taken at either end, where it is a branch.
    correlation : float
        Rank correlation over all draws.
    """

    name: str
    at_low: float
    at_high: float
    correlation: float
    low_text: str = ""
    high_text: str = ""

    @property
    def swing(self) -> float:
        """Distance between both ends; infinite where one of them is."""
        gap = abs(self.at_high - self.at_low)
        return 0.0 if np.isnan(gap) else gap


def tornados(
    drawn: Drawn,
    outcomes: Sequence[Vector],
    evaluate: Callable[[PolicyWorld], Sequence[Vector]],
    count: int = 10,
) -> list[tuple[float, list[Moved]]]:
    """Every outcome at the median of all inputs, and the inputs that move it most, largest first.

    Parameters
    ----------
    drawn : Drawn
    outcomes : sequence of (draws,) array
        What came out.
    evaluate : callable
        The same outcomes in other worlds; called once for all of them, since simulating is what takes the time.

    Notes
    -----
    All inputs of the policy files are tried one at a time, and of the others the sixteen with the highest rank
    correlation. Of accounts that contradict each other the first is tried against the last.
    """
    ranks = [np.nan_to_num(rank_correlation(drawn.probabilities, outcome)) for outcome in outcomes]
    chosen = [_columns(drawn, each) for each in ranks]
    columns = list(dict.fromkeys(column for each in chosen for column in each))
    rows = np.full((1 + 2 * len(columns), drawn.probabilities.shape[1]), 0.5)
    for at, column in enumerate(columns):
        rows[1 + 2 * at, column] = LOW
        rows[2 + 2 * at, column] = HIGH
    found = evaluate(drawn.at(rows))
    answers = []
    for values, rank, own in zip(found, ranks, chosen, strict=True):
        moved = [
            _moved(drawn, column, values[1 + 2 * at], values[2 + 2 * at], rank[column])
            for at, column in enumerate(columns)
            if column in own
        ]
        answers.append((float(values[0]), _largest(moved, count)))
    return answers


def _columns(drawn: Drawn, ranks: Vector) -> list[int]:
    """Columns that are tried for one outcome."""
    count = len(drawn.branches)
    free = [i for i, branch in enumerate(drawn.branches) if branch.id not in drawn.pinned]
    policy = [count + i for i, group in enumerate(drawn.groups) if group.name.startswith("policy/")]
    others = count + len(policy)
    chosen = others + np.argsort(-np.abs(ranks[others:]), kind="stable")[:TRIED]
    return [*free, *policy, *(int(each) for each in chosen)]


def _largest(moved: list[Moved], count: int) -> list[Moved]:
    moved.sort(key=lambda each: (-each.swing, each.name))
    largest = max((each.swing for each in moved if np.isfinite(each.swing)), default=0.0)
    return [each for each in moved if each.swing > WORTH * largest][:count]


def _moved(drawn: Drawn, column: int, low: float, high: float, rank: float) -> Moved:
    count = len(drawn.branches)
    if column >= count:
        return Moved(drawn.groups[column - count].name, float(low), float(high), float(rank))
    branch = drawn.branches[column]
    first, last = (branch.options[i].name or branch.options[i].id for i in (0, -1))
    return Moved(f"branch:{branch.id}", float(low), float(high), float(rank), first, last)
