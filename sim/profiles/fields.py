"""Field types of the input files: quantities with a dimension, ids, dates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, WithJsonSchema
from pydantic_core import PydanticCustomError

from sim import units
from sim.quantity import KINDS, Distribution, Quantity

UNKNOWN = "unknown"
_QUANTITY_KEYS = ("value", "low", "high", "source", "kind", "as_of", "note", "distribution")
_DISTRIBUTIONS = ("lognormal", "logitnormal", "normal", "uniform", "triangular")


class Record(BaseModel):
    """Base of everything that is read from a file: frozen, no unknown keys, described by its docstrings."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)


def _schema(dimension: str) -> dict[str, Any]:
    described = f"a number with unit, e.g. {units.example(dimension)}" if dimension else "a pure number"
    plain: dict[str, Any] = {"type": ["string", "number"]} if not dimension else {"type": "string"}
    value = {**plain, "description": f"{described}, or `unknown`"}
    return {
        "anyOf": [
            value,
            {
                "type": "object",
                "required": ["value"],
                "additionalProperties": False,
                "properties": {
                    "value": value,
                    "low": {**plain, "description": "5th percentile"},
                    "high": {**plain, "description": "95th percentile"},
                    "source": {"type": "string", "description": "key of the file's `sources` block"},
                    "kind": {"enum": list(KINDS)},
                    "as_of": {"type": "string", "description": "YYYY, YYYY-MM or YYYY-MM-DD"},
                    "note": {"type": "string"},
                    "distribution": {"enum": list(_DISTRIBUTIONS)},
                },
            },
        ]
    }


def quantity(dimension: str, distribution: Distribution = "lognormal") -> Any:
    """Type of a quantity field whose unit must reduce to ``dimension`` ("" for pure numbers)."""

    def read(raw: Any, info: ValidationInfo) -> Quantity:
        return _read_quantity(raw, dimension, distribution, dict(info.context or {}))

    return Annotated[Quantity, BeforeValidator(read), WithJsonSchema(_schema(dimension))]


def _read_quantity(raw: Any, dimension: str, distribution: Distribution, context: dict[str, Any]) -> Quantity:
    if isinstance(raw, Quantity):
        return raw
    given: dict[str, Any] = dict(raw) if isinstance(raw, Mapping) else {"value": raw}
    for key in given:
        if key not in _QUANTITY_KEYS:
            hint = units.did_you_mean(str(key), _QUANTITY_KEYS)
            raise PydanticCustomError("quantity_key", "unknown key '{key}' in a quantity{hint}", {"key": str(key), "hint": hint})
    if "value" not in given:
        raise PydanticCustomError("quantity_value", "a quantity needs a `value`", {})
    numbers = {key: _number(given[key], dimension) for key in ("value", "low", "high") if key in given}
    value, low, high = numbers["value"], numbers.get("low"), numbers.get("high")
    _check_range(value, low, high, given)
    if given.get("kind", KINDS[0]) not in KINDS:
        hint = units.did_you_mean(str(given["kind"]), KINDS)
        raise PydanticCustomError("kind", "kind '{kind}' is not one of {kinds}{hint}", {"kind": str(given["kind"]), "kinds": ", ".join(KINDS), "hint": hint})
    source = str(given.get("source", context.get("default_source", "")))
    sources = context.get("sources")
    if sources is not None and source and source not in sources:
        hint = units.did_you_mean(source, sources)
        raise PydanticCustomError("source_key", "source '{source}' is not a key of this file's `sources`{hint}", {"source": source, "hint": hint})
    return Quantity(
        value=value,
        low=low if low is not None or high is None else value,
        high=high if high is not None or low is None else value,
        unit=units.unit_of(given["value"]),
        source=source,
        kind=given.get("kind", context.get("default_kind", "assumed")),
        as_of=str(given.get("as_of", context.get("default_as_of", ""))),
        note=str(given.get("note", "")),
        distribution=given.get("distribution", distribution),
    )


def _number(raw: Any, dimension: str) -> float:
    if raw == UNKNOWN:
        return float("nan")
    try:
        return units.to_base(raw, dimension)
    except units.UnitError as error:
        raise PydanticCustomError("unit", "{message}", {"message": str(error)}) from None


def _check_range(value: float, low: float | None, high: float | None, given: Mapping[str, Any]) -> None:
    if low is not None and high is not None and low > high:
        raise PydanticCustomError("range", "low {low} is above high {high}; swap them", {"low": str(given["low"]), "high": str(given["high"])})
    if (low is not None and value < low) or (high is not None and value > high):
        raise PydanticCustomError("range", "value {value} lies outside its range {low} to {high}", {"value": str(given["value"]), "low": str(given.get("low", "-")), "high": str(given.get("high", "-"))})


Rate = quantity("FLOP/s")
Bytes = quantity("B")
ByteRate = quantity("B/s")
Seconds = quantity("s")
Power = quantity("W")
Area = quantity("mm2")
Money = quantity("USD")
Tokens = quantity("token")
Ratio = quantity("")
Share = quantity("", "logitnormal")
"""A pure number between 0 and 1."""

Id = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._\-]*$", description="lower-case kebab id")]
Date = Annotated[str, BeforeValidator(str), Field(pattern=r"^\d{4}(-\d{2}(-\d{2})?)?$", description="YYYY, YYYY-MM or YYYY-MM-DD")]


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
    kind: str = "assumed"
    """Kind of every number that names none: official, measured, tech_report, analyst, press, derived or assumed."""
    as_of: Date | None = None
    """Date of every number that names none."""
