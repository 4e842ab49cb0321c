"""The highest load at which a played unit keeps its promise, by bisection with the same random numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sim.serving.unit_result import UnitRun


@dataclass(frozen=True, slots=True)
class Sustained:
    """Result of the bisection.

    Attributes
    ----------
    load : float
        Highest load that was seen to be kept, over that of the closed form; 0 when even the lowest tried was not [1].
    runs : tuple of (float, bool)
        Every load that was played, and whether the promise held.
    at_limit : bool
        True when the highest load tried was kept: the answer may be higher.
    """

    load: float
    runs: tuple[tuple[float, bool], ...]
    at_limit: bool


def sustained_load(
    play: Callable[[float], UnitRun],
    ttft_s: float,
    tpot_s: float,
    *,
    low: float = 0.25,
    high: float = 1.5,
    plays: int = 7,
) -> Sustained:
    """Bisect between a load that is kept and one that is not.

    Parameters
    ----------
    play : callable
        Plays the unit at a load. It has to draw the same requests each time, so that loads differ by the clock alone.
    plays : int
        Runs after the two ends; seven narrow 0.25..1.5 to one hundredth.
    """
    runs: list[tuple[float, bool]] = []

    def kept(load: float) -> bool:
        runs.append((load, play(load).keeps(ttft_s, tpot_s)))
        return runs[-1][1]

    if not kept(low):
        return Sustained(0.0, tuple(runs), False)
    if kept(high):
        return Sustained(high, tuple(runs), True)
    for _ in range(plays):
        middle = (low + high) / 2
        if kept(middle):
            low = middle
        else:
            high = middle
    return Sustained(low, tuple(runs), False)
