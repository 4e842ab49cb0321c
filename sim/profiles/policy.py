"""Schemas of policy files: dated export rules with their tests, and the items and makers they speak of."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from sim import units
from sim.profiles.fields import Area, ByteRate, Date, Document, Id, Rate, Ratio, Record
from sim.profiles.hardware import Precision

FigureName = Literal[
    "tpp",
    "pd",
    "dram_bw_gbs",
    "io_bw_gbs",
    "dram_plus_io_bw_gbs",
    "memory_bandwidth_density",
    "transistors_bn",
    "datacenter",
    "has_hbm",
    "non_planar",
    "date",
]
LabelName = Literal["chip", "vendor", "origin", "kind", "declared"]
Result = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
FORMS = "one of `all`, `any`, `not`, `field` with `op` and `value`, `label` with `among`, `rule` with `gives`"


def _whole(day: str) -> str:
    if len(day) != len("2026-01-15"):
        raise PydanticCustomError("date", 'date "{day}" needs year, month and day', {"day": day})
    return day


Day = Annotated[Date, AfterValidator(_whole)]
"""A full date: rules begin and end on a day."""


DayText = Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$")]


class Condition(Record):
    """A test on an item: exactly one of all, any, not, field, label, rule."""

    all: list[Condition] | None = Field(None, min_length=1)
    any: list[Condition] | None = Field(None, min_length=1)
    not_: Condition | None = Field(None, alias="not")
    field: FigureName | None = None
    """Figure of the item: TPP, density [TPP/mm2], bandwidths [GB/s], billions of transistors, yes (1) or no (0), date."""
    op: Literal[">=", ">", "<=", "<", "=="] | None = None
    value: float | DayText | None = None
    """Threshold in the unit of the rule; a date where the field is `date`."""
    label: LabelName | None = None
    among: list[str] = Field(default_factory=list)
    rule: Id | None = None
    """Another rule, whatever its dates."""
    gives: list[Result] = Field(default_factory=list)
    """Results of the other rule of which one must be given."""
    note: str = ""

    @model_validator(mode="after")
    def _one_form(self) -> Condition:
        forms = (self.all, self.any, self.not_, self.field, self.label, self.rule)
        if sum(form is not None for form in forms) != 1:
            raise PydanticCustomError("test", "a test is exactly {forms}", {"forms": FORMS})
        if (self.field is None) != (self.op is None) or (self.field is None) != (self.value is None):
            raise PydanticCustomError("test", "`field`, `op` and `value` go together", {})
        if (self.label is None) == bool(self.among) or (self.rule is None) == bool(self.gives):
            raise PydanticCustomError("test", "`label` goes with `among`, `rule` with `gives`", {})
        if self.field is not None and (self.field == "date") != isinstance(self.value, str):
            raise PydanticCustomError("test", "`date` is compared with a date, all else with a number", {})
        return self


class RuleBranch(Record):
    """One way through a rule; the first branch whose test holds gives the result."""

    id: str
    """Paragraph or name."""
    test: Condition | None = None
    """Left out in the last branch: all that is left."""
    result: Result
    weight: Literal["barred", "licence", "conditional", "free", "none"]
    """How hard the result is, for order and colour."""
    note: str = ""


class Scope(Record):
    """Whom and where a rule binds."""

    destinations: list[str] = Field(default_factory=list)
    """Country groups of items/export-control.yaml; empty: everywhere."""
    addressees: Condition | None = None
    """Makers or items that it is addressed to."""
    parties: str = ""
    items: str = ""
    review: str = ""
    """How an application is reviewed."""
    outside: str = ""
    """What stays out."""


class RuleEvent(Record):
    """Something that happened under a rule."""

    date: Date
    fact: str
    source: str = ""
    solidity: Literal["official_text", "official_secondary", "press"]
    alleged_by: str = ""
    """Who says so, where nobody else has confirmed it."""


class ExportRule(Document):
    """One rule or measure, with its dates, its tests in the order of the text, and its references."""

    jurisdiction: Literal["US", "CN"]
    instrument: str
    """Citation."""
    announced: Day
    published: Day | None = None
    effective: Day | None = None
    """First day it holds; left out: it never took effect."""
    compliance: Day | None = None
    ended: Day | None = None
    """First day it no longer holds."""
    unverified_from: Day | None = None
    """From this day on it is not known whether it holds."""
    suspended_from: Day | None = None
    """First day of a suspension."""
    suspended_until: Day | None = None
    """First day after the suspension."""
    standing: Literal[
        "in_force", "superseded", "not_enforced", "expired_unverified", "informal", "proposed", "reported"
    ]
    solidity: Literal["official_text", "official_secondary", "press", "mixed"]
    """official_text: the wording was read; official_secondary: known through law firms and trackers; press: reports of
    unnamed sources."""
    solidity_note: str = ""
    alleged_by: str = ""
    """Who says that the rule exists or what it says, where no text is public."""
    rechecked: bool = True
    """False: taken from memory of the public record, not read again."""
    scope: Scope = Scope()
    branches: list[RuleBranch] = Field(default_factory=list)
    """Empty: the rule has no test on an item."""
    conditions: list[str] = Field(default_factory=list)
    parameters: dict[str, Ratio] = Field(default_factory=dict)
    """Rates, shares and quotas, for costs and supply."""
    timeline: list[RuleEvent] = Field(default_factory=list)

    @field_validator("timeline")
    @classmethod
    def _sources_listed(cls, events: list[RuleEvent], info: ValidationInfo) -> list[RuleEvent]:
        listed: Any = (info.context or {}).get("sources") or ()
        for event in events:
            if event.source and event.source not in listed:
                hint = units.did_you_mean(event.source, listed)
                context = {"source": event.source, "hint": hint}
                raise PydanticCustomError("source", 'timeline source "{source}" is not listed{hint}', context)
        return events

    @model_validator(mode="after")
    def _in_order(self) -> ExportRule:
        if self.branches and self.branches[-1].test is not None:
            raise PydanticCustomError("branches", "the last branch has a test; end with what is left", {})
        if any(branch.test is None for branch in self.branches[:-1]):
            raise PydanticCustomError(
                "branches", "a branch before the last has no test: nothing passes it", {}
            )
        names = ("effective", "suspended_from", "suspended_until", "unverified_from", "ended")
        given = [(name, getattr(self, name)) for name in names if getattr(self, name) is not None]
        for (first, earlier), (second, later) in pairwise(given):
            if later < earlier:
                context = {"first": first, "second": second, "earlier": earlier, "later": later}
                raise PydanticCustomError("dates", "{second} {later} is before {first} {earlier}", context)
        return self


class Maker(Record):
    """Who designs chips, and how to tell from a name."""

    name: str
    country: str = Field(pattern=r"^[A-Z]{2}$")
    """Of the headquarters, ISO 3166."""
    words: list[str]
    """Words of chip names and ids that tell the maker."""


class Declared(Record):
    """A legal status that follows from how an item was sold, where its figures are not public."""

    chips: list[str]
    status: Result
    basis: str
    source: str
    alleged_by: str = ""


class PaperChip(Record):
    """An item that is classified but not simulated."""

    id: Id
    name: str
    vendor: str
    peaks: dict[Precision, Rate] = Field(default_factory=dict)
    """Dense peaks of the package; empty: not published."""
    die_area: Area | None = None
    dram_bandwidth: ByteRate | None = None
    io_bandwidth: ByteRate | None = None
    """Both directions, all links to other circuits but memory."""
    transistors: Ratio | None = None
    datacenter: bool = True
    hbm: bool = False
    note: str = ""


class ControlItems(Document):
    """Makers, country groups, and items that the rules name."""

    makers: list[Maker]
    groups: dict[str, list[str]]
    """Countries (ISO 3166, lower case) by group; a group may name another as `@group`."""
    declared: list[Declared] = Field(default_factory=list)
    chips: list[PaperChip] = Field(default_factory=list)
