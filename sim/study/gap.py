"""Why a chip of one cluster does more work than one of the other: the gap in throughput, split by physical cause."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from sim.economics.attribution import shapley
from sim.physics.chip import Chip, KernelCurve
from sim.profiles.workload import ServingTraffic
from sim.quantity import Array
from sim.resolve import MEDIAN, resolve_serving, resolve_training
from sim.serving.capacity import serving_capacity
from sim.study.answer import ServingStudy, TrainingStudy
from sim.study.cluster import resolve_cluster
from sim.study.question import Question
from sim.study.serving import with_host_memory
from sim.study.training import TrainingPlan
from sim.training.step import step_time

Vector = NDArray[np.float64]
Mask = NDArray[np.bool_]
NUMBERS = (
    "peak",
    "kernel efficiency",
    "memory",
)  # causes that are numbers of the chip: all mixtures in one go
STRUCTURE = ("precision", "network")  # causes that are another job or network: one go for each mixture
BASE = ("bf16", "fp16")
"""Formats whose rate stands for the size of a chip's matrix units."""


@dataclass(frozen=True, slots=True)
class ThroughputGap:
    """Time that a chip takes for a token, on B and on A, and what makes the difference.

    Attributes
    ----------
    b, a : float
        Seconds of one chip per token of work [s chip/token], all inputs at their medians.
    causes : dict of str to float
        Parts of ``a - b``; they add up to it.
    """

    b: float
    a: float
    causes: dict[str, float]


def split_throughput(
    parts: Mapping[str, Array], typical: float, rates: tuple[Array, Array], gap: ThroughputGap | None
) -> dict[str, float]:
    """What the physical causes of a gap in throughput add to the cost of work, in the unit of ``parts``.

    Parameters
    ----------
    parts : mapping of cause to (draws,) array
        Of the gap in cost, as :func:`sim.economics.attribution.cost_gap` gives them.
    typical : float
        Part of throughput in a typical gap.
    rates : (draws,) array, (draws,) array
        Tokens per second and chip on B and on A, while at work.
    gap : ThroughputGap or None
        Its causes.

    Returns
    -------
    dict
        Empty where there is nothing to split.

    Notes
    -----
    Owen's value for causes within causes: cost is what a chip-second costs times the time per token, so the part of a
    physical cause is its part of the time per token times the mean price of a chip-second over the orders in which all
    other causes are exchanged. That price is the part of throughput over the difference of times. The times are those of
    the median world, so the price is taken that makes the parts add up to ``typical``; where that is not within a factor of
    two of the price in the median draw (the two chips are nearly as fast as each other), the latter, and the parts add up to
    what the median world has.

    References
    ----------
    G. Owen, "Values of games with a priori unions" (1977).
    """
    if gap is None:
        return {}
    with np.errstate(divide="ignore", invalid="ignore"):
        prices = np.ravel(
            np.asarray(parts["throughput"]) / (1.0 / np.asarray(rates[1]) - 1.0 / np.asarray(rates[0]))
        )
    known = prices[np.isfinite(prices)]
    if not len(known):
        return {}
    price = float(np.median(known))
    fitting = typical / (gap.a - gap.b) if gap.a != gap.b else np.inf
    price = fitting if 0.5 < fitting / price < 2.0 else price
    return {name: price * part for name, part in gap.causes.items()}


