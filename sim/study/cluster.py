"""One side of the question in one world (or many): plain numbers, ready for the simulators."""

from __future__ import annotations

from dataclasses import dataclass

from sim.economics.ownership import Ownership, View, purchase, total, views
from sim.physics.chip import Chip
from sim.physics.network import Network
from sim.physics.power import chip_power, it_power
from sim.quantity import Array
from sim.resolve import World, resolve_chip, resolve_network, resolve_ownership
from sim.study.question import Side


@dataclass(frozen=True, slots=True)
class Cluster:
    """Resolved side.

    Attributes
    ----------
    rent : Array or None
        Market rent [USD/chip/s].
    failure_rate : Array
        Interruptions of a training run [1/chip/s].
    server_w, network_w : Array
        IT power beside the chip [W/chip].
    """

    chip: Chip
    network: Network
    ownership: Ownership
    rent: Array | None
    failure_rate: Array
    server_w: Array
    network_w: Array

    def power(self, activity: Array) -> Array:
        """IT power of a chip with its share of server and network [W/chip] at an activity between idle (0) and
        the mean draw of a training run (1)."""
        busy = chip_power(activity, self.chip.idle_power_w, self.chip.busy_power_w)
        return it_power(busy, self.server_w, self.network_w)

    def cost_blocks(self, mean_power_w: Array) -> dict[View, dict[str, Array]]:
        """Cost of a chip-second by view and block [USD/chip/s]."""
        return views(self.ownership, mean_power_w, self.rent)

    @property
    def purchase_usd(self) -> Array:
        """Cash for one chip with everything around it [USD/chip]."""
        return total(purchase(self.ownership))


def resolve_cluster(side: Side, world: World) -> Cluster:
    """Plain numbers of a side in a world.

    Raises
    ------
    UnknownQuantityError
        When a number the answer needs has not been published.
    """
    return Cluster(
        chip=resolve_chip(side.chip, side.kernels, world),
        network=resolve_network(side.system, world),
        ownership=resolve_ownership(side.chip, side.system, side.region, world),
        rent=None if side.rent is None else world(side.rent),
        failure_rate=_failure_rate(side, world),
        server_w=world(side.system.power.server),
        network_w=world(side.system.power.network),
    )


def _failure_rate(side: Side, world: World) -> Array:
    # Without a rate no campaign can be given; a chip nobody trains on may still serve.
    return float("nan") if side.chip.failure_rate is None else world(side.chip.failure_rate)
