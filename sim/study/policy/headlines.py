"""The numbers of a policy question that are quoted: one value per draw each, with a name and a unit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sim.policy.supply.series import decimal_year
from sim.study.policy.outcomes import (
    bought_ratio,
    chip_costs,
    crossing,
    demand,
    feasible_date,
    hbm_stops_binding,
    largest_run,
    over,
    quarter_at,
    quarters_of,
    ratio,
    run_cost,
    served,
    teacher_cost,
    volume,
)
from sim.study.policy.rates import NAMES, PAPER, SIMULATED
from sim.study.policy.simulate import PolicyResult
from sim.units import DAY

TRILLION = 1e12
Vector = NDArray[np.float64]
Kind: TypeAlias = Literal["amount", "ratio", "date", "money"]


@dataclass(frozen=True, slots=True)
class Headline:
    """One outcome over the draws.

    Attributes
    ----------
    id : str
        "stock:fp16", "ratio:tpp", "feasible", "landed:h200", "cost:smuggled/b300", ...
    kind : str
        Dates are in years and differ in months; ratios and amounts differ by a factor, money by an amount.
    values : (draws,) array
    first : float
        Of a date: the earliest there can be, which stands for anything before it.
    before, never : str
        Of a date: what is said where it is that early, and where it is infinite.
    line : float
        Of a ratio: the value at which the answer turns, such as 1 for what is served over what is asked for.
    """

    id: str
    name: str
    unit: str
    kind: Kind
    values: Vector
    first: float = -np.inf
    before: str = ""
    never: str = "not by the end"
    line: float = np.nan


def gap(a: Vector, b: Vector) -> Vector:
    """A less B draw by draw; two dates that never come do not differ.

    Examples
    --------
    >>> gap(np.array([3.0, np.inf]), np.array([1.0, np.inf])).tolist()
    [2.0, 0.0]
    """
    with np.errstate(invalid="ignore"):
        return np.where(a == b, 0.0, a - b)


def unit_of(metric: str) -> str:
    """What a metric is counted in.

    Examples
    --------
    >>> unit_of("fp8"), unit_of("training")
    ('H100 equivalents by dense FP8', 'training tokens a day')
    """
    if metric in PAPER:
        return f"H100 equivalents by {NAMES[metric]}"
    return {"training": "training tokens a day", "serving": "served tokens a day"}.get(metric, metric)


def quoted(metric: str) -> tuple[float, str]:
    """What one unit of a metric is divided by where it is quoted, and the unit then: tokens go by the trillion."""
    return (TRILLION, f"trillion {unit_of(metric)}") if metric in SIMULATED else (1.0, unit_of(metric))


def quoted_year(result: PolicyResult) -> int:
    """Calendar year whose flows are quoted: that of the date shown, or the last one."""
    date = result.question.scenario.show.date
    end = float(result.horizon.edges[-1])
    return int((decimal_year(date) if date else end) - 1e-6)


def headlines(result: PolicyResult) -> tuple[Headline, ...]:
    """Every number of a question that is quoted."""
    families = (_compute, _memory, _training, _serving, _product, _costs)
    return tuple(headline for family in families for headline in family(result))


def lead(result: PolicyResult) -> str:
    """Id of the outcome that the scenario is about."""
    show = result.question.scenario.show
    metric = show.metrics[0]
    ids = {
        "stock": f"stock:{metric}",
        "ratio": f"ratio:{metric}",
        "bought": f"bought:{metric}",
        "served": "served",
        "feasible": "feasible",
        "hbm": "hbm",
        "landed": f"volume:{show.product}",
        "cost": f"over:{show.costs[1]}" if len(show.costs) > 1 else f"cost:{''.join(show.costs)}",
    }
    return ids[show.outcome]


def one(result: PolicyResult, id: str) -> Headline:
    """One of the headlines, computing no more than its family."""
    family = id.split(":")[0]
    makers = {
        "stock": _compute, "delivered": _compute, "ratio": _compute, "bought": _compute, "chips": _compute, "hbm": _memory,
        "feasible": _training, "largest": _training, "needed": _training, "run-cost": _training,
        "served": _serving, "met": _serving,
        "volume": _product, "landed": _product, "cost": _costs, "price": _costs, "over": _costs,
    }  # fmt: skip
    return next(each for each in makers[family](result) if each.id == id)


def _place(result: PolicyResult) -> str:
    return result.question.own.supply.name


def _compute(result: PolicyResult) -> Iterator[Headline]:
    show = result.question.scenario.show
    quarter, year = quarter_at(result, show.date), quoted_year(result)
    when, place = moment(result), _place(result)
    yield Headline("chips", f"chips at work, {when}", "chips", "amount", result.own.chips()[quarter])
    for metric in show.metrics:
        scale, unit = quoted(metric)
        found = result.own.stock(metric)[quarter] / result.reference(metric) / scale
        yield Headline(f"stock:{metric}", f"compute at work, {when}", unit, "amount", found)
    metric = show.metrics[0]
    scale, unit = quoted(metric)
    bought = result.own.bought(metric)[quarters_of(result, year)].sum(axis=0)
    found = bought / result.reference(metric) / scale
    yield Headline(f"delivered:{metric}", f"compute delivered in {year}", unit, "amount", found)
    if result.rival is None:
        return
    rival = result.rival.country.supply.name
    for metric in show.metrics:
        name = f"{rival} over {place}, compute at work, {when}, by {NAMES[metric]}"
        yield Headline(f"ratio:{metric}", name, "ratio", "ratio", ratio(result, metric)[quarter])
    for metric in show.metrics:
        name = f"{rival} over {place}, compute delivered in {year}, by {NAMES[metric]}"
        yield Headline(f"bought:{metric}", name, "ratio", "ratio", bought_ratio(result, metric, year))


def _memory(result: PolicyResult) -> Iterator[Headline]:
    makers = result.question.own.supply.makers
    if not makers:
        return
    name = f"HBM stops being the scarce input of {makers[0].name}"
    first, before, never = result.horizon.start, "never scarce", "still scarce at the end"
    yield Headline("hbm", name, "date", "date", hbm_stops_binding(result), first, before, never)


def moment(result: PolicyResult) -> str:
    """The date that is shown, in words.

    The end of a quarter stands for the date.
    """
    quarter = quarter_at(result, result.question.scenario.show.date)
    end = float(result.horizon.edges[quarter + 1])
    year = int(end - 0.01)
    return (
        f"end of {year}"
        if abs(end - year - 1) < 0.01
        else f"end of quarter {round((end - year) * 4)} of {year}"
    )


def _training(result: PolicyResult) -> Iterator[Headline]:
    task = result.question.training
    if task is None:
        return
    run = largest_run(result)
    quarter = quarter_at(result, result.question.scenario.show.date)
    name = f"{task.model.name} run becomes feasible"
    first = float(result.horizon.edges[1])
    yield Headline("feasible", name, "date", "date", feasible_date(result), first, "from the start")
    name = f"largest run of {task.model.name} that can start, {moment(result)}"
    yield Headline("largest", name, "trillion training tokens", "amount", run.tokens[quarter] / TRILLION)
    name = f"tokens that the same result takes, {moment(result)}"
    yield Headline("needed", name, "trillion training tokens", "amount", run.needed[quarter] / TRILLION)
    name = f"cost of the run, {moment(result)}"
    yield Headline("run-cost", name, "million USD", "money", run_cost(result, quarter) / 1e6)
    teacher = teacher_cost(result, quarter)
    if teacher.any():
        yield Headline("teacher", "tokens bought of the teacher", "million USD", "money", teacher / 1e6)


def _serving(result: PolicyResult) -> Iterator[Headline]:
    task = result.question.serving
    if task is None:
        return
    quarter = quarter_at(result, result.question.scenario.show.date)
    found = served(result)[quarter] * DAY / TRILLION
    yield Headline(
        "served", f"{task.model.name} tokens served, {moment(result)}", "trillion a day", "amount", found
    )
    if result.question.own.supply.use.demand:
        wanted = demand(result)[quarter] * DAY / TRILLION
        name = f"served over demand, {moment(result)}"
        yield Headline("met", name, "ratio", "ratio", found / wanted, line=1.0)


def _product(result: PolicyResult) -> Iterator[Headline]:
    product = result.question.scenario.show.product
    if product is None:
        return
    border = next(each for each in result.question.own.supply.imports if each.id == product)
    name, year = border.name or product, quoted_year(result)
    chosen = quarters_of(result, year)
    yield Headline(
        f"volume:{product}",
        f"{name} that pass in {year}",
        "chips",
        "amount",
        volume(result, product)[chosen].sum(axis=0),
    )
    quarter = int(chosen[-1])
    found = crossing(result, product)
    yield Headline(
        f"landed:{product}",
        f"{name}: landed cost, {moment(result)}",
        "USD/chip",
        "money",
        found.landed[quarter],
    )


def _costs(result: PolicyResult) -> Iterator[Headline]:
    wanted = result.question.scenario.show.costs
    if not wanted or result.question.serving is None:
        return
    lanes = [(way, chip) for way, chip in (each.split("/") for each in wanted)]
    quarter = quarter_at(result, result.question.scenario.show.date)
    found = chip_costs(result, quarter, lanes)
    names = [f"{result.own.country.sides[each.chip].chip.name} ({each.pathway})" for each in found]
    for name, each in zip(names, found, strict=True):
        key = f"{each.pathway}/{each.chip}"
        yield Headline(f"price:{key}", f"price of a chip, {name}", "USD/chip", "money", each.purchase)
        yield Headline(
            f"cost:{key}", f"cost of a million output tokens, {name}", "USD", "money", each.per_million
        )
    for name, each in zip(names[1:], found[1:], strict=True):
        key = f"{each.pathway}/{each.chip}"
        text = f"cost of output tokens, {names[0]} over {name}"
        ratios = over(found[0].per_million, each.per_million)
        yield Headline(f"over:{key}", text, "ratio", "ratio", ratios, line=1.0)
