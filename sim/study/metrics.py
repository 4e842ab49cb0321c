"""The main results of a job draw by draw, each with its unit: what sweeps and comparisons keep."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.economics.ownership import total
from sim.study.answer import ServingAnswer, ServingStudy, TrainingAnswer, TrainingStudy
from sim.study.bills import training_bills
from sim.study.equal import job_counts
from sim.study.question import Question
from sim.study.serving import ServingRuns
from sim.study.training import TrainingRuns
from sim.units import DAY, GWH, KWH

Vector = NDArray[np.float64]
MW = 1e6


class Metric(NamedTuple):
    """One result.

    Attributes
    ----------
    cluster : str
        "a", "b", or "a/b" for what compares the two.
    """

    cluster: str
    metric: str
    unit: str


Metrics = dict[Metric, Vector]


def metrics(
    question: Question,
    study: TrainingStudy | ServingStudy,
    answer: TrainingAnswer | ServingAnswer,
    draws: int,
) -> Metrics:
    """Every result of a job in every draw, (draws,) each.

    Parameters
    ----------
    draws : int
        Worlds of the answer: what is the same in all of them is repeated.
    """
    found = dict(_of(question, study, answer))
    return {key: np.broadcast_to(np.ravel(value), draws).astype(float) for key, value in found.items()}


def _of(
    question: Question, study: TrainingStudy | ServingStudy, answer: TrainingAnswer | ServingAnswer
) -> Iterator[tuple[Metric, Vector]]:
    yield Metric("a/b", "equal_count", "chip"), answer.equal
    yield Metric("a/b", "speed_ratio", "1"), answer.ratio
    for count in job_counts(question, study.task.job.id, answer):
        if count.basis != "work" and count.count is not None:
            yield Metric("a/b", f"equal_{count.basis}", "chip"), count.count
    if isinstance(answer, TrainingAnswer):
        assert isinstance(study, TrainingStudy)
        yield from _trained("a", answer.a, study.a.counts[0])
        yield from _trained("b", answer.b, study.b.counts[0])
    else:
        yield from _served("a", answer.a)
        yield from _served("b", answer.b)


def _trained(key: str, runs: TrainingRuns, chips: int) -> Iterator[tuple[Metric, Vector]]:
    wall = np.asarray(runs.goodput.wall_s)[0]
    yield Metric(key, "throughput", "token/s"), runs.tokens_per_s[0]
    yield Metric(key, "step_time", "s"), runs.step_s[0]
    yield Metric(key, "wall_time", "day"), wall / DAY
    yield Metric(key, "goodput", "1"), np.asarray(runs.goodput.share)[0]
    yield Metric(key, "power", "MW"), runs.power_w[0] / MW
    yield Metric(key, "energy", "GWh"), np.asarray(runs.goodput.energy_j)[0] / GWH
    for view, blocks in training_bills(runs, chips).items():
        yield Metric(key, f"cost_{view}", "USD"), np.asarray(total(blocks))


def _served(key: str, runs: ServingRuns) -> Iterator[tuple[Metric, Vector]]:
    yield Metric(key, "throughput", "token/s"), runs.tokens_per_s
    yield Metric(key, "ttft", "s"), np.asarray(runs.capacity.ttft_s)
    yield Metric(key, "tpot", "s"), np.asarray(runs.capacity.tpot_s)
    yield Metric(key, "power", "MW"), runs.power_w / MW
    yield Metric(key, "energy", "kWh/Mtoken"), np.asarray(runs.energy_j_per_million / KWH)
    for view, blocks in runs.output_cost().items():
        yield Metric(key, f"cost_{view}", "USD/Mtoken output"), np.asarray(total(blocks))
    for view, blocks in runs.input_cost().items():
        yield Metric(key, f"input_cost_{view}", "USD/Mtoken input miss"), np.asarray(total(blocks))
