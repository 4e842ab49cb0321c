"""A scenario with every file it names, checked and at hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sim.economics.series import value_as_of
from sim.profiles.catalogue import Catalogue
from sim.profiles.economy import Region, RentalQuote, RentalSeries
from sim.profiles.fields import Document
from sim.profiles.hardware import ChipProfile, KernelProfile, SystemProfile
from sim.profiles.leaves import quantities
from sim.profiles.model import ModelProfile
from sim.profiles.scenario import ClusterChoice, Job, Scenario
from sim.profiles.workload import ServingTraffic, TrainingRecipe
from sim.quantity import Quantity

# Parts of a profile that document the chip and never enter a simulation.
DOCUMENTATION = ("bins", "measured", "silicon")


@dataclass(frozen=True, slots=True)
class Side:
    """One cluster of the question.

    Attributes
    ----------
    key : "a" or "b"
    rent : Quantity or None
        Market rent that was known on the scenario's date; None when nobody quotes one.
    """

    key: str
    choice: ClusterChoice
    system: SystemProfile
    chip: ChipProfile
    kernels: KernelProfile
    region: Region
    rent: Quantity | None

    @property
    def label(self) -> str:
        """Name in charts and sentences."""
        return self.choice.label or self.chip.name


@dataclass(frozen=True, slots=True)
class Task:
    """One job of the question with its model and its recipe or traffic."""

    job: Job
    model: ModelProfile
    workload: TrainingRecipe | ServingTraffic

    @property
    def label(self) -> str:
        """Name in charts and sentences."""
        return self.job.label or f"{self.workload.name}: {self.model.name}"


@dataclass(frozen=True, slots=True)
class Question:
    """Everything a run needs to know.

    Attributes
    ----------
    inputs : tuple of Quantity
        Uncertain inputs of all files involved, each once, in a fixed order: the columns of a draw.
    """

    scenario: Scenario
    a: Side
    b: Side
    tasks: tuple[Task, ...]
    inputs: tuple[Quantity, ...]

    @property
    def sides(self) -> tuple[Side, Side]:
        """Both clusters."""
        return self.a, self.b


def load_question(catalogue: Catalogue, scenario: str | Path) -> Question:
    """Load a scenario and all it names.

    Raises
    ------
    InputError
        When a file is missing or wrong; the message says where and how to mend it.
    """
    asked = catalogue.scenario(scenario)
    a, b = (_side(catalogue, asked, key) for key in ("a", "b"))
    tasks = tuple(
        Task(job, catalogue.model(job.model), catalogue.workload(job.workload)) for job in asked.jobs
    )
    return Question(asked, a, b, tasks, _uncertain_inputs((a, b), tasks))


def _side(catalogue: Catalogue, scenario: Scenario, key: str) -> Side:
    choice = scenario.clusters[key]  # type: ignore[index]
    system = catalogue.system(choice.system)
    chip = catalogue.chip(system.chip)
    region = catalogue.region(choice.region)
    rent = _rent(catalogue.rentals(chip.id), region.rents_of or region.id, scenario.prices_as_of)
    return Side(key, choice, system, chip, catalogue.kernels(chip.kernels), region, rent)


def _rent(series: list[RentalSeries], region: str, as_of: str | None) -> Quantity | None:
    """Latest quote known on the date, of the region if it has one, else of the world market."""
    for place in (region, "world"):
        quotes = [(q.date, q) for s in series if s.region == place for q in s.quotes if q.market]
        if quotes:
            quote: RentalQuote = value_as_of(quotes, as_of, f"rents of {series[0].chip}")
            return quote.price
    return None


def _uncertain_inputs(sides: tuple[Side, ...], tasks: tuple[Task, ...]) -> tuple[Quantity, ...]:
    found = {q.path: q for q in _leaves(sides, tasks) if q.is_uncertain}
    return tuple(found[path] for path in sorted(found))


def _leaves(sides: tuple[Side, ...], tasks: tuple[Task, ...]) -> Iterator[Quantity]:
    documents: list[Document] = [d for s in sides for d in (s.chip, s.kernels, s.system, s.region)]
    documents += [task.workload for task in tasks]
    for document in documents:
        for path, leaf in quantities(document).items():
            if path.split("#", 1)[1].split(".", 1)[0].split("[", 1)[0] not in DOCUMENTATION:
                yield leaf
    yield from (side.rent for side in sides if side.rent is not None)
