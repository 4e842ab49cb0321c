"""The order in which each pipeline rank does its work, by schedule."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["F", "B", "Bi", "W", "FB"]


@dataclass(frozen=True, slots=True)
class Chunk:
    """One forward or backward of one virtual stage for one micro-batch.

    Attributes
    ----------
    kind : {"F", "B", "Bi", "W"}
        Forward, full backward, input-gradient part, weight-gradient part.
    stage : int
        Virtual stage in the order the data flows.
    micro_batch : int
        Number of the micro-batch.
    flow : int
        0 for micro-batches that enter at rank 0, 1 for those that enter at the last rank (DualPipe).
    """

    kind: Literal["F", "B", "Bi", "W"]
    stage: int
    micro_batch: int
    flow: int = 0


BOTH_ENDS = ("dualpipe", "dualpipev")  # schedules that say themselves which chunks overlap

Task = tuple[Chunk, ...]
"""Chunks that a rank runs together: one, or a forward and a backward that overlap."""


def rank_orders(
    schedule: str, ranks: int, micro_batches: int, chunks: int = 1, lead: int = 0
) -> list[list[Task]]:
    """What every rank does, in order.

    Parameters
    ----------
    schedule : str
        "gpipe", "1f1b", "interleaved", "zero-bubble" (variant H1), "dualpipe" or "dualpipev".
    ranks, micro_batches, chunks : int
        Pipeline ranks, micro-batches per step, virtual stages per rank (interleaved; always 2 under DualPipeV).
    lead : int
        Further forwards that a rank runs before its first backward, so that the two chunks it alternates between
        belong to different micro-batches and may overlap; without effect on GPipe and both DualPipes.

    Raises
    ------
    ValueError
        For an unknown schedule or numbers it cannot run: interleaved needs micro-batches in multiples of the
        ranks, DualPipe an even number of ranks and at least twice as many micro-batches, an even number of
        them, DualPipeV at least twice as many micro-batches as ranks.
    """
    if schedule == "interleaved":
        if micro_batches % ranks:
            raise ValueError(
                f"interleaved: {micro_batches} micro-batches are not a multiple of {ranks} ranks"
            )
        return [list(_interleaved(rank, ranks, micro_batches, chunks, lead)) for rank in range(ranks)]
    if schedule == "dualpipe":
        if ranks % 2 or micro_batches % 2 or micro_batches < 2 * ranks:
            given = f"{ranks} ranks and {micro_batches} micro-batches"
            raise ValueError(f"dualpipe: {given}; needs both even and at least two per rank")
        return [_dualpipe(_both_ends(rank, ranks), ranks // 2, micro_batches // 2) for rank in range(ranks)]
    if schedule == "dualpipev":
        if chunks != 2 or micro_batches < 2 * ranks:
            given = f"{ranks} ranks, {chunks} stages per rank and {micro_batches} micro-batches"
            raise ValueError(f"dualpipev: {given}; needs two stages and at least two micro-batches per rank")
        return [_dualpipe(_folded(rank, ranks), ranks, micro_batches) for rank in range(ranks)]
    plain = {"gpipe": _gpipe, "1f1b": _one_forward_one_backward, "zero-bubble": _zero_bubble}
    if schedule not in plain:
        raise ValueError(
            f"unknown schedule {schedule!r}; known: gpipe, 1f1b, interleaved, zero-bubble, {', '.join(BOTH_ENDS)}"
        )
    return [list(plain[schedule](rank, ranks, micro_batches, lead)) for rank in range(ranks)]


def _gpipe(rank: int, ranks: int, micro_batches: int, lead: int) -> Iterator[Task]:
    kinds: tuple[Literal["F"], Literal["B"]] = ("F", "B")
    for kind in kinds:
        yield from ((Chunk(kind, rank, i),) for i in range(micro_batches))


def _one_forward_one_backward(rank: int, ranks: int, micro_batches: int, lead: int) -> Iterator[Task]:
    ahead = min(ranks - 1 - rank + lead, micro_batches)
    yield from ((Chunk("F", rank, i),) for i in range(ahead))
    for i in range(micro_batches - ahead):
        yield (Chunk("F", rank, ahead + i),)
        yield (Chunk("B", rank, i),)
    yield from ((Chunk("B", rank, i),) for i in range(micro_batches - ahead, micro_batches))


def _zero_bubble(rank: int, ranks: int, micro_batches: int, lead: int) -> Iterator[Task]:
    """Variant H1 of arXiv 2401.10241: weight gradients wait ``rank`` micro-batches, then fill the end."""
    ahead = min(ranks - 1 - rank + lead, micro_batches)
    waiting: deque[int] = deque()
    yield from ((Chunk("F", rank, i),) for i in range(ahead))
    for i in range(micro_batches):
        if ahead + i < micro_batches:
            yield (Chunk("F", rank, ahead + i),)
        yield (Chunk("Bi", rank, i),)
        waiting.append(i)
        if i >= rank:
            yield (Chunk("W", rank, waiting.popleft()),)
    yield from ((Chunk("W", rank, i),) for i in waiting)


def _interleaved(rank: int, ranks: int, micro_batches: int, chunks: int, lead: int) -> Iterator[Task]:
    """Order of Megatron-LM (arXiv 2104.04473, section 2.2): groups of ``ranks`` micro-batches per chunk."""
    total = micro_batches * chunks
    ahead = min(total, 2 * (ranks - 1 - rank) + (chunks - 1) * ranks + lead)
    if micro_batches == ranks:
        ahead = total

    def chunk(kind: Literal["F", "B"], step: int) -> Task:
        group, inside = divmod(step, ranks * chunks)
        part, offset = divmod(inside, ranks)
        part = part if kind == "F" else chunks - 1 - part
        return (Chunk(kind, part * ranks + rank, group * ranks + offset),)

    yield from (chunk("F", step) for step in range(ahead))
    for step in range(total - ahead):
        yield chunk("F", ahead + step)
        yield chunk("B", step)
    yield from (chunk("B", step) for step in range(total - ahead, total))


class _TwoSides:
    """Writes the order of a rank that holds two stages, one per side of the pipeline, and counts micro-batches.

    Parameters
    ----------
    depth : int
        Ranks between this one and the nearest end of the pipeline.
    places : pair of (stage, flow)
        What the rank holds on side 0, through which micro-batches enter first, and on side 1.
    """

    def __init__(self, depth: int, places: tuple[tuple[int, int], tuple[int, int]]) -> None:
        self.depth, self.places = depth, places
        self.tasks: list[Task] = []
        self.done = {"F": [0, 0], "B": [0, 0]}
        self.waiting: deque[Chunk] = deque()

    def _chunk(self, kind: Literal["F", "B", "Bi"], side: int) -> Chunk:
        count = self.done["F" if kind == "F" else "B"]
        micro_batch = count[side]
        count[side] += 1
        stage, flow = self.places[side]
        return Chunk(kind, stage, micro_batch, flow)

    def forward(self, side: int) -> None:
        self.tasks.append((self._chunk("F", side),))

    def backward(self, side: int, split: bool = False) -> None:
        chunk = self._chunk("Bi" if split else "B", side)
        if split:
            self.waiting.append(Chunk("W", chunk.stage, chunk.micro_batch, chunk.flow))
        self.tasks.append((chunk,))

    def together(self, forward_side: int, backward_side: int) -> None:
        self.tasks.append((self._chunk("F", forward_side), self._chunk("B", backward_side)))

    def weight(self) -> None:
        self.tasks.append((self.waiting.popleft(),))


def _both_ends(rank: int, ranks: int) -> _TwoSides:
    """A DualPipe rank: micro-batches enter at both ends of the pipeline; side 0 is the nearer one."""
    flows = (rank, 0), (ranks - 1 - rank, 1)
    near = rank < ranks // 2
    return _TwoSides(min(rank, ranks - 1 - rank), flows if near else (flows[1], flows[0]))


def _folded(rank: int, ranks: int) -> _TwoSides:
    """A DualPipeV rank: the pipeline runs down the ranks and back up; side 1 is the way back."""
    return _TwoSides(rank, ((rank, 0), (2 * ranks - 1 - rank, 0)))


def _dualpipe(out: _TwoSides, half: int, per_flow: int) -> list[Task]:
    """The eight phases of deepseek-ai/DualPipe, ``dualpipe.py`` and ``dualpipev.py``, method ``step``.

    Both files hold the same phases: DualPipeV is one half of DualPipe, with all micro-batches on its one flow.
    """
    depth = out.depth
    middle = depth == half - 1
    rest = half - depth - 1
    for _ in range(2 * rest):
        out.forward(0)
    for _ in range(depth + 1):
        out.forward(0)
        out.forward(1)
    for _ in range(rest):
        out.backward(1, split=True)
        out.weight()
        out.forward(1)
    for step in range(per_flow - 2 * half + depth + 1):
        if step == 0 and middle:
            out.forward(0)
            out.backward(1)
        else:
            out.together(0, 1)
        out.together(1, 0)
    for _ in range(rest):
        out.backward(1)
        out.together(1, 0)
    split = False
    for step in range(depth + 1):
        split = split or (step == (depth + 1) // 2 and depth % 2 == 1)
        out.backward(1, split)
        split = split or (step == (depth + 1) // 2 and depth % 2 == 0)
        out.backward(0, split)
    for _ in range(rest):
        out.weight()
        out.backward(0, split=True)
    while out.waiting:
        out.weight()
    return out.tasks
