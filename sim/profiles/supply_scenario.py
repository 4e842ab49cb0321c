"""Schema of a policy scenario: a few dated changes of a supply file, and what to show."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sim.profiles.fields import Date, Document, Id, Record, Seconds
from sim.profiles.supply_changes import Allegation, Branch, Change, Loss

Metric = Literal["tpp", "fp16", "fp8", "fp4", "bandwidth", "training", "serving", "chips"]


class Run(Record):
    """The training run whose feasibility is asked for."""

    model: Id
    workload: Id
    """Training recipe."""
    length: Seconds
    """Longest time it may take."""
    chips: int = Field(default=8192, gt=0)
    """Cluster on which each chip's speed is simulated."""
    pathways: list[Literal["legal", "domestic", "proxy foundry", "smuggled", "remote"]] = Field(
        default_factory=list
    )
    """Ways by which its chips may have come; all when left out."""
    kinds: list[Id] = Field(default_factory=list)
    """Kinds of chip that it may use; all when left out."""


class Service(Record):
    """What is served."""

    model: Id
    workload: Id
    """Serving traffic."""
    chips: int = Field(default=8192, gt=0)


def _metrics() -> list[Metric]:
    return ["fp16", "training"]


class Show(Record):
    """What the report shows, and on what it dwells."""

    metrics: list[Metric] = Field(default_factory=_metrics)
    """The first leads; the second is the other one on the first page."""
    date: Date | None = None
    """Day whose figures are quoted; the end of the horizon when left out."""
    outcome: Literal["stock", "ratio", "bought", "served", "feasible", "landed", "cost", "hbm"] = "stock"
    """Which outcome the title, the tornado and the comparison are about."""
    also: list[str] = Field(default_factory=list)
    """Further outcomes that are quoted, by their ids, such as `hbm` or `bought:fp8`."""
    product: Id | None = None
    """Import whose volume and landed cost lead."""
    costs: list[str] = Field(default_factory=list)
    """Chips whose cost is shown, as `pathway/chip`, such as `smuggled/b300`; the first leads."""


class PolicyScenario(Document):
    """A counterfactual."""

    kind_of_file: Literal["policy"]
    extends: str = ""
    """Another policy scenario of which this one changes a few lines."""
    question: str
    label: str = ""
    """Short name in charts."""
    baseline: Id
    """Supply file of the country in question."""
    rival: Id | None = None
    """Supply file of the country it is compared with."""
    against: str = ""
    """Scenario with which the report compares it; the bare baseline when left out."""
    rules: dict[str, Literal["on", "off"]] = Field(default_factory=dict)
    """Export rules, or single parameters of them (`rule.parameter`), that are switched off, or on again."""
    changes: list[Change] = Field(default_factory=list)
    losses: list[Loss] = Field(default_factory=list)
    branches: list[Branch] = Field(default_factory=list)
    start: Date | None = None
    quarters: int | None = Field(default=None, gt=0, le=80)
    training: Run | None = None
    serving: Service | None = None
    show: Show = Show()
    draws: int = Field(default=512, ge=1, le=100_000)
    seed: int = 1
    allegations: list[Allegation] = Field(default_factory=list)
