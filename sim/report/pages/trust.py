"""How far to trust it: the validation record with its misses, and how each headline was obtained."""

from __future__ import annotations

import math

from sim.report.certainty import end_errors
from sim.report.content import ReportContent, ValidationRecord, ValidationRow
from sim.report.figures import slug
from sim.report.numbers import number, percent
from sim.report.pages.cells import Data, event_row
from sim.report.wording import capital

LARGEST = 5  # misses named beside the charts


def trust_data(record: ValidationRecord) -> Data:
    kind = slug(record.kind)
    rows = sorted(record.rows, key=_miss)
    return {
        "kind": capital(record.kind),
        "lead": " ".join(filter(None, [coverage_words(record), record.note, independent_words(record)])),
        "scatter": f"validation-{kind}",
        "error": f"validation-error-{kind}",
        # Where every row is listed, the largest misses stand beside the charts instead.
        "worst": []
        if rows
        else [[case, percent(error, sign=True), cause] for case, error, cause in record.worst],
        "largest": [[percent(row.error, sign=True), f"{row.what}: {row.case}"] for row in rows[:LARGEST]],
        "rows": [_scored(row) for row in rows],
    }


def coverage_words(record: ValidationRecord) -> str:
    """Hits and misses of the intervals, in a sentence."""
    everything = next((g for g in record.groups if g.name == "all"), None)
    if everything is None:
        return ""
    bias = f"median bias {percent(everything.bias, sign=True)}."
    held = sum(row.held for row in record.rows)
    if not record.rows:
        share = percent(everything.coverage)
        return f"The 80 % intervals hold {share} of {everything.rows} measured values; {bias}"
    return (
        f"The 80 % intervals hold {held} of {len(record.rows)} measured values and miss {len(record.rows) - held} "
        f"({percent(everything.coverage)} held by weight); {bias}"
    )


def independent_words(record: ValidationRecord) -> str:
    """The score of the rows that nobody had seen; empty where there are none."""
    score = record.independent
    if score is None:
        return ""
    return (
        f"Blind test: {score.rows} rows that were gathered after the model was finished and scored once: median error "
        f"{percent(score.median_error)}, nine in ten within {percent(score.p90_error)}, median bias "
        f"{percent(score.bias, sign=True)}, {percent(score.coverage)} inside the 80 % interval."
    )


def _miss(row: ValidationRow) -> float:
    """Largest miss first, whether above or below."""
    return -abs(math.log(row.predicted / row.measured))


def _scored(row: ValidationRow) -> list[str]:
    return [
        row.case,
        row.what,
        row.metric,
        number(row.measured),
        number(row.predicted),
        f"{number(row.low)} to {number(row.high)}",
        percent(row.error, sign=True),
        "hit" if row.held else "MISS",
    ]


def events_data(content: ReportContent) -> list[list[str]]:
    """Closed form against event engine, quantity by quantity."""
    return [
        ["" if i else job.label, *event_row(*row)]
        for job in content.jobs
        for i, row in enumerate(job.from_events)
    ]


def origins_data(content: ReportContent) -> list[list[str]]:
    """Job by job: draws, Monte Carlo error of both ends, worlds played by events, and the gap between the two counts."""
    rows = []
    for job in content.jobs:
        if job.origin is not None:
            played = f"{job.origin.events:,}" if job.origin.events else "–"
            gap = percent(job.origin.gap, sign=True) if math.isfinite(job.origin.gap) else "–"
            ends = end_errors(content.convergence, job.id)
            errors = [f"±{number(end, 2)}" for end in ends] if ends else ["–", "–"]
            rows.append([job.label, f"{job.origin.closed:,}", *errors, played, gap])
    return rows
