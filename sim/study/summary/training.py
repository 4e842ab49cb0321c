"""What the report says of a training job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np

from sim.economics.attribution import CostCase, cost_gap
from sim.economics.ownership import total
from sim.profiles.workload import TrainingRecipe
from sim.quantity import Array
from sim.report.content import Interval, JobContent, JobSide
from sim.resolve import MEDIAN
from sim.study.answer import TrainingAnswer, TrainingStudy
from sim.study.bills import power_per_chip, training_bills
from sim.study.campaign import first_day
from sim.study.events import campaign_chance, campaign_course, campaign_events, pipeline_events
from sim.study.gap import split_throughput, throughput_gap
from sim.study.parity import whole_units
from sim.study.question import Question
from sim.study.summary.statistics import (
    finer,
    gap_steps,
    grouped,
    interval,
    median_blocks,
    most_common,
    typical_parts,
)
from sim.study.summary.words import unpriced
from sim.study.training import TrainingPlan, TrainingRuns, model_flop_utilisation, run_training
from sim.units import DAY, GWH

WORTH_SAYING = 0.05  # idle chips, or distance from plain proportion, from which on the report says so
SAMPLES = 400  # wall times handed to the histogram


def training_content(
    question: Question, study: TrainingStudy, answer: TrainingAnswer, event_draws: Sequence[int], seed: int
) -> JobContent:
    """Both sides of a training job, with the event engines run on the median and on chosen draws."""
    recipe = study.task.workload
    assert isinstance(recipe, TrainingRecipe)
    equal = interval(answer.equal)
    median_a, median_b = run_training(study.a, MEDIAN), run_training(study.b, MEDIAN)
    checks = [
        *campaign_events(study.a, answer.a, event_draws, seed),
        *campaign_events(study.b, answer.b, event_draws, seed),
    ]
    sides = _side(study.a, answer.a, median_a, seed), _side(study.b, answer.b, median_b, seed)
    terms = grouped(sides[0].breakdown, sides[1].breakdown)
    return JobContent(
        id=study.task.job.id,
        label=study.task.label,
        kind="training",
        description=_describe(question, recipe, median_a, median_b),
        a=replace(sides[0], breakdown=terms[0]),
        b=replace(sides[1], breakdown=terms[1]),
        equal_count=equal,
        equal_count_rounded=whole_units(equal.p50, question.b.system.unit),
        speed_ratio=interval(answer.ratio),
        gap=_gap(question, study, answer),
        gap_unit="USD per run",
        from_events=checks,
        warnings=[*_warnings(question, study, answer), *unpriced(question)],
    )


def _describe(question: Question, recipe: TrainingRecipe, a: TrainingRuns, b: TrainingRuns) -> str:
    optimizer = {"adamw": "AdamW", "muon": "Muon"}[recipe.optimizer]
    return (
        f"{recipe.tokens.median / 1e12:.3g} trillion tokens of {recipe.sequence:,}-token sequences, "
        f"{recipe.global_batch.value / 1e6:.3g} million tokens per step, {optimizer}; "
        f"{_precision(a)} on {question.a.label}, {_precision(b)} on {question.b.label}."
    )


def _precision(runs: TrainingRuns) -> str:
    return runs.job.precisions.linear.upper()


def _side(plan: TrainingPlan, runs: TrainingRuns, median: TrainingRuns, seed: int) -> JobSide:
    chips = plan.counts[0]
    row = most_common(runs.choice[0])
    wall = np.asarray(runs.goodput.wall_s)[0]
    bills = training_bills(runs, chips)
    millions = np.asarray(runs.job.tokens, dtype=float) / 1e6
    step = runs.times.pick(row)
    found = plan.searches[0]
    timeline, _ = pipeline_events(plan, median, row)
    return JobSide(
        throughput=interval(runs.tokens_per_s[0]),
        throughput_per_chip=interval(runs.tokens_per_s[0] / chips),
        layout=plan.layouts.describe(row),
        layout_reason=f"fastest of {found.considered:,} layouts that fit; refused: {found.why_not()}",
        breakdown={name: s for name, s in median_blocks(step.breakdown).items() if s > 0},
        power_mw=interval(runs.power_w[0] / 1e6),
        energy=interval(np.asarray(runs.goodput.energy_j)[0] / GWH),
        cost={view: interval(total(blocks)) for view, blocks in bills.items()},
        cost_blocks={view: median_blocks(blocks) for view, blocks in bills.items()},
        token_cost={view: interval(total(blocks) / millions) for view, blocks in bills.items()},
        mfu=interval(model_flop_utilisation(runs, chips)),
        wall_days=interval(wall / DAY),
        end_date=_end(plan, interval(wall / DAY)),
        goodput=interval(np.asarray(runs.goodput.share)[0]),
        stops=float(np.median(np.asarray(runs.goodput.stops)[0])),
        step_time_s=interval(runs.step_s[0]),
        timeline=timeline,
        campaign=campaign_course(median, seed),
        wall_days_samples=(wall[:SAMPLES] / DAY).tolist(),
        wall_days_chance=campaign_chance(median, seed),
        losses=_means(runs.goodput.losses),
        stop_causes=_means(runs.goodput.causes),
    )


def _means(parts: Mapping[str, Array]) -> dict[str, float]:
    """Mean over the draws at the stated count, by name: means add up, medians do not."""
    return {name: float(np.mean(np.asarray(values)[0])) for name, values in parts.items()}


def _end(plan: TrainingPlan, days: Interval) -> tuple[str, str, str] | None:
    start = plan.side.choice.start
    if start is None:
        return None
    first = first_day(start)
    return tuple((first + timedelta(days=d)).isoformat() for d in (days.p05, days.p50, days.p95))  # type: ignore[return-value]


def _gap(question: Question, study: TrainingStudy, answer: TrainingAnswer) -> list[tuple[str, float]]:
    """Amortised cost of the run on B, what changes it, and on A [USD]."""
    sides = ((answer.b, question.b), (answer.a, question.a))
    millions = np.asarray(answer.a.job.tokens, dtype=float) / 1e6
    b, a = (_case(run, side.choice.chips) for run, side in sides)
    parts = {cause: np.asarray(delta) * millions for cause, delta in cost_gap(b, a).items()}
    rates = b.tokens_per_chip_s, a.tokens_per_chip_s
    typical = typical_parts(parts)
    physical = split_throughput(parts, typical["throughput"], rates, throughput_gap(question, study))
    medians = [
        interval(total(training_bills(run, side.choice.chips)["amortised"])).p50 for run, side in sides
    ]
    ends = (question.b.label, medians[0]), (question.a.label, medians[1])
    return gap_steps(ends, finer(typical, "throughput", physical))


def _case(runs: TrainingRuns, chips: int) -> CostCase:
    power = power_per_chip(runs, chips)
    at_work = runs.job.global_batch / runs.step_s[0] / chips
    share = runs.tokens_per_s[0] / (at_work * chips * np.asarray(runs.goodput.present)[0])
    return CostCase(runs.cluster.ownership, power, at_work, goodput=share)


def _warnings(question: Question, study: TrainingStudy, answer: TrainingAnswer) -> list[str]:
    found = []
    for side, plan in ((question.a, study.a), (question.b, study.b)):
        idle = plan.counts[0] - int(plan.layouts.chips[0])
        if idle > WORTH_SAYING * plan.counts[0]:
            found.append(
                f"{side.label}: {idle:,} of {plan.counts[0]:,} chips do not fit into the layout and stand by."
            )
    by_speed = question.b.choice.chips * float(np.median(answer.ratio))
    if abs(float(np.median(answer.equal)) / by_speed - 1.0) > WORTH_SAYING:
        found.append(
            "The batch is the same on every cluster, so chips work the better the fewer there are: the count of "
            f"{question.b.label} is not simply its number times the ratio of speeds."
        )
    return found
