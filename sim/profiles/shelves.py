"""Which kind of file stands where, what it must be, and which other files it names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sim.profiles.economy import Region
from sim.profiles.fields import Document
from sim.profiles.hardware import ChipProfile, KernelProfile, SystemProfile
from sim.profiles.messages import InputError, Location, Problem
from sim.profiles.model import ModelProfile
from sim.profiles.policy import ControlItems, ExportRule
from sim.profiles.price_series import ChipPrices, CurrencySeries, PlacePrices, RentalSeries, SystemPrices
from sim.profiles.scenario import Scenario
from sim.profiles.served import PriceList
from sim.profiles.supply import Supply
from sim.profiles.supply_scenario import PolicyScenario
from sim.profiles.tree import Tree
from sim.profiles.workload import ServingTraffic, TrainingRecipe
from sim.units import did_you_mean

WORLD = "world"  # a rental series that is not of one region


@dataclass(frozen=True, slots=True)
class Shelf:
    """One kind of file.

    Attributes
    ----------
    noun : str
        What a person calls one of them.
    base, folder : str
        Where they stand: ``hardware_profiles`` or ``scenarios``, and the folder in it.
    models : mapping of str to type
        What a file must be, by the value of its ``tag`` key; one entry "" where no tag is needed.
    tag : str
        Key that tells the kinds of a shared folder apart.
    """

    noun: str
    base: str
    folder: str
    models: Mapping[str, type[Document]]
    tag: str = ""

    def model_for(self, tree: Tree) -> type[Document]:
        """What the file must be.

        Raises
        ------
        InputError
            When its tag is missing or names another kind.
        """
        if not self.tag:
            return self.models[""]
        place = tree.top.get(self.tag)
        allowed = ", ".join(self.models)
        if place is None:
            raise InputError([Problem(f'missing key "{self.tag}": {allowed}', tree.root.mark)])
        model = self.models.get(str(place.content))
        if model is None:
            hint = did_you_mean(str(place.content), self.models)
            message = f'{self.tag}: read "{place.content}", where {self.noun} needs {allowed}{hint}'
            raise InputError([Problem(message, place.mark)])
        return model

    def holds(self, path: Path) -> bool:
        """Whether a file of the folder is of this kind, by its tag alone.

        One without a tag, or with a wrong one, is: loading it then says so.
        """
        if not self.tag:
            return True
        text = path.read_text(encoding="utf-8", errors="replace")
        found = re.search(rf"^{self.tag}:\s*[\"']?([\w-]+)", text, re.MULTILINE)
        others = (each for each in SHELVES.values() if each is not self and each.tag == self.tag)
        return found is None or not any(found[1] in other.models for other in others)


SHELVES: dict[str, Shelf] = {
    "chips": Shelf("chip", "hardware_profiles", "chips", {"": ChipProfile}),
    "kernels": Shelf("kernel file", "hardware_profiles", "kernels", {"": KernelProfile}),
    "systems": Shelf("system", "hardware_profiles", "systems", {"": SystemProfile}),
    "models": Shelf("model", "scenarios", "models", {"": ModelProfile}),
    "workloads": Shelf(
        "workload",
        "scenarios",
        "workloads",
        {"training": TrainingRecipe, "serving": ServingTraffic},
        "kind_of_job",
    ),
    "regions": Shelf("region", "scenarios", "economics", {"region": Region}, "kind_of_file"),
    "rentals": Shelf("rental series", "scenarios", "economics", {"rental": RentalSeries}, "kind_of_file"),
    "price-lists": Shelf("price list", "scenarios", "economics/price-lists", {"": PriceList}),
    "prices": Shelf(
        "dated price",
        "scenarios",
        "economics",
        {
            "chip-price": ChipPrices,
            "system-price": SystemPrices,
            "place-price": PlacePrices,
            "currency": CurrencySeries,
        },
        "kind_of_file",
    ),
    "rules": Shelf("export rule", "scenarios", "policy/rules", {"": ExportRule}),
    "items": Shelf("list of controlled items", "scenarios", "policy/items", {"": ControlItems}),
    "supply": Shelf("supply file", "scenarios", "policy/supply", {"": Supply}),
    "policies": Shelf("policy scenario", "scenarios", "policy/scenarios", {"": PolicyScenario}),
    "scenarios": Shelf("scenario", "scenarios", "", {"": Scenario}),
}


def references(document: Document) -> Iterator[tuple[Location, str, str]]:
    """Other files that a document names: where it does, on which shelf they stand, and their id."""
    match document:
        case ChipProfile():
            yield ("kernels",), "kernels", document.kernels
        case KernelProfile(transferred_from=str(relative)):
            yield ("transferred_from",), "kernels", relative
        case SystemProfile():
            yield ("chip",), "chips", document.chip
        case RentalSeries():
            yield ("chip",), "chips", document.chip
            if document.region != WORLD:
                yield ("region",), "regions", document.region
        case PriceList():
            yield ("model",), "models", document.model
        case ChipPrices():
            yield ("chip",), "chips", document.chip
        case SystemPrices():
            yield ("system",), "systems", document.system
        case PlacePrices():
            yield ("region",), "regions", document.region
        case Supply():
            yield from _of_supply(document)
        case PolicyScenario():
            yield from _of_policy(document)
        case Scenario():
            yield from _of_scenario(document)


def _of_supply(document: Supply) -> Iterator[tuple[Location, str, str]]:
    for index, use in enumerate(document.chips):
        yield ("chips", index, "id"), "chips", use.id
        yield ("chips", index, "system"), "systems", use.system
        yield ("chips", index, "region"), "regions", use.region


def _of_policy(document: PolicyScenario) -> Iterator[tuple[Location, str, str]]:
    yield ("baseline",), "supply", document.baseline
    if document.rival:
        yield ("rival",), "supply", document.rival
    for key, job in (("training", document.training), ("serving", document.serving)):
        if job is not None:
            yield (key, "model"), "models", job.model
            yield (key, "workload"), "workloads", job.workload


def _of_scenario(document: Scenario) -> Iterator[tuple[Location, str, str]]:
    for side, cluster in document.clusters.items():
        yield ("clusters", side, "system"), "systems", cluster.system
        yield ("clusters", side, "region"), "regions", cluster.region
    for index, job in enumerate(document.jobs):
        yield ("jobs", index, "model"), "models", job.model
        yield ("jobs", index, "workload"), "workloads", job.workload
    if document.served_day is not None:
        yield ("served_day", "prices"), "price-lists", document.served_day.prices
