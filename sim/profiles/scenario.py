"""Schema of a scenario: a question with two clusters, jobs, and an economy."""

from __future__ import annotations

from typing import Any, Literal, Self

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
    share: float = Field(default=1.0, ge=0, le=1_000_000)
    """How much of this job there is beside the others in a mixed fleet: chips of cluster b that it would keep busy."""


class Correlation(Record):
    """Inputs that share a cause."""

    id: Id
    inputs: list[str] = Field(min_length=2)
    """Paths such as `chips/ascend-910c#price`; a leading minus for one that falls when the others rise."""
    strength: float = Field(gt=0, le=1)
    """Correlation of any two of them on the normal scale."""
    note: str = ""
    """Why."""


class Case(Record):
    """One of the ways a contested matter may stand."""

    id: Id
    weight: float = Field(gt=0, lt=1)
    """Probability; those of all cases add up to 1."""
    set: dict[str, Any] = Field(default_factory=dict)
    """Values in the place of those of the files, by path; nothing for the case that the files describe."""
    note: str = ""
    """Who says so."""


class Branching(Record):
    """Cases of which each world takes one."""

    id: Id
    cases: list[Case] = Field(min_length=2)
    note: str = ""

    @model_validator(mode="after")
    def _weights_are_all(self) -> Self:
        total = sum(case.weight for case in self.cases)
        if abs(total - 1.0) > 1e-6:
            raise PydanticCustomError(
                "weights",
                "weights of branch {id} add up to {total}; make it 1",
                {"id": self.id, "total": f"{total:g}"},
            )
        return self


LEAST_DRAWS = 20  # of which one lies beyond either end of a 90 % interval


class Uncertainty(Record):
    """How many worlds are drawn, and which inputs do not move alone."""

    draws: int = Field(default=1000, ge=1, le=1_000_000)
    seed: int = 1
    event_draws: int = Field(default=3, ge=0, le=1000)
    """Draws on which the event engines run, besides the median."""
    precision: float | None = Field(default=None, gt=0, lt=1)
    """Error of the 5th and the 95th percentile of every headline, as a share of its median: `draws` double until it is
    reached. Left out: no more than `draws`."""
    max_draws: int = Field(default=16384, ge=1, le=1_000_000)
    """Draws at which doubling ends, whether or not the precision is reached."""
    correlated: list[Correlation] = Field(default_factory=list)
    """Groups of inputs that share a cause."""
    branches: list[Branching] = Field(default_factory=list)
    """Contested matters with their cases and weights."""


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
