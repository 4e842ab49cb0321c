"""One page for each job."""

from __future__ import annotations

from collections.abc import Mapping

from sim.report.certainty import headline_origin
from sim.report.content import Interval, JobContent, JobSide, ReportContent
from sim.report.figures import slug
from sim.report.numbers import number, scale_of, whole_percent
from sim.report.pages.answer import marked_runs
from sim.report.pages.cells import Data, cell, dates
from sim.report.verdicts import job_sentence
from sim.report.wording import capital, view_name, views_of


def job_data(content: ReportContent, job: JobContent) -> Data:
    a, b = content.clusters
    name = slug(job.id)
    training = job.kind == "training"
    return {
        "kind": "Training" if training else "Serving",
        "training": training,
        "label": job.label,
        "description": job.description,
        "sentence": marked_runs(content, job_sentence(content, job)),
        "rounded": _rounded(job, b.label),
        "origin": headline_origin(content, job),
        "rows": _training_rows(job) if training else _serving_rows(job),
        "layouts": [
            {
                "key": cluster.key,
                "label": cluster.label,
                "layout": side.layout,
                "reason": capital(side.layout_reason),
                "verdict": f"{capital(side.verdict).rstrip('.')}." if side.verdict else "",
            }
            for cluster, side in ((a, job.a), (b, job.b))
        ],
        "limits": _limits(job),
        "warnings": list(job.warnings),
        "charts": {
            kind: f"{kind}-{name}"
            for kind in (
                "breakdown",
                "waterfall",
                "timeline",
                "wall-time",
                "calendar",
                "stops",
                "frontier",
                "utilisation",
            )
        },
    }


def _rounded(job: JobContent, label: str) -> str:
    count = job.equal_count_rounded
    return "" if count is None else f"In whole units of purchase: {count:,} {label}."


def _limits(job: JobContent) -> list[list[str]]:
    """Phase by phase, what takes the time on A and on B and what holds the load, and how busy the chips that read are."""
    sides = (job.a, job.b)
    rows = [
        [phase, *(_limit(side, phase) for side in sides)]
        for phase in {**(job.a.limits or {}), **(job.b.limits or {})}
    ]
    if any(side.prefill_utilisation for side in sides):
        rows.append(["use in prefill", *(_shares(side.prefill_utilisation) for side in sides)])
    return rows


def _limit(side: JobSide, phase: str) -> str:
    """Shares of the step by kind of limit, then what holds the batch or the load."""
    words = (side.limits or {}).get(phase, "–")
    if phase not in side.bounds:
        return words
    return "; ".join([_shares(side.bounds[phase]), *words.split("; ")[1:]])


_SHORT = {
    "matrix throughput": "matrix",
    "matrix units": "matrix",
    "memory bandwidth": "memory",
    "network bandwidth": "network",
    "launches and network latency": "latency",
}


def _shares(shares: Mapping[str, float]) -> str:
    """Shares of a twentieth and more, largest first."""
    ranked = sorted(shares.items(), key=lambda item: -item[1])
    return (
        ", ".join(
            f"{_SHORT.get(name, name)} {whole_percent(share)}" for name, share in ranked if share >= 0.05
        )
        or "–"
    )


def _row(name: str, unit: str, pair: tuple[Interval | None, Interval | None], factor: float = 1.0) -> Data:
    scale, word = scale_of([factor * interval.p50 for interval in pair if interval])
    cells = [cell(interval, factor / scale) for interval in pair]
    return {"name": name, "unit": f"{word} {unit}".strip(), "cells": cells}


def _cost_rows(job: JobContent, prefix: str = "Cost") -> list[Data]:
    unit = "USD" if job.kind == "training" else "USD/M output"
    return [
        _row(f"{prefix}, {view_name(view).lower()}", unit, (job.a.cost.get(view), job.b.cost.get(view)))
        for view in views_of(job.a.cost)
    ]


def _training_rows(job: JobContent) -> list[Data]:
    a, b = job.a, job.b
    rows = [_row("Time to finish", "days", (a.wall_days, b.wall_days))]
    if a.end_date and b.end_date:
        rows.append({"name": "Last day", "unit": "", "cells": [dates(a.end_date), dates(b.end_date)]})
    rows += [
        _row("Throughput", "tokens/s", (a.throughput, b.throughput)),
        _row("Per chip", "tokens/s", (a.throughput_per_chip, b.throughput_per_chip)),
        _row("Step", "s", (a.step_time_s, b.step_time_s)),
        _row("MFU", "%", (a.mfu, b.mfu), 100),
        _row("Goodput", "% of calendar", (a.goodput, b.goodput), 100),
    ]
    if a.stops is not None and b.stops is not None:
        rows.append(
            {
                "name": "Interruptions",
                "unit": "per run",
                "cells": [[number(x, 2), ""] for x in (a.stops, b.stops)],
            }
        )
    rows += [_row("Power", "MW", (a.power_mw, b.power_mw)), _row("Energy", "GWh", (a.energy, b.energy))]
    rows += _cost_rows(job)
    for view in views_of(a.token_cost)[:1]:
        name = f"Per million tokens, {view_name(view).lower()}"
        rows.append(_row(name, "USD", (a.token_cost.get(view), b.token_cost.get(view))))
    return [row for row in rows if any(cell[0] != "–" for cell in row["cells"])]


_LATENCIES = {"ttft_s": "First token", "e2e_s": "Answer"}


def _latency_row(job: JobContent, key: str, name: str) -> Data:
    """Percentiles of the played requests."""
    found = [side.latency.get(key) for side in (job.a, job.b)]
    cells = [["/".join(number(s, 2) for s in each.values()), ""] if each else ["–", ""] for each in found]
    return {"name": f"{name}, events, 50/90/99 %", "unit": "s", "cells": cells}


def _serving_rows(job: JobContent) -> list[Data]:
    a, b = job.a, job.b
    rows = [
        _row("Output", "tokens/s", (a.throughput, b.throughput)),
        _row("Per chip", "tokens/s", (a.throughput_per_chip, b.throughput_per_chip)),
        _row("First token", "s", (a.ttft_s, b.ttft_s)),
        _row("Per token", "ms", (a.tpot_s, b.tpot_s), 1e3),
        _row("Batch per chip", "sequences", (a.batch_per_chip, b.batch_per_chip)),
        _row("Decode step", "ms", (a.step_time_s, b.step_time_s), 1e3),
        _row("Power", "MW", (a.power_mw, b.power_mw)),
        _row("Energy", "kWh/M output", (a.energy, b.energy)),
        *_cost_rows(job),
    ]
    for word, unit, factor, mine, theirs in (
        ("New input", "USD/M input", 1.0, a.input_cost or {}, b.input_cost or {}),
        ("Cached input", "USD/G input", 1e3, a.hit_cost or {}, b.hit_cost or {}),
    ):
        for view in views_of(mine)[:1]:
            name = f"{word}, {view_name(view).lower()}"
            rows.append(_row(name, unit, (mine.get(view), theirs.get(view)), factor))
    rows += [_latency_row(job, key, name) for key, name in _LATENCIES.items()]
    return [row for row in rows if any(cell[0] != "–" for cell in row["cells"])]
