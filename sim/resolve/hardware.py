"""Chips and networks as plain numbers."""

from __future__ import annotations

import numpy as np

from sim.physics.chip import Chip, KernelCurve
from sim.physics.network import Network, Tier
from sim.profiles.hardware import ChipProfile, KernelFit, KernelProfile, SystemProfile
from sim.resolve.world import MEDIAN, World

FAMILIES = ("gemm", "grouped_gemm", "attention_prefill", "attention_decode", "elementwise", "lookup")


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
        ranks=profile.silicon.ranks,
        latent_layers=world(kernels.latent_layers),
        grouped_prefill=world(kernels.grouped_prefill),
        memory_activity=world(kernels.activity.memory),
        waiting_activity=world(kernels.activity.waiting),
        expert_gather={precision: world(moved) for precision, moved in kernels.expert_gather.items()},
    )


def _curve(fit: KernelFit, world: World) -> KernelCurve:
    return KernelCurve(
        compute=world(fit.compute),
        bandwidth=world(fit.bandwidth),
        overhead_s=world(fit.overhead),
        half_rows=0.0 if fit.half_rows is None else world(fit.half_rows),
        half_width=0.0 if fit.half_width is None else world(fit.half_width),
        half_depth=0.0 if fit.half_depth is None else world(fit.half_depth),
        half_length=0.0 if fit.half_length is None else world(fit.half_length),
        wide=None if fit.wide is None else world(fit.wide),
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
