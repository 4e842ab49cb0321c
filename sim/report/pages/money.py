"""Page 2: the money."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sim.report.certainty import endless
from sim.report.content import Interval, ReportContent
from sim.report.figures import slug
from sim.report.numbers import scale_of, with_interval
from sim.report.pages.cells import Data, cell
from sim.report.wording import cost_unit, money_jobs, view_name

Costs = Mapping[str, Interval]


def money_data(content: ReportContent) -> Data:
    heads = money_jobs(content)
    views = [
        view
        for view in ("amortised", "rental", "acquisition")
        if any(view in job.a.cost for job in content.jobs)
    ]
    a, b = content.clusters
    return {
        "lead": (
            "Buying everything (chips, servers, network, storage, facility) takes "
            f"{with_interval(a.purchase_usd, 'USD')} for {a.chips:,} {a.label} and "
            f"{with_interval(b.purchase_usd, 'USD')} for {b.chips:,} {b.label}."
        ),
        "ladders": [f"cost-ladder-{slug(job.id)}" for job in heads],
        "waterfalls": [f"waterfall-{slug(job.id)}" for job in heads],
        "views": [
            {"id": view, "name": view_name(view), "note": content.view_notes.get(view, "")} for view in views
        ],
        "rows": _grouped([*_run_rows(content, views), *_token_rows(content, views)]),
        "endless": endless(
            b.label,
            [],
            [cost for job in content.jobs for side in (job.a, job.b) for cost in side.cost.values()],
        ),
    }


def _run_rows(content: ReportContent, views: Sequence[str]) -> list[Data]:
    """What each job costs: a training run, or a million output tokens."""
    return [_row(job.label, cost_unit(job), (job.a.cost, job.b.cost), views) for job in content.jobs]


def _token_rows(content: ReportContent, views: Sequence[str]) -> list[Data]:
    """What a million trained tokens cost."""
    unit = "USD per million trained tokens"
    trained = [job for job in content.jobs if job.a.token_cost or job.b.token_cost]
    return [_row(job.label, unit, (job.a.token_cost, job.b.token_cost), views) for job in trained]


def _grouped(rows: Sequence[Data]) -> list[Data]:
    """Rows under their unit, units in the order of their first row."""
    units = dict.fromkeys(row["unit"] for row in rows)
    return [{"unit": unit, "rows": [row for row in rows if row["unit"] == unit]} for unit in units]


def _row(label: str, unit: str, sides: tuple[Costs, Costs], views: Sequence[str]) -> Data:
    costs = [side[view] for view in views for side in sides if view in side]
    factor, word = scale_of([cost.p50 for cost in costs])
    cells = []
    for view in views:
        for side in sides:
            interval = side.get(view)
            cells.append(cell(interval, 1 / factor) if interval else ["–", ""])
    return {"label": label, "unit": f"{word} {unit}".strip(), "cells": cells}
