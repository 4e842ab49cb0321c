"""A designer's view of the export rules: the best chip that each of them allows, and what it does on a job.

A design is a parent chip with other peaks, memory bandwidth and links: same node, same memory generation, at most so
much die area. The rules are asked about every design, and the simulators run all of them as if they were draws of the
parent: one code path.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from sim.policy.rules.truth import Compare, comparisons
from sim.profiles.catalogue import Catalogue
from sim.profiles.hardware import ChipProfile
from sim.study.question import uncertain_inputs
from sim.study.rules.bench import Bench, DesignRequest, Designs, Limits, Outcome, load_bench
from sim.study.rules.book import RuleBook
from sim.study.rules.classify import chip_facts, item_of
from sim.study.rules.regimes import Regime, allowed, binds, regimes_of
from sim.study.worlds import sobol_probabilities, world_at

Vector = NDArray[np.float64]
UNDER = 1 - 1e-4  # a design stops a ten-thousandth short of a threshold
DRAWS, SEED = 64, 1


@dataclass(frozen=True, slots=True)
class Best:
    """The best design that a regime allows for a job.

    Attributes
    ----------
    per_chip, usd_per_million : float
        Speed [token/s] and owner's cost [USD per million tokens] with all inputs at their medians.
    to_frontier : float
        Speed over that of the frontier chip; ``low`` to ``high`` holds 90 % of the draws, the same for both.
    binds : str
        What the design gives up against what node, memory and links allow.
    """

    regime: Regime
    job: str
    tpp: float
    dram_gbs: float
    io_gbs: float
    pd: float
    per_chip: float
    usd_per_million: float
    to_frontier: float
    binds: str
    low: float = float("nan")
    high: float = float("nan")


@dataclass(frozen=True, slots=True)
class DesignMap:
    """Results over TPP and DRAM bandwidth, links as the parent has them.

    Attributes
    ----------
    tpp, dram_gbs : (columns,) and (rows,) array
    outcome : Outcome
        (rows, columns) each.
    allowed : mapping of regime name to (rows, columns) bool array on the fine grid
    fine_tpp, fine_dram_gbs : array
        Axes of ``allowed``.
    """

    tpp: Vector
    dram_gbs: Vector
    outcome: Outcome
    fine_tpp: Vector
    fine_dram_gbs: Vector
    allowed: Mapping[str, NDArray[np.bool_]]


@dataclass(frozen=True, slots=True)
class DesignStudy:
    """Everything a designer is told."""

    request: DesignRequest
    parent: ChipProfile
    frontier: ChipProfile
    limits: Limits
    best: tuple[Best, ...]
    frontier_training: float
    frontier_serving: float
    map: DesignMap
    dots: tuple[tuple[str, float, float], ...]
    date: datetime.date


def study_designs(catalogue: Catalogue, book: RuleBook, request: DesignRequest) -> DesignStudy:
    """The best chip under every regime, and the map of all designs.

    Raises
    ------
    InputError
        When a file is missing or wrong, or the parent's figures do not suffice.
    """
    bench = load_bench(catalogue, request)
    frontier = load_bench(
        catalogue, replace(request, like=request.frontier, memory_of="", die_area=None, stacks=None)
    )
    top = frontier.run(frontier.as_it_is())
    drawn = _drawn_inputs(bench, frontier)
    date = request.date or book.as_of
    regimes = regimes_of(book, date, request.destination)
    best = _with_intervals(_best(bench, book, regimes, date, top), bench, frontier, drawn)
    return DesignStudy(
        request, bench.side.chip, frontier.side.chip, bench.limits, best, float(top.training[0]),
        float(top.serving[0]), _map(bench, book, regimes, date), _dots(catalogue, book), date,
    )  # fmt: skip


def _edges(book: RuleBook, limits: Limits) -> dict[str, list[float]]:
    """Just under every threshold of every rule, and the physical limit."""
    leaves = [
        leaf
        for rule in book.rules
        if binds(rule)
        for b in rule.branches
        if b.test
        for leaf in comparisons(b.test)
    ]
    tpp = _under(leaves, "tpp") + [
        UNDER * leaf.value * limits.area_mm2 for leaf in leaves if leaf.field == "pd"
    ]
    dram, io = _under(leaves, "dram_bw_gbs"), _under(leaves, "io_bw_gbs")
    sums = _under(leaves, "dram_plus_io_bw_gbs")
    shares = [0.1, 0.25, 0.5]
    io += [s - d for s in sums for d in [*dram, *(limits.dram_gbs * share for share in shares)]]
    dram += [s - i for s in sums for i in [*io, limits.io_gbs, *(limits.io_gbs * share for share in shares)]]
    return {
        "tpp": _within(tpp, limits.tpp),
        "dram": _within(dram, limits.dram_gbs),
        "io": _within(io, limits.io_gbs),
    }


def _under(leaves: Sequence[Compare], field: str) -> list[float]:
    return [UNDER * leaf.value for leaf in leaves if leaf.field == field]


def _within(values: Sequence[float], most: float) -> list[float]:
    return sorted({round(v, 6) for v in values if 0.02 * most < v < most} | {most})


def _best(
    bench: Bench, book: RuleBook, regimes: Sequence[Regime], date: datetime.date, top: Outcome
) -> tuple[Best, ...]:
    edges = _edges(book, bench.limits)
    grid = np.array(list(product(edges["tpp"], edges["dram"], edges["io"])))
    designs = Designs(grid[:, 0], grid[:, 1], grid[:, 2], bench.limits.area_mm2)
    masks = [allowed(regime, designs, bench.side.chip, book, date) for regime in regimes]
    fronts = [_unbeaten(grid, mask) for mask in masks]
    wanted = np.unique(np.concatenate(fronts)) if fronts else np.array([], dtype=int)
    outcome = bench.run(designs.select(wanted))
    place = {int(row): i for i, row in enumerate(wanted)}
    found = []
    for regime, front in zip(regimes, fronts, strict=True):
        rows = [int(row) for row in front]
        if rows:
            found += [
                _winner(job, regime, designs, rows, place, outcome, bench.limits, top)
                for job in ("training", "serving")
            ]
    return tuple(found)


def _unbeaten(grid: Vector, mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Allowed designs that no other allowed one matches or beats in everything: no part of a chip slows a job."""
    rows = np.flatnonzero(mask)
    points = grid[rows]
    beaten = [bool(np.any(np.all(points >= p, axis=1) & np.any(points > p, axis=1))) for p in points]
    return rows[~np.array(beaten, dtype=bool)] if len(rows) else rows


