"""From checked files and one world to the plain numbers that the physics and the economics take."""

from sim.resolve.hardware import FAMILIES, resolve_chip, resolve_network
from sim.resolve.ownership import resolve_ownership, unknown_prices
from sim.resolve.serving import resolve_engine, resolve_serving, resolve_serving_kernels, stated_engine
from sim.resolve.training import (
    resolve_small_kernels,
    resolve_software,
    resolve_training,
    stated_reliability,
    stated_software,
    training_precisions,
)
from sim.resolve.world import MEDIAN, World

__all__ = [
    "FAMILIES",
    "MEDIAN",
    "World",
    "resolve_chip",
    "resolve_engine",
    "resolve_network",
    "resolve_ownership",
    "resolve_serving",
    "resolve_serving_kernels",
    "resolve_small_kernels",
    "resolve_software",
    "resolve_training",
    "stated_engine",
    "stated_reliability",
    "stated_software",
    "training_precisions",
    "unknown_prices",
]
