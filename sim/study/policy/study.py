"""A policy scenario, alone or against another: the same draws for both, outcomes, differences, what moves them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sim.profiles.catalogue import Catalogue
from sim.study.policy.headlines import Headline, gap, headlines, lead, one
from sim.study.policy.marginal import Marginal, marginals
from sim.study.policy.question import PolicyQuestion, load_policy
from sim.study.policy.rates import Rates
from sim.study.policy.sensitivity import Moved, tornados
from sim.study.policy.simulate import PolicyResult, simulate_policy
from sim.study.policy.worlds import Drawn, PolicyWorld, drawn_world

Vector = NDArray[np.float64]
Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One side of a comparison.

    Attributes
    ----------
    label : str
        Name in charts and tables.
    """

    label: str
    question: PolicyQuestion
    result: PolicyResult
    headlines: tuple[Headline, ...]


@dataclass(frozen=True, slots=True)
class PolicyStudy:
    """Answer of a policy question.

    Attributes
    ----------
    b : Scenario or None
        What A is compared with, in the same draws.
    drawn : Drawn
        Everything uncertain, and the draws.
    lead : str
        Id of the outcome that the question is about.
    moved, moved_difference : (median, inputs)
        What moves the leading outcome of A, and its difference to B.
    """

    a: Scenario
    b: Scenario | None
    drawn: Drawn
    lead: str
    moved: tuple[float, list[Moved]]
    moved_difference: tuple[float, list[Moved]] | None
    marginals: list[Marginal]

    def headline(self, id: str) -> tuple[Headline, Headline | None]:
        """One outcome on both sides."""
        return _find(self.a, id), None if self.b is None else _find_or_none(self.b, id)


def _find(side: Scenario, id: str) -> Headline:
    return next(each for each in side.headlines if each.id == id)


def _find_or_none(side: Scenario, id: str) -> Headline | None:
    return next((each for each in side.headlines if each.id == id), None)


def study_policy(
    catalogue: Catalogue,
    a: str,
    b: str | None = None,
    draws: int | None = None,
    seed: int | None = None,
    accounts: Mapping[str, str] | None = None,
    progress: Progress = lambda _what, _share: None,
    as_of: str | None = None,
) -> PolicyStudy:
    """Run a scenario against another one, in the same draws.

    Parameters
    ----------
    a, b : str
        Files or ids. Without ``b`` the scenario's own ``against``, else the baseline without its changes, if it has any.
    accounts : mapping of branch id to option id
        Accounts that every draw is to follow.
    as_of : str, optional
        Use nothing of the policy files that became known later.

    Raises
    ------
    InputError, UnknownQuantityError
        When the question cannot be answered as it stands.
    """
    progress("reading files", 0.0)
    first = load_policy(catalogue, a, as_of=as_of)
    second = _against(catalogue, first, a, b)
    labels, questions = zip((_label(first), first), *([second] if second else []), strict=True)
    count = draws or first.scenario.draws
    drawn = drawn_world(questions, count, first.scenario.seed if seed is None else seed, accounts)
    progress("simulating", 0.1)
    rates = Rates(first, drawn.world.values, count)
    sides = [
        _scenario(label, each, drawn.world, rates) for label, each in zip(labels, questions, strict=True)
    ]
    progress("what moves the answer", 0.5)
    id = lead(sides[0].result)
    moved, between = _what_moves(id, sides, drawn, rates)
    progress("marginal values", 0.9)
    value = marginals(sides[0].result, first.scenario.show.metrics[0])
    return PolicyStudy(sides[0], sides[1] if len(sides) > 1 else None, drawn, id, moved, between, value)


def _against(
    catalogue: Catalogue, first: PolicyQuestion, a: str, b: str | None
) -> tuple[str, PolicyQuestion] | None:
    """The other side, asked the same question: jobs, horizon and what is shown are those of A."""
    scenario = first.scenario
    if b is None and not scenario.against:
        if not (scenario.changes or scenario.losses or scenario.branches or scenario.rules):
            return None
        return "without these changes", load_policy(catalogue, a, bare=True, as_of=first.as_of)
    second = load_policy(catalogue, b or scenario.against, as_of=first.as_of)
    asked = second.scenario.model_copy(
        update={"training": scenario.training, "serving": scenario.serving, "show": scenario.show}
    )
    rival = second.rival or first.rival
    return _label(second), replace(
        second, scenario=asked, training=first.training, serving=first.serving, start=first.start,
        quarters=first.quarters, rival=rival,
    )  # fmt: skip


def _label(question: PolicyQuestion) -> str:
    return question.scenario.label or question.scenario.name


def _scenario(label: str, question: PolicyQuestion, world: PolicyWorld, rates: Rates) -> Scenario:
    result = simulate_policy(question, world, rates)
    return Scenario(label, question, result, headlines(result))


def _what_moves(
    id: str, sides: Sequence[Scenario], drawn: Drawn, rates: Rates
) -> tuple[tuple[float, list[Moved]], tuple[float, list[Moved]] | None]:
    """What moves an outcome of A, and its difference to B where there is a B."""
    months = 12.0 if _find(sides[0], id).kind == "date" else 1.0  # dates differ in months

    def both(values: Sequence[Vector]) -> list[Vector]:
        return [values[0], *(months * gap(values[0], other) for other in values[1:])]

    def evaluate(world: PolicyWorld) -> list[Vector]:
        there = rates.there(world.values, world.draws)
        return both([one(simulate_policy(side.question, world, there), id).values for side in sides])

    outcomes = [
        np.nan_to_num(each, nan=0.0, posinf=1e9, neginf=-1e9)
        for each in both([_find(side, id).values for side in sides])
    ]
    own, *between = tornados(drawn, outcomes, evaluate)
    return own, between[0] if between else None
