"""A policy study as a long table, and as one record with everything that is needed to quote it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import pandas as pd

from sim.policy.supply.series import iso_month
from sim.report.policy_content import PolicyContent
from sim.study.policy.headlines import Headline, gap, unit_of
from sim.study.policy.simulate import CountryRun
from sim.study.policy.study import PolicyStudy, Scenario
from sim.study.policy.summary.inputs import end_text
from sim.study.summary.statistics import interval

COLUMNS = (
    "scenario",
    "country",
    "quantity",
    "pathway",
    "chip",
    "unit",
    "quarter_end",
    "p05",
    "p25",
    "p50",
    "p75",
    "p95",
)


def results_table(study: PolicyStudy) -> pd.DataFrame:
    """Quantiles in long form: chips by pathway and kind and compute by metric at the end of every quarter; outcomes."""
    rows: list[tuple[Any, ...]] = []
    for side in (study.a, study.b):
        if side is not None:
            rows += list(_rows(side))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _rows(side: Scenario) -> Iterator[tuple[Any, ...]]:
    for run in (side.result.own, side.result.rival):
        if run is not None:
            yield from _chips(side, run)
            yield from _compute(side, run)
    own = side.question.own.supply.id
    for each in side.headlines:
        yield (side.label, own, each.name, "", "", each.unit, "", *_quantiles(each.values))


def _chips(side: Scenario, run: CountryRun) -> Iterator[tuple[Any, ...]]:
    for index, lane in enumerate(run.course.lanes):
        for name in ("made", "arrived", "installed", "waiting", "in_transit", "failed", "retired"):
            values = getattr(run.course, name)[index]
            if not values.any():
                continue
            for quarter, end in enumerate(side.result.horizon.edges[1:]):
                yield (side.label, run.country.supply.id, f"chips {name}", lane.pathway, lane.chip, "chips",
                       iso_month(end), *_quantiles(values[quarter]))  # fmt: skip


def _compute(side: Scenario, run: CountryRun) -> Iterator[tuple[Any, ...]]:
    for metric in side.question.scenario.show.metrics:
        unit = side.result.reference(metric)
        for way in (None, *run.pathways()):
            values = run.stock(metric, way) / unit
            for quarter, end in enumerate(side.result.horizon.edges[1:]):
                yield (side.label, run.country.supply.id, f"compute at work, {metric}", way or "all", "", unit_of(metric),
                       iso_month(end), *_quantiles(values[quarter]))  # fmt: skip


def _quantiles(values: Any) -> tuple[float, ...]:
    found = interval(values)
    return found.p05, found.p25, found.p50, found.p75, found.p95


def policy_record(study: PolicyStudy, content: PolicyContent) -> dict[str, Any]:
    """Outcomes of both sides, differences, what moves them, values of one more unit, and how to run it again."""
    return {
        "identity": asdict(content.identity),
        "question": content.title,
        "a": study.a.label,
        "b": study.b.label if study.b else None,
        "lead": study.lead,
        "accounts": dict(study.drawn.pinned),
        "answers": list(content.answers),
        "outcomes": [_outcome(study, each) for each in study.a.headlines],
        "tornado": _moved(study, study.moved),
        "tornado_of_difference": None
        if study.moved_difference is None
        else _moved(study, study.moved_difference),
        "marginal": [
            {
                "input": each.name,
                "unit": each.unit,
                "mean": float(each.value.mean()),
                "share_of_draws": float(each.counts.mean()),
                **asdict(interval(each.value)),
            }
            for each in study.marginals
        ],
    }


def _outcome(study: PolicyStudy, headline: Headline) -> dict[str, Any]:
    a, b = study.headline(headline.id)
    record: dict[str, Any] = {
        "id": a.id,
        "name": a.name,
        "unit": a.unit,
        "kind": a.kind,
        "a": asdict(interval(a.values)),
    }
    if b is not None:
        record |= {"b": asdict(interval(b.values)), "difference": asdict(interval(gap(a.values, b.values)))}
    return record


def _moved(study: PolicyStudy, moved: tuple[float, list[Any]]) -> dict[str, Any]:
    return {
        "median": moved[0],
        "inputs": [
            {
                "path": each.name,
                "at_low": each.at_low,
                "at_high": each.at_high,
                "rank_correlation": each.correlation,
                "low": end_text(study, each, 0),
                "high": end_text(study, each, 1),
            }
            for each in moved[1]
        ],
    }
