"""Schema of a scenario: a question with two clusters, jobs, and an economy."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from sim.profiles.fields import Date, Document, Id, Record
from sim.profiles.served import ServedDay


class Tranche(Record):
    """Chips that arrive later than the others."""

    date: Date
    """Day from which they work."""
    chips: int = Field(gt=0, le=10_000_000)
    """Chip packages."""


class ClusterChoice(Record):
    """One side of the comparison."""

    system: Id
    """System file (hardware_profiles/systems)."""
    chips: int = Field(gt=0, le=10_000_000)
    """Chip packages."""
    region: Id
    """Region file (scenarios/economics)."""
    label: str = ""
    """Name in charts; the chip's name when left out."""
    start: Date | None = None
    """First day of the training runs."""
    tranches: list[Tranche] = Field(default_factory=list)
    """Parts of `chips` that arrive after the start; the others are there from it on. With other counts of chips, in
    proportion."""

    @model_validator(mode="after")
    def _tranches_fit(self) -> Self:
        late = sum(tranche.chips for tranche in self.tranches)
        if late > self.chips:
            raise PydanticCustomError(
                "tranches",
                "tranches: {late} chips arrive, but the cluster has {chips}",
                {"late": f"{late:,}", "chips": f"{self.chips:,}", "part": "tranches"},
            )
        if self.tranches and self.start is None:
            raise PydanticCustomError(
                "tranches", "tranches: dates count from `start`, which is missing", {"part": "tranches"}
            )
        return self


class Job(Record):
    """One piece of work that both clusters are asked to do."""

    id: Id
    label: str = ""
    model: Id
    workload: Id
    """Training recipe or serving traffic (scenarios/workloads)."""


class Uncertainty(Record):
    """How many worlds are drawn."""

    draws: int = Field(default=1000, ge=1, le=1_000_000)
    seed: int = 1
    event_draws: int = Field(default=3, ge=0, le=1000)
    """Draws on which the event engines run, besides the median."""


class Scenario(Document):
    """A question."""

    question: str
    """Title of the report."""
    extends: str = ""
    """Another scenario file of which this one changes a few lines."""
    clusters: dict[Literal["a", "b"], ClusterChoice] = Field(min_length=2)
    """The question is always: how many of B do the work of A?"""
    jobs: list[Job] = Field(min_length=1)
    slogan: str = ""
    """The claim that the report puts to the test, in words."""
    uncertainty: Uncertainty = Uncertainty()
    prices_as_of: Date | None = None
    """No price later than this date is used."""
    served_day: ServedDay | None = None
    """What the fleet of side a did over a published period: `parity capacity` sets it beside the model."""
