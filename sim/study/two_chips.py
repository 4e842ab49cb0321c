"""Prompts read on one chip and answers written on another, in closed form; and what of a `fleet` block stays unplayed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim.economics.ownership import total
from sim.profiles.catalogue import Catalogue
from sim.profiles.fleet import FleetSpec
from sim.profiles.messages import InputError, Problem
from sim.profiles.workload import ServingTraffic
from sim.report.content import Interval
from sim.resolve import World
from sim.study.question import Side, Task, load_side
from sim.study.serving import ServingRuns, plan_serving, run_serving
from sim.study.summary.statistics import interval

PLAYED_BY_FLEET = {
    "units": "several units",
    "router": "its router",
    "swap": "swapping",
    "prefix_cache": "a prefix cache of limited size",
    "modes": "modes",
    "failures": "failures",
    "maintenance": "maintenance",
    "autoscale": "autoscaling",
    "day": "the day",
}


@dataclass(frozen=True, slots=True)
class TwoChips:
    """Pools on two systems that handle the same requests.

    Attributes
    ----------
    readers_per_writer : Interval
        Chips that read prompts for each chip that writes answers.
    requests_per_s : Interval
        Per chip that writes [1/s].
    cost : dict of view to Interval
        USD per million output tokens, both chips.
    alone : dict of view to Interval
        The same where the writing chip reads its own prompts.
    """

    reader: str
    writer: str
    readers_per_writer: Interval
    requests_per_s: Interval
    cost: dict[str, Interval]
    alone: dict[str, Interval]


def reading_side(catalogue: Catalogue, side: Side, task: Task, as_of: str | None) -> Side | None:
    """The cluster that reads the prompts, beside one that writes the answers; None where the traffic names none."""
    traffic = task.workload
    assert isinstance(traffic, ServingTraffic)
    if traffic.fleet is None or traffic.fleet.prefill_system is None:
        return None
    choice = side.choice.model_copy(update={"system": traffic.fleet.prefill_system})
    return load_side(catalogue, choice, as_of, side.key)


def two_chips(other: Side | None, side: Side, task: Task, runs: ServingRuns, world: World) -> TwoChips | None:
    """What the fleet serves when another system reads its prompts; None where there is none.

    Parameters
    ----------
    other : Side or None
        Of :func:`reading_side`.
    runs : ServingRuns
        The job on ``side`` alone.
    world : World
        With the inputs of both.

    Raises
    ------
    InputError
        When the pools are not apart.

    Notes
    -----
    Each pool at its own highest load, in the same place and at the same prices of power: x_w requests per second and
    writing chip keep x_w / x_r reading chips busy. The caches go at the pace of the reading system's network.
    """
    if other is None:
        return None
    if runs.job.pools == "aggregated":
        raise InputError([Problem("prefill_system: needs `pools: disaggregated` in the traffic's software")])
    reading = run_serving(plan_serving(other, task), world)
    rate, fed = runs.capacity.decode_requests_per_s, reading.capacity.prefill_requests_per_s
    served = (rate > 0) & (fed > 0)
    ratio = np.where(served, rate / np.where(fed > 0, fed, 1.0), np.nan)
    per_million = 1e6 / np.asarray(runs.job.traffic.output.mean) / np.asarray(runs.job.utilisation)
    busy = np.where(served, per_million / np.where(rate > 0, rate, 1.0), np.inf)
    writer, reader = (each.cluster.cost_blocks(each.it_power_w) for each in (runs, reading))
    cost = {
        view: (total(writer[view]) + np.nan_to_num(ratio) * total(reader[view])) * busy for view in writer
    }
    return TwoChips(
        other.chip.name,
        side.chip.name,
        interval(ratio),
        interval(np.where(served, rate, 0.0)),
        {view: interval(usd) for view, usd in cost.items()},
        {view: interval(total(blocks)) for view, blocks in runs.output_cost().items() if view in cost},
    )


def unplayed(traffic: ServingTraffic, *, report: bool = False) -> str:
    """One sentence on the parts of a `fleet` block that closed form and unit do not know; empty where there are none."""
    if traffic.fleet is None:
        return ""
    names = PLAYED_BY_FLEET | ({"prefill_system": "prompts on another chip"} if report else {})
    usual = FleetSpec()
    stated = [words for key, words in names.items() if getattr(traffic.fleet, key) != getattr(usual, key)]
    if not stated:
        return ""
    return f"Not in these numbers, of the `fleet` block of {traffic.id}: {', '.join(stated)}; `parity fleet` plays them."
