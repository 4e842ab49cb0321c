"""What moves an answer: tornado, rank correlation, Sobol indices, tipping points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Vector = NDArray[np.float64]


RESAMPLES = 400  # of a bootstrap


@dataclass(frozen=True, slots=True)
class SobolIndices:
    """Share of the variance of the answer that an input explains alone (first) and with others (total)."""

    first: Vector
    total: Vector


@dataclass(frozen=True, slots=True)
class SobolRanges:
    """90 % bootstrap intervals of Sobol indices, (columns, 2): low and high."""

    first: Vector
    total: Vector


def rank_correlation(inputs: Vector, answer: Vector) -> Vector:
    """Spearman correlation of each column of ``inputs`` (draws, inputs) with ``answer`` (draws,).

    Examples
    --------
    >>> rank_correlation(np.array([[1.0, 3.0], [2.0, 2.0], [3.0, 1.0]]), np.array([10.0, 20.0, 90.0])).tolist()
    [1.0, -1.0]
    """
    x = rankdata(inputs, axis=0) - (len(inputs) + 1) / 2
    y = rankdata(answer) - (len(answer) + 1) / 2
    scale = np.sqrt((x**2).sum(axis=0) * (y**2).sum())
    return np.divide((x * y[:, None]).sum(axis=0), scale, out=np.zeros(x.shape[1]), where=scale > 0)


def saltelli_probabilities(base: Vector, other: Vector, columns: Sequence[int | Sequence[int]]) -> Vector:
    """Rows to evaluate for Sobol indices of the chosen columns: base, other, then base with one column of other each.

    Several columns together, as a tuple, have an index as one.

    References
    ----------
    Saltelli et al. (2010), Computer Physics Communications 181, table 2.
    """
    mixed = np.repeat(base[None], len(columns), axis=0)
    for block, column in enumerate(columns):
        mixed[block, :, column] = other[:, column].T if np.ndim(column) else other[:, column]
    return np.concatenate([base, other, mixed.reshape(-1, base.shape[1])])


def sobol_indices(answers: Vector, samples: int) -> SobolIndices:
    """Indices from the answers at :func:`saltelli_probabilities`, first by Saltelli, total by Jansen.

    Parameters
    ----------
    answers : (samples x (2 + columns),) array
    samples : int
        Rows of ``base``.

    Notes
    -----
    Answers are centred first: the first index is a difference of products, and a mean far from zero would
    drown it in sampling noise.
    """
    found = _indices(answers.reshape(-1, samples)[:, None, :])
    return SobolIndices(found[0][:, 0], found[1][:, 0])


def sobol_ranges(answers: Vector, samples: int, rng: np.random.Generator) -> SobolRanges:
    """How well Sobol indices are known: their 5th and 95th percentile over bootstrap samples of the rows.

    A row keeps its answers at both matrices and at all mixtures of them together.

    References
    ----------
    Archer, Saltelli and Sobol, J. Stat. Comput. Simul. 58 (1997), 99.
    """
    rows = rng.integers(0, samples, (RESAMPLES, samples))
    found = _indices(answers.reshape(-1, samples)[:, rows])
    first, total = (np.quantile(each, [0.05, 0.95], axis=1).T for each in found)
    return SobolRanges(first, total)


def _indices(blocks: Vector) -> tuple[Vector, Vector]:
    """First and total indices, (columns, sets) each, from blocks (2 + columns, sets, samples)."""
    blocks = blocks - blocks[:2].mean(axis=(0, 2))[None, :, None]
    base, other, mixed = blocks[0], blocks[1], blocks[2:]
    variance = np.var(blocks[:2], axis=(0, 2))
    known = np.where(variance > 0, variance, 1.0)
    first = np.mean(other * (mixed - base), axis=2) / known
    total = 0.5 * np.mean((base - mixed) ** 2, axis=2) / known
    return first, total


def tipping_point(grid: Vector, answer: Vector, threshold: float) -> float | None:
    """Where along ``grid`` the answer first crosses ``threshold``; None if it does not.

    By linear interpolation; half way where one of the two answers is infinite. Points without an answer (NaN) are
    left out.

    Examples
    --------
    >>> tipping_point(np.array([0.0, 1.0, 2.0]), np.array([10.0, 20.0, 40.0]), 30.0)
    1.5
    """
    known = ~np.isnan(answer)
    grid, answer = grid[known], answer[known]
    above = answer >= threshold
    crossings = np.flatnonzero(above[1:] != above[:-1])
    if not len(crossings):
        return None
    i = int(crossings[0])
    step = answer[i + 1] - answer[i]
    share = (threshold - answer[i]) / step if np.isfinite(step) else 0.5
    return float(grid[i] + share * (grid[i + 1] - grid[i]))
