"""What moves the answer, how far to trust it, sources and the run."""

from __future__ import annotations

import math

from sim.quantity import WEAK_KINDS
from sim.report.content import ReportContent, ValidationRecord
from sim.report.figures import slug
from sim.report.numbers import number, percent, span
from sim.report.pages.cells import Data, event_row
from sim.report.verdicts import flip_words
from sim.report.wording import headline_jobs

DIGITS = 12  # of the hash of a file
TIPS = 20  # rows of the table of tipping points


def sensitivity_data(content: ReportContent) -> Data:
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
        "correlated": content.correlated,
        "factors": any("speed factor" in d.name for s in content.sensitivities for d in s.drivers),
        "slogan": f"{content.slogan_count:,.0f} {content.clusters[1].label}" if content.slogan_count else "",
    }


def trust_data(record: ValidationRecord) -> Data:
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


def events_data(content: ReportContent) -> list[list[str]]:
    return [
        ["" if i else job.label, *event_row(*row)]
        for job in content.jobs
        if job.kind == "training"  # the pages of serving jobs show their own
        for i, row in enumerate(job.from_events)
    ]


def origins_data(content: ReportContent) -> list[list[str]]:
    """Job by job: draws of the closed form, worlds played by events, and the gap between the two counts."""
    rows = []
    for job in content.jobs:
        if job.origin is not None:
            played = f"{job.origin.events:,}" if job.origin.events else "–"
            gap = percent(job.origin.gap, sign=True) if math.isfinite(job.origin.gap) else "–"
            rows.append([job.label, f"{job.origin.closed:,}", played, gap])
    return rows


def sources_data(content: ReportContent) -> list[Data]:
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


def identity_data(content: ReportContent) -> Data:
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
