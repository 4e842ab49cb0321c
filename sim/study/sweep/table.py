"""Results of a sweep as tidy long tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict

import numpy as np
import pandas as pd

from sim.study.convergence import ends_error as error_of
from sim.study.metrics import Metric, Metrics
from sim.study.summary.statistics import interval
from sim.study.sweep.block import Refused
from sim.study.sweep.cache import Cache
from sim.study.sweep.run import Plan


def results_table(plan: Plan, cache: Cache, refused: Mapping[int, Refused]) -> pd.DataFrame:
    """Quantiles over draws: one row per point, job, cluster, metric and statistic, the varied values in front."""
    rows = [
        (*head, *key, statistic, value)
        for head, draws in _pieces(plan, cache, refused)
        for key, values in draws.items()
        for statistic, value in asdict(interval(values)).items()
    ]
    return pd.DataFrame(rows, columns=[*_head(plan), *Metric._fields, "statistic", "value"])


def ends_error(plan: Plan, cache: Cache, refused: Mapping[int, Refused]) -> float:
    """How well the ends of the counts that do the same work are known, at the worst point [1]."""
    counts = (
        values
        for _, draws in _pieces(plan, cache, refused)
        for key, values in draws.items()
        if key.metric == "equal_count"
    )
    return error_of(counts)


def draws_table(plan: Plan, cache: Cache, refused: Mapping[int, Refused]) -> pd.DataFrame:
    """Every draw of every result, in long form."""
    columns = [*_head(plan), *Metric._fields, "draw", "value"]
    parts = [
        pd.DataFrame(
            dict(zip(columns, [*head, *key, np.arange(len(values)), values], strict=True)), columns=columns
        )
        for head, draws in _pieces(plan, cache, refused)
        for key, values in draws.items()
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def failures_table(plan: Plan, refused: Mapping[int, Refused]) -> pd.DataFrame:
    """Jobs of points that have no answer, and why."""
    rows = [(*_values(plan, number), refused[number].reason) for number in sorted(refused)]
    return pd.DataFrame(rows, columns=[*_head(plan), "reason"])


def _head(plan: Plan) -> list[str]:
    return ["point", *(axis.path for axis in plan.axes), "job"]


def _values(plan: Plan, number: int) -> tuple[int | str, ...]:
    work = plan.pieces[number]
    point = number // len(plan.questions[0].tasks)
    return (point, *(change.text for change in plan.points[point]), work.question.tasks[0].job.id)


def _pieces(
    plan: Plan, cache: Cache, refused: Mapping[int, Refused]
) -> Iterator[tuple[tuple[int | str, ...], Metrics]]:
    """Pieces that have an answer, with their draws; one at a time, as all of them may not fit."""
    for number, work in enumerate(plan.pieces):
        if number not in refused:
            parts = [cache.get(work.block_key(block)) for block in range(plan.blocks)]
            joined = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
            yield _values(plan, number), {key: values[: plan.draws] for key, values in joined.items()}
