"""Page 2: the money."""

from __future__ import annotations

from collections.abc import Sequence

from sim.report.content import JobContent, ReportContent
from sim.report.figures import slug
from sim.report.numbers import scale_of, with_interval
from sim.report.pages.cells import Data, cell
from sim.report.wording import cost_unit, money_jobs, view_name


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
        "rows": _grouped([_money_row(job, views) for job in content.jobs]),
    }


def _grouped(rows: Sequence[Data]) -> list[Data]:
    """Rows under their unit, units in the order of their first row."""
    units = dict.fromkeys(row["unit"] for row in rows)
    return [{"unit": unit, "rows": [row for row in rows if row["unit"] == unit]} for unit in units]


def _money_row(job: JobContent, views: Sequence[str]) -> Data:
    costs = [side.cost[view] for view in views for side in (job.a, job.b) if view in side.cost]
    factor, word = scale_of([cost.p50 for cost in costs])
    cells = []
    for view in views:
        for side in (job.a, job.b):
            interval = side.cost.get(view)
            cells.append(cell(interval, 1 / factor) if interval else ["–", ""])
    return {"label": job.label, "unit": f"{word} {cost_unit(job)}".strip(), "cells": cells}
