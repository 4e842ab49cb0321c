"""How a headline was obtained, in a line: draws, seed, and how well the ends of its interval are known."""

from __future__ import annotations

import math

from sim.profiles.scenario import LEAST_DRAWS
from sim.report.numbers import percent
from sim.study.convergence import BLOCKS, LEAST

WANTED = 0.02  # error of the ends, as a share of the median, above which more draws are worth their time
TOO_FEW = f"too few to read a 90 % interval from; draw {LEAST_DRAWS} or more"
MOST = 16_384  # draws that are suggested


def obtained(draws: int, seed: int, error: float, as_of: str = "") -> str:
    """The line below a headline.

    Parameters
    ----------
    error : float
        Of :func:`sim.study.convergence.ends_error` [1].
    as_of : str
        Date after which no price was used.

    Examples
    --------
    >>> obtained(256, 1, 0.041)
    'Closed form, 256 draws, seed 1. Monte Carlo error of the ends of the 90 % intervals: up to 4.1 % of the median;
    --draws 2048 brings it to about 2 %.'
    """
    dated = f", prices as of {as_of}" if as_of else ""
    head = f"Closed form, {draws:,} draws, seed {seed}{dated}"
    if draws < LEAST_DRAWS:
        return f"{head}: {TOO_FEW}."
    if math.isnan(error):
        return f"{head}; the Monte Carlo error of the ends of the intervals can be told from {BLOCKS * LEAST} draws on."
    if math.isinf(error):
        return f"{head}. An end of an interval lies where some draws have no limit, so it is not settled."
    more = finer(draws, error)
    known = f"Monte Carlo error of the ends of the 90 % intervals: up to {percent(error)} of the median"
    return f"{head}. {known}; {more}." if more else f"{head}. {known}."


def finer(draws: int, error: float, precise: str = "") -> str:
    """What brings a large error down, and to what; empty where it is small or cannot be told.

    Parameters
    ----------
    precise : str
        Option that draws until the ends are known; more draws are suggested where there is none.
    """
    if not math.isfinite(error) or error <= WANTED:
        return ""
    more = min(enough(draws, error), MOST)
    if more <= draws:
        return ""
    then = max(WANTED, error * math.sqrt(draws / more))
    return f"{precise or f'--draws {more}'} brings it to about {percent(then, 1)}"


def enough(draws: int, error: float) -> int:
    """Draws after which the error is that wanted, as a power of two: it falls with the root of their number."""
    return 1 << math.ceil(math.log2(draws * max(error / WANTED, 1.0) ** 2))