def throughput_gap(question: Question, study: TrainingStudy | ServingStudy) -> ThroughputGap | None:
    """The gap between two chips at one job, in the median world; None where one of them does nothing.

    Notes
    -----
    The Shapley value of the time per token over these causes, each of which takes B's inputs and puts A's in their place:
    peak (rates of the matrix and vector units, at the 16-bit rate), precision (number formats, and what they give over the
    16-bit rate), kernel efficiency (shares of the peaks, launches, the fitted speed factor), memory (capacity and
    bandwidth; in serving capacity decides which units fit), network (tiers, devices in a package, path to the host), and in
    training schedule (the layouts that were best for each cluster, with the number of chips over which the same batch is
    divided). A layout is kept as it was chosen where another chip is put under it, whether or not it would fit.
    """
    rates = _training_rates if isinstance(study, TrainingStudy) else _serving_rates
    names, table = rates(question, study)  # type: ignore[arg-type]
    if not all(rate > 0 for rate in table.values()):
        return None
    before, after = dict.fromkeys(names, False), dict.fromkeys(names, True)
    parts = shapley(lambda sides: 1.0 / table[tuple(sides[name] for name in names)], before, after)
    b, a = (1.0 / table[tuple(side.values())] for side in (before, after))
    return ThroughputGap(b, a, {name: float(part) for name, part in parts.items()})


Rates = tuple[
    tuple[str, ...], dict[tuple[bool, ...], float]
]  # tokens per second and chip, by whose cause it is


def _tabled(
    structure: Sequence[str], rate: Callable[[Mapping[str, bool], Mapping[str, Mask]], Vector]
) -> Rates:
    """Rates of all mixtures: for each of the structures those of the numbers along one axis."""
    mixtures = np.array(list(product((False, True), repeat=len(NUMBERS))))
    masks = {name: mixtures[:, i] for i, name in enumerate(NUMBERS)}
    table: dict[tuple[bool, ...], float] = {}
    for sides in product((False, True), repeat=len(structure)):
        found = np.broadcast_to(rate(dict(zip(structure, sides, strict=True)), masks), len(mixtures))
        table |= {(*sides, *(bool(x) for x in row)): float(x) for row, x in zip(mixtures, found, strict=True)}
    return (*structure, *NUMBERS), table


def _training_rates(question: Question, study: TrainingStudy) -> Rates:
    chips, networks, jobs = {}, {}, {}
    for is_a, side in ((True, question.a), (False, question.b)):
        cluster = resolve_cluster(side, MEDIAN)
        chips[is_a], networks[is_a] = cluster.chip, cluster.network
        jobs[is_a] = resolve_training(study.task.model, study.task.workload, cluster.chip, side.kernels)  # type: ignore[arg-type]
    plans: dict[bool, TrainingPlan] = {True: study.a, False: study.b}

    def rate(sides: Mapping[str, bool], masks: Mapping[str, Mask]) -> Vector:
        job, net, plan = jobs[sides["precision"]], sides["network"], plans[sides["schedule"]]
        exposed = replace(job.software, tensor_exposed=jobs[net].software.tensor_exposed)
        chip = mixed_chip(chips[False], chips[True], sides["precision"], masks)
        chip = replace(chip, ranks=chips[net].ranks, dies=chips[net].dies)
        times = step_time(replace(job, software=exposed), chip, networks[net], plan.layouts)
        return np.asarray(job.global_batch / np.min(times.total, axis=0) / plan.counts[0])

    return _tabled((*STRUCTURE, "schedule"), rate)


def _serving_rates(question: Question, study: ServingStudy) -> Rates:
    traffic = study.task.workload
    assert isinstance(traffic, ServingTraffic)
    clusters, jobs, chips = {}, {}, {}
    for is_a, side in ((True, question.a), (False, question.b)):
        clusters[is_a], chips[is_a] = resolve_cluster(side, MEDIAN), side.choice.chips
        job = resolve_serving(study.task.model, traffic, clusters[is_a].chip, MEDIAN)
        jobs[is_a] = with_host_memory(job, side.system, clusters[is_a].chip.ranks, MEDIAN)

    def rate(sides: Mapping[str, bool], masks: Mapping[str, Mask]) -> Vector:
        narrow, net = jobs[sides["precision"]], sides["network"]
        path = replace(narrow.engine, host_bandwidth=jobs[net].engine.host_bandwidth)
        chip = mixed_chip(clusters[False].chip, clusters[True].chip, sides["precision"], masks)
        chip = replace(chip, ranks=clusters[net].chip.ranks, dies=clusters[net].chip.dies)
        found = serving_capacity(replace(narrow, engine=path), chip, clusters[net].network, chips[net])
        return found.output_tokens_per_s

    return _tabled(STRUCTURE, rate)


