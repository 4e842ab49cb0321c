"""Schema of how a long run stops and comes back, and of a batch that grows."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from sim.profiles.fields import ByteRate, Document, FailureRate, Id, Ratio, Record, Seconds, Share, Tokens


class StopCause(Record):
    """One component that stops the run."""

    rate: Ratio
    """Its stops over all the stops that the chip's `failure_rate` counts."""
    exchanged: Share
    """Share of its stops after which a server is exchanged."""


class HotSwap(Record):
    """A failed server replaced by a spare of the same scale-up domain, without a restart of the whole run."""

    reach: Share
    """Share of exchanged servers for which the domain holds a spare; 0 on systems whose domain is one server."""
    restart: Seconds
    """What takes the place of `restart` and its loading."""


class Stragglers(Record):
    """Servers that become slow and hold up the others until somebody finds them."""

    rate: FailureRate
    """Onsets."""
    duration: Seconds
    """Time until found."""
    slowdown: Share
    """Speed that the whole run loses meanwhile."""


class Reliability(Record):
    """How a long run stops and comes back."""

    restart: Seconds
    """Rescheduling and warm-up after a failure; with detection and loading where `detection` and `storage_bandwidth` are
    left out."""
    detection: Seconds | None = None
    """Time until a failure is noticed and located."""
    checkpoint: Literal["blocking", "asynchronous"] = "blocking"
    """Asynchronous: training waits for a copy only, the write runs in the background, and the run can go back to the last
    write that is complete."""
    checkpoint_bandwidth: ByteRate
    """Bytes per second and chip that a checkpoint copies or writes while training waits."""
    storage_bandwidth: ByteRate | None = None
    """Bytes per second and chip of the storage: of the write in the background, and of loading at a restart."""
    checkpoint_interval: Seconds | None = None
    """Training time between checkpoints; left out: the interval that wastes least."""
    planned_downtime: Share
    """Share of the calendar lost to planned stops and evaluation."""
    planned_stop: Seconds | None = None
    """Length of one of these stops, for the event engine; left out: as in the shipped recipe `pretrain-v3`."""
    spares: Share
    """Chips held ready beyond those that train, as a share."""
    repair: Seconds | None = None
    """Time until a broken server is back among the spares; left out: there is always a spare."""
    hardware: Share | None = None
    """Share of the interruptions after which a server is exchanged, where `causes` are left out; neither: all."""
    causes: dict[Id, StopCause] = Field(default_factory=dict)
    """What stops the run, by component."""
    hot_swap: HotSwap | None = None
    stragglers: Stragglers | None = None

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if self.checkpoint == "asynchronous" and self.storage_bandwidth is None:
            raise PydanticCustomError(
                "checkpoint",
                "checkpoint: asynchronous needs `storage_bandwidth`: how fast the background write is",
                {"part": "checkpoint"},
            )
        if self.causes and self.hardware is not None:
            raise PydanticCustomError(
                "hardware",
                "hardware: `causes` say already which stops exchange a server; write `causes: {{}}` or drop `hardware`",
                {"part": "hardware"},
            )
        return self


class BatchStage(Record):
    """Tokens trained at a smaller batch."""

    batch: Ratio
    """Batch at the beginning of the stage over `global_batch`."""
    tokens: Tokens
    """Tokens trained in the stage."""
    gradual: bool = False
    """The batch grows with the tokens up to that of the next stage, or to the full one."""

    @model_validator(mode="after")
    def _is_smaller(self) -> Self:
        if not 0 < self.batch.value < 1:
            raise PydanticCustomError(
                "batch",
                "batch: a stage of the ramp has a share of `global_batch`, between 0 and 1",
                {"part": "batch"},
            )
        return self


class PastReliability(Document):
    """How runs of an earlier time stopped and came back: for the totals of published runs."""

    reliability: Reliability
