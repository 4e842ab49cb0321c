"""Page 1: the answer."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from sim.quantity import WEAK_KINDS
from sim.report.certainty import draws_note, obtained
from sim.report.content import Interval, ReportContent
from sim.report.numbers import bounds, number, span
from sim.report.pages.cells import Data, cell, day
from sim.report.verdicts import flip_words, largest_drivers, slogan_verdict
from sim.report.wording import main_view, spoken, view_name


def answer_data(content: ReportContent) -> Data:
    return {
        "sentences": [marked_runs(content, sentence) for sentence in content.answers],
        "verdict": _claimed(content),
        "big": _big_numbers(content),
        "decides": [_decider(content, *pair) for pair in largest_drivers(content, 3)],
        "not_modelled": list(content.not_modelled),
        "warnings": list(content.warnings),
        "draws": f"{content.identity.draws:,}",
        "obtained": obtained(content),
        "drawn": draws_note(content.convergence, content.identity.draws),
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
        value, _ = cell(interval)
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
