"""The results of a job draw by draw, each with its unit: one vocabulary for the tables of every command."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.economics.ownership import Blocks, View, total
from sim.study.answer import ServingAnswer, ServingStudy, TrainingAnswer, TrainingStudy
from sim.study.bills import training_bills
from sim.study.campaign import first_day
from sim.study.equal import job_counts
from sim.study.question import Question, Side
from sim.study.serving import ServingRuns
from sim.study.training import TrainingRuns, model_flop_utilisation
from sim.units import DAY, GWH, KWH

Vector = NDArray[np.float64]
MW = 1e6
BOTH = "a/b"
UNITS = {
    "equal_count": "chip",
    "speed_ratio": "1",
    "throughput": "token/s",
    "throughput_per_chip": "token/s/chip",
    "requests_per_chip": "request/s/chip",
    "step_time": "s",
    "mfu": "1",
    "wall_time": "day",
    "end_date": "day since 1970-01-01",
    "goodput": "1",
    "ttft": "s",
    "tpot": "s",
    "batch_per_chip": "sequence/chip",
    "prefill_share": "1",
    "power": "MW",
    "energy": "kWh/Mtoken output",
    "input_energy": "kWh/Mtoken input miss",
    "token_cost": "USD/Mtoken trained",
    "cost": "USD/Mtoken output",
    "input_cost": "USD/Mtoken input miss",
    "hit_cost": "USD/Mtoken input hit",
    "decode_cost": "USD/Mtoken output",
    "request_cost": "USD/request",
    "session_cost": "USD/session",
    "training_cost": "USD/Mtoken output",
    "chips": "chip",
    "tokens_per_day": "token/day",
    "unit_chips": "chip",
}
"""Unit of every metric. A cost is followed by its view (``cost_rental``), an equal count by its basis (``equal_cost``)."""
OF_A_RUN = {"energy": "GWh", "cost": "USD"}
"""Where a training job counts the whole run instead of a million tokens."""
EPOCH = date(1970, 1, 1)


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


def metric(cluster: str, name: str, view: str = "", *, run: bool = False) -> Metric:
    """A result by name, with its unit.

    Parameters
    ----------
    view : str
        Of a cost: "amortised", "rental" or "acquisition".
    run : bool
        Whether it is that of a whole training run.

    Examples
    --------
    >>> metric("a", "cost", "rental")
    Metric(cluster='a', metric='cost_rental', unit='USD/Mtoken output')
    """
    unit = OF_A_RUN[name] if run else UNITS[name]
    return Metric(cluster, f"{name}_{view}" if view else name, unit)


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
    yield metric(BOTH, "equal_count"), answer.equal
    yield metric(BOTH, "speed_ratio"), answer.ratio
    for count in job_counts(question, study.task.job.id, answer):
        if count.basis != "work" and count.count is not None:
            yield Metric(BOTH, f"equal_{count.basis}", UNITS["equal_count"]), count.count
    if isinstance(answer, TrainingAnswer):
        yield from _trained(question.a, answer.a)
        yield from _trained(question.b, answer.b)
    else:
        yield from _served("a", answer.a)
        yield from _served("b", answer.b)


def _trained(side: Side, runs: TrainingRuns) -> Iterator[tuple[Metric, Vector]]:
    key, chips = side.key, side.choice.chips
    wall = np.asarray(runs.goodput.wall_s)[0] / DAY
    yield metric(key, "throughput"), runs.tokens_per_s[0]
    yield metric(key, "throughput_per_chip"), runs.tokens_per_s[0] / chips
    yield metric(key, "step_time"), runs.step_s[0]
    yield metric(key, "mfu"), model_flop_utilisation(runs, chips)
    yield metric(key, "wall_time"), wall
    if side.choice.start is not None:
        yield metric(key, "end_date"), (first_day(side.choice.start) - EPOCH).days + wall
    yield metric(key, "goodput"), np.asarray(runs.goodput.share)[0]
    yield metric(key, "power"), runs.power_w[0] / MW
    yield metric(key, "energy", run=True), np.asarray(runs.goodput.energy_j)[0] / GWH
    bills = training_bills(runs, chips)
    for view, blocks in bills.items():
        yield metric(key, "cost", view, run=True), np.asarray(total(blocks))
    millions = np.asarray(runs.job.tokens, dtype=float) / 1e6
    yield from _costs(
        key, "token_cost", {view: {"run": total(each) / millions} for view, each in bills.items()}
    )


def _served(key: str, runs: ServingRuns) -> Iterator[tuple[Metric, Vector]]:
    capacity = runs.capacity
    yield metric(key, "throughput"), runs.tokens_per_s
    yield metric(key, "throughput_per_chip"), np.asarray(capacity.output_tokens_per_s)
    yield metric(key, "ttft"), np.asarray(capacity.ttft_s)
    yield metric(key, "tpot"), np.asarray(capacity.tpot_s)
    yield metric(key, "batch_per_chip"), np.asarray(capacity.batch_per_chip)
    yield metric(key, "power"), runs.power_w / MW
    yield metric(key, "energy"), np.asarray(runs.energy_j_per_million / KWH)
    yield from _costs(key, "cost", runs.output_cost())
    yield from _costs(key, "input_cost", runs.input_cost())


def _costs(key: str, name: str, by_view: Mapping[View, Blocks]) -> Iterator[tuple[Metric, Vector]]:
    for view, blocks in by_view.items():
        yield metric(key, name, view), np.asarray(total(blocks))
