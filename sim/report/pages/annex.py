"""What moves the answer, and the identity of the run."""

from __future__ import annotations

from sim.quantity import WEAK_KINDS
from sim.report.content import ReportContent
from sim.report.figures import slug
from sim.report.numbers import number, span
from sim.report.pages.cells import Data
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
        "cheaper": _cheaper_rows(content),
        "correlated": content.correlated,
        "factors": any("speed factor" in d.name for s in content.sensitivities for d in s.drivers),
        "slogan": f"{content.slogan_count:,.0f} {content.clusters[1].label}" if content.slogan_count else "",
    }


def _cheaper_rows(content: ReportContent) -> list[list[str]]:
    """Where each of the inputs that move costs most changes which cluster is the cheaper one."""
    return [
        [
            flip.name + ("†" if flip.kind in WEAK_KINDS else ""),
            sensitivity.job_label,
            span(flip.input_low, flip.input_high),
            flip.flips_at,
        ]
        for sensitivity in content.sensitivities
        for flip in sensitivity.cheaper
    ]


def identity_data(content: ReportContent) -> Data:
    run = content.identity
    return {
        "run": " · ".join(
            part
            for part in (
                f"Chip Parity {run.version}",
                run.scenario,
                f"inputs {run.inputs_hash}",
                f"seed {run.seed}",
                f"{run.draws:,} draws",
                f"prices as of {run.as_of}" if run.as_of else "",
            )
            if part
        ),
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
