"""Power and energy: chip, server, network, facility."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64] | float


def chip_power(activity: Array, idle_w: Array, busy_w: Array) -> Array:
    """Power of a chip at an activity between idle (0) and sustained matrix load (1) [W].

    Notes
    -----
    P = idle + activity (busy - idle). ``activity`` is a time average: a chip that works half of the time at
    full load and one that works all the time at half load draw the same here.

    Examples
    --------
    >>> chip_power(0.5, 100.0, 700.0)
    400.0
    """
    return idle_w + activity * (busy_w - idle_w)


def it_power(chip_w: Array, server_w: Array, network_w: Array) -> Array:
    """IT power per chip: the chip, its share of the server, its share of the network outside [W/chip]."""
    return chip_w + server_w + network_w


def facility_power(it_w: Array, pue: Array) -> Array:
    """Power at the utility meter [W]: IT power times PUE (cooling, conversion, lighting)."""
    return it_w * pue


def energy(power_w: Array, duration_s: Array) -> Array:
    """Energy of stretches of constant power, summed over the first axis [J].

    Parameters
    ----------
    power_w, duration_s : Array, shape (stretches, ...)
        Power [W] and duration [s] of each stretch; scalars are one stretch.

    Examples
    --------
    >>> energy(np.array([700.0, 100.0]), np.array([10.0, 5.0]))
    7500.0
    """
    product = np.asarray(power_w * np.asarray(duration_s, dtype=float))
    summed = product if product.ndim == 0 else product.sum(axis=0)
    return float(summed) if np.ndim(summed) == 0 else summed


def mean_power(power_w: Array, duration_s: Array) -> Array:
    """Mean power over stretches of constant power, weighted with their duration, over the first axis [W]."""
    return energy(power_w, duration_s) / energy(np.ones_like(np.asarray(power_w, dtype=float)), duration_s)
