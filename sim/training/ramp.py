"""A batch that grows over the first tokens of a run: more steps, each with the same fixed cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64] | float


@dataclass(frozen=True, slots=True)
class RampStage:
    """Tokens trained at a smaller batch.

    Attributes
    ----------
    batch : Array
        Batch at the beginning of the stage over the full one [1].
    tokens : Array
        Tokens trained in the stage [token].
    gradual : bool
        The batch grows in proportion to the tokens, up to that of the next stage or the full one; else it stays.
    """

    batch: Array
    tokens: Array
    gradual: bool = False


def run_steps(stages: Sequence[RampStage], tokens: Array, full_batch: Array) -> Array:
    """Optimizer steps of the whole run [1].

    Parameters
    ----------
    stages : sequence of RampStage
        In the order of the run; what is beyond ``tokens`` is not reached.
    tokens : Array
        Tokens of the whole run [token].
    full_batch : Array
        Tokens per step after the last stage [token].

    Notes
    -----
    Steps are the integral of dT / B(T): T / B at a constant batch, T ln(B1 / B0) / (B1 - B0) where it grows from B0 to B1
    in proportion to the tokens.

    Examples
    --------
    Half of the tokens at half the batch take two thirds of all steps.

    >>> float(run_steps([RampStage(0.5, 500.0)], 1000.0, 10.0))
    150.0
    """
    left = np.asarray(tokens, dtype=float)
    steps = np.zeros_like(left)
    ends = [*(np.asarray(stage.batch, dtype=float) for stage in stages[1:]), np.asarray(1.0)]
    for stage, end in zip(stages, ends, strict=False):
        done, start = np.minimum(left, stage.tokens), np.asarray(stage.batch, dtype=float)
        slope = (end - start) / np.maximum(stage.tokens, 1e-300) * (1.0 if stage.gradual else 0.0)
        growth = slope * done / start
        # log1p(x) / x tends to 1, where the batch stays as it is.
        stretch = np.where(growth == 0, 1.0, np.log1p(growth) / np.where(growth == 0, 1.0, growth))
        steps = steps + done / (start * full_batch) * stretch
        left = left - done
    return steps + left / full_batch


def ramped_work(
    step_s: Array, small_step_s: Array, small: Array, steps: Array, tokens: Array, full_batch: Array
) -> Array:
    """Time of all steps of a run whose batch has grown [s].

    Parameters
    ----------
    step_s, small_step_s : Array
        Duration of a step at the full batch, and at a share ``small`` of it in the same layout [s].
    steps : Array
        From :func:`run_steps`.

    Notes
    -----
    In one layout a step takes a + b B: pipeline fill, gradient exchange and optimizer once, and work in proportion to the
    batch. So the run takes a x steps + b x tokens, whatever the course of the batch.

    Examples
    --------
    >>> ramped_work(10.0, 6.0, 0.5, 150.0, 1000.0, 10.0)
    1100.0
    """
    fixed = (small_step_s - np.asarray(small) * step_s) / (1.0 - np.asarray(small))
    result = fixed * steps + (step_s - fixed) * (tokens / full_batch)
    return float(result) if np.ndim(result) == 0 else result
