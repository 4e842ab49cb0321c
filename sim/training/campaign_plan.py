"""Weeks of one training run, as the numbers that both the closed form and the event engine take."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64] | float
Delivery = tuple[float, float]

LOSSES = ("checkpoints", "repeated", "restarts", "waiting", "planned", "stragglers", "undelivered")
"""Where the calendar goes that is not work at full speed."""


@dataclass(frozen=True, slots=True)
class Cause:
    """One kind of unplanned stop.

    Attributes
    ----------
    name : str
        Component that fails: chip, memory, host, network, software.
    share : Array
        Share of all unplanned stops [1]; those of a plan add up to 1.
    exchanged : Array
        Share of its stops after which a server is exchanged [1].
    """

    name: str
    share: Array = 1.0
    exchanged: Array = 1.0


@dataclass(frozen=True, slots=True)
class CampaignPlan:
    """Weeks of one training run on one cluster.

    Attributes
    ----------
    work_s : Array
        Steps times step time on all chips, without a single stop [s].
    chips : Array
        Chips that train, spares not counted [chip].
    failure_rate : Array
        Unplanned interruptions of the run per chip and time, all causes [1/chip/s].
    causes : tuple of Cause
        What interrupts the run, and after which causes a server is exchanged.
    restart_s : Array
        Detection, rescheduling, loading, warm-up after an interruption [s].
    swap_share, swap_s : Array
        Share of exchanged servers that a spare of the same scale-up domain replaces without a restart of the whole run
        [1], and what takes the place of ``restart_s`` then [s]. The run goes back to the recoverable checkpoint all the
        same.
    checkpoint_s : Array
        Time for which training waits at a checkpoint [s]; see :func:`sim.training.checkpoints.checkpoint_time`.
    write_s : Array
        Time for which the checkpoint is then written in the background [s], 0 where training waits for it. Until the
        write is complete the run can only go back to the checkpoint before.
    planned_downtime : Array
        Share of the calendar lost to planned stops and evaluations [1].
    planned_stop_s : Array
        Length of one planned stop, for the event engine [s]; 0: what is owed is taken after every checkpoint.
    checkpoint_every_s : Array or None
        Training time between two checkpoints [s]; None: the interval that wastes least.
    shortest_interval_s : Array
        Checkpoints are never closer than this, usually one step [s]; nor closer than ``write_s``.
    spares : Array
        Chips held ready, as a share of ``chips`` [1].
    node_chips : float
        Chips that leave together with a broken server [chip].
    repair_s : Array
        Time until a broken server is back among the spares [s]; 0: there is always a spare.
    straggler_rate, straggler_s, straggler_loss : Array
        Slow servers: onsets per chip and time [1/chip/s], time until found [s], speed that the whole run
        loses meanwhile [1].
    power_w, stopped_power_w : Array
        Power of the whole facility while training and while stopped [W].
    deliveries : tuple of (time, share)
        Share of the chips present from a time [s after the start] on, ascending; empty: all from the start. Speed
        follows the chips.
    """

    work_s: Array
    chips: Array
    failure_rate: Array = 0.0
    causes: tuple[Cause, ...] = (Cause("any"),)
    restart_s: Array = 0.0
    swap_share: Array = 0.0
    swap_s: Array = 0.0
    checkpoint_s: Array = 0.0
    write_s: Array = 0.0
    planned_downtime: Array = 0.0
    planned_stop_s: Array = 0.0
    checkpoint_every_s: Array | None = None
    shortest_interval_s: Array = 1.0
    spares: Array = 0.0
    node_chips: float = 8.0
    repair_s: Array = 0.0
    straggler_rate: Array = 0.0
    straggler_s: Array = 0.0
    straggler_loss: Array = 0.0
    power_w: Array = 0.0
    stopped_power_w: Array = 0.0
    deliveries: tuple[Delivery, ...] = ()

    def __post_init__(self) -> None:
        if list(self.deliveries) != sorted(set(self.deliveries)) or any(
            not 0 < share <= 1 for _, share in self.deliveries
        ):
            raise ValueError(f"deliveries must ascend in time and bring chips: {self.deliveries}")
        if not np.allclose(sum(np.asarray(cause.share) for cause in self.causes), 1.0):
            raise ValueError("the shares of the causes must add up to 1")

    def at(self, *index: int) -> CampaignPlan:
        """The plan of one entry of the arrays, as plain numbers.

        Parameters
        ----------
        *index : int
            Index into the shape that all arrays broadcast to, such as (count, draw) or (draw,).
        """
        shape = np.broadcast_shapes(*(np.shape(value) for _, value in self._arrays()))

        def entry(value: Array) -> float:
            return float(np.broadcast_to(value, shape)[index])

        numbers: dict[str, Any] = {name: entry(value) for name, value in self._arrays() if name != "causes"}
        causes = tuple(Cause(c.name, entry(c.share), entry(c.exchanged)) for c in self.causes)
        return replace(self, causes=causes, **numbers)

    @property
    def is_scalar(self) -> bool:
        """Whether it holds plain numbers alone."""
        return not any(np.ndim(value) for _, value in self._arrays())

    @property
    def broken_share(self) -> Array:
        """Share of interruptions after which a server is exchanged [1]."""
        return sum((np.asarray(c.share) * c.exchanged for c in self.causes), np.zeros(()))

    def phases(self) -> tuple[tuple[float, Array], ...]:
        """Times [s] and chips present from then on [chip]."""
        return tuple((start, self.chips * share) for start, share in self.deliveries or ((0.0, 1.0),))

    def _arrays(self) -> Iterator[tuple[str, Array]]:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name == "causes":
                yield from (("causes", part) for cause in value for part in (cause.share, cause.exchanged))
            elif field.name != "deliveries" and value is not None:
                yield field.name, value
