"""Reading a quantity: ``3.35 TB/s``, or a block with value, range, source, kind and date."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, get_args

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from sim import units
from sim.quantity import KINDS, Distribution, Quantity

UNKNOWN = "unknown"
DATE = r"^\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?$"
OWN_KINDS = ("derived", "assumed")  # may stand without a source: the note says where they come from
_KEYS = ("value", "low", "high", "source", "kind", "as_of", "note", "distribution", "mixture")
_OF_PARTS = ("value", "low", "high", "distribution")  # a mixture has none of its own
_DISTRIBUTIONS: tuple[str, ...] = get_args(Distribution)


@dataclass(frozen=True, slots=True)
class Dimension:
    """Marks a field as a quantity: ``Annotated[Quantity, Dimension("B/s")]``.

    Attributes
    ----------
    unit : str
        Base unit that the text must reduce to; "" for pure numbers.
    distribution : Distribution
        Shape of the range when the file names none.
    """

    unit: str
    distribution: Distribution = "lognormal"

    @property
    def is_share(self) -> bool:
        """True for a pure number between 0 and 1."""
        return self.distribution == "logitnormal"

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def read(raw: Any, info: core_schema.ValidationInfo) -> Quantity:
            return read_quantity(raw, self, dict(info.context or {}))

        return core_schema.with_info_plain_validator_function(read)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        expected = f"a number with unit, such as {units.example(self.unit)}" if self.unit else "a pure number"
        plain: dict[str, Any] = {"type": "string" if self.unit else ["string", "number"]}
        value = {**plain, "description": f"{expected}, or `unknown`"}
        parts: dict[str, Any] = {
            "value": value,
            "low": {**plain, "description": "5th percentile"},
            "high": {**plain, "description": "95th percentile"},
            "source": {"type": "string", "description": "key of the file's `sources` block"},
            "kind": {"enum": list(KINDS)},
            "as_of": {"type": ["string", "integer"], "description": "YYYY, YYYY-MM or YYYY-MM-DD"},
            "note": {"type": "string"},
            "distribution": {
                "enum": [d for d in _DISTRIBUTIONS if d != "mixture"],
                "default": self.distribution,
            },
        }
        block = {"type": "object", "required": ["value"], "additionalProperties": False, "properties": parts}
        part = {
            **block,
            "required": ["weight", "value"],
            "properties": {"weight": {"type": "number", "description": "probability"}, **parts},
        }
        whole = {key: parts[key] for key in ("source", "kind", "as_of", "note")}
        mixture = {
            "type": "object",
            "required": ["mixture"],
            "additionalProperties": False,
            "properties": {"mixture": {"type": "array", "minItems": 2, "items": part}, **whole},
        }
        name = "share" if self.is_share else self.unit or "number"
        return {"x-quantity": name, "anyOf": [value, block, mixture]}


def read_quantity(raw: Any, dimension: Dimension, context: Mapping[str, Any]) -> Quantity:
    """Quantity from what a file holds.

    Parameters
    ----------
    raw : str, float or mapping
        A number with unit, or a block.
    dimension : Dimension
        What it must be.
    context : mapping
        ``sources`` (keys of the file), ``default_source``, ``default_kind``, ``default_as_of``.

    Raises
    ------
    PydanticCustomError
        With a message for people; ``part`` in its context names the key of the block that is at fault.
    """
    if isinstance(raw, Quantity):
        return raw
    given: dict[str, Any] = dict(raw) if isinstance(raw, Mapping) else {"value": raw}
    if "mixture" in given:
        return _mixture(given, dimension, context)
    _check_keys(given)
    value, low, high = (_number(given, key, dimension.unit) for key in ("value", "low", "high"))
    assert value is not None
    one_sided = low is not None or high is not None
    quantity = Quantity(
        value=value,
        low=value if one_sided and low is None else low,
        high=value if one_sided and high is None else high,
        unit=units.unit_of(given["value"]),
        source=str(given.get("source", context.get("default_source", ""))),
        kind=given.get("kind", context.get("default_kind", "assumed")),
        as_of=str(given.get("as_of", context.get("default_as_of", ""))),
        note=str(given.get("note", "")),
        distribution=given.get("distribution", dimension.distribution),
    )
    _check_origin(quantity, given, context.get("sources"))
    _check_range(quantity, given)
    _check_bounds(quantity, given, dimension)
    return quantity


def _mixture(given: dict[str, Any], dimension: Dimension, context: Mapping[str, Any]) -> Quantity:
    """One of several numbers, each with a weight: ``{mixture: [{weight: 0.6, value: 780 TFLOP/s}, ...]}``."""
    _check_keys({**given, "value": 0})
    own = next((key for key in _OF_PARTS if key in given), None)
    if own:
        raise _fail(f"a mixture has no {own} of its own; its parts have", own)
    entries = given["mixture"]
    if not isinstance(entries, list) or len(entries) < 2 or not all(isinstance(e, Mapping) for e in entries):
        raise _fail("mixture: write two or more parts, each a block with weight and value", "mixture")
    inherited = {key: given[key] for key in ("source", "kind", "as_of", "note") if key in given}
    parts = tuple(
        (_weight(entry), read_quantity({**inherited, **_without_weight(entry)}, dimension, context))
        for entry in entries
    )
    if abs(sum(weight for weight, _ in parts) - 1.0) > 1e-6:
        raise _fail(f"mixture: weights add up to {sum(w for w, _ in parts):g}; make it 1", "mixture")
    if any(part.is_unknown for _, part in parts):
        raise _fail("mixture: a part is unknown; leave it out, or make the whole unknown", "mixture")
    first = parts[0][1]
    whole = replace(first, low=None, high=None, distribution="mixture", parts=parts)
    low, middle, high = (float(whole.quantile(p)) for p in (0.05, 0.5, 0.95))
    return replace(whole, value=middle, low=low, high=high)


def _weight(entry: Mapping[str, Any]) -> float:
    weight = entry.get("weight")
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 < weight < 1:
        raise _fail(f"mixture: weight {weight} is no number between 0 and 1", "mixture")
    return float(weight)


def _without_weight(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key != "weight"}


def _fail(message: str, part: str = "value") -> PydanticCustomError:
    return PydanticCustomError("quantity", "{message}", {"message": message, "part": part})


def _check_keys(given: Mapping[str, Any]) -> None:
    for key in given:
        if key not in _KEYS:
            hint = units.did_you_mean(str(key), _KEYS) or f"; known keys: {', '.join(_KEYS)}"
            raise _fail(f'unknown key "{key}" in a quantity{hint}', str(key))
    if "value" not in given:
        raise _fail('missing key "value" in a quantity; write the middle of the range, or `unknown`')


def _number(given: Mapping[str, Any], key: str, unit: str) -> float | None:
    if key not in given:
        return None
    if given[key] == UNKNOWN and key == "value":
        return float("nan")
    try:
        return units.to_base(given[key], unit)
    except units.UnitError as error:
        raise _fail(str(error) if key == "value" else f"{key}: {error}", key) from None


def _check_origin(quantity: Quantity, given: Mapping[str, Any], sources: Any) -> None:
    if quantity.kind not in KINDS:
        hint = units.did_you_mean(str(quantity.kind), KINDS)
        raise _fail(f'kind "{quantity.kind}" is not one of {", ".join(KINDS)}{hint}', "kind")
    if quantity.distribution not in _DISTRIBUTIONS:
        hint = units.did_you_mean(str(quantity.distribution), _DISTRIBUTIONS)
        choices = ", ".join(_DISTRIBUTIONS)
        raise _fail(f'distribution "{quantity.distribution}" is not one of {choices}{hint}', "distribution")
    if quantity.as_of and not re.match(DATE, quantity.as_of):
        raise _fail(f'as_of "{quantity.as_of}" is no date; write YYYY, YYYY-MM or YYYY-MM-DD', "as_of")
    if sources is None or quantity.is_unknown:
        return
    if "source" in given and quantity.source not in sources:
        hint = units.did_you_mean(quantity.source, sources) or f"; there is {', '.join(sources) or 'none'}"
        raise _fail(f'source "{quantity.source}" is not a key of this file\'s `sources`{hint}', "source")
    if not quantity.source and quantity.kind not in OWN_KINDS:
        raise _fail(f"kind {quantity.kind} needs a source: a key of this file's `sources`", "kind")


def _check_range(quantity: Quantity, given: Mapping[str, Any]) -> None:
    value, low, high = quantity.value, quantity.low, quantity.high
    if low is None or high is None:
        return
    if quantity.is_unknown:
        raise _fail("an unknown value has no range; write the middle of the range as the value")
    if low > high:
        raise _fail(f"low {given['low']} is above high {given['high']}; swap them", "low")
    if not low <= value <= high:
        ends = " to ".join(str(given.get(key, given["value"])) for key in ("low", "high"))
        raise _fail(f"value {given['value']} lies outside its range {ends}")


def _check_bounds(quantity: Quantity, given: Mapping[str, Any], dimension: Dimension) -> None:
    if quantity.is_unknown:
        return
    for key, number in (("value", quantity.value), ("low", quantity.low), ("high", quantity.high)):
        if number is None or key not in given:
            continue
        if dimension.is_share and not 0 <= number <= 1:
            raise _fail(f"{key} {given[key]} is no share; write a number from 0 to 1, or a percentage", key)
        if number < 0 and quantity.distribution != "normal":
            raise _fail(f"{key} {given[key]} is below zero", key)
    if quantity.is_uncertain:
        _check_tails(quantity, given, dimension)


def _check_tails(quantity: Quantity, given: Mapping[str, Any], dimension: Dimension) -> None:
    """The ends of the range are percentiles: what lies beyond them must be possible, too."""
    assert quantity.low is not None
    assert quantity.high is not None
    name = quantity.distribution
    if name in ("lognormal", "logitnormal") and quantity.low <= 0:
        raise _fail(f"low 0 is out of reach of a {name} distribution; write a small number above zero", "low")
    if name == "logitnormal" and quantity.high >= 1:
        raise _fail(
            "high 1 is out of reach of a logitnormal distribution; write a number just below 1", "high"
        )
    if name in ("uniform", "triangular"):
        bottom, top = (float(quantity.quantile(end)) for end in (0.0, 1.0))
        leaves_share = dimension.is_share and top > 1 + 1e-9
        if bottom < -1e-9 * quantity.high or leaves_share:
            message = f"5 % of this {name} distribution lie beyond each end of its range, and reach "
            message += "above 1" if leaves_share else "below zero"
            raise _fail(f"{message}; use {dimension.distribution}", "distribution")
    elif name == "beta":
        _check_beta(quantity, given, dimension)
    elif name == "normal" and dimension.is_share:
        raise _fail("a normal distribution leaves 0 to 1; use logitnormal", "distribution")


def _check_beta(quantity: Quantity, given: Mapping[str, Any], dimension: Dimension) -> None:
    """Two percentiles fix a beta distribution, its median too."""
    assert quantity.low is not None
    assert quantity.high is not None
    if not (dimension.is_share or not dimension.unit) or not 0 < quantity.low < quantity.high < 1:
        raise _fail("a beta distribution lies between 0 and 1, ends left out; use another", "distribution")
    middle = float(replace(quantity, value=float("nan")).quantile(0.4999999))
    if abs(middle - quantity.value) > 0.02 * (quantity.high - quantity.low):
        message = f"a beta distribution with this range has its median at {middle:.3g}, not {given['value']}"
        raise _fail(f"{message}; write that, or use logitnormal")
