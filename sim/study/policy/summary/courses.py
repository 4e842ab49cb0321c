"""Courses of a policy study over time as the charts take them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from sim.policy.supply.gates import LIMITS
from sim.policy.supply.makers import INPUTS
from sim.policy.supply.series import Matrix, decimal_year, iso_month
from sim.policy.supply.stock import SITE_LIMITS
from sim.report.content import Interval
from sim.report.numbers import number
from sim.report.policy_content import Binding, Fan, FanSeries, Stack, Strip
from sim.study.policy.headlines import TRILLION, one, unit_of
from sim.study.policy.outcomes import demand, largest_run, ratio, served, volume
from sim.study.policy.rates import NAMES, PAPER
from sim.study.policy.simulate import PolicyResult
from sim.study.policy.study import PolicyStudy, Scenario
from sim.study.policy.summary.words import when
from sim.study.summary.statistics import interval
from sim.units import DAY


def fan(
    study: PolicyStudy,
    name: str,
    title: str,
    subtitle: str,
    course: Callable[[PolicyResult], Matrix],
    line: tuple[str, Matrix] | None = None,
    log: bool = False,
) -> Fan:
    """Quantiles of a course for both scenarios; one band where they do not differ."""
    courses = [(side, course(side.result)) for side in _sides(study)]
    if len(courses) == 2 and np.array_equal(courses[0][1], courses[1][1]):
        courses = courses[:1]
    series = tuple(
        FanSeries("a" if index == 0 else "b", side.label, _intervals(values))
        for index, (side, values) in enumerate(courses)
    )
    median = None if line is None else (line[0], tuple(float(x) for x in np.median(line[1], axis=1)))
    return Fan(name, title, subtitle, dates(study), series, past(study), median, log)


def _intervals(values: Matrix) -> tuple[Interval, ...]:
    return tuple(interval(row) for row in values)


def _sides(study: PolicyStudy) -> list[Scenario]:
    return [study.a] if study.b is None else [study.a, study.b]


def dates(study: PolicyStudy) -> tuple[float, ...]:
    """Ends of the quarters [year]."""
    return tuple(float(x) for x in study.a.result.horizon.edges[1:])


def past(study: PolicyStudy) -> float:
    """Until when the supply file is history [year]."""
    return decimal_year(study.a.question.own.supply.as_of or study.a.question.start)


def fans(study: PolicyStudy) -> Iterator[Fan]:
    """Every course worth a chart, that of the leading outcome first."""
    show, place = study.a.question.scenario.show, study.a.question.own.supply.name
    made: dict[str, Fan] = {}
    for metric in show.metrics:
        made[f"stock:{metric}"] = _stock_fan(study, metric, place)
    if study.a.result.rival is not None:
        for metric in show.metrics:
            made[f"ratio:{metric}"] = _ratio_fan(study, metric)
    if study.a.question.training is not None:
        made["feasible"] = _run_fan(study)
    if study.a.question.serving is not None:
        made["served"] = _served_fan(study)
    if show.product is not None:
        made[f"volume:{show.product}"] = _volume_fan(study, show.product)
    leading = study.lead.replace("bought:", "ratio:")  # of what is bought in a year there is no course
    first = leading if leading in made else f"stock:{show.metrics[0]}"
    yield made.pop(first)
    yield from made.values()


def _stock_fan(study: PolicyStudy, metric: str, place: str) -> Fan:
    unit = study.a.result.reference(metric)
    scale, word = (1e6, "million ") if metric in PAPER else (TRILLION, "trillion ")
    course = study.a.result.own.stock(metric) / unit / scale
    first, last = (number(float(np.median(course[row]))) for row in (0, -1))
    title = f"{place}: compute at work by {NAMES[metric]} goes from {first} to {last} {word.strip()}"
    subtitle = f"{word.capitalize()}{unit_of(metric)}, chips rented abroad included. Median, 50 and 90 % of the draws."
    return fan(study, f"stock-{metric}", title, subtitle, lambda r: r.own.stock(metric) / unit / scale)


def _ratio_fan(study: PolicyStudy, metric: str) -> Fan:
    rival = study.a.result.rival
    assert rival is not None
    place, other = study.a.question.own.supply.name, rival.country.supply.name
    last = number(float(np.median(ratio(study.a.result, metric)[-1])))
    title = f"{other} over {place}, compute at work by {NAMES[metric]}: {last} at the end"
    return fan(
        study,
        f"ratio-{metric}",
        title,
        "Ratio. Median, 50 and 90 % of the draws.",
        lambda r: ratio(r, metric),
    )


def _run_fan(study: PolicyStudy) -> Fan:
    task = study.a.question.training
    run = study.a.question.scenario.training
    assert task is not None
    assert run is not None
    needed = largest_run(study.a.result).needed / TRILLION
    days = run.length.median / DAY
    outcome = one(study.a.result, "feasible")
    middle = interval(outcome.values).p50
    date = (
        when(outcome, middle)
        if middle <= outcome.first or np.isinf(middle)
        else f"from {iso_month(middle)} on"
    )
    title = f"{task.model.name} in {number(days, 2)} days: feasible for one developer {date}"
    subtitle = (
        "Trillion training tokens of its largest run, one kind of chip, log axis. Dashed: what it takes."
    )
    return fan(
        study,
        "largest-run",
        title,
        subtitle,
        lambda r: largest_run(r).tokens / TRILLION,
        ("needed", needed),
        log=True,
    )


def _volume_fan(study: PolicyStudy, product: str) -> Fan:
    border = next(each for each in study.a.question.own.supply.imports if each.id == product)
    title = f"{border.name or product}: chips that pass the border"
    subtitle = "Thousand chips a quarter. Median, 50 and 90 % of the draws."
    return fan(study, f"volume-{product}", title, subtitle, lambda r: volume(r, product) / 1e3)


def _served_fan(study: PolicyStudy) -> Fan:
    task = study.a.question.serving
    assert task is not None
    line = None
    if study.a.question.own.supply.use.demand:
        line = ("demand", demand(study.a.result) * DAY / TRILLION)
    course = served(study.a.result) * DAY / TRILLION
    last = number(float(np.median(course[-1])))
    title = f"Serving chips reach {last} trillion tokens of {task.model.name} a day"
    subtitle = "Trillion tokens a day, prompts included. Dashed: demand, held at its last published level."
    return fan(study, "served", title, subtitle, lambda r: served(r) * DAY / TRILLION, line)


# --- parts -------------------------------------------------------------------------------------------------


def stacks(study: PolicyStudy) -> tuple[Stack, ...]:
    """Chips, and compute in the leading metric, by pathway."""
    own, show = study.a.result.own, study.a.question.scenario.show
    metric = show.metrics[0]
    unit = study.a.result.reference(metric)
    scale = 1e6 if metric in PAPER else TRILLION
    ways = own.pathways()
    chips = [(way, own.chips(way) / 1e6) for way in ways]
    compute = [(way, own.stock(metric, way) / unit / scale) for way in ways]
    word = "Million " if metric in PAPER else "Trillion "
    note = "Median total, split by the mean share of each."
    alleged = "Smuggling and proxy foundry: alleged."
    return (
        _stack(study, "chips-by-pathway", "Chips at work by pathway", f"Million chips. {note} {alleged}", chips),
        _stack(study, "compute-by-pathway", f"{NAMES[metric][0].upper()}{NAMES[metric][1:]} by pathway",
               f"{word}{unit_of(metric)}. {note}", compute),
    )  # fmt: skip


def _stack(
    study: PolicyStudy, name: str, title: str, subtitle: str, parts: list[tuple[str, Matrix]]
) -> Stack:
    whole = np.asarray(sum(values for _, values in parts))
    middle = np.median(whole, axis=1)
    layers = []
    for label, values in parts:
        share = np.mean(np.divide(values, whole, out=np.zeros_like(values), where=whole > 0), axis=1)
        if share.max() > 0.0:
            layers.append((label, tuple(float(x) for x in middle * share)))
    return Stack(name, title, subtitle, dates(study), tuple(layers), past(study))


def binding(study: PolicyStudy) -> Binding | None:
    """Which input is the scarce one: of every maker, of the leading import, of the sites."""
    own = study.a.result.own
    supply = own.country.supply
    strips = [
        Strip(maker.name.split(",")[0], _shares(own.course.binding[row], INPUTS))
        for row, maker in enumerate(supply.makers)
    ]
    product = study.a.question.scenario.show.product
    if product is not None:
        border = next(each for each in supply.imports if each.id == product)
        strips.append(
            Strip(border.name or product, _shares(own.resolved.borders[product].passed.binding, LIMITS))
        )
    strips.append(Strip("putting chips to work", _shares(own.course.site_binding, SITE_LIMITS)))
    if not strips:
        return None
    title = "What keeps more chips from coming"
    subtitle = "Share of the draws in which each input is the scarce one, by quarter."
    return Binding(title, subtitle, dates(study), tuple(strips))


def _shares(codes: NDArray[np.int64], names: tuple[str, ...]) -> tuple[tuple[str, tuple[float, ...]], ...]:
    found = [
        (name, tuple(float(x) for x in (codes == index).mean(axis=1))) for index, name in enumerate(names)
    ]
    return tuple((name, shares) for name, shares in found if any(shares))
