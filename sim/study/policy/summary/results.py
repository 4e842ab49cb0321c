"""Tables of results of a policy report."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from sim.report.numbers import bounds, number, whole_percent
from sim.report.policy_content import Row, Table
from sim.study.policy.headlines import Headline, moment, quoted, unit_of
from sim.study.policy.outcomes import quarter_at, quarters_of, ratio
from sim.study.policy.rates import PAPER
from sim.study.policy.study import PolicyStudy
from sim.study.policy.summary.words import account_rows, capital, cell, difference_cell, label, shown_scale
from sim.study.summary.statistics import interval

DELIVERED = "Chips delivered by pathway and kind"
SELDOM = 0.05  # share of the draws below which the value of a unit is not quoted


def result_tables(study: PolicyStudy) -> Iterator[Table]:
    """Outcomes, accounts, metrics, chips, values of one more unit."""
    yield _outcome_table(study)
    yield from _account_tables(study)
    yield _metric_table(study)
    yield _chip_table(study)
    yield _marginal_table(study)


def _outcome_table(study: PolicyStudy) -> Table:
    rows = []
    for each in study.a.headlines:
        a, b = study.headline(each.id)
        scale = shown_scale(a, b)
        row = [label(a, scale[1]), cell(a, scale)]
        if study.b is not None:
            row += ["", ""] if b is None else [cell(b, scale), difference_cell(a, b)]
        rows.append(tuple(row))
    columns = (
        ("Outcome", study.a.label)
        if study.b is None
        else ("Outcome", study.a.label, study.b.label, "Difference")
    )
    note = "Median and 90 % interval. The difference is taken draw by draw, in the same worlds."
    if any(each.kind == "date" for each in study.a.headlines):
        note += " Of dates it is unknown where only one side comes to one before the end."
    return Table("Outcomes", note, columns, tuple(rows), (1.5, 1.1, 1.1, 1.0)[: len(columns)])


def _account_tables(study: PolicyStudy) -> Iterator[Table]:
    a, b = study.headline(study.lead)
    drawn, scale = study.drawn, shown_scale(a, b)
    for branch in drawn.branches:
        if branch.id in drawn.pinned:
            continue
        rows = []
        for index, option in enumerate(branch.options):
            mine, theirs = account_rows(drawn.world.accounts, branch.id, index, a, b)
            share = whole_percent(float(np.mean(drawn.world.accounts[branch.id] == index)))
            row = [option.name or option.id, share, cell(mine, scale)]
            if theirs is not None:
                row += [cell(theirs, scale), difference_cell(mine, theirs)]
            rows.append(tuple(row))
        columns: Row = ("Account", "Draws", study.a.label)
        if study.b is not None and b is not None:
            columns = (*columns, study.b.label, "Difference")
        note = f"{capital(label(a, scale[1]))}: median and 90 % interval. {branch.note}"
        wide = (1.5, 0.5, 1.2, 1.2, 1.2)[: len(columns)]
        yield Table(f"By account: {branch.name}", note, columns, tuple(rows), wide)


def _metric_table(study: PolicyStudy) -> Table:
    """Whether the conclusion survives another metric."""
    quarter = quarter_at(study.a.result, study.a.question.scenario.show.date)
    shown = [*PAPER, *(m for m in study.a.question.scenario.show.metrics if m not in PAPER)]
    sides = [side for side in (study.a, study.b) if side is not None]
    has_rival = study.a.result.rival is not None
    rows = []
    for metric in shown:
        factor, unit = quoted(metric)
        found = [
            Headline(metric, unit, "", "amount", side.result.own.stock(metric)[quarter] / factor / reference)
            for side in sides
            for reference in (side.result.reference(metric),)
        ]
        scale = shown_scale(*found)
        row = [f"{scale[1]} {unit}".strip(), *(cell(each, scale) for each in found)]
        if has_rival:
            over = Headline("ratio", "", "", "ratio", ratio(study.a.result, metric)[quarter])
            row.append(cell(over, (1.0, "")))
        rows.append(tuple(row))
    labels = [side.label for side in sides]
    columns = ("Counted in", *labels, *([f"Rival over own, {study.a.label}"] if has_rival else []))
    note = (
        f"Compute at work, {moment(study.a.result)}. One H100 equivalent is what one H100 SXM has by the same measure. A "
        "format that a chip lacks is counted at the next wider one it has."
    )
    return Table("The same in other metrics", note, columns, tuple(rows))


def _chip_table(study: PolicyStudy) -> Table:
    own, horizon = study.a.result.own, study.a.result.horizon
    years = sorted({int(edge + 1e-6) for edge in horizon.edges[:-1]})
    rows = []
    for index, lane in enumerate(own.course.lanes):
        found = [own.course.arrived[index][quarters_of(study.a.result, year)].sum(axis=0) for year in years]
        if max(float(np.median(x)) for x in found) < 500:
            continue
        cells = [_spread(x) for x in found]
        rows.append((f"{lane.pathway}: {own.country.sides[lane.chip].chip.name}", *cells))
    note = f"Thousand chips a year in {study.a.label}, median and 90 % interval. Chips rented abroad are not delivered."
    return Table(
        DELIVERED,
        note,
        ("", *map(str, years)),
        tuple(rows),
        (1.7, *[1.0] * len(years)),
    )


def _spread(chips: NDArray[np.float64]) -> str:
    low, middle, high = (float(x) for x in np.quantile(chips, (0.05, 0.5, 0.95)))
    if high < 50.0:
        return ""
    return f"{_thousands(middle)} ({_thousands(low)} to {_thousands(high)})"


def _thousands(x: float) -> str:
    return f"{x / 1e3:,.0f}" if x >= 950 or x < 50 else f"{x / 1e3:.1f}"


def _marginal_table(study: PolicyStudy) -> Table:
    metric = study.a.question.scenario.show.metrics[0]
    rows = []
    for each in study.marginals:
        share = float(np.mean(each.counts))
        if share < SELDOM:
            continue
        found = interval(each.value[each.counts])
        rows.append((f"one more {each.name}", whole_percent(share), number(found.p50), bounds(found)))
    note = (
        f"What one unit more, spread over the two years before, adds to the compute at work, {moment(study.a.result)}, in "
        f"{unit_of(metric)}: median and 90 % interval of the draws in which it counts for at least a hundredth of a mean "
        "chip. In the other draws something else is scarce. Below zero: it takes scarce HBM or power from better chips. "
        f"Inputs that count in less than {whole_percent(SELDOM)} of the draws are left out."
    )
    columns = ("", "Draws in which it counts", "Median there", "90 % interval")
    return Table("Value of one more unit of each input", note, columns, tuple(rows), (1.8, 1, 0.8, 1))
