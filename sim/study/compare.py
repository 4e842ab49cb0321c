"""Two questions in the same worlds: what changes from one to the other, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

import numpy as np
import pandas as pd

from sim.profiles.messages import InputError, Problem
from sim.study.metrics import Metric, Metrics
from sim.study.question import Question
from sim.study.summary.statistics import interval
from sim.study.sweep.block import Piece, Refused, blocks_for, compute, piece

COLUMNS = ("job", *Metric._fields, "quantity", "statistic", "value")


def compare_questions(one: Question, other: Question, draws: int, seed: int) -> pd.DataFrame:
    """Every result that both questions have, with its change draw by draw.

    Returns
    -------
    DataFrame
        Long: job, cluster, metric, unit, quantity ("one", "other", "difference", "ratio"), statistic, value. Both are
        drawn from the same worlds, so a question compared with itself differs by zero.

    Raises
    ------
    InputError
        When they have no job in common, or one of them has no answer.
    """
    order = [quantity.path for quantity in one.inputs]
    order += [quantity.path for quantity in other.inputs if quantity.path not in set(order)]
    theirs = {task.job.id: index for index, task in enumerate(other.tasks)}
    shared = [(i, theirs[task.job.id]) for i, task in enumerate(one.tasks) if task.job.id in theirs]
    if not shared:
        raise InputError([Problem(f"{one.scenario.id} and {other.scenario.id} have no job in common")])
    rows = [
        (one.tasks[i].job.id, *key, name, statistic, value)
        for i, j in shared
        for key, name, values in _compared(
            _draws(piece(one, i, order, seed), draws), _draws(piece(other, j, order, seed), draws)
        )
        for statistic, value in asdict(interval(values)).items()
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


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
            raise InputError([Problem(f"{work.question.scenario.id}: {block.reason}")])
    known = [block for block in blocks if not isinstance(block, Refused)]
    return {key: np.concatenate([block[key] for block in known])[:draws] for key in known[0]}
