"""Worlds of a policy question: the uncertain inputs in groups, and which account of a contested matter holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.profiles.messages import InputError, Problem
from sim.profiles.supply_changes import Branch
from sim.resolve import World
from sim.study.policy.question import Group, PolicyQuestion, groups
from sim.study.worlds import Matrix, sobol_probabilities
from sim.units import did_you_mean


@dataclass(frozen=True, slots=True)
class PolicyWorld:
    """Draws of everything that is uncertain.

    Attributes
    ----------
    values : World
        Numbers by path.
    accounts : mapping of branch id to (draws,) int array
        Option that each draw follows.
    draws : int
    """

    values: World
    accounts: Mapping[str, NDArray[np.int64]]
    draws: int


@dataclass(frozen=True, slots=True)
class Drawn:
    """Everything uncertain of some questions, and its draws.

    Attributes
    ----------
    groups : tuple of Group
    branches : tuple of Branch
    pinned : mapping of branch id to option id
        Accounts that every draw follows.
    probabilities : (draws, branches + groups) array
    seed : int
    world : PolicyWorld
    """

    groups: tuple[Group, ...]
    branches: tuple[Branch, ...]
    pinned: Mapping[str, str]
    probabilities: Matrix
    seed: int
    world: PolicyWorld

    @property
    def draws(self) -> int:
        """Number of draws."""
        return len(self.probabilities)

    def at(self, probabilities: Matrix) -> PolicyWorld:
        """Another world of the same inputs and accounts, one draw per row."""
        return policy_world(self.groups, self.branches, probabilities, self.pinned)


def drawn_world(
    questions: Sequence[PolicyQuestion], draws: int, seed: int, accounts: Mapping[str, str] | None = None
) -> Drawn:
    """Draws of all that is uncertain in some questions, the same for all of them.

    Parameters
    ----------
    accounts : mapping of branch id to option id
        Accounts that every draw is to follow.

    Raises
    ------
    InputError
        When there is no such matter or account.
    """
    drawn = groups(questions)
    branches = _first_of_each([branch for each in questions for branch in each.branches])
    pinned = pinned_accounts(accounts or {}, branches)
    probabilities = sobol_probabilities(draws, len(branches) + len(drawn), seed)
    world = policy_world(drawn, branches, probabilities, pinned)
    return Drawn(drawn, branches, pinned, probabilities, seed, world)


def median_world(question: PolicyQuestion) -> PolicyWorld:
    """One world with every input at its median; of contested accounts, the one in the middle of their weights."""
    return policy_world((), question.branches, np.full((1, len(question.branches)), 0.5), {})


def policy_world(
    drawn: Sequence[Group],
    branches: Sequence[Branch],
    probabilities: Matrix,
    pinned: Mapping[str, str],
) -> PolicyWorld:
    """World with one draw per row of ``probabilities``, (draws, branches + groups)."""
    accounts = {
        branch.id: _account(branch, probabilities[:, column], pinned.get(branch.id))
        for column, branch in enumerate(branches)
    }
    values = {
        member.path: np.asarray(member.quantile(probabilities[:, len(branches) + column]))
        for column, group in enumerate(drawn)
        for member in group.members
    }
    return PolicyWorld(World(values), accounts, len(probabilities))


def _account(branch: Branch, probability: NDArray[np.float64], pinned: str | None) -> NDArray[np.int64]:
    if pinned is not None:
        index = [option.id for option in branch.options].index(pinned)
        return np.full(len(probability), index, dtype=np.int64)
    weights = np.array([option.weight for option in branch.options])
    edges = np.cumsum(weights / weights.sum())
    return np.minimum(np.searchsorted(edges, probability, side="right"), len(weights) - 1).astype(np.int64)


def _first_of_each(branches: Sequence[Branch]) -> tuple[Branch, ...]:
    """Branches of several questions, each matter once."""
    found: dict[str, Branch] = {}
    for branch in branches:
        found.setdefault(branch.id, branch)
    return tuple(found.values())


def pinned_accounts(accounts: Mapping[str, str], branches: Sequence[Branch]) -> Mapping[str, str]:
    """Accounts to follow, checked.

    Raises
    ------
    InputError
        When there is no such matter or account.
    """
    known = {each.id: [option.id for option in each.options] for each in branches}
    for branch, option in accounts.items():
        for what, name, among in (
            ("contested matter", branch, list(known)),
            ("account", option, known.get(branch, [])),
        ):
            if name not in among:
                hint = did_you_mean(name, among) or f"; there is {', '.join(among) or 'none'}"
                raise InputError([Problem(f'--account {branch}={option}: no {what} "{name}"{hint}')])
    return dict(accounts)
