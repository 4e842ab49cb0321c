"""Sentences that only the study can write: answers, definitions, what is left out."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sim.report.content import JobContent
from sim.report.numbers import bounds, number
from sim.report.wording import listed
from sim.resolve import unknown_prices
from sim.study.question import Question, Side

VIEW_NOTES = {
    "rental": "Market rent of a chip with everything around it",
    "acquisition": "Purchase price of chips, servers, network, storage and facility, in proportion to the share of their "
    "life used; no interest, power or people",
    "amortised": "What an owner pays: depreciation, interest, electricity, staff, repair, parts, software",
}

NOT_MODELLED = (
    "Whether either cluster can be bought: export rules, quotas and supply",
    "People and research: failed experiments, data, porting software to another chip",
    "Model quality: both clusters are taken to train and serve the same model equally well",
    "Networks beyond one site",
    "Learning over the run: software is frozen at the state of its sources",
    "Multi-tenancy and several models on one cluster; both chips in one fleet, which the command parity mix works out",
)


def answers(question: Question, jobs: Sequence[JobContent]) -> list[str]:
    """One sentence per class of jobs: training, and serving of each model."""
    models = {task.job.id: task.model.name for task in question.tasks}
    classes: dict[str, list[JobContent]] = {}
    for job in jobs:
        name = "pre-training" if job.kind == "training" else f"serving {models[job.id]}"
        classes.setdefault(name, []).append(job)
    return [_sentence(question, name, members, models) for name, members in classes.items()]


def unpriced(question: Question) -> list[str]:
    """Prices of both sides that nobody has stated."""
    return [sentence for side in question.sides for sentence in unpriced_side(side)]


def unpriced_side(side: Side) -> tuple[str, ...]:
    """Why the cost of owning cannot be given: keys that would have to be filled in, and what was not known yet."""
    missing = unknown_prices(side.chip, side.system, side.region)
    places = [f"{listed(keys)} in {file}" for file, keys in missing.items()]
    # Prices that a date has hidden stand in their files: what is late says when they were first stated.
    why = "on that date" if side.late else f"for want of {'; '.join(places)}"
    want = f"{side.label}: what owning it costs is unknown{' ' if side.late else ', '}{why}."
    late = [f"{side.label}: {sentence[0].lower()}{sentence[1:]}" for sentence in side.late]
    return (*([want] if places else []), *late)


def _sentence(question: Question, name: str, jobs: Sequence[JobContent], models: dict[str, str]) -> str:
    """For instance "For serving M, 20,000 X do the work of 9,000 Y (90 % interval ...) with chat, of 8,000 with agents"."""
    a, b = question.sides
    if all(math.isnan(job.equal_count.p50) for job in jobs):
        users = f" with {listed([_short(job) for job in jobs])}" if jobs[0].kind == "serving" else ""
        return f"For {name}{users} there is no count, since neither side keeps its promise."
    training = jobs[0].kind == "training"
    counts = [f"of {_count(job, b.label if i == 0 else '')}" for i, job in enumerate(jobs)]
    cases = [f"for {models[job.id]}" if training else f"with {_short(job)}" for job in jobs]
    parts = [f"{count} {case}" for count, case in zip(counts, cases, strict=True)]
    return f"For {name}, {a.choice.chips:,} {a.label} do the work {listed(parts)}."


def _count(job: JobContent, label: str) -> str:
    interval = job.equal_count
    if math.isnan(interval.p50):
        return "no count, since neither side keeps its promise,"
    if math.isinf(interval.p50):
        return f"more than any number{' of ' + label if label else ''}"
    return f"{number(interval.p50)}{' ' + label if label else ''} (90 % interval {bounds(interval)})"


def _short(job: JobContent) -> str:
    """Kind of users, from a label such as "Chat on V3"; another label as it is, in quotes."""
    users, on, _ = job.label.partition(" on ")
    return f"{users[:1].lower()}{users[1:]}" if on else f"\u201c{job.label}\u201d"
