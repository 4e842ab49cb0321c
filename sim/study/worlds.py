"""Worlds: one or many joint draws of everything that is uncertain in a scenario."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import qmc

from sim.quantity import Quantity
from sim.resolve import World

Matrix = NDArray[np.float64]


def world_at(inputs: Sequence[Quantity], probabilities: Matrix) -> World:
    """World with one row per row of ``probabilities``.

    Parameters
    ----------
    inputs : sequence of Quantity
        The uncertain inputs, one per column.
    probabilities : (worlds, inputs) array
        Cumulative probability at which each input stands, 0.5 = its median.
    """
    return World({q.path: np.asarray(q.quantile(p)) for q, p in zip(inputs, probabilities.T, strict=True)})


def sobol_probabilities(draws: int, dimensions: int, seed: int) -> Matrix:
    """First ``draws`` points of a scrambled Sobol sequence, (draws, dimensions), all strictly inside 0..1.

    References
    ----------
    Owen (1998), scrambled nets; as in ``scipy.stats.qmc.Sobol``.
    """
    if dimensions == 0:
        return np.zeros((draws, 0))
    exponent = max(0, int(np.ceil(np.log2(draws))))
    points = qmc.Sobol(dimensions, scramble=True, rng=np.random.default_rng(seed)).random_base2(exponent)
    return np.clip(points[:draws], 1e-9, 1 - 1e-9)


def independent_world(inputs: Sequence[Quantity], draws: int, seed: int) -> World:
    """The first draws of a seed for inputs that no scenario ties together; a scenario has :meth:`Question.drawn`."""
    return world_at(inputs, sobol_probabilities(draws, len(inputs), seed))


def sobol_rows(first: int, rows: int, dimensions: int, seed: int) -> Matrix:
    """Some rows of the sequence of :func:`sobol_probabilities`, (rows, dimensions); needs none of those before."""
    if dimensions == 0:
        return np.zeros((rows, 0))
    points = qmc.Sobol(dimensions, scramble=True, rng=np.random.default_rng(seed))
    if first:
        points.fast_forward(first)
    return np.clip(points.random(rows), 1e-9, 1 - 1e-9)


def one_at_a_time(dimensions: int, low: float = 0.1, high: float = 0.9) -> Matrix:
    """Each input alone at ``low``, then each alone at ``high``: (2 x dimensions, dimensions)."""
    middle = np.full((2 * dimensions, dimensions), 0.5)
    index = np.arange(dimensions)
    middle[index, index] = low
    middle[dimensions + index, index] = high
    return middle


def sweeps(dimensions: int, columns: Sequence[int], grid: Matrix) -> Matrix:
    """Each chosen input alone along ``grid``: (len(columns) x len(grid), dimensions)."""
    middle = np.full((len(columns) * len(grid), dimensions), 0.5)
    for block, column in enumerate(columns):
        middle[block * len(grid) : (block + 1) * len(grid), column] = grid
    return middle
