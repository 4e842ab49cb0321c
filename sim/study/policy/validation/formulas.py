"""What the formula column of a table of published policy figures may say, and its value."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.economics.ownership import purchase, total
from sim.policy.metrics import total_processing_performance
from sim.policy.supply.flow import DOMESTIC, PROXY
from sim.policy.supply.makers import INPUTS
from sim.policy.supply.wafers import gross_dies
from sim.profiles.catalogue import Catalogue
from sim.profiles.messages import InputError, Problem, unknown_id
from sim.profiles.scenario import ClusterChoice
from sim.resolve import MEDIAN
from sim.study.cluster import resolve_cluster
from sim.study.policy.headlines import one
from sim.study.policy.outcomes import bought_ratio, quarter_at, quarters_of
from sim.study.policy.question import load_policy
from sim.study.policy.simulate import PolicyResult, simulate_policy
from sim.study.policy.worlds import drawn_world
from sim.study.question import Side, load_side, uncertain_inputs
from sim.study.worlds import sobol_probabilities, world_at
from sim.units import HOUR, did_you_mean

Value = float | NDArray[np.float64]
OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.Pow: operator.pow, ast.USub: operator.neg,
}  # fmt: skip


@dataclass
class Formulas:
    """Functions that a formula may call; every scenario is run once, in the same number of draws.

    A value is a number, or an array over draws where it is uncertain.
    """

    catalogue: Catalogue
    draws: int
    seed: int
    _results: dict[str, PolicyResult] = field(default_factory=dict)

    def value(self, formula: str) -> Value:
        """Value of a formula such as ``tpp("b30a") / tpp("h20")``.

        Raises
        ------
        InputError
            When it is no formula, or calls what is not there.
        """
        try:
            tree = ast.parse(formula, mode="eval")
        except SyntaxError as error:
            raise InputError([Problem(f'formula "{formula}": {error.msg}')]) from None
        return self._of(tree.body, formula)

    def _of(self, node: ast.AST, formula: str) -> Any:
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float | str):
            return node.value
        if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
            return OPERATORS[type(node.op)](self._of(node.left, formula), self._of(node.right, formula))
        if isinstance(node, ast.UnaryOp) and type(node.op) in OPERATORS:
            return OPERATORS[type(node.op)](self._of(node.operand, formula))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
            known = {name[1:]: getattr(self, name) for name in dir(self) if name.startswith("f")}
            function = known.get("_" + node.func.id)
            if function is None:
                names = [name[1:] for name in known]
                hint = did_you_mean(node.func.id, names) or f"; there is {', '.join(sorted(names))}"
                raise InputError([Problem(f'formula "{formula}": no function "{node.func.id}"{hint}')])
            return function(*(self._of(argument, formula) for argument in node.args))
        raise InputError(
            [Problem(f'formula "{formula}": only numbers, names of files in quotes, + - * / ** and calls')]
        )

    # --- chips ---------------------------------------------------------------------------------------------

    def f_tpp(self, chip: str) -> Value:
        """TPP of a chip at its median."""
        peaks = {str(name): rate.median for name, rate in self.catalogue.chip(chip).compute.matrix.items()}
        return total_processing_performance(peaks)

    def f_price(self, chip: str) -> Value:
        """Price of a chip [USD]."""
        price = self.catalogue.chip(chip).price
        return float("nan") if price is None else price.median

    def f_gross_dies(self, area: float) -> Value:
        """Dies per wafer."""
        return gross_dies(area)

    def f_sqrt(self, x: Value) -> Value:
        """Square root."""
        return np.sqrt(x)

    # --- scenarios -----------------------------------------------------------------------------------------

    def f_outcome(self, scenario: str, id: str) -> Value:
        """A headline of a policy scenario over the draws."""
        return one(self._result(scenario), id).values

    def f_bought_ratio(self, scenario: str, metric: str, year: int) -> Value:
        """Compute bought in a year, rival over own."""
        return bought_ratio(self._result(scenario), metric, year)

    def f_made(self, scenario: str, maker: str, year: int) -> Value:
        """Packages of a maker in a year."""
        result = self._result(scenario)
        found = next(each for each in result.own.country.supply.makers if each.id == maker)
        chosen = quarters_of(result, year)
        lanes = [(way, product.id) for way in (DOMESTIC, PROXY) for product in found.products]
        return np.asarray(sum(result.own.course.total("made", *lane)[chosen].sum(axis=0) for lane in lanes))

    def f_binds(self, scenario: str, maker: str, input: str, year: int) -> Value:
        """Share of draws and quarters of a year in which an input is the scarce one for a maker."""
        result = self._result(scenario)
        row = [each.id for each in result.own.country.supply.makers].index(maker)
        chosen = result.own.course.binding[row, quarters_of(result, year)]
        return float((chosen == INPUTS.index(input)).mean())

    def f_domestic_share(self, scenario: str, metric: str, year: int) -> Value:
        """Domestic chips delivered in a year over those of the rival."""
        result = self._result(scenario)
        assert result.rival is not None
        chosen = quarters_of(result, year)
        own = sum(result.own.bought(metric, way)[chosen].sum(axis=0) for way in (DOMESTIC, PROXY))
        return np.asarray(own / result.rival.bought(metric)[chosen].sum(axis=0))

    def f_pathway_share(
        self, scenario: str, pathway: str, metric: str, date: str, without: str = ""
    ) -> Value:
        """Share of a pathway in the compute at work; ``without`` leaves out kinds of chip, joined by +."""
        result = self._result(scenario)
        quarter = quarter_at(result, date)
        own = result.own
        kinds = {lane.chip for lane in (*own.course.lanes, *own.resolved.remote)} - set(without.split("+"))

        def compute(way: str | None) -> NDArray[np.float64]:
            return np.asarray(
                sum(own.chips(way, chip)[quarter] * own.worth(chip, metric)[quarter] for chip in kinds)
            )

        return np.asarray(compute(pathway) / compute(None))

    def f_sent(self, scenario: str, pathway: str, year: int) -> Value:
        """Chips finished or sent off on a pathway in a year."""
        result = self._result(scenario)
        return result.own.course.total("made", pathway)[quarters_of(result, year)].sum(axis=0)

    def f_rival_stock(self, scenario: str, metric: str, date: str) -> Value:
        """Compute at work of the rival in the metric's own unit."""
        result = self._result(scenario)
        assert result.rival is not None
        return result.rival.stock(metric)[quarter_at(result, date)] / result.reference(metric)

    def f_stock(self, scenario: str, metric: str, pathway: str, date: str) -> Value:
        """Compute at work by a pathway ("all") in the metric's own unit."""
        result = self._result(scenario)
        way = None if pathway == "all" else pathway
        return result.own.stock(metric, way)[quarter_at(result, date)] / result.reference(metric)

    def f_domestic_value(self, scenario: str, year: int) -> Value:
        """Domestic chips delivered in a year at the prices of their files [USD bn]."""
        result = self._result(scenario)
        chosen = quarters_of(result, year)
        worth: Any = 0.0
        for index, lane in enumerate(result.own.course.lanes):
            price = result.own.country.sides[lane.chip].chip.price
            if lane.pathway in (DOMESTIC, PROXY) and price is not None and not price.is_unknown:
                worth = worth + result.own.course.arrived[index][chosen].sum(axis=0) * result.world.values(
                    price
                )
        return np.asarray(worth) / 1e9

    def _result(self, scenario: str) -> PolicyResult:
        if scenario not in self._results:
            id, _, account = scenario.partition("@")
            question = load_policy(self.catalogue, id)
            matters = {branch.id: {option.id for option in branch.options} for branch in question.branches}
            pinned = {branch: account for branch, options in matters.items() if account in options}
            if account and not pinned:
                known = [option for options in matters.values() for option in options]
                raise InputError([Problem(f'"{scenario}": {unknown_id("account", account, known)}')])
            world = drawn_world([question], self.draws, self.seed, pinned).world
            self._results[scenario] = simulate_policy(question, world)
        return self._results[scenario]

    # --- money ---------------------------------------------------------------------------------------------

    def f_upfront(self, system: str, region: str) -> Value:
        """Cash for one chip with server and network, building left out [USD/chip], at the median."""
        blocks = purchase(resolve_cluster(self._side(system, region), MEDIAN).ownership)
        return float(sum(np.ravel(usd)[0] for name, usd in blocks.items() if name != "facility"))

    def f_hourly(self, system: str, region: str) -> Value:
        """Owning and running one chip with all around it at full load [USD/chip/hour], over the draws."""
        return np.asarray(total(self._amortised(system, region))) * HOUR

    def f_energy_share(self, system: str, region: str) -> Value:
        """Power in the cost of hardware and power, over the draws."""
        blocks = self._amortised(system, region)
        power = np.asarray(blocks["power"])
        hardware = sum(np.asarray(blocks[name]) for name in ("chip", "server", "network") if name in blocks)
        return np.asarray(power / (power + hardware))

    def f_share_below(self, values: Value, limit: float) -> Value:
        """Share of the draws below a limit."""
        return float(np.mean(np.asarray(values) < limit))

    def _amortised(self, system: str, region: str) -> Mapping[str, Any]:
        """Cost of owning one chip under full load by block [USD/chip/s], over the draws."""
        side = self._side(system, region)
        inputs = uncertain_inputs((side,), ())
        world = world_at(inputs, sobol_probabilities(self.draws, len(inputs), self.seed))
        cluster = resolve_cluster(side, world)
        return cluster.cost_blocks(cluster.power(1.0))["amortised"]

    def _side(self, system: str, region: str) -> Side:
        chips = self.catalogue.system(system).chips_per_server
        side = load_side(self.catalogue, ClusterChoice(system=system, chips=chips, region=region))
        return replace(side, rents=None, rent=None)  # what is owned: rents are no input


def spread(value: Value) -> tuple[float, float, float]:
    """5, 50 and 95 % of a value over the draws."""
    array = np.ravel(np.asarray(value, dtype=float))
    array = array[~np.isnan(array)]
    if not len(array):
        return (math.nan,) * 3
    low, middle, high = np.quantile(array, (0.05, 0.5, 0.95))
    return float(low), float(middle), float(high)
