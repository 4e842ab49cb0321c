"""How a purchase turns into cost over time: annuities, straight line, and value lost to better hardware."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.units import HOUR

Array = NDArray[np.float64] | float
HOURS_PER_YEAR = 8760.0  # the accounting year of the published cost formulas


def annuity_rate(rate_per_s: Array, life_s: Array, residual: Array = 0.0) -> Array:
    """Constant payment per second that repays one dollar with interest over a life [1/s].

    Parameters
    ----------
    rate_per_s : Array
        Nominal yearly rate, continuously compounded [1/s].
    life_s : Array
        Economic life [s].
    residual : Array
        Share of the price that the sale at the end brings back [1].

    Notes
    -----
    a = r (1 - R exp(-r L)) / (1 - exp(-r L)), the limit of the loan formula P i / (1 - (1 + i)^-n) with a balloon
    R for ever shorter periods at the same nominal rate; (1 - R) / L when r = 0. Monthly payments (the bank's
    formula) differ by less than 0.6 % below 13 % a year.

    Examples
    --------
    >>> round(annuity_rate(0.0, 5.0), 3), round(annuity_rate(0.09, 5.0), 4), round(annuity_rate(0.0, 5.0, 0.1), 3)
    (0.2, 0.2484, 0.18)
    """
    owed = np.asarray(rate_per_s * np.asarray(life_s, dtype=float))
    factor = np.where(owed == 0, 1.0, owed / -np.expm1(-np.where(owed == 0, 1.0, owed)))
    # The part that comes back costs only its interest.
    return plain((1.0 - residual) * factor / life_s + residual * rate_per_s)


def straight_line_rate(life_s: Array, residual: Array = 0.0) -> Array:
    """Share of the price written off per second, the same over the whole life [1/s].

    Examples
    --------
    >>> straight_line_rate(5.0, 0.1)
    0.18
    """
    return plain((1.0 - np.asarray(residual, dtype=float)) / life_s)


def value_loss_rate(decline_oom_per_s: Array) -> Array:
    """Share of its value that hardware loses per second when the value falls as 10^(-r t) [1/s].

    Notes
    -----
    r ln 10: the slope at the start, as in the published formula.

    References
    ----------
    B. Cottier et al., "The rising costs of training frontier AI models", arXiv:2405.21015, section 2.

    Examples
    --------
    0.14 orders of magnitude a year lose 32 % of the value in a year's time.

    >>> round(value_loss_rate(0.14), 4)
    0.3224
    """
    return plain(np.asarray(decline_oom_per_s, dtype=float) * np.log(10.0))


def value_after(value_usd: Array, age_s: Array, decline_oom_per_s: Array) -> Array:
    """Value of hardware at an age [USD]: what was paid, times 10^(-r t).

    References
    ----------
    arXiv:2405.21015: the value of a chip at the start of a run, from its price when it became available.
    """
    return plain(value_usd * 10.0 ** (-np.asarray(decline_oom_per_s * np.asarray(age_s, dtype=float))))


def amortised_epoch(value_usd: Array, chip_s: Array, decline_oom_per_year: Array) -> Array:
    """Amortised hardware cost of a run after Epoch AI [USD]: value lost during the run.

    Parameters
    ----------
    value_usd : Array
        Value of one chip with server and network at the start of the run [USD/chip].
    chip_s : Array
        Chip-seconds of the run [chip s].
    decline_oom_per_year : Array
        Orders of magnitude the value falls per year (r) [1/year].

    Notes
    -----
    cost = value x chip-hours / 8760 x r ln 10: a value that falls as 10^(-r t) loses r ln 10 of itself per
    year.

    References
    ----------
    B. Cottier et al., "The rising costs of training frontier AI models", arXiv:2405.21015, appendix on
    amortisation.
    """
    return value_usd * chip_s / HOUR / HOURS_PER_YEAR * value_loss_rate(decline_oom_per_year)


def plain(value: object) -> Array:
    """A zero-dimensional array as a float, so that a scalar question gets a scalar answer."""
    array = np.asarray(value, dtype=float)
    return float(array) if array.ndim == 0 else array
