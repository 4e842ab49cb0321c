"""What a training run costs: the chips that are held, for as long as they are held."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.economics.ownership import Blocks, Ownership, View, amortised, scaled
from sim.economics.token import training_cost
from sim.study.training import TrainingRuns

Vector = NDArray[np.float64]


def power_per_chip(runs: TrainingRuns, chips: int) -> Vector:
    """Mean IT power of a chip over the time for which it is held (draws,) [W]."""
    held = chips * np.asarray(runs.goodput.present)[0]
    return np.asarray(runs.power_w[0] / held / runs.cluster.ownership.pue)


def held_seconds(runs: TrainingRuns) -> Vector:
    """Time for which the chips of the cluster are paid for, on average (draws,) [s]: not before they have come."""
    return np.asarray(runs.goodput.wall_s * runs.goodput.present)[0]


def training_bills(runs: TrainingRuns, chips: int) -> dict[View, Blocks]:
    """Cost of the run by view and block (draws,) [USD]."""
    blocks = runs.cluster.cost_blocks(power_per_chip(runs, chips))
    return {view: training_cost(parts, chips, held_seconds(runs)) for view, parts in blocks.items()}


def owned_run(runs: TrainingRuns, chips: int, ownership: Ownership) -> Blocks:
    """Amortised cost of the run by block (draws,) [USD] to an owner with other prices."""
    parts = amortised(ownership, power_per_chip(runs, chips))
    return scaled(parts, chips * held_seconds(runs))
