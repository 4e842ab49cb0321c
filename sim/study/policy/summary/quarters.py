"""The course of a policy question quarter by quarter, and what moves it, as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from sim.policy.supply.flow import PROXY
from sim.policy.supply.gates import LIMITS
from sim.policy.supply.makers import INPUTS
from sim.report.numbers import plain_number, scale_of, whole_percent
from sim.report.policy_content import Table
from sim.study.policy.headlines import Headline, moment, quoted
from sim.study.policy.outcomes import quarter_at
from sim.study.policy.resolve import SMUGGLED
from sim.study.policy.sensitivity import Moved
from sim.study.policy.simulate import CountryRun
from sim.study.policy.study import PolicyStudy
from sim.study.policy.summary.inputs import end_text, input_words
from sim.study.policy.summary.words import capital, cell, shown_scale, when

ALLEGED = {SMUGGLED, PROXY}
LEAST = 0.005  # share below which a pathway or an input is not named
SHOWN = 5  # inputs of a tornado in a terminal


def quarter_table(study: PolicyStudy) -> Table:
    """Chips delivered by pathway, compute at work and the scarce input at the end of every quarter of A."""
    result = study.a.result
    own, metric = result.own, study.a.question.scenario.show.metrics[0]
    factor, unit = quoted(metric)
    stock = own.stock(metric) / result.reference(metric) / factor
    scale = shown_scale(Headline(metric, "", "", "amount", stock[-1]))
    ways = [way for way in own.pathways() if own.course.total("arrived", way).any()]
    scarce = list(_scarce(study, own))
    rows = []
    for quarter in range(result.horizon.quarters):
        chips = [np.median(own.course.total("arrived", way)[quarter]) / 1e3 for way in ways]
        at_work = Headline(metric, "", "", "amount", stock[quarter])
        rows.append(
            (
                _quarter(float(result.horizon.edges[quarter])),
                *(f"{each:,.0f}" for each in chips),
                cell(at_work, scale),
                *(_most(codes[quarter], names) for _, codes, names in scarce),
            )
        )
    counted = f"{scale[1]} {unit}".strip()
    note = (
        f"{capital(study.a.label)}. Delivered in the quarter by pathway: thousand chips, medians, which need not add up. At "
        f"work at its end, rented abroad included: {counted}, median and 90 % interval. Scarce: what most draws lack, with "
        "their share."
    )
    columns = ("Quarter", *ways, "At work", *(f"Scarce: {name}" for name, _, _ in scarce))
    return Table("By quarter", note, columns, tuple(rows))


def _scarce(study: PolicyStudy, own: CountryRun) -> Iterator[tuple[str, NDArray[np.int64], tuple[str, ...]]]:
    """Whose input, its codes (quarters, draws), and what they mean: the leading import, or the first maker."""
    supply, product = own.country.supply, study.a.question.scenario.show.product
    for border in supply.imports:
        if border.id == product:
            yield border.name or border.id, own.resolved.borders[border.id].passed.binding, LIMITS
    for row, maker in enumerate(supply.makers[:1]):
        yield maker.name.split(",")[0], own.course.binding[row], INPUTS


def course_sentences(study: PolicyStudy) -> Iterator[str]:
    """Which pathway brings how much of the compute at work at the date shown, and which input is then scarce."""
    result = study.a.result
    own, show = result.own, study.a.question.scenario.show
    quarter = quarter_at(result, show.date)
    whole = own.stock(show.metrics[0])[quarter]
    parts = {way: own.stock(show.metrics[0], way)[quarter] / whole for way in own.pathways()}
    ranked = sorted(parts.items(), key=lambda each: -float(np.median(each[1])))
    told = ", ".join(f"{way} {_share(values)}" for way, values in ranked if np.median(values) >= LEAST)
    if len(ranked) > 1:
        alleged = "; smuggling and the proxy foundry are alleged" if ALLEGED & set(parts) else ""
        yield f"By pathway, {moment(result)}: {told}; medians with 90 % intervals{alleged}."
    for name, codes, names in _scarce(study, own):
        counts = np.bincount(codes[quarter], minlength=len(names)) / len(codes[quarter])
        ranked_inputs = [i for i in np.argsort(-counts, kind="stable") if counts[i] >= LEAST]
        inputs = ", ".join(f"{names[i]} in {whole_percent(float(counts[i]))}" for i in ranked_inputs)
        yield f"Scarce for {name} in {_quarter(float(result.horizon.edges[quarter]))}: {inputs} of the draws."


def _share(values: NDArray[np.float64]) -> str:
    low, middle, high = (float(x) for x in np.quantile(values, (0.05, 0.5, 0.95)))
    return f"{whole_percent(middle)} ({100 * low:.0f} to {whole_percent(high)})"


def _most(codes: NDArray[np.int64], names: Sequence[str]) -> str:
    counts = np.bincount(codes, minlength=len(names))
    most = int(counts.argmax())
    return f"{names[most]} ({whole_percent(counts[most] / len(codes))})"


def _quarter(start: float) -> str:
    """Name of a quarter.

    Examples
    --------
    >>> _quarter(2025.75)
    '2025 Q4'
    """
    year = int(start + 1e-6)
    return f"{year} Q{round((start - year) * 4) + 1}"


def moved_tables(study: PolicyStudy) -> Iterator[Table]:
    """The first bars of the tornados as lines."""
    a, _ = study.headline(study.lead)
    if study.moved[1]:
        yield _moved_table(study, f"What moves it: {a.name}", study.moved, a)
    if study.moved_difference is not None and study.moved_difference[1]:
        unit = "months" if a.kind == "date" else "" if a.kind == "ratio" else a.unit
        gap = Headline(a.id, a.name, unit, "money", a.values)
        yield _moved_table(study, "What moves the difference", study.moved_difference, gap)


def _moved_table(
    study: PolicyStudy, title: str, moved: tuple[float, list[Moved]], outcome: Headline
) -> Table:
    shown = moved[1][:SHOWN]
    scale = (
        (1.0, "") if outcome.kind == "date" else scale_of([x for e in shown for x in (e.at_low, e.at_high)])
    )

    def text(value: float) -> str:
        return when(outcome, value) if outcome.kind == "date" else plain_number(value / scale[0])

    rows = []
    for each in shown:
        name, owner = input_words(study, each)
        ends = (end_text(study, each, 0), end_text(study, each, 1))
        rows.append((f"{name} ({owner})", *ends, text(each.at_low), text(each.at_high)))
    counted = f"{scale[1]} {outcome.unit if outcome.kind in ('amount', 'money') else ''}".strip()
    note = f"All other inputs at their median; all of them there: {text(moved[0])}."
    heads = ("10th percentile", "90th percentile", "Outcome at the 10th", "at the 90th")
    return Table(
        f"{title} [{counted}]" if counted else title, note, ("Input", *heads), tuple(rows), left=True
    )
