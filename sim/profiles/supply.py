"""Schema of a supply file: how chips come into a country, each capacity a dated series."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sim.profiles.fields import (
    Area,
    Date,
    Document,
    Id,
    Money,
    PerTime,
    Power,
    Ratio,
    Record,
    Seconds,
    Share,
    Tokens,
)
from sim.profiles.numbers import Dimension
from sim.profiles.supply_changes import Allegation, Branch, Change, Loss
from sim.quantity import Quantity

Chips = Annotated[Quantity, Dimension("chip")]
ChipFlow = Annotated[Quantity, Dimension("chip/s")]
WaferFlow = Annotated[Quantity, Dimension("wafer/s")]
Dies = Annotated[Quantity, Dimension("die")]
DieFlow = Annotated[Quantity, Dimension("die/s")]
Stacks = Annotated[Quantity, Dimension("stack")]
StackFlow = Annotated[Quantity, Dimension("stack/s")]
TokenFlow = Annotated[Quantity, Dimension("token/s")]
TokenPrice = Annotated[Quantity, Dimension("USD/token")]


class ChipUse(Record):
    """A chip of this country: how it is built in, and where."""

    id: Id
    """Chip file."""
    system: Id
    region: Id
    """Region file for what it costs to own and run."""
    catching_up: bool = False
    """Its software gains on the speed that the profile states, at the rate of `software_growth`."""
    installed: Chips | None = None
    """In use at the start."""
    pathway: str = "legal"
    """How those came."""


class MadeChip(Record):
    """A product of a maker."""

    id: Id
    """Chip file."""
    weight: dict[Date, Ratio]
    """Its share of the packages, relative to the maker's other products."""
    dies: float = Field(gt=0)
    """Logic dies per package."""
    stacks: float = Field(ge=0)
    """HBM stacks per package."""
    banked: bool = False
    """Whether dies of the foreign foundry fit into it."""


class MakerFile(Record):
    """Who makes chips in the country: wafers, dies, packages."""

    id: Id
    name: str
    wafers: dict[Date, WaferFlow]
    """Advanced wafers started for its chips."""
    die_area: Area
    """One logic die."""
    gross_dies: Ratio | None = None
    """Dies per wafer; from the area when left out."""
    yield_share: dict[Date, Share] = Field(alias="yield")
    """Working dies of those on a wafer."""
    fab_lead: dict[Date, Seconds]
    """From wafer start to tested die."""
    die_store: Seconds | None = None
    """Own dies are not started beyond what packaging takes in this time, those in the fab included; a year when left out."""
    first_dies: Seconds | None = None
    """Own dies at hand at the start, as the time for which packaging has enough; a quarter when left out."""
    banked_dies: Dies | None = None
    """Dies of a foreign foundry at hand at the start."""
    bought_dies: dict[Date, DieFlow] = Field(default_factory=dict)
    """Dies that a foreign foundry delivers through intermediaries."""
    packaging: dict[Date, ChipFlow]
    """Packages that can be finished."""
    build_lead: dict[Date, Seconds]
    """From package to delivered server."""
    products: list[MadeChip] = Field(min_length=1)


class Memory(Record):
    """High-bandwidth memory, shared by all makers of the country."""

    banked: Stacks | None = None
    """Foreign stacks at hand at the start."""
    foreign: dict[Date, StackFlow]
    """Foreign stacks that come in."""
    domestic: dict[Date, StackFlow]
    """Stacks of domestic makers."""
    evaded: dict[Date, StackFlow]
    """Foreign stacks that come in against the rules."""


