"""How the rate of arrivals swings: bursts, the day."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sim.serving.traffic import Array, Times, diurnal_arrivals, gamma_arrivals, on_off_arrivals
from sim.units import DAY

CYCLES = 12.0  # bursts that a run should see at least; of days, one


@dataclass(frozen=True, slots=True)
class Pattern:
    """Swing of a rate; fields may be arrays of draws.

    Attributes
    ----------
    kind : {"steady", "on-off", "diurnal"}
        No swing; bursts and silence of exponential lengths; a sine.
    on_s, off_s : Array
        Mean lengths of bursts and of the silence between them [s].
    peak_over_mean, period_s : Array
        Of the sine: highest over mean rate [1], and its length [s].
    """

    kind: Literal["steady", "on-off", "diurnal"] = "steady"
    on_s: Array = 1.0
    off_s: Array = 0.0
    peak_over_mean: Array = 1.0
    period_s: Array = DAY

    @property
    def mean_over_peak(self) -> Array:
        """Mean over highest rate [1].

        Examples
        --------
        >>> float(Pattern("on-off", on_s=10.0, off_s=30.0).mean_over_peak)
        0.25
        """
        if self.kind == "on-off":
            return self.on_s / (np.asarray(self.on_s) + self.off_s)[()]
        return 1.0 / np.asarray(self.peak_over_mean)[()] if self.kind == "diurnal" else 1.0

    @property
    def start_over_peak(self) -> Array:
        """Rate at which a run begins over the highest: a day begins at its lowest [1]."""
        if self.kind == "diurnal":
            return 2.0 * np.asarray(self.mean_over_peak) - 1.0
        return self.mean_over_peak

    def within(self, span_s: float) -> Pattern:
        """The same swing, faster where a run of so many seconds would not see enough of it; scalars only."""
        cycle, wanted = (self.period_s, 1.0) if self.kind == "diurnal" else (self.on_s + self.off_s, CYCLES)
        faster = min(span_s / (wanted * float(np.ravel(cycle)[0])), 1.0)
        return replace(
            self,
            on_s=self.on_s * faster,
            off_s=self.off_s * faster,
            period_s=self.period_s * faster,
        )

    def arrivals(self, mean_rate: float, burstiness: float, count: int, rng: np.random.Generator) -> Times:
        """Arrival times at a mean rate [1/s]; ``burstiness``: coefficient of variation of steady gaps. Scalars only."""
        if self.kind == "on-off":
            return on_off_arrivals(mean_rate, _one(self.on_s), _one(self.off_s), count, rng)
        if self.kind == "diurnal":
            return diurnal_arrivals(mean_rate, _one(self.peak_over_mean), count, rng, _one(self.period_s))
        return gamma_arrivals(mean_rate, max(burstiness, 1e-3), count, rng)


STEADY = Pattern()


def _one(value: Array | NDArray[np.float64]) -> float:
    return float(np.ravel(value)[0])
