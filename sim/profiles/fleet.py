"""Schema of how a serving fleet is run: routing, caches, modes, breakdowns, maintenance, autoscaling."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from sim.profiles.fields import ByteRate, Bytes, FailureRate, Id, Ratio, Record, Seconds, Share

Router = Literal["round-robin", "least-loaded", "least-unread", "cache-aware", "power-of-two"]


class Tier(Record):
    """Memory behind the device memory."""

    size: Bytes
    """Per chip."""
    bandwidth: ByteRate
    """Between it and the device memory, per chip."""


class PrefixCacheSpec(Record):
    """A prefix cache in the memory that requests leave; reuse is then what the trace's block ids allow."""

    block_tokens: int = Field(default=512, ge=16, multiple_of=16)
    """Tokens of a hashed block; 512 in the Mooncake traces."""
    tiers: list[Tier] = Field(default_factory=list)
    """Host memory, then disks: where blocks go that the device memory drops."""


class ModeSpec(Record):
    """One way in which users call the model (fast, expert, vision), on the same fleet."""

    share: float = Field(gt=0)
    """Of the requests, over the sum of all shares."""
    workload: Id
    """Traffic file with its lengths, targets and speculation; the software is that of this file."""
    priority: int = Field(default=0, ge=0, le=9)
    """Class; 0 goes first."""
    image_tokens: int = Field(default=0, ge=0)
    """Tokens that images add to every prompt."""
    encode: Seconds | None = None
    """Time of the vision encoder per request, on the chips that read the prompt."""


class FailureSpec(Record):
    """Breakdowns of instances: every chip of an instance counts."""

    repair: Seconds
    """Until the instance serves again."""
    rate: FailureRate | None = None
    """Left out: that of the chip."""


class MaintenanceSpec(Record):
    """One instance after the other is drained, renewed and put back."""

    every: Seconds
    """From one to the next."""
    lasts: Seconds


class AutoscaleSpec(Record):
    """Instances that serve (decode) are ordered and given back by load."""

    target: Share
    """Share of the places of an instance that the requests in flight should fill."""
    period: Seconds
    """Between decisions."""
    start: Seconds
    """From the order of an instance to its first request."""
    least: int = Field(default=1, ge=1)
    most: int = Field(ge=1)

    @model_validator(mode="after")
    def _bounds_are_in_order(self) -> Self:
        if self.most < self.least:
            raise PydanticCustomError(
                "autoscale",
                "most: {most} is below least: {least}",
                {"most": self.most, "least": self.least, "part": "most"},
            )
        return self


class DaySpec(Record):
    """Load that swings as a sine."""

    peak_over_mean: Ratio
    """From 1 to 2."""
    period: Seconds
    """A day; in a `fleet` block less, to see a whole one in a short run."""


class FleetSpec(Record):
    """How the fleet is run. Everything is off unless it is written."""

    units: int = Field(default=1, ge=1, le=64)
    """Units to play, each with queues of its own."""
    router: Router | None = None
    """Who gets a request within a unit; left out: fewest prompt tokens to read, then fewest requests."""
    prefill_system: Id | None = None
    """System whose chips read the prompts, where the cluster's own only decode; the slower network sends the cache."""
    swap: Tier | None = None
    """Host memory for requests that are pushed out; left out: their prompts are read again."""
    prefix_cache: PrefixCacheSpec | None = None
    modes: dict[str, ModeSpec] = Field(default_factory=dict)
    failures: FailureSpec | None = None
    maintenance: MaintenanceSpec | None = None
    autoscale: AutoscaleSpec | None = None
    day: DaySpec | None = None