class Import(Record):
    """A product that may cross the border legally, with a gate on each side."""

    id: Id
    chip: Id
    name: str = ""
    offered: dict[Date, ChipFlow]
    """What the vendor can deliver."""
    wanted: dict[Date, ChipFlow] = Field(default_factory=dict)
    """What buyers would take at the price without duty and share; all that is offered when left out."""
    export_gate: dict[Date, Share]
    """Share of the requests that the exporting government lets pass; with `rules`, of those that need a licence."""
    import_gate: dict[Date, Share]
    """Share of the requests that the importing government lets pass; with `rules`, where a rule of his holds."""
    licensed_under: list[Id] = Field(default_factory=list)
    """Rules under which licences are given: while none of them is in force, none is."""
    by_rule: dict[Literal["duty", "revenue_share", "volume_cap"], str] = Field(default_factory=dict)
    """Parameter of a rule that sets a series while the rule holds, such as `duty: us-2026-01-tariff25.duty_rate`."""
    quota: dict[Date, ChipFlow] = Field(default_factory=dict)
    """Most chips; none when left out."""
    volume_cap: dict[Date, Ratio] = Field(default_factory=dict)
    """Most chips as a share of what buyers in the exporting country take of this product; none when left out."""
    home_volume: dict[Date, ChipFlow] = Field(default_factory=dict)
    """What buyers in the exporting country take of this product."""
    price: dict[Date, Money] = Field(default_factory=dict)
    """Official price; that of the chip file when left out."""
    duty: dict[Date, Ratio] = Field(default_factory=dict)
    """Share of the price."""
    revenue_share: dict[Date, Ratio] = Field(default_factory=dict)
    """Share of the vendor's revenue that goes to his government."""
    passed_on: dict[Date, Share] = Field(default_factory=dict)
    """Share of the revenue share that the vendor puts on the price."""
    elasticity: Ratio | None = None
    """By how many per cent demand falls when the landed cost rises by one; none when left out."""
    lead: dict[Date, Seconds]
    """From the vendor to a delivered server."""
    pathway: str = "legal"


class Grey(Record):
    """Chips that come in against the rules."""

    id: Id
    name: str
    flow: dict[Date, ChipFlow]
    enforcement: dict[Date, Ratio]
    """Factor on the flow: 1 as observed, 0 nothing passes."""
    chips: dict[Id, dict[Date, Ratio]]
    """Their kinds: share of each, relative to the others."""
    lead: dict[Date, Seconds]
    premium: dict[Date, Ratio]
    """Price paid over the official price."""
    alleged_by: str = ""
    note: str = ""


class Remote(Record):
    """Chips abroad that firms of the country rent."""

    id: Id
    chip: Id
    name: str
    chips: dict[Date, Chips]
    open: dict[Date, Share]
    """Share that stays within reach: 1 as today, 0 closed."""
    alleged_by: str = ""
    note: str = ""


class Sites(Record):
    """Where chips are put to work, and how long they last."""

    power: dict[Date, Power]
    """Facility power for AI chips."""
    network: dict[Date, ChipFlow] = Field(default_factory=dict)
    """Chips that can be connected; all when left out."""
    life: Seconds
    """From installation to retirement."""
    failures: PerTime
    """Share that breaks for good."""


class Use(Record):
    """What the chips are used for."""

    training_share: dict[Date, Share]
    """Share of the country's chips that the largest developer can bring to one training run."""
    serving_share: dict[Date, Share]
    """Share of the country's chips that serve tokens."""
    utilisation: dict[Date, Share] = Field(default_factory=dict)
    """Tokens served over those that could be, on average; that of the traffic when left out."""
    demand: dict[Date, TokenFlow] = Field(default_factory=dict)
    """Tokens that users ask for, prompts included."""
    software_growth: dict[Date, Ratio] = Field(default_factory=dict)
    """Yearly factor on the speed of chips that are catching up, from the date on."""
    frontier_progress: Ratio | None = None
    """Yearly factor by which algorithms lower the training compute for the same result."""
    progress_lag: Seconds | None = None
    """By how much the country is behind in these algorithms."""
    distilled_share: dict[Date, Share] = Field(default_factory=dict)
    """Share of a model's training tokens that teaching by another model makes unnecessary."""
    teacher_tokens: Tokens | None = None
    """Tokens of the teacher that this takes."""
    teacher_price: TokenPrice | None = None
    """Price of those."""


class RulesRead(Record):
    """How the export rules are read for the gates."""

    destination: str
    """As in `parity rules classify`."""
    aside: list[Id] = Field(default_factory=list)
    """Rules that bind only some buyers: the gates do not follow them."""


class Supply(Document):
    """How a country comes by its compute."""

    kind_of_file: Literal["supply"]
    extends: str = ""
    """Another supply file of which this one changes a few lines."""
    start: Date
    """First day that is simulated."""
    quarters: int = Field(gt=0, le=80)
    chips: list[ChipUse] = Field(min_length=1)
    makers: list[MakerFile] = Field(default_factory=list)
    memory: Memory | None = None
    rules: RulesRead | None = None
    """Gates, duties and caps follow the export rules; left out: they are what the series say."""
    imports: list[Import] = Field(default_factory=list)
    grey: list[Grey] = Field(default_factory=list)
    remote: list[Remote] = Field(default_factory=list)
    sites: Sites
    use: Use
    branches: list[Branch] = Field(default_factory=list)
    changes: list[Change] = Field(default_factory=list)
    losses: list[Loss] = Field(default_factory=list)
    allegations: list[Allegation] = Field(default_factory=list)
