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

from sim.policy.rules import Item, Rule, Weight, weights
from sim.policy.truth import Bounds, Compare, comparisons
from sim.profiles.catalogue import Catalogue
from sim.profiles.hardware import ChipProfile
from sim.profiles.messages import InputError, Problem
from sim.profiles.scenario import ClusterChoice, Job
from sim.profiles.workload import ServingTraffic, TrainingRecipe
from sim.quantity import Quantity
from sim.resolve import World
from sim.study.question import Side, Task, load_side, uncertain_inputs
from sim.study.rule_book import RuleBook
from sim.study.rules import chip_facts, item_of
from sim.study.serving import run_serving
from sim.study.traced import with_trace
from sim.study.training import plan_training, run_training
from sim.study.worlds import sobol_probabilities, world_at

Vector = NDArray[np.float64]
UNDER = 1 - 1e-4  # a design stops a ten-thousandth short of a threshold
FREE: frozenset[Weight] = frozenset({"free", "none"})
LENIENT: frozenset[Weight] = FREE | {"conditional"}
BINDING = ("tpp", "pd", "dram_bw_gbs", "io_bw_gbs", "dram_plus_io_bw_gbs")
GB, MILLION = 1e9, 1e6
DRAWS, SEED = 64, 1


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
class Regime:
    """A set of rules, and how gentle a result must be to count as allowed."""

    name: str
    rules: tuple[str, ...]
    accepted: frozenset[Weight]


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
    bench = _bench(catalogue, request)
    frontier = _bench(
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


# --- running designs ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Bench:
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
        serving = run_serving(self.side, self.serving, world)
        plan = plan_training(self.side, self.training, (self.side.choice.chips,))
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


def _bench(catalogue: Catalogue, request: DesignRequest) -> _Bench:
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
    return _Bench(side, limits, *_tasks(catalogue, request), parent_tpp=tpp, parent_io=io)


def _parent_figures(catalogue: Catalogue, parent: ChipProfile) -> tuple[float, float, float]:
    from sim.policy.metrics import total_processing_performance

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


# --- rules -------------------------------------------------------------------------------------------------


def regimes_of(book: RuleBook, date: datetime.date, destination: str) -> tuple[Regime, ...]:
    """No rule, each rule with a test on speed or bandwidth, its gentler reading, and all that hold on the date together."""
    found = [Regime("no rule", (), FREE)]
    binding = [rule for rule in book.rules if _binds(rule)]
    for rule in binding:
        results = {branch.weight for branch in rule.branches}
        if "free" in results:
            found.append(Regime(f"free of {rule.id}", (rule.id,), FREE))
        if "conditional" in results:
            words = next(b.result for b in rule.branches if b.weight == "conditional").replace("_", " ")
            found.append(Regime(f"{words} under {rule.id}", (rule.id,), LENIENT))
    groups = book.groups(destination)
    in_force = tuple(
        rule.id
        for rule in binding
        if rule.in_force(date) and (not rule.destinations or groups & set(rule.destinations))
    )
    return (*found, Regime(f"free of all in force on {date.isoformat()}", in_force, FREE))


def _binds(rule: Rule) -> bool:
    fields = {leaf.field for branch in rule.branches if branch.test for leaf in comparisons(branch.test)}
    return bool(fields & set(BINDING)) and any(b.weight in ("licence", "barred") for b in rule.branches)


def allowed(
    regime: Regime, designs: Designs, parent: ChipProfile, book: RuleBook, date: datetime.date
) -> NDArray[np.bool_]:
    """Where a regime surely gives no harder result than it accepts."""
    good = np.ones(designs.tpp.shape, dtype=bool)
    item = designs.item(book, parent)
    rules = {rule.id: rule for rule in book.rules}
    for id in regime.rules:
        for weight, may in weights(rules[id], item, book.rules, date).items():
            if weight not in regime.accepted:
                good = good & ~may
    return good


def _edges(book: RuleBook, limits: Limits) -> dict[str, list[float]]:
    """Just under every threshold of every rule, and the physical limit."""
    leaves = [
        leaf
        for rule in book.rules
        if _binds(rule)
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
    bench: _Bench, book: RuleBook, regimes: Sequence[Regime], date: datetime.date, top: Outcome
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


def _drawn_inputs(bench: _Bench, frontier: _Bench) -> dict[str, Vector]:
    """Every uncertain input of both sides and both jobs, drawn once."""
    inputs = uncertain_inputs((bench.side, frontier.side), (bench.training, bench.serving))
    points = sobol_probabilities(DRAWS, len(inputs), SEED)
    return dict(world_at(inputs, points).values)


def _with_intervals(
    found: tuple[Best, ...], bench: _Bench, frontier: _Bench, drawn: Mapping[str, Vector]
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


def _map(bench: _Bench, book: RuleBook, regimes: Sequence[Regime], date: datetime.date) -> DesignMap:
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