def _winner(
    job: str, regime: Regime, designs: Designs, rows: Sequence[int], place: Mapping[int, int], outcome: Outcome,
    limits: Limits, top: Outcome,
) -> Best:  # fmt: skip
    speed = outcome.training if job == "training" else outcome.serving
    money = outcome.training_usd if job == "training" else outcome.serving_usd
    frontier = float((top.training if job == "training" else top.serving)[0])
    best = max(rows, key=lambda row: float(speed[place[row]]))
    i = place[best]
    tpp, dram, io = (float(v[best]) for v in (designs.tpp, designs.dram_gbs, designs.io_gbs))
    at_limit = (
        ("TPP", tpp, limits.tpp),
        ("DRAM bandwidth", dram, limits.dram_gbs),
        ("I/O", io, limits.io_gbs),
    )
    cut = [name for name, value, most in at_limit if value < most * (1 - 1e-6)]
    return Best(
        regime, job, tpp, dram, io, tpp / designs.area_mm2, float(speed[i]), float(money[i]),
        float(speed[i]) / frontier, ", ".join(cut) or "nothing",
    )  # fmt: skip


def _drawn_inputs(bench: Bench, frontier: Bench) -> dict[str, Vector]:
    """Every uncertain input of both sides and both jobs, drawn once."""
    inputs = uncertain_inputs((bench.side, frontier.side), (bench.training, bench.serving))
    points = sobol_probabilities(DRAWS, len(inputs), SEED)
    return dict(world_at(inputs, points).values)


def _with_intervals(
    found: tuple[Best, ...], bench: Bench, frontier: Bench, drawn: Mapping[str, Vector]
) -> tuple[Best, ...]:
    """The same designs with the range of their ratio to the frontier, both in the same draws."""
    if not found or not drawn:
        return found
    tpp, dram, io = (
        np.array([getattr(best, name) for best in found]) for name in ("tpp", "dram_gbs", "io_gbs")
    )
    run = bench.run(Designs(tpp, dram, io, bench.limits.area_mm2), drawn)
    top = frontier.run(frontier.as_it_is(), drawn)
    rows = []
    for index, best in enumerate(found):
        mine, other = (run.training, top.training) if best.job == "training" else (run.serving, top.serving)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = mine.reshape(len(found), -1)[index] / other
        low, high = np.quantile(ratio[np.isfinite(ratio)], (0.05, 0.95))
        rows.append(replace(best, low=float(low), high=float(high)))
    return tuple(rows)


# --- the map -----------------------------------------------------------------------------------------------


def _map(bench: Bench, book: RuleBook, regimes: Sequence[Regime], date: datetime.date) -> DesignMap:
    tpp, dram = np.geomspace(800, 64000, 23), np.geomspace(250, 16000, 19)
    columns, rows = np.meshgrid(tpp, dram)
    flat = Designs(
        columns.ravel(), rows.ravel(), np.full(columns.size, bench.parent_io), bench.limits.area_mm2
    )
    run = bench.run(flat)
    shaped = Outcome(
        *(
            np.asarray(v).reshape(columns.shape)
            for v in (run.training, run.serving, run.training_usd, run.serving_usd)
        )
    )
    fine_tpp, fine_dram = np.geomspace(800, 64000, 300), np.geomspace(250, 16000, 240)
    across, up = np.meshgrid(fine_tpp, fine_dram)
    fine = Designs(across.ravel(), up.ravel(), np.full(across.size, bench.parent_io), bench.limits.area_mm2)
    masks = {
        regime.name: allowed(regime, fine, bench.side.chip, book, date).reshape(across.shape)
        for regime in regimes
        if regime.rules
    }
    return DesignMap(tpp, dram, shaped, fine_tpp, fine_dram, masks)


def _dots(catalogue: Catalogue, book: RuleBook) -> tuple[tuple[str, float, float], ...]:
    """Chips of the catalogue: id, TPP, DRAM bandwidth; those without either are left out."""
    found = []
    for id in catalogue.ids("chips"):
        facts = chip_facts(catalogue, book, id)
        figures = item_of(facts, book)[1].figures
        middle = [float(np.median(np.asarray(figures[name].low))) for name in ("tpp", "dram_bw_gbs")]
        if np.all(np.isfinite(middle)):
            found.append((facts.id, middle[0], middle[1]))
    return tuple(found)
