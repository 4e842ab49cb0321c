"""Results as tidy long tables that pandas, R, DuckDB and spreadsheets read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict

import numpy as np
import pandas as pd

from sim.report.content import Interval, JobContent, JobSide, ReportContent
from sim.study.answer import ServingAnswer, TrainingAnswer
from sim.study.question import Question

Row = tuple[str, str, str, str, Interval]  # cluster, job, metric, unit, quantiles

# Intervals of a side, with their unit for training and for serving.
UNITS = {
    "throughput": ("token/s", "token/s"),
    "throughput_per_chip": ("token/s/chip", "token/s/chip"),
    "power_mw": ("MW", "MW"),
    "energy": ("GWh", "kWh/Mtoken"),
    "mfu": ("1", "1"),
    "wall_days": ("day", "day"),
    "goodput": ("1", "1"),
    "step_time_s": ("s", "s"),
    "ttft_s": ("s", "s"),
    "tpot_s": ("s", "s"),
    "batch_per_chip": ("sequence/chip", "sequence/chip"),
}


def summary_table(content: ReportContent) -> pd.DataFrame:
    """Quantiles of every result: one row per cluster, job, metric and statistic."""
    rows = [
        (content.identity.scenario, *head, name, value)
        for *head, quantiles in _intervals(content)
        for name, value in asdict(quantiles).items()
    ]
    return pd.DataFrame(rows, columns=["scenario", "cluster", "job", "metric", "unit", "statistic", "value"])


def _intervals(content: ReportContent) -> Iterator[Row]:
    b = content.clusters[1].label
    for job in content.jobs:
        yield f"{content.clusters[0].label} vs {b}", job.id, "equal_count", f"chip {b}", job.equal_count
        yield f"{content.clusters[0].label} vs {b}", job.id, "speed_ratio", "1", job.speed_ratio
        for cluster, side in zip(content.clusters, (job.a, job.b), strict=True):
            yield from _side(cluster.label, job, side)


def _side(cluster: str, job: JobContent, side: JobSide) -> Iterator[Row]:
    training = job.kind == "training"
    for name, units in UNITS.items():
        quantiles = getattr(side, name)
        if quantiles is not None:
            yield cluster, job.id, name, units[0 if training else 1], quantiles
    for view, quantiles in side.cost.items():
        yield cluster, job.id, f"cost_{view}", "USD" if training else "USD/Mtoken output", quantiles
    for view, quantiles in (side.input_cost or {}).items():
        yield cluster, job.id, f"input_cost_{view}", "USD/Mtoken input miss", quantiles


def draws_table(question: Question, answers: Sequence[TrainingAnswer | ServingAnswer]) -> pd.DataFrame:
    """Every draw of the main results."""
    parts = []
    for task, answer in zip(question.tasks, answers, strict=True):
        columns = {
            ("equal_count", f"chip {question.b.label}"): answer.equal,
            ("speed_ratio", "1"): answer.ratio,
            ("throughput_a", "token/s"): np.ravel(answer.a.tokens_per_s),
            ("throughput_b", "token/s"): np.ravel(answer.b.tokens_per_s),
        }
        for (metric, unit), values in columns.items():
            size = len(np.ravel(answer.equal))
            parts.append(
                pd.DataFrame(
                    {
                        "scenario": question.scenario.id,
                        "job": task.job.id,
                        "metric": metric,
                        "unit": unit,
                        "draw": np.arange(size),
                        "value": np.broadcast_to(values, size),
                    }
                )
            )
    return pd.concat(parts, ignore_index=True)
