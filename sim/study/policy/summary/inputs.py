"""Inputs of a tornado as people read them."""

from __future__ import annotations

from sim.report.numbers import number
from sim.study.policy.headlines import Headline
from sim.study.policy.sensitivity import Moved
from sim.study.policy.study import PolicyStudy
from sim.study.policy.summary.words import group_at, input_name, when


def outcome_text(headline: Headline, value: float) -> str:
    """An outcome of a tornado in words."""
    return when(value) if headline.kind == "date" else number(value)


def input_words(study: PolicyStudy, moved: Moved) -> tuple[str, str]:
    """What an input is, and whose."""
    if moved.name.startswith("branch:"):
        branch = next(each for each in study.drawn.branches if each.id == moved.name.partition(":")[2])
        return branch.name, "contested"
    questions = [study.a.question, *([study.b.question] if study.b else [])]
    for question in questions:
        name, owner = input_name(moved.name, question)
        if owner != moved.name.split("#")[0]:
            return name, owner
    return name, owner


def end_text(study: PolicyStudy, moved: Moved, end: int) -> str:
    """The input at its 10th (0) or 90th (1) percentile."""
    if moved.name.startswith("branch:"):
        return (moved.low_text, moved.high_text)[end]
    group = next(each for each in study.drawn.groups if each.name == moved.name)
    return group_at(group, (0.1, 0.9)[end])
