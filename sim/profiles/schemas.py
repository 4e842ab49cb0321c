"""JSON Schemas of the input files, so that an editor completes keys and shows what they mean."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from sim.profiles.economy import Region
from sim.profiles.fields import Document
from sim.profiles.hardware import ChipProfile, KernelProfile, SystemProfile
from sim.profiles.model import ModelProfile
from sim.profiles.policy import ControlItems, ExportRule
from sim.profiles.price_series import ChipPrices, CurrencySeries, PlacePrices, RentalSeries, SystemPrices
from sim.profiles.scenario import Scenario
from sim.profiles.served import PriceList
from sim.profiles.supply import Supply
from sim.profiles.supply_scenario import PolicyScenario
from sim.profiles.workload import ServingTraffic, TrainingRecipe

SCHEMA_FILES: dict[type[Document], str] = {
    ChipProfile: "hardware_profiles/schema/chip.schema.json",
    KernelProfile: "hardware_profiles/schema/kernels.schema.json",
    SystemProfile: "hardware_profiles/schema/system.schema.json",
    ModelProfile: "scenarios/schema/model.schema.json",
    TrainingRecipe: "scenarios/schema/training.schema.json",
    ServingTraffic: "scenarios/schema/serving.schema.json",
    Region: "scenarios/schema/region.schema.json",
    RentalSeries: "scenarios/schema/rental.schema.json",
    ChipPrices: "scenarios/schema/chip-price.schema.json",
    SystemPrices: "scenarios/schema/system-price.schema.json",
    PlacePrices: "scenarios/schema/place-price.schema.json",
    CurrencySeries: "scenarios/schema/currency.schema.json",
    PriceList: "scenarios/schema/price-list.schema.json",
    Supply: "scenarios/schema/supply.schema.json",
    PolicyScenario: "scenarios/schema/policy.schema.json",
    Scenario: "scenarios/schema/scenario.schema.json",
    ExportRule: "scenarios/schema/rule.schema.json",
    ControlItems: "scenarios/schema/items.schema.json",
}


class _Generator(GenerateJsonSchema):
    def field_title_should_be_set(self, schema: Any) -> bool:
        return False  # "Die Area" for die_area tells nobody anything


def schema_texts() -> dict[str, str]:
    """Text of every schema file, by its path in the repository."""
    return {path: json.dumps(schema(model), indent=1) + "\n" for model, path in SCHEMA_FILES.items()}


def schema(model: type[Document]) -> dict[str, Any]:
    """JSON Schema of one kind of file."""
    raw = model.model_json_schema(schema_generator=_Generator)
    if "extends" in raw["properties"]:
        _allow_partial(raw)
    definitions = raw.pop("$defs", {})
    shared: dict[str, Any] = {}
    body = _share_quantities({**raw, "$defs": definitions}, shared)
    body["$defs"] = dict(sorted({**body["$defs"], **shared}.items()))
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **body}


def write_schemas(root: Path) -> list[Path]:
    """Write the schemas that are out of date below ``root``; which ones were."""
    changed = []
    for name, text in schema_texts().items():
        path = root / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            changed.append(path)
    return changed


def _share_quantities(node: Any, shared: dict[str, Any]) -> Any:
    """Move the quantity types, which repeat at every number, into definitions named after their dimension."""
    if isinstance(node, list):
        return [_share_quantities(each, shared) for each in node]
    if not isinstance(node, dict):
        return node
    if "x-quantity" not in node:
        return {key: _share_quantities(each, shared) for key, each in node.items()}
    name = "Quantity_" + node["x-quantity"].replace("/", "_per_")
    shared[name] = {"anyOf": node["anyOf"]}
    rest = {key: each for key, each in node.items() if key not in ("anyOf", "x-quantity")}
    return {"$ref": f"#/$defs/{name}", **rest}


def _allow_partial(raw: dict[str, Any]) -> None:
    """A file that extends another may leave out what the other says."""
    for definition in raw["$defs"].values():
        definition.pop("required", None)
    for part in raw["properties"].values():
        part.pop("minItems", None)
        part.pop("minProperties", None)
    required = raw.pop("required")
    raw.update({"required": ["id"], "if": {"not": {"required": ["extends"]}}, "then": {"required": required}})
