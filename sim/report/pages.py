"""What stands on each page, as plain data for the template: words and formatted numbers, nothing to compute."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from sim.quantity import WEAK_KINDS
from sim.report.charts.style import fitted, styled
from sim.report.content import Interval, JobContent, ReportContent, ValidationRecord
from sim.report.figures import Drawing, slug
from sim.report.numbers import bounds, number, percent, scale_of, scaled, span, with_interval
from sim.report.wording import (
    capital,
    cost_unit,
    flip_words,
    headline_jobs,
    job_sentence,
    largest_drivers,
    main_view,
    money_jobs,
    slogan_verdict,
    spoken,
    view_name,
    views_of,
)

Data = dict[str, Any]
DIGITS = 12  # of the hash of a file
TIPS = 20  # rows of the table of tipping points
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@styled
def page_data(content: ReportContent, drawings: Mapping[str, Drawing]) -> Data:
    """The whole document as JSON-ready data; names in ``charts`` are those of the drawings."""
    a, b = content.clusters
    data: Data = {
        "title": content.title,
        "slogan": content.slogan,
        "clusters": [
            {
                "key": c.key,
                "label": c.label,
                "short": fitted(c.label, 0.76, 8.0),
                "card": fitted(c.label, 1.7, 8.0),
                "line": f"{c.chips:,} {c.label}",
                "where": f"{c.system}, {c.region}",
            }
            for c in (a, b)
        ],
        "charts": {
            name: {"alt": d.alt, "width": d.width, "height": d.height} for name, d in drawings.items()
        },
        "answer": _answer(content),
        "money": _money(content),
        "jobs": [_job(content, job) for job in content.jobs],
        "sensitivity": _sensitivity(content),
        "trust": [_trust(record) for record in content.validation],
        "events": _events(content),
        "sources": _sources(content),
        "identity": _identity(content),
    }
    return _tied({key: value for key, value in data.items() if key != "charts"}) | {"charts": data["charts"]}


def _tied(value: Any) -> Any:
    """Numbers hold on to the unit that follows: a no-break space between them."""
    if isinstance(value, dict):
        return {key: _tied(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_tied(item) for item in value]
    if isinstance(value, str):
        return re.sub(r"(?<=\d) (?=(?:%|million|billion|trillion|quadrillion|USD)\b|%)", "\u00a0", value)
    return value


def day(iso: str) -> str:
    """An ISO date as people write it.

    Examples
    --------
    >>> day("2027-01-05"), day("not yet")
    ('5 Jan 2027', 'not yet')
    """
    try:
        when = date.fromisoformat(iso)
    except ValueError:
        return iso
    return f"{when.day} {MONTHS[when.month - 1]} {when.year}"


def _cell(interval: Interval | None, factor: float = 1.0) -> list[str]:
    """Median and range, sharing one scale word."""
    if interval is None:
        return ["–", ""]
    shown = scaled(interval, factor)
    scale, word = scale_of([shown.p95])
    if scale_of([shown.p50])[0] != scale:
        scale, word = scale_of([shown.p50])
    shown = scaled(shown, 1 / scale)
    return [f"{number(shown.p50)} {word}".rstrip(), _dash(shown)]


def _dash(interval: Interval) -> str:
    """The 90 % interval as tables show it."""
    return "" if math.isnan(interval.p50) else f"{number(interval.p05)}–{number(interval.p95)}"


def _dates(end: tuple[str, str, str]) -> list[str]:
    """Median and range of a date; the range without its years, which the median shows."""
    first, last = (day(iso).rsplit(" ", 1)[0] for iso in (end[0], end[2]))
    return [day(end[1]), f"{first}–{last}"]


# Page 1


def _answer(content: ReportContent) -> Data:
    return {
        "sentences": [_runs(content, sentence) for sentence in content.answers],
        "verdict": _claimed(content),
        "big": _big_numbers(content),
        "decides": [_decider(content, *pair) for pair in largest_drivers(content, 3)],
        "not_modelled": list(content.not_modelled),
        "warnings": list(content.warnings),
        "draws": f"{content.identity.draws:,}",
    }


def _claimed(content: ReportContent) -> str:
    """What the slogan says, and where its count lies; the title says it already where both are the same words."""
    verdict = slogan_verdict(content)
    said = content.slogan.strip().rstrip(".")
    return (
        f"The slogan: \u201c{said}.\u201d {verdict}"
        if verdict and said and said != content.title
        else verdict
    )


def _runs(content: ReportContent, sentence: str) -> list[Data]:
    """The sentence cut at the counts that answer the question, so that these can be set bold."""
    label = re.escape(content.clusters[1].label)
    counts = {number(job.equal_count.p50) for job in content.jobs} | {
        f"{job.equal_count_rounded:,}" for job in content.jobs if job.equal_count_rounded is not None
    }
    alternatives = "|".join(re.escape(count) for count in sorted(counts, key=len, reverse=True))
    pieces = (
        re.split(rf"((?<![\d,.])(?<!to )(?<!interval )(?:{alternatives})(?![\d,.]\d)(?: {label})?)", sentence)
        if counts
        else [sentence]
    )
    return [{"text": piece, "strong": i % 2 == 1} for i, piece in enumerate(pieces) if piece]


def _big_numbers(content: ReportContent) -> list[Data]:
    """Three cards: cost, power, and when training ends (or what the clusters cost to buy)."""
    jobs = {job.kind: job for job in reversed(content.jobs)}
    cards = []
    costed = jobs.get("serving") or jobs.get("training")
    if costed and (view := main_view(costed)):
        unit = "million output tokens" if costed.kind == "serving" else "training run"
        cards.append(
            _card(
                f"Cost per {unit}",
                f"{costed.label}, {view_name(view).lower()}",
                "USD",
                [costed.a.cost[view], costed.b.cost[view]],
            )
        )
    power = [c.power_mw for c in content.clusters]
    cards.append(
        _card(
            "Power of the facility",
            "mean over the job" if not jobs.get("training") else "mean while training",
            "MW",
            power,
        )
    )
    training = jobs.get("training")
    if training and training.a.end_date and training.b.end_date:
        rows = [
            {"value": day(end[1]), "range": f"90 % interval {day(end[0])} to {day(end[2])}"}
            for end in (training.a.end_date, training.b.end_date)
        ]
        cards.append({"title": "Training ends", "note": training.label, "rows": rows})
    else:
        cards.append(
            _card(
                "Purchase",
                "chips, servers, network, facility",
                "USD",
                [c.purchase_usd for c in content.clusters],
            )
        )
    return cards


def _card(title: str, note: str, unit: str, intervals: Sequence[Interval]) -> Data:
    rows = []
    for interval in intervals:
        value, _ = _cell(interval)
        if math.isnan(interval.p50):
            rows.append({"value": value, "range": ""})
        else:
            rows.append({"value": f"{value} {unit}", "range": f"90 % interval {bounds(interval)}"})
    return {"title": title, "note": note, "rows": rows}


def _decider(content: ReportContent, sensitivity: Any, driver: Any) -> Data:
    b = content.clusters[1]
    dagger = "†" if driver.kind in WEAK_KINDS else ""
    return {
        "name": spoken(driver.name) + dagger,
        "text": (
            f"from {span(driver.input_low, driver.input_high)} takes {sensitivity.job_label} from "
            f"{number(driver.at_low)} to {number(driver.at_high)} {b.label}"
        ),
        "flips": flip_words(content, driver),
    }


# Page 2


def _money(content: ReportContent) -> Data:
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
            cells.append(_cell(interval, 1 / factor) if interval else ["–", ""])
    return {"label": job.label, "unit": f"{word} {cost_unit(job)}".strip(), "cells": cells}


# Job pages


def _job(content: ReportContent, job: JobContent) -> Data:
    a, b = content.clusters
    name = slug(job.id)
    training = job.kind == "training"
    return {
        "kind": "Training" if training else "Serving",
        "training": training,
        "label": job.label,
        "description": job.description,
        "sentence": _runs(content, job_sentence(content, job)),
        "rounded": _rounded(job, b.label),
        "rows": _training_rows(job) if training else _serving_rows(job),
        "layouts": [
            {
                "key": cluster.key,
                "label": cluster.label,
                "layout": side.layout,
                "reason": capital(side.layout_reason),
                "verdict": side.verdict,
            }
            for cluster, side in ((a, job.a), (b, job.b))
        ],
        "limits": _limits(job),
        "events": [_event_row(*row) for row in job.from_events],
        "warnings": list(job.warnings),
        "charts": {
            kind: f"{kind}-{name}"
            for kind in (
                "breakdown", "waterfall", "timeline", "wall-time", "calendar", "stops", "frontier", "utilisation"
            )
        },
    }


def _rounded(job: JobContent, label: str) -> str:
    count = job.equal_count_rounded
    return "" if count is None else f"In whole units of purchase: {count:,} {label}."


def _limits(job: JobContent) -> list[list[str]]:
    """Phase by phase, what limits A and what limits B."""
    a, b = job.a.limits or {}, job.b.limits or {}
    return [[phase, a.get(phase, "–"), b.get(phase, "–")] for phase in {**a, **b}]


def _row(name: str, unit: str, pair: tuple[Interval | None, Interval | None], factor: float = 1.0) -> Data:
    scale, word = scale_of([factor * interval.p50 for interval in pair if interval])
    cells = [_cell(interval, factor / scale) for interval in pair]
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
        rows.append({"name": "Last day", "unit": "", "cells": [_dates(a.end_date), _dates(b.end_date)]})
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
    return [row for row in rows + _cost_rows(job) if any(cell[0] != "–" for cell in row["cells"])]


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
    inputs = a.input_cost or {}
    for view in views_of(inputs)[:1]:
        rows.append(
            _row(
                f"Input, {view_name(view).lower()}",
                "USD/M input",
                (inputs.get(view), (b.input_cost or {}).get(view)),
            )
        )
    return [row for row in rows if any(cell[0] != "–" for cell in row["cells"])]


def _event_row(quantity: str, closed: float, engine: float) -> list[str]:
    gap = percent(engine / closed - 1, sign=True) if closed else "–"
    return [quantity, number(closed), number(engine), gap]


# Annex


def _sensitivity(content: ReportContent) -> Data:
    heads = {job.id for job in headline_jobs(content)}
    ordered = sorted(content.sensitivities, key=lambda s: s.job_id not in heads)
    tips: list[tuple[float, list[str]]] = []
    for sensitivity in content.sensitivities:
        for driver in sensitivity.drivers:
            if (flips := flip_words(content, driver)).startswith("flips"):
                swing = abs(driver.at_high - driver.at_low) / max(abs(sensitivity.median), 1e-30)
                tips.append((swing, [driver.name + ("†" if driver.kind in WEAK_KINDS else ""), sensitivity.job_label,
                             span(driver.input_low, driver.input_high), flips,
                             number(driver.rank_correlation, 2)]))  # fmt: skip
    shown = len(tips) if len(tips) <= TIPS + 3 else TIPS
    return {
        "tornados": [f"tornado-{slug(s.job_id)}" for s in ordered if s.drivers],
        "tips": [row for _, row in sorted(tips, key=lambda tip: -tip[0])[:shown]],
        "more": len(tips) - shown,
        "factors": any("speed factor" in d.name for s in content.sensitivities for d in s.drivers),
        "slogan": f"{content.slogan_count:,.0f} {content.clusters[1].label}" if content.slogan_count else "",
    }


def _trust(record: ValidationRecord) -> Data:
    kind = slug(record.kind)
    everything = next((g for g in record.groups if g.name == "all"), None)
    coverage = ""
    if everything:
        coverage = (
            f"The 80 % intervals hold {percent(everything.coverage)} of {everything.rows} measured values; "
            f"median bias {percent(everything.bias, sign=True)}."
        )
    return {
        "kind": record.kind[:1].upper() + record.kind[1:],
        "note": record.note,
        "coverage": coverage,
        "scatter": f"validation-{kind}",
        "error": f"validation-error-{kind}",
        "worst": [[case, percent(error, sign=True), cause] for case, error, cause in record.worst],
    }


def _events(content: ReportContent) -> list[list[str]]:
    return [
        ["" if i else job.label, *_event_row(*row)]
        for job in content.jobs
        if job.kind == "training"  # the pages of serving jobs show their own
        for i, row in enumerate(job.from_events)
    ]


def _sources(content: ReportContent) -> list[Data]:
    return [
        {
            "name": row.name + ("†" if row.weak else ""),
            "value": row.value,
            "range": span(row.low, row.high) if row.low and row.high and row.low != row.high else "",
            "kind": row.kind.replace("_", " "),
            "source": row.source,
            "url": row.url if row.url.startswith(("https://", "http://")) else "",
            "as_of": row.as_of,
            "moves": percent(row.moves),
        }
        for row in sorted(content.inputs, key=lambda row: -row.moves)
    ]


def _identity(content: ReportContent) -> Data:
    run = content.identity
    return {
        "run": f"Chip Parity {run.version} · inputs {run.inputs_hash} · seed {run.seed} · {run.draws:,} draws"
        + (f" · prices as of {run.as_of}" if run.as_of else ""),
        "version": run.version,
        "command": run.command,
        "scenario": run.scenario,
        "seed": str(run.seed),
        "draws": f"{run.draws:,}",
        "event_draws": f"{run.event_draws:,}",
        "hash": run.inputs_hash,
        "files": [[name, digest[:DIGITS]] for name, digest in run.files],
        "digits": DIGITS,
    }
