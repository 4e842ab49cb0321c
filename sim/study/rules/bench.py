"""A parent chip on the bench: designs made from it run both jobs as if they were its draws."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sim.policy.metrics import total_processing_performance
from sim.policy.rules.records import Item
from sim.policy.rules.truth import Bounds
from sim.profiles.catalogue import Catalogue
from sim.profiles.hardware import ChipProfile
from sim.profiles.messages import InputError, Problem
from sim.profiles.scenario import ClusterChoice, Job
from sim.profiles.workload import ServingTraffic, TrainingRecipe
from sim.quantity import Quantity
from sim.resolve import World
from sim.study.question import Side, Task, load_side
from sim.study.rules.book import RuleBook
from sim.study.serving import plan_serving, run_serving
from sim.study.traced import with_trace
from sim.study.training import plan_training, run_training
from sim.training.search import NoLayoutError

Vector = NDArray[np.float64]
GB, MILLION = 1e9, 1e6


@dataclass(frozen=True, slots=True)
class DesignRequest:
    """What was asked.

    Attributes
    ----------
    like : str
        System whose chip is the parent: its node, kernels, power, price and network.
    memory_of : str
        Chip whose memory generation is used; the parent's when empty.
    die_area, stacks : float or None
        Most logic area [mm2] and most memory stacks; the parent's when None.
    frontier : str
        System whose chip the designs are measured against.
    """

    like: str = "hgx-h100-8"
    memory_of: str = ""
    die_area: float | None = None
    stacks: int | None = None
    frontier: str = "hgx-b200-8"
    chips: int = 1024
    region: str = "us"
    model: str = "deepseek-v3"
    recipe: str = "pretrain-v3"
    traffic: str = "chat"
    date: datetime.date | None = None
    destination: str = "cn"


@dataclass(frozen=True, slots=True)
class Limits:
    """What node, memory and die allow.

    Attributes
    ----------
    tpp : float
        Density of the parent's node times the largest die.
    area_mm2 : float
    dram_gbs, io_gbs : float
    capacity_bytes : float
    """

    tpp: float
    area_mm2: float
    dram_gbs: float
    io_gbs: float
    capacity_bytes: float


@dataclass(frozen=True, slots=True)
class Designs:
    """Many designs, one entry each."""

    tpp: Vector
    dram_gbs: Vector
    io_gbs: Vector
    area_mm2: float

    def item(self, book: RuleBook, parent: ChipProfile) -> Item:
        """The designs as the rules see them, made by the parent's maker under no known name."""
        labels = book.labels("a design", parent.vendor) | {"chip": "a design", "kind": "processor"}
        figures = {
            "tpp": Bounds.of(self.tpp),
            "pd": Bounds.of(self.tpp / self.area_mm2),
            "dram_bw_gbs": Bounds.of(self.dram_gbs),
            "io_bw_gbs": Bounds.of(self.io_gbs),
            "dram_plus_io_bw_gbs": Bounds.of(self.dram_gbs + self.io_gbs),
            "datacenter": Bounds.of(1.0),
            "has_hbm": Bounds.of(1.0),
            "non_planar": Bounds.of(1.0),
        }
        return Item("design", figures, labels)

    def select(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Designs:
        """Some of them."""
        return replace(self, tpp=self.tpp[rows], dram_gbs=self.dram_gbs[rows], io_gbs=self.io_gbs[rows])


@dataclass(frozen=True, slots=True)
class Outcome:
    """What designs do, per chip, with all inputs at their medians.

    Attributes
    ----------
    training, serving : array
        Training tokens and output tokens per second [token/s].
    training_usd, serving_usd : array
        Owner's cost of a million of each [USD]; priced as the parent.
    """

    training: Vector
    serving: Vector
    training_usd: Vector
    serving_usd: Vector


@dataclass(frozen=True, slots=True)
class Bench:
    """A parent in its system, its limits, and the two jobs."""

    side: Side
    limits: Limits
    training: Task
    serving: Task
    parent_tpp: float
    parent_io: float

    def as_it_is(self) -> Designs:
        """The parent itself."""
        dram = self.side.chip.memory.bandwidth.median / GB
        return Designs(
            np.array([self.parent_tpp]), np.array([dram]), np.array([self.parent_io]), self.limits.area_mm2
        )

    def run(self, designs: Designs, drawn: Mapping[str, Vector] | None = None) -> Outcome:
        """Both jobs on every design: the designs take the place of draws.

        Parameters
        ----------
        drawn : mapping of path to (draws,) array, optional
            Uncertain inputs; every design is then run in every draw, design after design.
        """
        world = World(self._values(designs) if drawn is None else self._drawn(designs, drawn))
        serving = run_serving(plan_serving(self.side, self.serving), world)
        try:
            plan = plan_training(self.side, self.training, (self.side.choice.chips,))
        except NoLayoutError as error:
            raise InputError([Problem(f"{error}; take more with --chips, or a smaller model")]) from None
        training = run_training(plan, world)
        per_chip = training.tokens_per_s[0] / self.side.choice.chips
        blocks = training.cluster.cost_blocks(training.cluster.power(1.0))["amortised"]
        second = sum(np.asarray(usd) for usd in blocks.values())
        served = sum(np.asarray(usd) for usd in serving.output_cost()["amortised"].values())
        shape = serving.capacity.output_tokens_per_s.shape
        return Outcome(
            training=np.broadcast_to(per_chip, shape),
            serving=np.broadcast_to(serving.capacity.output_tokens_per_s, shape),
            training_usd=np.broadcast_to(MILLION * second / per_chip, shape),
            serving_usd=np.broadcast_to(served, shape),
        )

    def _drawn(self, designs: Designs, drawn: Mapping[str, Vector]) -> dict[str, Vector]:
        count, draws = designs.tpp.size, next(iter(drawn.values())).size
        values = {path: np.tile(column, count) for path, column in drawn.items()}
        medians = {q.path: q.median for q in self._scaled()}
        for path, value in self._values(designs).items():
            around = values[path] / medians[path] if path in values and path in medians else 1.0
            values[path] = np.repeat(value, draws) * around
        return values

    def _scaled(self) -> list[Quantity]:
        """Inputs that a design changes in proportion, so that what is uncertain of the parent stays uncertain."""
        chip = self.side.chip
        tiers = [tier.bandwidth for tier in self.side.system.tiers if tier.size != "unlimited"]
        return [*chip.compute.matrix.values(), *chip.compute.vector.values(), *tiers]

    def _values(self, designs: Designs) -> dict[str, Vector]:
        """Peaks in proportion to TPP, memory as designed, links inside the scale-up domain in proportion to I/O."""
        chip = self.side.chip
        speed, links = designs.tpp / self.parent_tpp, designs.io_gbs / self.parent_io
        rates: list[Quantity] = [*chip.compute.matrix.values(), *chip.compute.vector.values()]
        values = {rate.path: rate.median * speed for rate in rates}
        values[chip.memory.bandwidth.path] = designs.dram_gbs * GB
        inner = [tier for tier in self.side.system.tiers if tier.size != "unlimited"]
        return values | {tier.bandwidth.path: tier.bandwidth.median * links for tier in inner}


def load_bench(catalogue: Catalogue, request: DesignRequest) -> Bench:
    """A parent with its limits and both jobs.

    Raises
    ------
    InputError
        When a file is missing or wrong, or the parent's figures do not suffice.
    """
    choice = ClusterChoice(system=request.like, chips=request.chips, region=request.region)
    side = load_side(catalogue, choice)
    parent = side.chip
    tpp, io, area = _parent_figures(catalogue, parent)
    limits = _limits(
        parent, catalogue.chip(request.memory_of) if request.memory_of else parent, request, tpp, io, area
    )
    memory = parent.memory.model_copy(
        update={"capacity": replace(parent.memory.capacity, value=limits.capacity_bytes, low=None, high=None)}
    )
    side = replace(side, chip=parent.model_copy(update={"memory": memory}))
    return Bench(side, limits, *_tasks(catalogue, request), parent_tpp=tpp, parent_io=io)


def _parent_figures(catalogue: Catalogue, parent: ChipProfile) -> tuple[float, float, float]:
    missing = [
        name
        for name, quantity in (
            ("die_area", parent.silicon.die_area),
            ("io_bandwidth", parent.silicon.io_bandwidth),
        )
        if quantity is None or quantity.is_unknown
    ]
    if missing:
        raise catalogue.error(
            parent, ("silicon",), f"a parent of designs needs silicon.{' and silicon.'.join(missing)}"
        )
    assert parent.silicon.die_area is not None
    assert parent.silicon.io_bandwidth is not None
    tpp = float(total_processing_performance({p: q.median for p, q in parent.compute.matrix.items()}))
    return tpp, parent.silicon.io_bandwidth.median / GB, parent.silicon.die_area.median


def _limits(
    parent: ChipProfile, memory: ChipProfile, request: DesignRequest, tpp: float, io: float, area: float
) -> Limits:
    stacks = request.stacks or parent.memory.stacks
    given = memory.memory.stacks
    share = 1.0 if not stacks or not given else stacks / given
    if request.stacks and not given:
        raise InputError([Problem(f"--stacks: {memory.name} does not say how many stacks it has")])
    most = request.die_area or area
    return Limits(
        tpp=tpp / area * most,
        area_mm2=most,
        dram_gbs=memory.memory.bandwidth.median / GB * share,
        io_gbs=io,
        capacity_bytes=memory.memory.capacity.median * share,
    )


def _tasks(catalogue: Catalogue, request: DesignRequest) -> tuple[Task, Task]:
    model = catalogue.model(request.model)
    recipe, traffic = catalogue.workload(request.recipe), catalogue.workload(request.traffic)
    if not isinstance(recipe, TrainingRecipe):
        raise InputError([Problem(f"--recipe {request.recipe}: is serving traffic; name a training recipe")])
    if not isinstance(traffic, ServingTraffic):
        raise InputError(
            [Problem(f"--traffic {request.traffic}: is a training recipe; name serving traffic")]
        )
    jobs = [Job(id=id, model=request.model, workload=id) for id in (request.recipe, request.traffic)]
    return Task(jobs[0], model, *with_trace(catalogue, recipe)), Task(
        jobs[1], model, *with_trace(catalogue, traffic)
    )
