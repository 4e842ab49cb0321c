"""One training step as events: every pipeline rank works through its chunks and waits for its neighbours."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import simpy
from numpy.typing import NDArray

from sim.training.orders import BOTH_ENDS, Chunk, Task, rank_orders

Times = Sequence[float] | NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class StageTimes:
    """Durations of each virtual stage for one micro-batch, in the order the data flows.

    Attributes
    ----------
    forward_s, backward_s : (stages,)
        Forward and full backward [s].
    weight_s : (stages,)
        Part of the backward that computes weight gradients [s].
    together_s : (stages,) or None
        Forward and backward of this stage that hide each other's communication [s]; None = their sum.
    transfer_s : float
        Time to hand activations to the next stage [s].
    """

    forward_s: Times
    backward_s: Times
    weight_s: Times
    together_s: Times | None = None
    transfer_s: float = 0.0

    def duration(self, task: Task, beside: bool = False) -> float:
        """Time a rank needs for a task [s].

        Parameters
        ----------
        beside : bool
            True for a lone forward that the rank runs right before the backward of another micro-batch and that shares
            the chip with it. What the two hide is then taken off the forward, as in a task of both.
        """
        if self.together_s is None or (len(task) == 1 and not beside):
            return sum(self._alone(chunk) for chunk in task)
        stage = task[0].stage
        forward = float(self.together_s[stage]) - float(self.backward_s[stage])
        return forward + sum(self._alone(chunk) for chunk in task[1:])

    def _alone(self, chunk: Chunk) -> float:
        stage = chunk.stage
        full, weight = float(self.backward_s[stage]), float(self.weight_s[stage])
        return {"F": float(self.forward_s[stage]), "B": full, "Bi": full - weight, "W": weight}[chunk.kind]


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of work on one rank [s]."""

    rank: int
    start_s: float
    end_s: float
    kind: str
    stage: int
    micro_batch: int


@dataclass(frozen=True, slots=True)
class PipelineRun:
    """What happened in one step.

    Attributes
    ----------
    step_time_s : float
        From the first forward to the last backward [s].
    busy_s : (ranks,) array
        Work of each rank [s].
    timeline : tuple of Span
        All work, by rank and start.
    """

    step_time_s: float
    busy_s: NDArray[np.float64]
    timeline: tuple[Span, ...]

    @property
    def idle_s(self) -> NDArray[np.float64]:
        """Time each rank waits (ranks,) [s]."""
        return self.step_time_s - self.busy_s

    @property
    def idle_share(self) -> float:
        """Idle time of an average rank over the step."""
        return float(self.idle_s.mean() / self.step_time_s)


def run_pipeline(
    schedule: str,
    times: StageTimes,
    *,
    ranks: int,
    micro_batches: int,
    chunks: int = 1,
    jitter: NDArray[np.float64] | None = None,
) -> PipelineRun:
    """Play one step of a pipeline schedule.

    Parameters
    ----------
    schedule : str
        "gpipe", "1f1b", "interleaved", "zero-bubble", "dualpipe" or "dualpipev".
    times : StageTimes
        One entry per virtual stage: ``ranks * chunks`` of them.
    ranks, micro_batches, chunks : int
        Size of the pipeline; 2 chunks under DualPipeV.
    jitter : (ranks, tasks) array, optional
        Factor on the duration of every task; drawn by the caller.

    Raises
    ------
    ValueError
        When the schedule cannot run with these numbers.

    Examples
    --------
    >>> one = np.ones(4)
    >>> run = run_pipeline("1f1b", StageTimes(one, 2 * one, one), ranks=4, micro_batches=8)
    >>> run.step_time_s, run.idle_s.tolist()
    (33.0, [9.0, 9.0, 9.0, 9.0])
    """
    pairs = times.together_s is not None and schedule not in BOTH_ENDS
    orders = rank_orders(schedule, ranks, micro_batches, chunks, lead=int(pairs))
    stages = ranks * chunks
    if len(times.forward_s) != stages:
        raise ValueError(f"{len(times.forward_s)} stage times given for {stages} virtual stages")
    env = simpy.Environment()
    board = _Board(env, stages, times.transfer_s)
    spans: list[list[Span]] = [[] for _ in range(ranks)]
    for rank, tasks in enumerate(orders):
        seconds = np.array(_durations(tasks, times, pairs))
        if jitter is not None:
            seconds *= jitter[rank, : len(tasks)]
        env.process(_work(env, rank, tasks, seconds, board, spans[rank]))
    env.run()
    busy = np.array([sum(span.end_s - span.start_s for span in row) for row in spans])
    return PipelineRun(float(env.now), busy, tuple(span for row in spans for span in row))


def _durations(tasks: list[Task], times: StageTimes, pairs: bool) -> list[float]:
    """Time of every task of a rank [s]; with ``pairs``, a forward overlaps with a backward that follows at once."""
    following = [*tasks[1:], ()]
    return [
        times.duration(task, beside=pairs and _independent(task[0], after))
        for task, after in zip(tasks, following, strict=True)
    ]


def _independent(forward: Chunk, after: Task) -> bool:
    """True for a forward and a backward after it that is not its own."""
    if forward.kind != "F" or not after or after[0].kind not in ("B", "Bi"):
        return False
    return (after[0].stage, after[0].micro_batch) != (forward.stage, forward.micro_batch)


class _Board:
    """Where chunks are reported done and waited for."""

    def __init__(self, env: simpy.Environment, stages: int, transfer_s: float) -> None:
        self.env, self.stages, self.transfer_s = env, stages, transfer_s
        self.events: dict[tuple[str, int, int, int], simpy.Event] = {}

    def _event(self, kind: str, stage: int, chunk: Chunk) -> simpy.Event:
        return self.events.setdefault((kind, stage, chunk.micro_batch, chunk.flow), self.env.event())

    def needed(self, chunk: Chunk) -> simpy.Event | None:
        """What must have arrived before the chunk can start; None when nothing must."""
        if chunk.kind == "F":
            return self._event("F", chunk.stage - 1, chunk) if chunk.stage > 0 else None
        if chunk.kind in ("B", "Bi"):
            last = chunk.stage == self.stages - 1
            return self._event("F", chunk.stage, chunk) if last else self._event("B", chunk.stage + 1, chunk)
        return None

    def report(self, chunk: Chunk) -> None:
        """Tell the neighbour, after the transfer; the rank itself goes on."""
        if chunk.kind == "W":
            return
        event = self._event("F" if chunk.kind == "F" else "B", chunk.stage, chunk)
        stays = chunk.stage == (self.stages - 1 if chunk.kind == "F" else 0)
        if self.transfer_s == 0.0 or stays:
            event.succeed()
        else:
            self.env.process(self._send(event))

    def _send(self, event: simpy.Event) -> Generator[Any, Any, None]:
        yield self.env.timeout(self.transfer_s)
        event.succeed()


def _work(
    env: simpy.Environment,
    rank: int,
    tasks: list[Task],
    seconds: NDArray[np.float64],
    board: _Board,
    spans: list[Span],
) -> Generator[Any, Any, None]:
    for task, needs in zip(tasks, seconds.tolist(), strict=True):
        for chunk in task:
            needed = board.needed(chunk)
            if needed is not None:
                yield needed
        start = env.now
        yield env.timeout(needs)
        kind = "&".join(chunk.kind for chunk in task)
        spans.append(Span(rank, start, env.now, kind, task[0].stage, task[0].micro_batch))
        for chunk in task:
            board.report(chunk)
