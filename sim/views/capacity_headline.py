"""The answer of a capacity question in a few lines."""

from __future__ import annotations

import math
from collections.abc import Iterator

from sim.report.content import Interval
from sim.report.numbers import bounds, number
from sim.study.capacity_study import CapacityStudy
from sim.views.obtained import obtained

PRICED = (
    "amortised",
    "rental",
    "acquisition",
)  # views of cost, the first that is known stands in the headline


def headline(study: CapacityStudy) -> Iterator[str]:
    """What is served, what it costs and what it takes, in a few lines."""
    question, served = study.question, study.served
    if served.output_tokens_per_s.p50 > 0:
        yield (
            f"{question.task.label} on {question.side.label}: {_said(served.output_tokens_per_s)} output tokens/s per chip "
            f"within the promise; a million of them, prompts included, {_price(study)}."
        )
        yield _fleet(study)
    else:
        yield f"{question.task.label} on {question.side.label}: in half of the draws or more nothing is served."
    run = study.identity
    yield obtained(run.draws, run.seed, study.ends_error, run.as_of)


def _said(found: Interval) -> str:
    return f"{number(found.p50)} ({bounds(found)})" if found.p95 > found.p05 else number(found.p50)


def _price(study: CapacityStudy) -> str:
    known = [
        view for view in PRICED if view in study.money.cost and not math.isnan(study.money.cost[view].p50)
    ]
    if not known:
        return "at a price that is unknown"
    return f"cost {_said(study.money.cost[known[0]])} USD ({known[0]})"


def _fleet(study: CapacityStudy) -> str:
    tokens, label = study.needed.tokens_per_day, study.question.side.label
    if study.question.demand_tokens_per_s is None:
        chips = f"{study.question.side.choice.chips:,} {label}"
        return f"{chips} serve {_said(tokens)} tokens on an average day, prompts included."
    if not math.isfinite(study.needed.chips.p50):
        return f"{number(tokens.p50)} tokens a day: no number of {label} serves them in half of the draws or more."
    return f"{number(tokens.p50)} tokens a day, prompts included, take {_said(study.needed.chips)} {label}."
