"""The operators of a model: how much work, on how many bytes, in which shape. One place to import them from."""

from sim.physics.backward import backward_operators
from sim.physics.forward import draft_operators, experts_touched, forward_operators
from sim.physics.work import (
    NO_TRAFFIC,
    Operator,
    Precisions,
    Sharding,
    Traffic,
)

__all__ = [
    "NO_TRAFFIC",
    "Operator",
    "Precisions",
    "Sharding",
    "Traffic",
    "backward_operators",
    "draft_operators",
    "experts_touched",
    "forward_operators",
]