# --- chips that are partly one and partly the other ------------------------------------------------------------


def mixed_chip(b: Chip, a: Chip, formats_of_a: bool, masks: Mapping[str, Mask]) -> Chip:
    """B with some of A's numbers, mixture by mixture.

    Parameters
    ----------
    formats_of_a : bool
        Whether number formats, and their rates over the 16-bit rate, are those of A.
    masks : mapping of cause to (mixtures,) bool array
        Where the numbers of a cause are those of A.
    """
    peak, kernel, memory = (masks[name] for name in NUMBERS)

    def of_kernels(name: str) -> Array:
        return _mix(kernel, getattr(b, name), getattr(a, name))

    giver = a if formats_of_a else b
    base = _mix(peak, _base_rate(b), _base_rate(a))
    keys = set(b.kernels) | set(a.kernels)
    overheads = set(b.layer_overhead_s) | set(a.layer_overhead_s)
    speeds = set(b.speed_factor) | set(a.speed_factor)
    return replace(
        b,
        matrix_peak={
            name: base * (np.asarray(rate) / _base_rate(giver)) for name, rate in giver.matrix_peak.items()
        },
        vector_peak=_mixed(peak, b.vector_peak, a.vector_peak),
        memory_bytes=_mix(memory, b.memory_bytes, a.memory_bytes),
        memory_bandwidth=_mix(memory, b.memory_bandwidth, a.memory_bandwidth),
        kernels={key: _mixed_curve(kernel, _curve(b, key, a), _curve(a, key, b)) for key in sorted(keys)},
        speed_factor={key: _mix(kernel, _speed(b, *key), _speed(a, *key)) for key in sorted(speeds)},
        layer_overhead_s={
            key: _mix(kernel, b.layer_overhead_s.get(key, 0.0), a.layer_overhead_s.get(key, 0.0))
            for key in sorted(overheads)
        },
        attention_backward=of_kernels("attention_backward"),
        linear_backward=of_kernels("linear_backward"),
        latent_layers=of_kernels("latent_layers"),
        grouped_prefill=of_kernels("grouped_prefill"),
    )


def _mix(mask: Mask, b: Array, a: Array) -> Array:
    return np.where(mask, a, b)


def _mixed(mask: Mask, b: Mapping[str, Array], a: Mapping[str, Array]) -> dict[str, Array]:
    """Rates by precision; what one side does not state is that of the other."""
    return {
        name: _mix(mask, b.get(name, a.get(name, 0.0)), a.get(name, b.get(name, 0.0))) for name in {**b, **a}
    }


def _base_rate(chip: Chip) -> Array:
    return chip.matrix_peak[chip.fastest(*BASE, *chip.matrix_peak)]


def _curve(chip: Chip, key: tuple[str, str], other: Chip) -> KernelCurve:
    try:
        return chip.curve(*key)
    except KeyError:  # a family that this chip has no kernel for
        return other.kernels[key]


def _speed(chip: Chip, precision: str, phase: str) -> Array:
    """Factor of a phase; that of 16 bit for a format the chip does not have."""
    return chip.speed_factor.get((precision, phase), chip.speed_factor.get(("bf16", phase), 1.0))


def _mixed_curve(mask: Mask, b: KernelCurve, a: KernelCurve) -> KernelCurve:
    if b is a:
        return b
    names = [field.name for field in fields(KernelCurve) if field.name != "wide"]
    numbers = {name: _mix(mask, getattr(b, name), getattr(a, name)) for name in names}
    wide = None if b.wide is None and a.wide is None else _mix(mask, b.large, a.large)
    return KernelCurve(**numbers, wide=wide)
