"""Page 1: the answer."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from sim.quantity import WEAK_KINDS
from sim.report.certainty import blind_words, draws_note, endless, obtained
from sim.report.content import Interval, JobContent, ReportContent
from sim.report.numbers import bounds, number
from sim.report.pages.cells import Data, cell, day
from sim.report.verdicts import base_words, decider_words, deciders, flip_words, slogan_verdict
from sim.report.wording import capital, main_view, spoken, view_name


def answer_data(content: ReportContent) -> Data:
    return {
        "sentences": [marked_runs(content, sentence) for sentence in content.answers],
        "verdict": _claimed(content),
        "big": _big_numbers(content),
        "base": base_words(content),
        "decides": _deciders(content),
        "not_modelled": list(content.not_modelled),
        "warnings": list(content.warnings),
        "foot": foot(content),
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


def marked_runs(content: ReportContent, sentence: str) -> list[Data]:
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


def _costed(content: ReportContent) -> tuple[JobContent | None, str | None]:
    """The job whose cost stands on the first page, and the view of it."""
    jobs = {job.kind: job for job in reversed(content.jobs)}
    job = jobs.get("serving") or jobs.get("training")
    return job, main_view(job) if job else None


def _big_numbers(content: ReportContent) -> list[Data]:
    """Three cards: cost, power, and when training ends (or what the clusters cost to buy)."""
    jobs = {job.kind: job for job in reversed(content.jobs)}
    cards = []
    costed, view = _costed(content)
    if costed and view:
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
        value, _ = cell(interval)
        if not math.isfinite(interval.p50):
            from_to = "" if math.isnan(interval.p50) or math.isinf(interval.p05) else bounds(interval)
            rows.append({"value": value, "range": f"90 % interval {from_to}" if from_to else ""})
        else:
            rows.append({"value": f"{value} {unit}", "range": f"90 % interval {bounds(interval)}"})
    return {"title": title, "note": note, "rows": rows}


def _deciders(content: ReportContent) -> list[Data]:
    """By kind of job, where there are several: what decides it and where it flips."""
    found = deciders(content)
    several = len({kind for kind, _, _ in found}) > 1
    return [
        {
            "kind": capital(kind) if several else "",
            "name": spoken(driver.name) + ("†" if driver.kind in WEAK_KINDS else ""),
            "text": decider_words(content, sensitivity, driver),
            "flips": flip_words(content, driver),
        }
        for kind, sensitivity, driver in found
    ]


def foot(content: ReportContent) -> str:
    """What every number of the page is, how it was obtained, and how well it is known."""
    costed, view = _costed(content)
    costs = [side.cost[view] for side in (costed.a, costed.b)] if costed and view else []
    counts = [job.equal_count for job in content.jobs]
    sentences = [
        f"Every number is a median over {content.identity.draws:,} draws of the uncertain inputs, the same draws for both "
        "clusters; the 90 % interval runs from the 5th to the 95th percentile and covers what is uncertain in the inputs.",
        endless(content.clusters[1].label, counts, costs),
        obtained(content),
        draws_note(content.convergence, content.identity.draws),
        blind_words(content),
        "Sources and validation are at the end.",
    ]
    return " ".join(sentence for sentence in sentences if sentence)
