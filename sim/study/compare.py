"""Two questions in the same worlds: what changes from one to the other, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sim.profiles.messages import InputError, Problem
from sim.study.metrics import Metric, Metrics
from sim.study.question import Question
from sim.study.summary.statistics import interval
from sim.study.sweep.block import Piece, Refused, blocks_for, compute, piece

Vector = NDArray[np.float64]
COLUMNS = ("job", *Metric._fields, "quantity", "statistic", "value")


@dataclass(frozen=True, slots=True)
class Change:
    """One result of a job in both questions, draw by draw.

    Attributes
    ----------
    quantity : "one", "other", "difference" or "ratio"
    """

    job: str
    metric: Metric
    quantity: str
    values: Vector


def compare_questions(one: Question, other: Question, draws: int, seed: int) -> pd.DataFrame:
    """Every result that both questions have, with its change draw by draw: quantiles of :func:`changes`.

    Returns
    -------
    DataFrame
        Long: job, cluster, metric, unit, quantity ("one", "other", "difference", "ratio"), statistic, value.
    """
    return table_of(changes(one, other, draws, seed))


def table_of(found: Sequence[Change]) -> pd.DataFrame:
    """Quantiles of every change."""
    rows = [
        (each.job, *each.metric, each.quantity, statistic, value)
        for each in found
        for statistic, value in asdict(interval(each.values)).items()
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def changes(one: Question, other: Question, draws: int, seed: int) -> list[Change]:
    """Every result that both questions have, in each draw. Both see the same worlds, so nothing differs from itself.

    Raises
    ------
    InputError
        When they have no job in common, or one of them has no answer.
    RuntimeError
        When our own code fails.
    """
    order = [quantity.path for quantity in one.inputs]
    order += [quantity.path for quantity in other.inputs if quantity.path not in set(order)]
    theirs = {task.job.id: index for index, task in enumerate(other.tasks)}
    shared = [(i, theirs[task.job.id]) for i, task in enumerate(one.tasks) if task.job.id in theirs]
    if not shared:
        raise InputError([Problem(f"{one.scenario.id} and {other.scenario.id} have no job in common")])
    return [
        Change(one.tasks[i].job.id, *each)
        for i, j in shared
        for each in _compared(
            _draws(piece(one, i, order, seed), draws), _draws(piece(other, j, order, seed), draws)
        )
    ]


def _compared(one: Metrics, other: Metrics) -> Iterator[tuple[Metric, str, np.ndarray]]:
    for key in (key for key in one if key in other):
        a, b = one[key], other[key]
        with np.errstate(divide="ignore", invalid="ignore"):
            found = {"one": a, "other": b, "difference": b - a, "ratio": b / a}
        yield from ((key, name, values) for name, values in found.items())


def _draws(work: Piece, draws: int) -> Metrics:
    blocks = compute(work, range(blocks_for(draws)))
    for block in blocks:
        if isinstance(block, Refused):
            if block.trace:  # a mistake of ours is none of the user
                raise RuntimeError(f"{block.reason}\n{block.trace}")
            raise InputError([Problem(f"{work.question.scenario.id}: {block.reason}")])
    known = [block for block in blocks if not isinstance(block, Refused)]
    return {key: np.concatenate([block[key] for block in known])[:draws] for key in known[0]}
