"""Times of the pipeline stages of one layout, for the event-driven schedule."""

from __future__ import annotations

import numpy as np

from sim.layout.layouts import SCHEDULES, Layouts
from sim.layout.stages import KINDS, stage_contents
from sim.physics.chip import Chip
from sim.physics.network import Network
from sim.training.blocks import compute_times
from sim.training.exchange import exchange_times
from sim.training.job import TrainingJob
from sim.training.pipeline import PipelineRun, StageTimes, run_pipeline
from sim.training.step import StepTime, block_times

OUTSIDE = ("data parallel", "optimizer", "jitter")  # parts of a step that the pipeline does not play


def stage_times(job: TrainingJob, chip: Chip, network: Network, layout: Layouts) -> StageTimes:
    """Durations of every virtual stage of one layout in one world (scalars), in the order the data flows [s]."""
    columns = layout.columns()
    compute, exchange = compute_times(job, chip, columns), exchange_times(job, network, columns)
    blocks = {kind: block_times(kind, job, chip, compute, exchange, columns) for kind in KINDS}
    contents = stage_contents(job.depth, int(layout.pp[0] * layout.vpp[0]), SCHEDULES[layout.schedule[0]])

    def of(name: str) -> np.ndarray:
        per_block = [float(np.ravel(getattr(blocks[kind], name))[0]) for kind in KINDS]
        return np.asarray(contents @ np.array(per_block))

    forward, backward, together = of("forward"), of("backward"), of("together")
    hides = bool(np.any(together < 0.999 * (forward + backward)))
    return StageTimes(
        forward_s=forward,
        backward_s=backward,
        weight_s=of("weight"),
        together_s=together if hides else None,
        transfer_s=float(np.ravel(exchange.pipeline)[0]),
    )


def pipeline_time(step: StepTime) -> np.ndarray:
    """The part of a step that :func:`play_step` plays, in closed form [s]."""
    return np.asarray(sum((part for name, part in step.breakdown.items() if name not in OUTSIDE), start=0.0))


def play_step(job: TrainingJob, chip: Chip, network: Network, layout: Layouts) -> PipelineRun:
    """One step of one layout as events: the pipeline without gradient traffic, optimizer and jitter."""
    return run_pipeline(
        SCHEDULES[layout.schedule[0]] if layout.pp[0] > 1 else "1f1b",
        stage_times(job, chip, network, layout),
        ranks=int(layout.pp[0]),
        micro_batches=int(layout.micro_batches[0]),
        chunks=int(layout.vpp[0]),
    )
