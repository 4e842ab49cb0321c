"""Tables of results of a policy report."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sim.report.numbers import bounds, number, percent
from sim.report.policy_content import Row, Table
from sim.study.policy.headlines import Headline, moment, unit_of
from sim.study.policy.outcomes import quarter_at, quarters_of, ratio
from sim.study.policy.rates import NAMES, PAPER
from sim.study.policy.study import PolicyStudy
from sim.study.policy.summary.words import account_rows, difference, short_interval
from sim.study.summary.statistics import interval


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
        median, spread = short_interval(a)
        row = [
            f"{a.name}" + (f" [{a.unit}]" if a.kind in ("amount", "money") else ""),
            f"{median} ({spread})",
        ]
        if study.b is not None and b is None:
            row += ["", ""]
        elif b is not None:
            other, other_spread = short_interval(b)
            gap, gap_spread = difference(a, b)
            row += [f"{other} ({other_spread})", f"{gap}" + (f" ({gap_spread})" if gap_spread else "")]
        rows.append(tuple(row))
    columns = (
        ("Outcome", study.a.label)
        if study.b is None
        else ("Outcome", study.a.label, study.b.label, "Difference")
    )
    note = "Median and 90 % interval. The difference is taken draw by draw, in the same worlds."
    return Table("Outcomes", note, columns, tuple(rows), (1.5, 1.1, 1.1, 1.0)[: len(columns)])


def _account_tables(study: PolicyStudy) -> Iterator[Table]:
    a, b = study.headline(study.lead)
    for branch in study.drawn.branches:
        if branch.id in study.drawn.pinned:
            continue
        rows = []
        for index, option in enumerate(branch.options):
            mine, theirs = account_rows(study.drawn.world.accounts, branch.id, index, a, b)
            row = [
                option.name or option.id,
                f"{np.mean(study.drawn.world.accounts[branch.id] == index):.0%}",
                *_pair(mine),
            ]
            if theirs is not None:
                row += [short_interval(theirs)[0], difference(mine, theirs)[0]]
            rows.append(tuple(row))
        columns: Row = ("Account", "Draws", "Median", "90 % interval")
        if b is not None:
            columns = (*columns, "Other side", "Difference")
        note = f"{a.name}. {branch.note}"
        yield Table(
            f"By account: {branch.name}", note, columns, tuple(rows), (2, 0.6, 1, 1.3, 1, 1.1)[: len(columns)]
        )


def _pair(headline: Headline) -> tuple[str, str]:
    return short_interval(headline)


def _metric_table(study: PolicyStudy) -> Table:
    """Whether the conclusion survives another metric."""
    quarter = quarter_at(study.a.result, study.a.question.scenario.show.date)
    shown = [*PAPER, *(m for m in study.a.question.scenario.show.metrics if m not in PAPER)]
    has_rival = study.a.result.rival is not None
    rows = []
    for metric in shown:
        unit = study.a.result.reference(metric)
        row = [f"{NAMES[metric]} [{unit_of(metric)}]"]
        for side in (study.a, study.b):
            if side is not None:
                found = interval(side.result.own.stock(metric)[quarter] / unit)
                row.append(f"{number(found.p50)} ({bounds(found)})")
        if has_rival:
            spread = interval(ratio(study.a.result, metric)[quarter])
            row.append(f"{number(spread.p50)} ({bounds(spread)})")
        rows.append(tuple(row))
    labels = [side.label for side in (study.a, study.b) if side is not None]
    columns = ("Metric", *labels, *(["Rival over own, " + study.a.label] if has_rival else []))
    note = f"Compute at work, {moment(study.a.result)}. A format that a chip lacks is counted at the next wider one it has."
    return Table("The same in other metrics", note, columns, tuple(rows))


def _chip_table(study: PolicyStudy) -> Table:
    own, horizon = study.a.result.own, study.a.result.horizon
    years = sorted({int(edge + 1e-6) for edge in horizon.edges[:-1]})
    rows = []
    for index, lane in enumerate(own.course.lanes):
        found = [own.course.arrived[index][quarters_of(study.a.result, year)].sum(axis=0) for year in years]
        if max(float(np.median(x)) for x in found) < 500:
            continue
        cells = [
            f"{_thousands(np.median(x))} ({_thousands(np.quantile(x, 0.05))}–{_thousands(np.quantile(x, 0.95))})"
            for x in found
        ]
        rows.append((f"{lane.pathway}: {own.country.sides[lane.chip].chip.name}", *cells))
    note = f"Thousand chips a year in {study.a.label}, median and 90 % interval. Chips rented abroad are not delivered."
    return Table(
        "Chips delivered by pathway and kind",
        note,
        ("", *map(str, years)),
        tuple(rows),
        (1.7, *[1.0] * len(years)),
    )


def _thousands(x: float) -> str:
    return f"{x / 1e3:,.0f}" if x >= 950 or x < 50 else f"{x / 1e3:.1f}"


def _marginal_table(study: PolicyStudy) -> Table:
    metric = study.a.question.scenario.show.metrics[0]
    rows = []
    for each in study.marginals:
        found = interval(each.value)
        binds = float(np.mean(np.abs(each.value) > 0.005))
        if not binds:
            continue
        rows.append(
            (
                f"one more {each.name}",
                number(float(np.mean(each.value))),
                f"{number(found.p05)} to {number(found.p95)}",
                percent(binds),
            )
        )
    note = (
        f"Change of the compute at work, {moment(study.a.result)}, in {unit_of(metric)}, for one unit more, spread over "
        "the two years before. Below zero: it takes scarce HBM or power from better chips."
    )
    return Table(
        "Value of one more unit of each input",
        note,
        ("", "Mean", "90 % interval", "Draws in which it counts"),
        tuple(rows),
    )
