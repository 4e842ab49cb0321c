"""What an hour of a chip costs, bottom up, as a distribution: by block, in three views, and how much lies under a price."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from sim.economics.margin import reachable
from sim.economics.ownership import Blocks, purchase, total
from sim.profiles.catalogue import Catalogue
from sim.profiles.leaves import quantities
from sim.profiles.messages import InputError, Problem
from sim.profiles.scenario import ClusterChoice
from sim.quantity import Quantity
from sim.report.content import Interval, RunIdentity
from sim.study.cluster import resolve_cluster
from sim.study.convergence import ends_error
from sim.study.inputs import readable
from sim.study.placed import place_notes
from sim.study.prices import checked_date
from sim.study.question import Side, load_side, uncertain_inputs
from sim.study.sensitivity import rank_correlation
from sim.study.summary.report import inputs_hash
from sim.study.summary.statistics import interval, median_blocks
from sim.study.summary.words import unpriced_side
from sim.study.worlds import sobol_probabilities, world_at
from sim.units import HOUR

Vector = NDArray[np.float64]
VIEWS = ("amortised", "rental", "acquisition")  # the first that is known is the headline
SHOWN = 6  # inputs that move the hour most


@dataclass(frozen=True, slots=True)
class HourQuestion:
    """An hour of a chip of a system in a region.

    Attributes
    ----------
    activity : float
        Between idle (0) and the mean draw of a training run (1).
    occupancy : float
        Share of the hours paid for in which the chip works [1].
    under_usd : float or None
        Price of which the share of mass below it is wanted [USD/hour].
    """

    side: Side
    draws: int
    seed: int
    activity: float = 1.0
    occupancy: float = 1.0
    under_usd: float | None = None
    as_of: str | None = None


@dataclass(frozen=True, slots=True)
class HourAnswer:
    """The hour in every view.

    Attributes
    ----------
    views : dict of view to Interval
        USD per chip and working hour.
    blocks, ranges : dict of view to block
        Parts of the median, which add up to it; each block by itself over the draws.
    draws_usd : dict of view to (draws,) array
    under : dict of view to float
        Share of the draws below ``under_usd`` [1].
    purchase : dict of block to float
        Parts of the median price of one chip with everything around it [USD].
    rent_occupancy : Interval or None
        Occupancy at which owning costs as much as renting [1], over the draws that have one.
    drivers : tuple of (name, rank correlation)
        With the amortised hour, largest first.
    ends_error : float
        How well the ends of the interval of the first view that is known are known, as a share of the median [1].
    """

    question: HourQuestion
    views: dict[str, Interval]
    blocks: dict[str, dict[str, float]]
    ranges: dict[str, dict[str, Interval]]
    draws_usd: dict[str, Vector]
    under: dict[str, float]
    purchase: dict[str, float]
    purchase_usd: Interval
    rent_occupancy: Interval | None
    rent_occupancy_share: float
    drivers: tuple[tuple[str, float], ...]
    notes: tuple[str, ...]
    ends_error: float
    identity: RunIdentity = field(repr=False)


def load_hour(
    catalogue: Catalogue,
    system: str,
    region: str,
    draws: int,
    seed: int = 1,
    activity: float = 1.0,
    occupancy: float = 1.0,
    under_usd: float | None = None,
    as_of: str | None = None,
) -> HourQuestion:
    """Find the system and the region.

    Raises
    ------
    InputError
        When one of them does not exist, the date is none, or a share is no share.
    """
    for name, share, least in (("activity", activity, 0.0), ("occupancy", occupancy, 0.01)):
        if not least <= share <= 1.0:
            raise InputError([Problem(f"--{name}: read {share:g}, where {least:g} to 1 is expected")])
    as_of = checked_date(as_of)
    side = load_side(catalogue, ClusterChoice(system=system, chips=1, region=region), as_of)
    return HourQuestion(side, draws, seed, activity, occupancy, under_usd, as_of)


def answer_hour(catalogue: Catalogue, question: HourQuestion, command: str = "") -> HourAnswer:
    """Cost of the hour over all draws.

    Raises
    ------
    InputError
        When the cost is unknown in every view.
    """
    side = question.side
    inputs = uncertain_inputs((side,), ())
    probabilities = sobol_probabilities(question.draws, len(inputs), question.seed)
    cluster = resolve_cluster(side, world_at(inputs, probabilities))
    hours: dict[str, Blocks] = {
        view: {name: _per_hour(view, usd, question) for name, usd in blocks.items()}
        for view, blocks in cluster.cost_blocks(cluster.power(question.activity)).items()
    }
    sums = {view: np.asarray(total(blocks)) for view, blocks in hours.items()}
    if all(np.isnan(usd).all() for usd in sums.values()):
        raise InputError([Problem(sentence) for sentence in unpriced_side(side)])
    bought = {name: np.broadcast_to(usd, question.draws) for name, usd in purchase(cluster.ownership).items()}
    even = _rent_occupancy(sums, question)
    possible = np.asarray(reachable(even, 0.0, 1.0))
    files = catalogue.files_read
    return HourAnswer(
        question,
        {view: interval(usd) for view, usd in sums.items()},
        {view: median_blocks(blocks) for view, blocks in hours.items()},
        {view: {name: interval(usd) for name, usd in blocks.items()} for view, blocks in hours.items()},
        sums,
        _under(sums, question.under_usd),
        median_blocks(bought),
        interval(total(bought)),
        interval(even[possible]) if possible.any() else None,
        float(np.mean(possible)),
        _drivers(side, inputs, probabilities, sums["amortised"]),
        (*place_notes(catalogue, side, question.as_of), *unpriced_side(side)),
        ends_error([next(sums[view] for view in VIEWS if view in sums and not np.isnan(sums[view]).all())]),
        RunIdentity(
            version("chip-parity"), command, question.seed, question.draws, 0, inputs_hash(files), files,
            as_of=question.as_of or "",
        ),
    )  # fmt: skip


def _per_hour(view: str, usd_per_s: object, question: HourQuestion) -> Vector:
    """A working hour: an owner pays for the idle ones as well, a tenant for those he takes."""
    share = 1.0 if view == "rental" else question.occupancy
    return np.broadcast_to(np.asarray(usd_per_s, dtype=float) * HOUR / share, question.draws)


def _under(sums: Mapping[str, Vector], price: float | None) -> dict[str, float]:
    """Share of the draws below a price, by view; views that are unknown are left out."""
    if price is None:
        return {}
    return {view: float(np.mean(usd < price)) for view, usd in sums.items() if not np.isnan(usd).all()}


def _rent_occupancy(sums: Mapping[str, Vector], question: HourQuestion) -> Vector:
    """Occupancy at which a working hour of the owner costs as much as one that is rented."""
    if "rental" not in sums:
        return np.full(question.draws, np.nan)
    return sums["amortised"] * question.occupancy / sums["rental"]


def _drivers(
    side: Side, inputs: tuple[Quantity, ...], probabilities: Vector, hour: Vector
) -> tuple[tuple[str, float], ...]:
    """Inputs whose rank goes most with that of the hour."""
    if np.isnan(hour).any() or not len(inputs) or len(hour) < 8:
        return ()
    owners = {each.id: each.name for each in (side.chip, side.system, *side.price_files)}
    homes = {q.path.split("#")[0] for q in quantities(side.region).values()}  # a region may extend another
    owners |= {home.split("/")[-1]: side.region.name for home in homes}
    strength = rank_correlation(probabilities, hour)
    order = np.argsort(-np.abs(strength))[:SHOWN]
    return tuple((readable(inputs[i].path, owners), float(strength[i])) for i in order)
