"""From checked files and one world to the plain numbers that the physics and the economics take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sim.physics.chip import Chip, KernelCurve
from sim.physics.network import Network, Tier
from sim.profiles.hardware import ChipProfile, KernelFit, KernelProfile, SystemProfile
from sim.quantity import Array, Quantity

FAMILIES = ("gemm", "grouped_gemm", "attention_prefill", "attention_decode", "elementwise", "lookup")


@dataclass(frozen=True, slots=True)
class World:
    """Values of the uncertain inputs: scalars in one world, or arrays with one entry per draw.

    Both clusters are resolved in the same world, so what they share is drawn once.

    Attributes
    ----------
    values : mapping of Quantity.path to (draws,) array
        Inputs that are not here stand at their median.

    Examples
    --------
    >>> World()(Quantity(3.2e12, path="chips/x#memory.bandwidth"))
    3200000000000.0
    """

    values: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)

    def __call__(self, quantity: Quantity) -> Array:
        """The number a quantity has in this world, in base units.

        Raises
        ------
        UnknownQuantityError
            When the quantity is unknown.
        """
        drawn = self.values.get(quantity.path)
        return float(quantity.quantile(0.5)) if drawn is None else drawn


MEDIAN = World()


def resolve_chip(profile: ChipProfile, kernels: KernelProfile, world: World = MEDIAN) -> Chip:
    """Plain numbers of a chip; its kernel efficiencies come from the file of its family."""
    return Chip(
        name=profile.name,
        matrix_peak={precision: world(rate) for precision, rate in profile.compute.matrix.items()},
        vector_peak={precision: world(rate) for precision, rate in profile.compute.vector.items()},
        memory_bytes=world(profile.memory.capacity),
        memory_bandwidth=world(profile.memory.bandwidth),
        kernels={
            (family, precision): _curve(fit, world)
            for family in FAMILIES
            for precision, fit in getattr(kernels, family).items()
        },
        speed_factor={
            (precision, phase): world(factor)
            for phase, factors in kernels.speed.items()
            for precision, factor in factors.items()
        },
        idle_power_w=world(profile.power.idle),
        busy_power_w=world(profile.power.tdp) * world(profile.power.training),
        layer_overhead_s={key: world(value) for key, value in kernels.layer_overhead.items()},
        attention_backward=world(kernels.attention_backward),
        linear_backward=world(kernels.linear_backward),
        dies=profile.silicon.dies,
    )


def _curve(fit: KernelFit, world: World) -> KernelCurve:
    return KernelCurve(
        compute=world(fit.compute),
        bandwidth=world(fit.bandwidth),
        overhead_s=world(fit.overhead),
        half_rows=0.0 if fit.half_rows is None else world(fit.half_rows),
    )


def resolve_network(system: SystemProfile, world: World = MEDIAN) -> Network:
    """Plain numbers of the tiers, innermost first."""
    return Network(
        tuple(
            Tier(
                name=tier.name,
                size=np.inf if tier.size == "unlimited" else float(tier.size),
                bandwidth=world(tier.bandwidth),
                latency_s=world(tier.latency),
                efficiency=world(tier.efficiency),
                exchange_efficiency=world(tier.exchange_efficiency),
                exchange_floor_s=world(tier.exchange_floor),
                reduces=tier.reduces,
            )
            for tier in system.tiers
        )
    )
