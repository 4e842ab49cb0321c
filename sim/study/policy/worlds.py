"""Worlds of a policy question: the uncertain inputs in groups, and which account of a contested matter holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.profiles.supply import Branch
from sim.resolve import World
from sim.study.policy.question import Group
from sim.study.worlds import Matrix


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


def columns(groups: Sequence[Group], branches: Sequence[Branch]) -> int:
    """Columns of a draw: one per branch, then one per group."""
    return len(branches) + len(groups)


def policy_world(
    groups: Sequence[Group],
    branches: Sequence[Branch],
    probabilities: Matrix,
    pinned: Mapping[str, str] | None = None,
) -> PolicyWorld:
    """World with one draw per row of ``probabilities``, (draws, branches + groups).

    Parameters
    ----------
    pinned : mapping of branch id to option id
        Accounts that every draw is to follow.
    """
    pinned = pinned or {}
    accounts = {
        branch.id: _account(branch, probabilities[:, column], pinned.get(branch.id))
        for column, branch in enumerate(branches)
    }
    values = {
        member.path: np.asarray(member.quantile(probabilities[:, len(branches) + column]))
        for column, group in enumerate(groups)
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
