"""Which layers a pipeline stage holds: the split that decides the slowest stage."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

KINDS = ("dense", "moe", "embedding", "logits", "mtp")


@dataclass(frozen=True, slots=True)
class Depth:
    """Layers of a model in pipeline order: dense ones first, then the others, then MTP modules and the output
    head.

    Attributes
    ----------
    dense, moe : int
        Decoder layers with a dense feed-forward network, and with experts.
    mtp : int
        Multi-token-prediction modules trained.
    split : tuple of int
        Decoder layers per pipeline rank where they are known; with another number of ranks, as even as can
        be.
    """

    dense: int
    moe: int
    mtp: int = 0
    split: tuple[int, ...] = ()

    @property
    def layers(self) -> int:
        """Decoder layers."""
        return self.dense + self.moe


@lru_cache(maxsize=1024)
def rank_contents(depth: Depth, ranks: int, schedule: str) -> NDArray[np.float64]:
    """Blocks that one micro-batch meets on every pipeline rank (rows), by kind (columns ``KINDS``) [1].

    Parameters
    ----------
    depth : Depth
        What there is to split.
    ranks : int
        Pipeline ranks.
    schedule : str
        Name in ``SCHEDULES``. Under DualPipe rank i holds stages i and p - 1 - i, each for half of the micro-batches:
        their mean. Under DualPipeV it holds stages i and 2p - 1 - i of 2p for all of them: their sum.
    """
    if schedule == "dualpipe":
        return stage_contents(depth, ranks, True)
    if schedule == "dualpipev":
        rows = 2.0 * stage_contents(depth, 2 * ranks, True)[:ranks]
        rows.setflags(write=False)
        return rows
    return stage_contents(depth, ranks)


@lru_cache(maxsize=512)
def stage_contents(depth: Depth, stages: int, folded: bool = False) -> NDArray[np.float64]:
    """Number of blocks of each kind (columns ``KINDS``) on every pipeline rank (rows) [1].

    Parameters
    ----------
    depth : Depth
        What there is to split.
    stages : int
        Pipeline ranks.
    folded : bool
        True for the mean of stages i and p - 1 - i.

    Notes
    -----
    Even split: MTP modules and the head count as a layer each, so the last rank has fewer decoder layers;
    what does not divide goes to the inner ranks.

    Raises
    ------
    ValueError
        When the given split has another number of layers than the model.
    """
    per_rank = list(depth.split) if len(depth.split) == stages else _even(depth, stages)
    if sum(per_rank) != depth.layers:
        raise ValueError(f"a split of {sum(per_rank)} layers was given for a model of {depth.layers}")
    rows = np.zeros((stages, len(KINDS)))
    start = 0
    for rank, count in enumerate(per_rank):
        rows[rank, 0] = max(0, min(depth.dense - start, count))
        rows[rank, 1] = count - rows[rank, 0]
        start += count
    rows[0, KINDS.index("embedding")] = 1.0
    rows[-1, KINDS.index("logits")] = 1.0
    rows[-1, KINDS.index("mtp")] = depth.mtp
    if folded:
        rows = (rows + rows[::-1]) / 2.0
    rows.setflags(write=False)
    return rows


def _even(depth: Depth, stages: int) -> list[int]:
    """Decoder layers per rank so that no rank has more than one unit above the mean."""
    if stages == 1:
        return [depth.layers]
    head = 1 + depth.mtp
    base, rest = divmod(depth.layers + head, stages)
    units = np.full(stages, base)
    # The middle ranks are the ones that hold neither embedding nor head and have fewer micro-batches in
    # flight than the first.
    order = sorted(range(stages), key=lambda rank: (rank == 0, abs(rank - (stages - 1) / 2.0)))
    units[order[:rest]] += 1
    layers = units.copy()
    layers[-1] -= head
    for taken in range(max(0, -int(layers[-1]))):  # a head heavier than a rank: the others carry its layers
        layers[order[taken % (stages - 1)]] -= 1
    layers[-1] = max(0, layers[-1])
    return [int(count) for count in layers]
