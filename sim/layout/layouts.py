"""Parallel layouts of a training job, many at a time."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

SCHEDULES = ("1f1b", "interleaved", "zero-bubble", "dualpipe", "dualpipev")
RECOMPUTE = ("none", "selective", "full")


@dataclass(frozen=True, slots=True)
class Layouts:
    """Columns of equal length (L,), one row per layout.

    Ranks are numbered tensor first, then context, then data, pipeline last: neighbours in a tensor group are
    neighbouring chips, expert groups are contiguous blocks inside one pipeline stage.

    Attributes
    ----------
    tp, pp, cp, dp : (L,) int
        Tensor, pipeline, context and data parallel degree; their product is the number of chips at work.
    ep, etp : (L,) int
        Ranks that share the experts of a layer, and ranks that share one expert. Both are taken out of tp x
        cp x dp.
    vpp : (L,) int
        Stages per rank; 1 = not interleaved, always 2 under DualPipeV.
    micro_batch, micro_batches : (L,) int
        Sequences per micro-batch, and micro-batches per replica and step.
    schedule, recompute : (L,) int
        Index into ``SCHEDULES`` and ``RECOMPUTE``.
    zero : (L,) int
        Stage of state sharding over data ranks: 0 nothing, 1 optimizer, 2 and gradients, 3 and weights.
    zero_shard : (L,) int
        Ranks of one shard group.
    """

    tp: Ints
    pp: Ints
    cp: Ints
    dp: Ints
    ep: Ints
    etp: Ints
    vpp: Ints
    micro_batch: Ints
    micro_batches: Ints
    schedule: Ints
    recompute: Ints
    zero: Ints
    zero_shard: Ints

    def __len__(self) -> int:
        return len(self.tp)

    @property
    def chips(self) -> Ints:
        """Chips at work (L,)."""
        return self.tp * self.pp * self.cp * self.dp

    def select(self, which: NDArray[np.bool_] | Ints | slice) -> Layouts:
        """The rows picked by a mask, an index array or a slice."""
        return Layouts(**{field.name: getattr(self, field.name)[which] for field in fields(self)})

    def columns(self) -> dict[str, NDArray[np.float64]]:
        """Every column as (L, 1) floats, ready to broadcast against draws on the last axis."""
        return {field.name: getattr(self, field.name).astype(float)[:, None] for field in fields(self)}

    def describe(self, row: int, policies: tuple[str, ...] = RECOMPUTE) -> str:
        """One line for people, e.g. ``TP8 PP16 DP16 mb1 x 32, interleaved x 4, recompute none, ZeRO-1``."""
        degrees = [
            f"{label}{getattr(self, label.lower())[row]}"
            for label in ("TP", "PP", "CP", "EP")
            if getattr(self, label.lower())[row] > 1
        ]
        schedule = SCHEDULES[self.schedule[row]]
        chunks = f" x {self.vpp[row]}" if schedule == "interleaved" else ""
        parts = [
            " ".join(
                [*degrees, f"DP{self.dp[row]}", f"mb{self.micro_batch[row]} x {self.micro_batches[row]}"]
            ),
            *([f"{schedule}{chunks}"] if self.pp[row] > 1 else []),
            f"recompute {policies[self.recompute[row]]}",
            f"ZeRO-{self.zero[row]}",
        ]
        return ", ".join(parts)


def single_layout(
    *,
    tp: int = 1,
    pp: int = 1,
    cp: int = 1,
    dp: int = 1,
    ep: int = 1,
    etp: int | None = None,
    vpp: int = 1,
    micro_batch: int = 1,
    micro_batches: int = 1,
    schedule: str = "1f1b",
    recompute: str = "none",
    zero: int = 1,
    zero_shard: int | None = None,
) -> Layouts:
    """One layout in words and numbers.

    ``etp`` left out: experts are split by ``tp`` where there is no expert parallelism, else not at all.
    ``zero_shard`` left out: all ``dp x cp`` ranks.

    Examples
    --------
    >>> single_layout(tp=8, pp=16, dp=128, micro_batches=16).chips.tolist()
    [16384]
    """
    values = {
        "tp": tp,
        "pp": pp,
        "cp": cp,
        "dp": dp,
        "ep": ep,
        "etp": (tp if ep == 1 else 1) if etp is None else etp,
        "vpp": vpp,
        "micro_batch": micro_batch,
        "micro_batches": micro_batches,
        "schedule": SCHEDULES.index(schedule),
        "recompute": RECOMPUTE.index(recompute),
        "zero": zero,
        "zero_shard": dp * cp if zero_shard is None else zero_shard,
    }
    return Layouts(**{name: np.array([value], dtype=np.int64) for name, value in values.items()})


def concatenate(parts: list[Layouts]) -> Layouts:
    """Layouts one after the other."""
    return Layouts(
        **{f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Layouts)}
    )
