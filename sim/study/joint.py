"""Inputs that do not move alone: correlated groups, and cases of which each world takes one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from sim.quantity import Quantity
from sim.resolve import World

Matrix = NDArray[np.float64]
INSIDE = 1e-9  # probabilities keep this distance from 0 and 1


@dataclass(frozen=True, slots=True)
class Tie:
    """Inputs that share a cause.

    Attributes
    ----------
    columns, signs : tuple of int
        Inputs by their place among those of the question, and whether each rises (1) or falls (-1) with the cause.
    strength : float
        Correlation of any two of them, on the normal scale [1].
    """

    columns: tuple[int, ...]
    signs: tuple[int, ...]
    strength: float


@dataclass(frozen=True, slots=True)
class Choice:
    """Cases of which each world takes one.

    Attributes
    ----------
    quantity : Quantity
        An input of the question: number of the case, discrete, with the weights of the cases.
    names : tuple of str
        Ids of the cases.
    cases : tuple of mapping of path to Quantity
        What each case puts in the place of what the files say.
    """

    quantity: Quantity
    names: tuple[str, ...]
    cases: tuple[Mapping[str, Quantity], ...]


def number_of_case(weights: Sequence[float], path: str) -> Quantity:
    """An input whose value is the number of a case, with the given weights.

    Examples
    --------
    >>> number_of_case([0.6, 0.4], "x#branches.y").quantile(np.array([0.5, 0.7])).tolist()
    [0.0, 1.0]
    """
    parts = tuple((weight, Quantity(float(number))) for number, weight in enumerate(weights))
    whole = Quantity(0.0, distribution="mixture", parts=parts, path=path)
    low, middle, high = (float(whole.quantile(p)) for p in (0.05, 0.5, 0.95))
    return replace(whole, value=middle, low=low, high=high)


def tied(probabilities: Matrix, causes: Matrix, ties: Sequence[Tie]) -> Matrix:
    """Probabilities of correlated inputs, each still uniform on 0 to 1.

    Parameters
    ----------
    probabilities : (worlds, inputs) array
        Independent.
    causes : (worlds, ties) array
        Probability at which the cause of each tie stands.

    Notes
    -----
    Gaussian copula with one common factor: z = s (sqrt(r) c + sqrt(1 - r) e) with standard normal c and e, sign s and
    correlation r.

    References
    ----------
    Nelsen, An Introduction to Copulas, 2nd ed. (2006), section 2.

    Examples
    --------
    Tied by a correlation of one, inputs stand where their cause stands.

    >>> tied(np.array([[0.2, 0.9]]), np.array([[0.3]]), [Tie((0, 1), (1, -1), 1.0)]).round(6).tolist()
    [[0.3, 0.7]]
    """
    found = np.array(probabilities, dtype=float)
    for index, tie in enumerate(ties):
        cause = ndtri(causes[:, index])[:, None]
        own = ndtri(found[:, tie.columns])
        both = np.sqrt(tie.strength) * cause + np.sqrt(1.0 - tie.strength) * own
        found[:, tie.columns] = ndtr(np.array(tie.signs) * both)
    return np.clip(found, INSIDE, 1.0 - INSIDE) if ties else found


def taken_along(probabilities: Matrix, ties: Sequence[Tie]) -> Matrix:
    """Worlds in which one input moves, with the inputs that share a cause with it where they then stand in the middle.

    Parameters
    ----------
    probabilities : (worlds, inputs) array
        One input of each tie away from 0.5.

    Notes
    -----
    Given one of several normals with correlation r, the median of another is r times it.

    Examples
    --------
    >>> taken_along(np.array([[0.9, 0.5, 0.5]]), [Tie((0, 1), (1, -1), 1.0)]).round(6).tolist()
    [[0.9, 0.1, 0.5]]
    """
    found = np.array(probabilities, dtype=float)
    for tie in ties:
        signs, columns = np.array(tie.signs), list(tie.columns)
        moved = ndtri(found[:, columns]) * signs
        others = moved.sum(axis=1, keepdims=True) - moved
        stands = np.where(moved != 0.0, moved, tie.strength * others)
        found[:, columns] = np.where(stands == 0.0, 0.5, ndtr(signs * stands))
    return found


def chosen(
    world: World, inputs: Sequence[Quantity], probabilities: Matrix, choices: Sequence[Choice]
) -> World:
    """A world in which each choice has put the values of its case in their places.

    Parameters
    ----------
    world : World
        Every input at its probability, choices ignored.
    probabilities : (worlds, inputs) array
        A value that a case gives with a range stands at the probability of its input; at its median where the files
        give it none.
    """
    if not choices:
        return world
    values = dict(world.values)
    place = {quantity.path: column for column, quantity in enumerate(inputs)}
    middle = np.full(len(probabilities), 0.5)
    for choice in choices:
        case = np.rint(values[choice.quantity.path]).astype(int)
        for number, said in enumerate(choice.cases):
            for path, quantity in said.items():
                column = probabilities[:, place[path]] if path in place else middle
                held = values[path]
                values[path] = np.where(case == number, quantity.quantile(column), held)
    return World(values)
