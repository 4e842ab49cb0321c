"""Power of a chip, and of what stands around it."""

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
