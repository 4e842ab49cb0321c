"""Work of an optimizer that turns whole matrices, not single elements."""

from __future__ import annotations

from functools import lru_cache

from sim.physics.architecture import Architecture
from sim.physics.weights import Matrices, drafter_matrices, layer_matrices
from sim.physics.work import ROUTED


@lru_cache(maxsize=256)
def newton_schulz_flop(architecture: Architecture) -> tuple[float, float]:
    """Arithmetic of one Newton-Schulz iteration per parameter: outside and inside the routed experts [FLOP].

    Notes
    -----
    Muon makes the momentum X (n x k, n <= k) nearly orthogonal: X <- a X + (b A + c A A) X with A = X X^T. That is
    2 n^2 k + 2 n^3 + 2 n^2 k FLOP, so 4 n + 2 n^2/k per element. Feed-forward blocks have n = the smaller of hidden and
    inner width; matrices of attention are taken as n = the smaller of the hidden width and what is left of a block's
    weights over two hidden widths. Embedding, head and vectors keep AdamW.

    References
    ----------
    arXiv 2502.16982, equations 1 and 2, section 2.2.

    Examples
    --------
    A square matrix of width n takes 6 n per element: see the tests.
    """
    sums = {False: [0.0, 0.0], True: [0.0, 0.0]}
    for part in (*layer_matrices(architecture), *drafter_matrices(architecture)):
        held = part.layers * part.copies * part.weights
        short, long = _sides(part, architecture.hidden)
        entry = sums[part.component == ROUTED]
        entry[0] += held * (4.0 * short + 2.0 * short**2 / long)
        entry[1] += held
    shared, expert = (work / held if held else 0.0 for work, held in sums.values())
    return shared, expert


def _sides(part: Matrices, hidden: float) -> tuple[float, float]:
    """Short and long side of the matrices of a component."""
    if part.inner:
        return min(part.row, part.inner), max(part.row, part.inner)
    other = max(1.0, part.weights / (2.0 * hidden))
    return min(hidden, other), max(hidden, other)
