"""Field types of the input files: quantities with a dimension, ids, dates; and what every file carries."""

from __future__ import annotations

from typing import Annotated

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)
from pydantic_core import PydanticCustomError

from sim import units
from sim.profiles.numbers import DATE, Dimension
from sim.quantity import Kind, Quantity


class Record(BaseModel):
    """Base of everything that is read from a file: frozen, no unknown keys, described by its docstrings."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)


Rate = Annotated[Quantity, Dimension("FLOP/s")]
Bytes = Annotated[Quantity, Dimension("B")]
ByteRate = Annotated[Quantity, Dimension("B/s")]
Seconds = Annotated[Quantity, Dimension("s")]
Power = Annotated[Quantity, Dimension("W")]
Area = Annotated[Quantity, Dimension("mm2")]
Money = Annotated[Quantity, Dimension("USD")]
Tokens = Annotated[Quantity, Dimension("token")]
PerTime = Annotated[Quantity, Dimension("1/s")]
PowerPrice = Annotated[Quantity, Dimension("USD/J")]
FacilityPrice = Annotated[Quantity, Dimension("USD/W")]
RentalPrice = Annotated[Quantity, Dimension("USD/chip/s")]
FailureRate = Annotated[Quantity, Dimension("1/chip/s")]
Ratio = Annotated[Quantity, Dimension("")]
Share = Annotated[Quantity, Dimension("", "logitnormal")]
"""A pure number between 0 and 1."""

Id = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._\-]*$")]
Date = Annotated[
    str,
    BeforeValidator(str),
    Field(pattern=DATE),
    WithJsonSchema({"type": ["string", "integer"], "pattern": DATE}),  # a bare year is a number to YAML
]


class Source(Record):
    """Where numbers come from."""

    title: str
    """Author, title, table or page."""
    url: str = ""
    """Address or identifier (arXiv, DOI, repository and commit)."""
    date: Date | None = None
    """When it was published or read."""


class Document(Record):
    """What every file carries."""

    id: Id
    """Name by which other files refer to this one; equals the file name."""
    name: str
    """Name for people."""
    note: str = ""
    """Caveats a reader must know."""
    sources: dict[str, Source] = Field(default_factory=dict)
    """Sources by key."""
    source: str = ""
    """Key of the source of every number that names none."""
    kind: Kind = "assumed"
    """How solid every number is that does not say."""
    as_of: Date | None = None
    """Date of every number that names none."""

    @field_validator("source")
    @classmethod
    def _is_listed(cls, source: str, info: ValidationInfo) -> str:
        listed = (info.context or {}).get("sources")
        if source and listed is not None and source not in listed:
            hint = units.did_you_mean(source, listed)
            raise PydanticCustomError(
                "source",
                '"{source}" is not a key of this file\'s `sources`{hint}',
                {"source": source, "hint": hint},
            )
        return source
