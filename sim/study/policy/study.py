"""A policy scenario, alone or against another: the same draws for both, outcomes, differences, what moves them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sim.profiles.catalogue import Catalogue
from sim.profiles.messages import InputError, Location, Problem
from sim.profiles.supply import Branch, Change, Supply
from sim.profiles.supply_scenario import PolicyScenario
from sim.study.policy.headlines import Headline, headlines, lead, one
from sim.study.policy.marginal import Marginal, marginals
from sim.study.policy.question import Group, PolicyQuestion, groups, load_policy
from sim.study.policy.rates import Rates
from sim.study.policy.sensitivity import Moved, tornados
from sim.study.policy.series import ChangeError
from sim.study.policy.simulate import PolicyResult, simulate_policy
from sim.study.policy.worlds import PolicyWorld, columns, policy_world
from sim.study.worlds import Matrix, sobol_probabilities
from sim.units import did_you_mean

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
    lead : str
        Id of the outcome that the question is about.
    moved, moved_difference : (median, inputs)
        What moves the leading outcome of A, and its difference to B.
    """

    a: Scenario
    b: Scenario | None
    groups: tuple[Group, ...]
    branches: tuple[Branch, ...]
    probabilities: Matrix
    world: PolicyWorld
    pinned: Mapping[str, str]
    draws: int
    seed: int
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
    questions = [first, *([second[1]] if second else [])]
    drawn = groups(questions)
    branches = _branches(questions)
    pinned = pinned_accounts(accounts or {}, branches)
    draws = draws or first.scenario.draws
    seed = first.scenario.seed if seed is None else seed
    probabilities = sobol_probabilities(draws, columns(drawn, branches), seed)
    world = policy_world(drawn, branches, probabilities, pinned)
    progress("simulating", 0.1)
    rates = Rates(first, world.values, draws)
    try:
        sides = [
            _scenario(label, question, world, rates)
            for label, question in ((_label(first), first), *_named(second))
        ]
    except ChangeError as error:
        raise _placed(catalogue, questions, error) from None
    progress("what moves the answer", 0.5)
    found = _Sensitivity(drawn, branches, probabilities, pinned, sides, rates)
    id = lead(sides[0].result)
    moved, between = found.of(id)
    progress("marginal values", 0.9)
    value = marginals(sides[0].result, first.scenario.show.metrics[0])
    other = sides[1] if len(sides) > 1 else None
    return PolicyStudy(
        sides[0], other, drawn, branches, probabilities, world, pinned, draws, seed, id, moved, between, value
    )


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


def _placed(catalogue: Catalogue, questions: list[PolicyQuestion], error: ChangeError) -> InputError:
    """The same error at the place of the change in its file."""
    for question in questions:
        documents: list[PolicyScenario | Supply] = [
            question.scenario,
            *(c.supply for c in question.countries),
        ]
        for document in documents:
            places: list[tuple[Location, Change]] = [
                (("changes", i), change) for i, change in enumerate(document.changes)
            ]
            for b, branch in enumerate(document.branches):
                for o, option in enumerate(branch.options):
                    steps = ("branches", b, "options", o, "changes")
                    places += [((*steps, i), change) for i, change in enumerate(option.changes)]
            for location, change in places:
                if change is error.change:
                    return catalogue.error(document, location, error.message)
    return error


def _label(question: PolicyQuestion) -> str:
    return question.scenario.label or question.scenario.name


def _named(second: tuple[str, PolicyQuestion] | None) -> list[tuple[str, PolicyQuestion]]:
    return [] if second is None else [second]


def _branches(questions: list[PolicyQuestion]) -> tuple[Branch, ...]:
    found: dict[str, Branch] = {}
    for question in questions:
        for branch in question.branches:
            found.setdefault(branch.id, branch)
    return tuple(found.values())


def pinned_accounts(accounts: Mapping[str, str], branches: tuple[Branch, ...]) -> Mapping[str, str]:
    """Accounts to follow, checked.

    Raises
    ------
    InputError
        When there is no such matter or account.
    """
    for branch, option in accounts.items():
        known = {each.id: [one.id for one in each.options] for each in branches}
        if branch not in known:
            hint = did_you_mean(branch, known) or f"; there is {', '.join(known) or 'none'}"
            raise InputError([Problem(f'--account {branch}={option}: no contested matter "{branch}"{hint}')])
        if option not in known[branch]:
            hint = did_you_mean(option, known[branch]) or f"; there is {', '.join(known[branch])}"
            raise InputError([Problem(f'--account {branch}={option}: no account "{option}"{hint}')])
    return dict(accounts)


def _scenario(label: str, question: PolicyQuestion, world: PolicyWorld, rates: Rates) -> Scenario:
    result = simulate_policy(question, world, rates)
    return Scenario(label, question, result, headlines(result))


@dataclass(frozen=True, slots=True)
class _Sensitivity:
    """Everything a tornado needs."""

    groups: tuple[Group, ...]
    branches: tuple[Branch, ...]
    probabilities: Matrix
    pinned: Mapping[str, str]
    sides: list[Scenario]
    rates: Rates

    def of(self, id: str) -> tuple[tuple[float, list[Moved]], tuple[float, list[Moved]] | None]:
        """What moves an outcome of A, and its difference to B where there is a B."""
        months = 12.0 if _find(self.sides[0], id).kind == "date" else 1.0  # dates differ in months

        def both(values: list[Vector]) -> list[Vector]:
            return [values[0], *([months * gap(values)] if len(values) > 1 else [])]

        def evaluate(world: PolicyWorld) -> list[Vector]:
            rates = Rates(self.rates.question, world.values, world.draws, plans=self.rates.plans)
            return both([one(simulate_policy(side.question, world, rates), id).values for side in self.sides])

        outcomes = [
            np.nan_to_num(each, nan=0.0, posinf=1e9, neginf=-1e9)
            for each in both([_find(side, id).values for side in self.sides])
        ]
        own, *between = tornados(
            self.groups, self.branches, self.probabilities, outcomes, evaluate, self.pinned
        )
        return own, between[0] if between else None


def gap(values: list[Vector]) -> Vector:
    """The value alone, or A less B draw by draw; two that never happen do not differ."""
    if len(values) == 1:
        return values[0]
    with np.errstate(invalid="ignore"):
        return np.where(values[0] == values[1], 0.0, values[0] - values[1])
