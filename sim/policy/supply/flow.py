"""The flow of chips into a country as events: wafers, dies, packages, borders, sites, quarter by quarter."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import simpy
from numpy.typing import NDArray

from sim.policy.supply.makers import Maker, by_product, pack
from sim.policy.supply.series import Horizon, Matrix
from sim.policy.supply.stock import Fleet

Vector = NDArray[np.float64]
Process = Generator[simpy.Event, Any, None]
DOMESTIC, PROXY = "domestic", "proxy foundry"
# Order of business within a quarter [quarter]: deliveries arrive at its start, then these follow one another.
FAB, PACK, BORDER, SITE = 0.1, 0.2, 0.3, 0.8


@dataclass(frozen=True, slots=True)
class Lane:
    """A kind of chip on one way into the country."""

    pathway: str
    chip: str


@dataclass(frozen=True, slots=True)
class Inflow:
    """Finished chips that come from elsewhere.

    Attributes
    ----------
    flow : (quarters, draws) array
        Chips sent off [chip/quarter].
    lead : (quarters, draws) array
        From there to the door [quarter].
    """

    lane: Lane
    flow: Matrix
    lead: Matrix


@dataclass(frozen=True, slots=True)
class Shock:
    """A sudden loss.

    Attributes
    ----------
    at : float
        Instant [quarter from the start].
    share : (draws,) array
        Share that is lost of what is there.
    pathway : str
        Chips of that pathway; ``dies`` and ``stacks``: the makers' stores.
    """

    at: float
    share: Vector
    pathway: str


@dataclass(frozen=True, slots=True)
class Inputs:
    """Everything that the flow of one country needs, by quarter and draw.

    Attributes
    ----------
    stacks : (quarters, draws) array
        HBM stacks that come in from all sources [stack/quarter].
    banked_stacks : (draws,) array
        Stacks at hand at the start [stack].
    initial : mapping of Lane to (draws,) array
        Chips installed at the start.
    watts : mapping of str to (draws,) array
        Facility power of one chip by its id [W].
    power_w, network : (quarters, draws) array
        Facility power there is for AI chips [W], and chips that can be put to work in a quarter [chip/quarter].
    life : (draws,) array
        Quarters a chip stays in use.
    failing : (draws,) array
        Share that breaks for good in a quarter.
    """

    horizon: Horizon
    makers: tuple[Maker, ...]
    inflows: tuple[Inflow, ...]
    stacks: Matrix
    banked_stacks: Vector
    initial: Mapping[Lane, Vector]
    watts: Mapping[str, Vector]
    power_w: Matrix
    network: Matrix
    life: Vector
    failing: Vector
    shocks: tuple[Shock, ...] = ()

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """Every lane that ever holds a chip, in a fixed order."""
        found = dict.fromkeys(self.initial)
        for maker in self.makers:
            for product in maker.products:
                ways = (PROXY, DOMESTIC) if product.banked else (DOMESTIC,)
                found |= {Lane(way, product.chip): None for way in ways}
        return tuple(found | {inflow.lane: None for inflow in self.inflows})


@dataclass(frozen=True, slots=True)
class Course:
    """What happened, at the end of every quarter.

    Attributes
    ----------
    made : (lanes, quarters, draws) array
        Chips finished or sent off in the quarter.
    arrived : (lanes, quarters, draws) array
        Chips delivered in the quarter.
    installed, waiting : (lanes, quarters, draws) array
    failed, retired, in_transit : (lanes, quarters, draws) array
        Cumulative; in transit at that moment.
    dies, stacks : (quarters, draws) array
        In store at the makers.
    power_w : (quarters, draws) array
        Facility power of what is installed [W].
    binding : (makers, quarters, draws) int array
        Input that kept each maker from making more.
    site_binding : (quarters, draws) int array
        What kept more chips from being installed.
    """

    lanes: tuple[Lane, ...]
    made: Vector
    arrived: Vector
    installed: Vector
    waiting: Vector
    failed: Vector
    retired: Vector
    in_transit: Vector
    dies: Matrix
    stacks: Matrix
    power_w: Matrix
    binding: NDArray[np.int64]
    site_binding: NDArray[np.int64]

    def total(self, name: str, pathway: str | None = None, chip: str | None = None) -> Matrix:
        """Sum of one of the arrays over lanes of a pathway, a chip, or all, (quarters, draws)."""
        chosen = [
            i
            for i, lane in enumerate(self.lanes)
            if pathway in (None, lane.pathway) and chip in (None, lane.chip)
        ]
        return np.asarray(getattr(self, name)[chosen].sum(axis=0))


@dataclass
class _Run:
    """State of the country while the clock runs."""

    inputs: Inputs
    env: simpy.Environment
    fleet: Fleet
    own_dies: Vector
    bank_dies: Vector
    stacks: Vector
    transit: Vector
    in_fab: Vector
    log: dict[str, Any] = field(default_factory=dict)

    def at(self, quarter: int, phase: float) -> simpy.Event:
        return self.env.timeout(quarter + phase - self.env.now)

    def index(self, lane: Lane) -> int:
        return self.inputs.lanes.index(lane)

    # --- processes -----------------------------------------------------------------------------------------

    def fab(self) -> Process:
        """Wafers started in a quarter are dies one lead time later; bought dies and stacks simply arrive."""
        for quarter in range(self.inputs.horizon.quarters):
            yield self.at(quarter, FAB)
            self.stacks += self.inputs.stacks[quarter]
            for row, maker in enumerate(self.inputs.makers):
                self.bank_dies[row] += maker.bought_dies[quarter]
                started = np.minimum(maker.dies[quarter], self._room(row, maker, quarter))
                self.in_fab[row] += started
                for amount, whole in split_by_lead(started, maker.fab_lead[quarter]):
                    self.env.process(self._finish_dies(row, amount, quarter + whole))

    def _room(self, row: int, maker: Maker, quarter: int) -> Vector:
        """Dies that may still be started before the store and the fab are full."""
        dies, _, _ = maker.per_package(quarter)
        wanted = maker.die_store * dies * maker.packaging[quarter]
        return np.maximum(wanted - self.own_dies[row] - self.in_fab[row], 0.0)

    def _finish_dies(self, row: int, amount: Vector, quarter: int) -> Process:
        if quarter > self.env.now:
            yield self.env.timeout(quarter - self.env.now)
        self.in_fab[row] -= amount
        self.own_dies[row] += amount

    def packing(self) -> Process:
        """Packages of a quarter leave for the server builders."""
        makers = self.inputs.makers
        for quarter in range(self.inputs.horizon.quarters if makers else 0):
            yield self.at(quarter, PACK)
            done = pack(makers, quarter, self.own_dies, self.bank_dies, self.stacks)
            self.own_dies -= done.dies_used
            self.bank_dies -= done.bank_used
            self.stacks -= done.stacks_used
            self.log["binding"][:, quarter] = done.binding
            for row, maker in enumerate(makers):
                made = by_product(maker, quarter, done.packages[row])
                for product in maker.products:
                    proxy = made[product.chip] * done.bank_share[row] * product.banked
                    lead = maker.build_lead[quarter]
                    self._send(Lane(DOMESTIC, product.chip), quarter, made[product.chip] - proxy, lead)
                    if product.banked:
                        self._send(Lane(PROXY, product.chip), quarter, proxy, lead)

    def border(self) -> Process:
        """Chips from elsewhere set off."""
        for quarter in range(self.inputs.horizon.quarters):
            yield self.at(quarter, BORDER)
            for inflow in self.inputs.inflows:
                self._send(inflow.lane, quarter, inflow.flow[quarter], inflow.lead[quarter])

    def _send(self, lane: Lane, quarter: int, amount: Vector, lead: Vector) -> None:
        row = self.index(lane)
        self.log["made"][row, quarter] += amount
        self.transit[row] += amount
        for part, whole in split_by_lead(amount, lead):
            self.env.process(self._deliver(row, part, quarter + whole))

    def _deliver(self, row: int, amount: Vector, quarter: int) -> Process:
        if quarter > self.env.now:
            yield self.env.timeout(quarter - self.env.now)
        self.transit[row] -= amount
        self.fleet.waiting[row] += amount
        self.log["arrived"][row, int(self.env.now)] += amount

    def site(self) -> Process:
        """The end of a quarter: wear, then installation, then the books."""
        for quarter in range(self.inputs.horizon.quarters):
            yield self.at(quarter, SITE)
            self.fleet.wear(quarter)
            bound = self.fleet.install(quarter, self.inputs.power_w[quarter], self.inputs.network[quarter])
            self.log["site_binding"][quarter] = bound
            self._book(quarter)

    def _book(self, quarter: int) -> None:
        fleet = self.fleet
        now = {"installed": fleet.installed, "waiting": fleet.waiting, "failed": fleet.failed,
               "retired": fleet.retired, "in_transit": self.transit}  # fmt: skip
        for name, value in now.items():
            self.log[name][:, quarter] = value
        self.log["dies"][quarter] = (self.own_dies + self.bank_dies).sum(axis=0)
        self.log["stacks"][quarter] = self.stacks
        self.log["power_w"][quarter] = fleet.power_w

    def shock(self, shock: Shock) -> Process:
        """A sudden loss at its instant."""
        yield self.env.timeout(shock.at)
        if shock.pathway == "stacks":
            self.stacks *= 1.0 - shock.share
        elif shock.pathway == "dies":
            self.own_dies *= 1.0 - shock.share
            self.bank_dies *= 1.0 - shock.share
        else:
            hit = np.array([lane.pathway == shock.pathway for lane in self.inputs.lanes])
            self.fleet.lose(shock.share, hit)


def split_by_lead(amount: Vector, lead: Vector) -> list[tuple[Vector, int]]:
    """Parts of an amount by the whole quarters after which they arrive.

    A lead time of 1.3 quarters brings seven tenths after one quarter and three tenths after two.

    Examples
    --------
    >>> [(part.round(6).tolist(), whole) for part, whole in split_by_lead(np.array([10.0]), np.array([1.3]))]
    [([7.0], 1), ([3.0], 2)]
    """
    first, last = int(np.floor(np.min(lead))), int(np.ceil(np.max(lead)))
    parts = (
        (amount * np.clip(1.0 - np.abs(lead - whole), 0.0, 1.0), whole) for whole in range(first, last + 1)
    )
    return [(part, whole) for part, whole in parts if part.any()]


def simulate(inputs: Inputs) -> Course:
    """Run the flow of one country over its horizon, all draws at once.

    Notes
    -----
    Chips are conserved: what was there at the start and what was made since is installed, waiting, in transit, failed or
    retired.
    """
    quarters, draws = inputs.horizon.shape
    lanes, makers = inputs.lanes, inputs.makers
    env = simpy.Environment()
    watts = np.stack([np.broadcast_to(inputs.watts[lane.chip], draws) for lane in lanes])
    run = _Run(
        inputs,
        env,
        Fleet(len(lanes), quarters, draws, inputs.life, inputs.failing, watts),
        own_dies=np.array([m.first_dies * m.per_package(0)[0] * m.packaging[0] for m in makers]).reshape(
            len(makers), draws
        ),
        bank_dies=np.array([maker.banked_dies for maker in makers]).reshape(len(makers), draws).copy(),
        stacks=np.array(np.broadcast_to(inputs.banked_stacks, draws)),
        transit=np.zeros((len(lanes), draws)),
        in_fab=np.zeros((len(makers), draws)),
        log=_books(len(lanes), len(makers), quarters, draws),
    )
    for lane, amount in inputs.initial.items():
        run.fleet.cohorts[0, run.index(lane)] += amount
    for shock in inputs.shocks:
        env.process(run.shock(shock))
    for process in (run.fab, run.packing, run.border, run.site):
        env.process(process())
    env.run(until=quarters)
    return Course(lanes=lanes, **run.log)


def _books(lanes: int, makers: int, quarters: int, draws: int) -> dict[str, Any]:
    chips = ("made", "arrived", "installed", "waiting", "failed", "retired", "in_transit")
    books: dict[str, Any] = {name: np.zeros((lanes, quarters, draws)) for name in chips}
    books |= {name: np.zeros((quarters, draws)) for name in ("dies", "stacks", "power_w")}
    books["binding"] = np.zeros((makers, quarters, draws), dtype=np.int64)
    books["site_binding"] = np.zeros((quarters, draws), dtype=np.int64)
    return books
