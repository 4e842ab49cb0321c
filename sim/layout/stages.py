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

    @property
    def tail(self) -> int:
        """Layers that the head counts for where layers are dealt out, and every MTP module with a loss of its own."""
        return 1 + 2 * self.mtp


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
    rows = stage_contents(depth, 2 * ranks if schedule == "dualpipev" else ranks, schedule)
    if schedule == "dualpipe":
        return _fixed((rows + rows[::-1]) / 2.0)
    if schedule == "dualpipev":
        return _fixed((rows + rows[::-1])[:ranks])
    return rows


@lru_cache(maxsize=1024)
def stage_contents(depth: Depth, stages: int, schedule: str = "1f1b") -> NDArray[np.float64]:
    """Number of blocks of each kind (columns ``KINDS``) on every stage (rows), in the order the data flows [1].

    Parameters
    ----------
    depth : Depth
        What there is to split.
    stages : int
        Stages, virtual ones counted.
    schedule : str
        Name in ``SCHEDULES``: under DualPipeV the first and the last stage share a rank.

    Notes
    -----
    Even split: equal stages where the layers divide and there is no MTP module, as Megatron-LM deals them. Else the head
    counts as a layer, an MTP module as two (it passes the head, too), so the last rank has fewer decoder layers; what
    does not divide goes to the inner ranks.

    Raises
    ------
    ValueError
        When the given split has another number of layers than the model.
    """
    if len(depth.split) == stages:
        per_stage = list(depth.split)
    else:
        per_stage = _folded(depth, stages // 2) if schedule == "dualpipev" else _even(depth, stages)
    if sum(per_stage) != depth.layers:
        raise ValueError(f"a split of {sum(per_stage)} layers was given for a model of {depth.layers}")
    rows = np.zeros((stages, len(KINDS)))
    start = 0
    for stage, count in enumerate(per_stage):
        rows[stage, 0] = max(0, min(depth.dense - start, count))
        rows[stage, 1] = count - rows[stage, 0]
        start += count
    rows[0, KINDS.index("embedding")] = 1.0
    rows[-1, KINDS.index("logits")] = 1.0
    rows[-1, KINDS.index("mtp")] = depth.mtp
    return _fixed(rows)


def _fixed(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same array, safe to keep and hand out again."""
    rows.setflags(write=False)
    return rows


def _even(depth: Depth, bins: int) -> list[int]:
    """Decoder layers per bin so that no bin has more than one above the mean; the last also holds the tail.

    What is left over goes to the middle: the first bin holds the embedding and has most micro-batches in flight. Layers that
    divide stay equal where the tail is a head alone: a layer taken from the last bin would make another one as long.
    """
    if depth.tail == 1 and depth.layers % bins == 0:
        return [depth.layers // bins] * bins
    if bins == 1:
        return [depth.layers]
    order = sorted(range(bins), key=lambda place: (place == 0, abs(place - (bins - 1) / 2.0)))
    base, rest = divmod(depth.layers + depth.tail, bins)
    if base < depth.tail:  # the tail alone fills the last bin
        order = [place for place in order if place != bins - 1]
        base, rest = divmod(depth.layers, bins - 1)
        layers = [base] * (bins - 1) + [0]
    else:
        layers = [base] * (bins - 1) + [base - depth.tail]
    for place in order[:rest]:
        layers[place] += 1
    return layers


def _folded(depth: Depth, ranks: int) -> list[int]:
    """Decoder layers per stage where rank i holds stages i and 2p - 1 - i, so that ranks are even, then stages."""
    per_rank = _even(depth, ranks)[::-1]  # the tail is on the first rank
    down = [(layers + 1) // 2 for layers in per_rank]
    down[0] = min(per_rank[0], (per_rank[0] + depth.tail + 1) // 2)
    up = [layers - first for layers, first in zip(per_rank, down, strict=True)]
    return [*down, *up[::-1]]
