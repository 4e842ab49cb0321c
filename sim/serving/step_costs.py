"""Step times of an instance as the few numbers the event engine needs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.physics.chip import Chip
from sim.physics.network import Network
from sim.serving.aggregated import SharedStep
from sim.serving.iteration import decode_step_time, prefill_time
from sim.serving.job import ServingJob, UnitShape
from sim.serving.steps import StepCost

Array = NDArray[np.float64] | float


def scalar(value: Array) -> float:
    """The one number in an array of size one."""
    return float(np.ravel(value)[0])


def decode_costs(
    job: ServingJob,
    chip: Chip,
    network: Network,
    shape: UnitShape,
    context: float,
    batch: int,
    part: float = 1.0,
) -> tuple[list[float], float]:
    """Step time without context for 0 to ``batch`` sequences of an instance [s], and time per token of context [s].

    Parameters
    ----------
    part : float
        Share of the instance that the sequences are on; the rest of it is taken to be as full [1].

    Notes
    -----
    The attention of a batch grows with the sum of its contexts, so two contexts give the slope.
    """
    replicas = scalar(shape.dp) * part
    grid = np.unique(np.geomspace(1, max(batch, 2), 96))

    def step(sequences: NDArray[np.float64], tokens: float) -> NDArray[np.float64]:
        time = decode_step_time(job, chip, network, shape, sequences / replicas, tokens)
        return np.ravel(time.total_s + 0.0 * sequences)

    middle = np.array([max(batch * 0.8, 1.0)])
    slope = float(
        (step(middle, 1.3 * context) - step(middle, 0.7 * context))[0] / (middle[0] * 0.6 * context)
    )
    base = np.maximum(step(grid, context) - slope * grid * context, 1e-6)
    return np.interp(np.arange(batch + 1), grid, base).tolist(), slope


def prompt_cost(
    job: ServingJob, chip: Chip, network: Network, shape: UnitShape, tokens: float, parallel: float = 1.0
) -> StepCost:
    """Base, per-token and per-pair time of a prefill pass of ``tokens`` prompt tokens, from three passes."""

    def time(new: float, past: float) -> float:
        return scalar(prefill_time(job, chip, network, shape, 1.0 / parallel, new, past).total_s)

    full, quarter, late = time(tokens, 0.0), time(tokens / 4, 0.0), time(tokens, 4 * tokens)
    pair = max(late - full, 0.0) / (4 * tokens * tokens)
    full, quarter = full - pair * tokens**2 / 2, quarter - pair * tokens**2 / 32
    per_token = max(full - quarter, 0.0) / (0.75 * tokens)
    return StepCost([0.0], 0.0, max(full - per_token * tokens, 1e-6), per_token, pair)


def shared_prompt_token_s(step: SharedStep, chunk_limit: float, replicas: float) -> float:
    """What a prompt token adds to a step of an aggregated instance [s].

    The cost of a chunk is spread over the prompt tokens that the replicas read in the same step.
    """
    tokens = scalar(step.load) * chunk_limit
    return scalar(step.frequency) * scalar(step.prompt_cost_s) / (max(tokens, 1e-9) * replicas)
