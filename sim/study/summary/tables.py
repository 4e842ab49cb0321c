"""Results as tidy long tables that pandas, R, DuckDB and spreadsheets read; docs/tables.md says what stands in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sim.study.metrics import BOTH, Metric, Metrics
from sim.study.question import Question
from sim.study.summary.statistics import interval

HEAD = ("scenario", "job", "cluster", "label", "metric", "unit")
Results = Sequence[tuple[str, Metrics]]  # id of a job, and what came out of it in every draw


def labels(question: Question) -> dict[str, str]:
    """Name for people of each cluster key, and of both."""
    a, b = question.sides
    return {"a": a.label, "b": b.label, BOTH: f"{a.label} vs {b.label}"}


def summary_table(question: Question, results: Results) -> pd.DataFrame:
    """Quantiles of every result: one row per job, cluster, metric and statistic."""
    rows = [
        (*head, statistic, value)
        for head, values in _rows(question, results)
        for statistic, value in asdict(interval(values)).items()
    ]
    return pd.DataFrame(rows, columns=[*HEAD, "statistic", "value"])


def draws_table(question: Question, results: Results) -> pd.DataFrame:
    """Every draw of every result."""
    columns = [*HEAD, "draw", "value"]
    parts = [
        pd.DataFrame(dict(zip(columns, [*head, np.arange(len(values)), values], strict=True)))
        for head, values in _rows(question, results)
    ]
    return pd.concat(parts, ignore_index=True)


def _rows(question: Question, results: Results) -> Iterator[tuple[tuple[str, ...], NDArray[np.float64]]]:
    named = labels(question)
    for job, found in results:
        for key, values in found.items():
            yield _head(question, job, named, key), values


def _head(question: Question, job: str, named: dict[str, str], key: Metric) -> tuple[str, ...]:
    return question.scenario.id, job, key.cluster, named[key.cluster], key.metric, key.unit
