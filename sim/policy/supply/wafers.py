"""Wafers to dies: how many there are on a wafer, and how many of them work."""

from __future__ import annotations

import math

import numpy as np

from sim.quantity import Array

WAFER_MM = 300.0


def gross_dies(die_mm2: Array, wafer_mm: float = WAFER_MM) -> Array:
    """Whole dies on a round wafer, without scribe lines and edge loss [die/wafer].

    Notes
    -----
    ``pi d^2 / (4 A) - pi d / sqrt(2 A)``: area over area, less the dies cut by the edge.

    References
    ----------
    De Vries (2005), Investigation of gross die per wafer formulas, IEEE Trans. Semicond. Manuf. 18, 136-139.

    Examples
    --------
    >>> float(gross_dies(665.6).round(1))
    80.4
    """
    radius_term = math.pi * wafer_mm**2 / (4.0 * np.asarray(die_mm2))
    edge_term = math.pi * wafer_mm / np.sqrt(2.0 * np.asarray(die_mm2))
    return radius_term - edge_term


def good_dies(wafers: Array, gross: Array, yield_share: Array) -> Array:
    """Working dies [die] of some wafers.

    Examples
    --------
    >>> float(good_dies(240_000, 80.0, 0.4))  # 20,000 a month for a year
    7680000.0
    """
    return np.asarray(wafers) * gross * yield_share
