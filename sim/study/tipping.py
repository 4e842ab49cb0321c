"""Where an input takes the median of an answer across a line, while all other inputs are drawn as ever."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from sim.study.sensitivity import tipping_point

Vector = NDArray[np.float64]
WORLDS = 256  # of the draws, on which a crossing is looked for
ROUNDS = 2  # of looking where the last guess says
FAR = 0.15  # from the line, as a share of it: such a guess is believed
GRID = np.linspace(0.05, 0.95, 19)  # probabilities along which an input is moved


def tipping_points(
    respond: Callable[[Vector], Vector],
    probabilities: Vector,
    answers: Vector,
    columns: Sequence[int],
    alone: Vector,
    threshold: float,
) -> list[float | None]:
    """Probability at which each input, set to it in every world, brings the median answer to a threshold.

    Parameters
    ----------
    respond : callable
        Answers (worlds,) at probabilities (worlds, inputs).
    probabilities, answers : (draws, inputs) and (draws,) arrays
        The main draws.
    columns : sequence of int
        Inputs to look at.
    alone : (columns, len(GRID)) array
        Answers with each input alone along :data:`GRID`, all others at their medians: the first guess.
    threshold : float
        Of the median of all draws.

    Returns
    -------
    list of float or None
        None where the input does not do it within its 90 % interval.

    Notes
    -----
    The guess takes the answer as a product: a world's answer at p is its own times alone(p) / alone(its p). Where it
    comes near the line it is asked of a few of the worlds, the guess scaled by what they say, and so on. These few
    stand for all: their threshold is moved as their median lies off that of all draws.
    """
    few, own = probabilities[:WORLDS], answers[:WORLDS]
    line = threshold * _median(own) / _median(answers)
    guesses = [_guess(own, few[:, column], row) for column, row in zip(columns, alone, strict=True)]
    near = [index for index, guess in enumerate(guesses) if _distance(guess, line).min() < FAR]
    for _ in range(ROUNDS if near else 0):
        tips = [_nearest(guesses[index], line) for index in near]
        rows = [_with(few, columns[index], tip) for index, tip in zip(near, tips, strict=True)]
        found = np.split(respond(np.concatenate(rows)), len(near))
        for index, tip, part in zip(near, tips, found, strict=True):
            guesses[index] = _scaled(guesses[index], tip, _median(part))
    return [
        tipping_point(GRID, guess, line) if index in near else None for index, guess in enumerate(guesses)
    ]


def medians_at(
    respond: Callable[[Vector], Vector], probabilities: Vector, column: int, places: Sequence[float]
) -> list[float]:
    """Median answer with one input set to each of some probabilities, on a few of the worlds."""
    few = probabilities[:WORLDS]
    rows = np.concatenate([_with(few, column, place) for place in places])
    return [_median(part) for part in np.split(respond(rows), len(places))]


def _guess(answers: Vector, places: Vector, alone: Vector) -> Vector:
    """Median answer along the grid, if the input acts on every world as it does on the median one."""
    with np.errstate(all="ignore"):
        own = np.interp(places, GRID, alone)
        return np.array([_median(answers * (there / own)) for there in alone])


def _distance(guess: Vector, line: float) -> Vector:
    """From the line, on the logarithm; infinite where there is no answer."""
    with np.errstate(all="ignore"):
        distance = np.abs(np.log(guess / line))
    return np.where(np.isfinite(distance), distance, np.inf)


def _nearest(guess: Vector, line: float) -> float:
    """Where the guess crosses the line, else where it comes closest."""
    place = tipping_point(GRID, guess, line)
    return float(GRID[int(np.argmin(_distance(guess, line)))]) if place is None else place


def _scaled(guess: Vector, place: float, median: float) -> Vector:
    """The guess as it must be to give what was found at a place."""
    with np.errstate(all="ignore"):
        factor = median / np.interp(place, GRID, guess)
    return guess * factor if np.isfinite(factor) and factor > 0 else guess


def _with(probabilities: Vector, column: int, place: float) -> Vector:
    changed = probabilities.copy()
    changed[:, column] = place
    return changed


def _median(answers: Vector) -> float:
    """Of the worlds that have an answer; NaN where none has one."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN slice")
        return float(np.nanquantile(answers, 0.5, method="inverted_cdf"))
