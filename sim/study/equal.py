"""Counts of B that equal A, basis by basis: on paper, in money, in power, in work and in the day a run ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sim.economics.ownership import View, total
from sim.physics.chip import Chip
from sim.policy.metrics import total_processing_performance
from sim.quantity import Array
from sim.resolve import World
from sim.study.answer import ServingAnswer, TrainingAnswer
from sim.study.campaign import first_day
from sim.study.cluster import resolve_cluster
from sim.study.equal_energy import equal_energy
from sim.study.parity import equal_count
from sim.study.question import Question
from sim.study.training import TrainingRuns
from sim.units import DAY

Vector = NDArray[np.float64]
Group = Literal["paper", "money", "job"]
PRECISIONS = ("bf16", "fp8", "fp4")  # asked for whether or not the chips have them
BASES = {
    "tpp": "TPP",
    "bf16": "dense BF16",
    "fp8": "dense FP8",
    "fp4": "dense FP4",
    "int8": "dense INT8",
    "bandwidth": "memory bandwidth",
    "capacity": "memory capacity",
    "purchase": "purchase price",
    "rent": "market rent",
    "work": "same work per time",
    "date": "same last day",
    "cost": "same money per time",
    "power": "same power",
    "energy": "same energy for the work",
}  # fmt: skip
"""Every basis by its key: data sheet, prices, then simulated for each job."""


@dataclass(frozen=True, slots=True)
class EqualCount:
    """One basis of comparison.

    Attributes
    ----------
    basis : str
        Key in ``BASES``.
    group : "paper", "money" or "job"
        What it rests on: data sheets, prices, or a job that both clusters do.
    job : str
        Id of the job; "" where there is none.
    count : (draws,) array or None
        Chips of B that equal the chips of A, unrounded [chip]; None where there is no such number.
    why : str
        Why there is none.
    """

    basis: str
    group: Group
    job: str
    count: Vector | None
    why: str = ""

    @property
    def name(self) -> str:
        """The basis in words."""
        return BASES[self.basis]

    def at_least(self, chips: float) -> float:
        """Share of the draws in which A equals so many of B or more [1]; NaN where there is no count."""
        if self.count is None:
            return float("nan")
        known = self.count[~np.isnan(self.count)]
        return float(np.mean(known >= chips)) if len(known) else float("nan")


def plain_counts(question: Question, world: World, draws: int) -> Iterator[EqualCount]:
    """Counts by data sheet and by price: no job enters them.

    Notes
    -----
    N_B = N_A x_A / x_B for a number x per chip; for money N_B = N_A x_A / x_B as well: so many B cost what the chips of A
    cost.
    """
    a, b = (resolve_cluster(side, world) for side in question.sides)
    chips = question.a.choice.chips

    def ratio(basis: str, group: Group, one: Array | None, other: Array | None, why: str = "") -> EqualCount:
        if one is None or other is None:
            return EqualCount(basis, group, "", None, why)
        found = np.broadcast_to(chips * np.asarray(one) / np.asarray(other), draws).astype(float)
        unknown = bool(np.isnan(found).all())
        return EqualCount(
            basis, group, "", None if unknown else found, _unpriced(question) if unknown else ""
        )

    one, other = (total_processing_performance(side.chip.matrix_peak) for side in (a, b))
    yield ratio("tpp", "paper", one, other)
    narrow = [p for p in ("int8",) if p in a.chip.matrix_peak or p in b.chip.matrix_peak]
    for precision in (*PRECISIONS, *narrow):
        peaks = [side.chip.matrix_peak.get(precision) for side in (a, b)]
        yield ratio(precision, "paper", peaks[0], peaks[1], _lacking(question, (a.chip, b.chip), precision))
    yield ratio("bandwidth", "paper", a.chip.memory_bandwidth, b.chip.memory_bandwidth)
    yield ratio("capacity", "paper", a.chip.memory_bytes, b.chip.memory_bytes)
    yield ratio("purchase", "money", a.purchase_usd, b.purchase_usd)
    why = (
        f"no market rent of both was known by {question.as_of}"
        if question.as_of
        else "nobody states one for both"
    )
    yield ratio("rent", "money", a.rent, b.rent, why)


def _lacking(question: Question, chips: tuple[Chip, Chip], precision: str) -> str:
    without = [
        side.label
        for side, chip in zip(question.sides, chips, strict=True)
        if precision not in chip.matrix_peak
    ]
    who = "neither chip has" if len(without) == 2 else f"{without[0]} has no" if without else ""
    return f"{who} matrix arithmetic in {precision.upper()}" if who else ""


def job_counts(
    question: Question, job: str, answer: TrainingAnswer | ServingAnswer, view: View = "amortised"
) -> Iterator[EqualCount]:
    """Counts by what both clusters do of a job: same work, same last day, same money, power and energy.

    Parameters
    ----------
    view : str
        Of cost: "amortised", "rental" or "acquisition".

    Notes
    -----
    Money and power are those of the chips while they do the job, over the same time; the work that so many B then do may
    be more or less than that of A. Where the count for the same money is above that for the same work, B is the cheaper.
    Energy is that of the work of A, in its time: see :func:`sim.study.equal_energy.equal_energy`.
    """
    yield EqualCount("work", "job", job, np.asarray(answer.equal))
    if isinstance(answer, TrainingAnswer):
        yield EqualCount("date", "job", job, _same_day(question, answer))
        curve = answer.curve
        a = _bill(answer.a, np.array([float(question.a.choice.chips)]), view)[0]
        b = _bill(curve, answer.counts, view)
        found = np.where(np.isnan(a) | np.isnan(b).any(axis=0), np.nan, equal_count(a, answer.counts, b))
        yield _known(question, job, found)
        yield EqualCount("power", "job", job, equal_count(answer.a.power_w[0], answer.counts, curve.power_w))
        yield EqualCount("energy", "job", job, equal_energy(answer))
        return
    yield EqualCount("date", "job", job, None, "serving has no last day")
    chips = question.a.choice.chips
    money = [total(run.cluster.cost_blocks(run.it_power_w)[view]) for run in (answer.a, answer.b)]
    draws = len(np.ravel(answer.equal))
    yield _known(question, job, np.broadcast_to(chips * np.asarray(money[0]) / np.asarray(money[1]), draws))
    power = (
        chips * np.asarray(answer.a.power_w / answer.a.chips) / np.asarray(answer.b.power_w / answer.b.chips)
    )
    yield EqualCount("power", "job", job, np.broadcast_to(power, draws).astype(float))
    yield EqualCount("energy", "job", job, np.broadcast_to(equal_energy(answer), draws).astype(float))


def _known(question: Question, job: str, count: Vector) -> EqualCount:
    if np.isnan(count).all():
        return EqualCount("cost", "job", job, None, _unpriced(question))
    return EqualCount("cost", "job", job, count.astype(float))


def _unpriced(question: Question) -> str:
    """Why there is no count by money."""
    late = [side.label for side in question.sides if side.late]
    if question.as_of is None or not late:
        return "the price is unknown"
    return f"no price of {' and '.join(late)} was known by {question.as_of}"


def _bill(runs: TrainingRuns, counts: Vector, view: View) -> Vector:
    """Money per second of the whole cluster while it trains, (counts, draws) [USD/s]."""
    per_chip = (
        runs.power_w / (counts[:, None] * np.asarray(runs.goodput.present)) / runs.cluster.ownership.pue
    )
    return np.asarray(counts[:, None] * total(runs.cluster.cost_blocks(per_chip)[view]))


def _same_day(question: Question, answer: TrainingAnswer) -> Vector:
    """Chips of B whose run ends on the day on which that of A ends; both count from their own first day."""
    wall_a = np.asarray(answer.a.goodput.wall_s)[0]
    left = wall_a - _head_start(question)
    with np.errstate(divide="ignore"):
        target = np.where(left > 0, 1.0 / np.where(left > 0, left, 1.0), np.inf)
        found = equal_count(target, answer.counts, 1.0 / np.asarray(answer.curve.goodput.wall_s))
    return np.where(left > 0, found, np.inf)


def _head_start(question: Question) -> float:
    """Time by which A starts before B [s]; the same day where one of them names none."""
    starts = [side.choice.start for side in question.sides]
    if starts[0] is None or starts[1] is None:
        return 0.0
    return DAY * (first_day(starts[1]) - first_day(starts[0])).days
