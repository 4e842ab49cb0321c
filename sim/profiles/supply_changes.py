"""What a supply file or a policy scenario changes in the series: dated changes, contradicting accounts, losses, claims."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from sim import units
from sim.profiles.fields import Date, Id, Record, Seconds, Share
from sim.profiles.numbers import Dimension, read_quantity
from sim.quantity import Quantity

# Dimensions that a change may be stated in; the series that it changes says which one it must be.
DIMENSIONS = (
    "chip/s",
    "wafer/s",
    "die/s",
    "stack/s",
    "token/s",
    "chip",
    "die",
    "stack",
    "W",
    "USD",
    "s",
    "1/s",
)


def dimension_of(unit: str) -> str | None:
    """Which of ``DIMENSIONS`` a unit text has; "" for a pure number, None for any other.

    Examples
    --------
    >>> dimension_of("kchip/year"), dimension_of("chip/quarter"), dimension_of("%")
    (None, 'chip/s', '')
    """
    if not unit:
        return ""
    for dimension in ("", *DIMENSIONS):
        try:
            units.to_base(f"1 {unit}", dimension)
        except units.UnitError:
            continue
        return dimension
    return None


class _AnyDimension:
    """A quantity whose dimension is that of the series it changes."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def read(raw: Any, info: core_schema.ValidationInfo) -> Quantity:
            given = raw if isinstance(raw, dict) else {"value": raw}
            dimension = dimension_of(units.unit_of(given.get("value"))) or ""
            shares = [given.get(key) for key in ("value", "low", "high") if key in given]
            between = all(isinstance(x, int | float) and 0 < x < 1 for x in shares)
            shape = "logitnormal" if between and not dimension else "lognormal"
            return read_quantity(raw, Dimension(dimension, shape), dict(info.context or {}))  # type: ignore[arg-type]

        return core_schema.with_info_plain_validator_function(read)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"description": "a number with the unit of the series, or a quantity block"}


AnyQuantity = Annotated[Quantity, _AnyDimension()]


class Change(Record):
    """A dated change of one or several series: exactly one of `set`, `times` and `plus`."""

    id: Id
    """Name of the change; another file that has one of the same name replaces it."""
    series: str | list[str]
    """Series that it changes, such as `imports.h20.export_gate` or `makers.huawei.yield`."""
    country: Literal["own", "rival"] = "own"
    """Whose: of the country in question, or of the one it is compared with."""
    date: Date
    """First day."""
    until: Date | None = None
    """Day after the last; for good when left out."""
    late: Seconds | None = None
    """How much later than the date it takes hold."""
    set: AnyQuantity | None = None
    set_by_rule: str = ""
    """Set to a parameter of an export rule, such as `us-2025-08-revshare15.fee_rate`."""
    times: AnyQuantity | None = None
    plus: AnyQuantity | None = None
    source: str = ""
    """Key of the source that reports it; none for a supposition of the scenario."""
    alleged_by: str = ""
    """Who says so, where it is an allegation."""
    note: str = ""


class Loss(Record):
    """A sudden loss: fire, seizure, sabotage."""

    id: Id
    date: Date
    share: Share
    of: Literal["dies", "stacks", "legal", "domestic", "proxy foundry", "smuggled"]
    """Stores of the makers, or chips of a pathway."""
    note: str = ""


class Option(Record):
    """One of several accounts of the same matter."""

    id: Id
    name: str = ""
    weight: float = Field(ge=0)
    """Share of the draws that follow it, relative to the others. A choice, not a finding."""
    changes: list[Change] = Field(default_factory=list)
    source: str = ""
    note: str = ""


class Branch(Record):
    """Accounts that contradict each other: every draw follows one of them, and results are shown for each."""

    id: Id
    name: str
    options: list[Option] = Field(min_length=2)
    note: str = ""


class Allegation(Record):
    """A claim that bears on the subject and is no established fact."""

    id: Id
    claim: str
    by: str
    """Who alleges it."""
    date: Date
    source: str
    """Key of the source that reports it."""
