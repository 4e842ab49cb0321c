"""Chips in a country: waiting for a place, installed, broken for good, retired."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.quantity import Array

Vector = NDArray[np.float64]
SITE_LIMITS = ("nothing: all work", "power", "network")


class Fleet:
    """Chips of every lane and cohort, in every draw.

    Parameters
    ----------
    lanes, quarters, draws : int
    life : (draws,) array
        Quarters from installation to retirement.
    failing : (draws,) array
        Share of the installed chips that break for good in a quarter.
    watts : (lanes, draws) array
        Facility power of one installed chip [W].
    """

    def __init__(
        self, lanes: int, quarters: int, draws: int, life: Vector, failing: Vector, watts: Vector
    ) -> None:
        self.waiting = np.zeros((lanes, draws))
        self.cohorts = np.zeros(
            (quarters + 1, lanes, draws)
        )  # by quarter of installation; the first was there before
        self.failed = np.zeros((lanes, draws))
        self.retired = np.zeros((lanes, draws))
        self._life = life
        self._failing = failing
        self._watts = watts

    @property
    def installed(self) -> Vector:
        """Chips that run, (lanes, draws)."""
        return np.asarray(self.cohorts.sum(axis=0))

    @property
    def power_w(self) -> Vector:
        """Facility power they draw [W], (draws,)."""
        return np.asarray((self.installed * self._watts).sum(axis=0))

    def wear(self, quarter: int) -> None:
        """Breakage and retirement of one quarter.

        A cohort of age a leaves over the quarter in which its life ends; a life of 18.5 quarters ends for half of it in
        the 18th and for half in the 19th.
        """
        broken = self.cohorts * self._failing
        self.failed += broken.sum(axis=0)
        self.cohorts -= broken
        ages = np.maximum(quarter + 1 - np.arange(len(self.cohorts)), 0)[:, None]
        before, after = (np.clip(ages + shift - self._life, 0.0, 1.0) for shift in (0, 1))
        leaving = np.divide(after - before, 1.0 - before, out=np.zeros_like(after), where=before < 1.0)
        gone = self.cohorts * np.where(ages > 0, leaving, 0.0)[:, None, :]
        self.retired += gone.sum(axis=0)
        self.cohorts -= gone

    def install(self, quarter: int, power_w: Array, network: Array) -> NDArray[np.int64]:
        """Put waiting chips to work as far as power and network reach; what bound, (draws,) index into ``SITE_LIMITS``."""
        wanted = (self.waiting * self._watts).sum(axis=0)
        chips = self.waiting.sum(axis=0)
        free = np.maximum(np.asarray(power_w) - self.power_w, 0.0)
        by_power = np.divide(free, wanted, out=np.full_like(wanted, np.inf), where=wanted > 0)
        by_network = np.divide(network, chips, out=np.full_like(chips, np.inf), where=chips > 0)
        shares = np.stack([np.ones_like(chips), by_power, by_network])
        moved = self.waiting * shares.min(axis=0)
        self.waiting -= moved
        self.cohorts[quarter + 1] += moved
        return np.asarray(shares.argmin(axis=0))

    def lose(self, share: Array, lanes: NDArray[np.bool_]) -> None:
        """A sudden loss of a share of the chips of some lanes, waiting and installed; they count as failed."""
        kept = np.where(lanes[:, None], 1.0 - np.asarray(share), 1.0)
        before = self.waiting + self.installed
        self.waiting *= kept
        self.cohorts *= kept
        self.failed += before - self.waiting - self.installed
