"""A scenario with every file it names, checked and at hand."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sim.economics.series import NotYetKnownError, value_as_of
from sim.profiles.catalogue import Catalogue
from sim.profiles.changes import Change
from sim.profiles.economy import Region
from sim.profiles.fields import Document
from sim.profiles.hardware import ChipProfile, KernelProfile, SystemProfile
from sim.profiles.leaves import quantities
from sim.profiles.messages import Location
from sim.profiles.model import ModelProfile
from sim.profiles.price_series import RentalQuote, RentalSeries
from sim.profiles.scenario import ClusterChoice, Job, Scenario
from sim.profiles.workload import ServingTraffic, TrainingRecipe
from sim.quantity import Quantity
from sim.resolve import World
from sim.serving.traffic import Trace
from sim.study.joint import Choice, Tie, chosen, number_of_case, tied
from sim.study.prices import checked_date, priced_as_of
from sim.study.traced import with_trace
from sim.study.worlds import sobol_probabilities, world_at
from sim.units import did_you_mean

# Parts of a profile that document the chip and never enter a simulation.
DOCUMENTATION = ("bins", "measured", "silicon")


@dataclass(frozen=True, slots=True)
class Side:
    """One cluster of the question.

    Attributes
    ----------
    key : "a" or "b"
    rents : RentalSeries or None
        Rents of the chip in the region, else in the world; None when nobody quotes one.
    rent : Quantity or None
        The one that was known on the question's date.
    price_files : tuple of Document
        Dated series that a price came from.
    late : tuple of str
        Prices that nobody had stated by the question's date, in plain sentences.
    """

    key: Literal["a", "b"]
    choice: ClusterChoice
    system: SystemProfile
    chip: ChipProfile
    kernels: KernelProfile
    region: Region
    rents: RentalSeries | None
    rent: Quantity | None
    price_files: tuple[Document, ...] = ()
    late: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """Name in charts and sentences."""
        return self.choice.label or self.chip.name


@dataclass(frozen=True, slots=True)
class Task:
    """One job of the question with its model and its recipe or traffic.

    Attributes
    ----------
    trace : Trace or None
        Requests to replay, where the traffic says so; its lengths and burstiness are then those of the trace.
    """

    job: Job
    model: ModelProfile
    workload: TrainingRecipe | ServingTraffic
    trace: Trace | None = None

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
    as_of : str or None
        No price later than this date is used.
    ties : tuple of Tie
        Inputs that share a cause.
    choices : tuple of Choice
        Contested matters, of which each world takes one case; the number of the case is among the inputs.
    """

    scenario: Scenario
    a: Side
    b: Side
    tasks: tuple[Task, ...]
    inputs: tuple[Quantity, ...]
    as_of: str | None = None
    ties: tuple[Tie, ...] = ()
    choices: tuple[Choice, ...] = ()

    @property
    def sides(self) -> tuple[Side, Side]:
        """Both clusters."""
        return self.a, self.b

    @property
    def dimensions(self) -> int:
        """Of a draw: the inputs, then the causes that some of them share."""
        return len(self.inputs) + len(self.ties)

    def probabilities(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Where the inputs stand in each world, (worlds, inputs), from independent rows (worlds, dimensions)."""
        count = len(self.inputs)
        return tied(rows[:, :count], rows[:, count:], self.ties)

    def world(self, probabilities: NDArray[np.float64]) -> World:
        """World with one draw per row of ``probabilities`` (worlds, inputs)."""
        return chosen(world_at(self.inputs, probabilities), self.inputs, probabilities, self.choices)

    def points(self, draws: int, seed: int) -> NDArray[np.float64]:
        """Where the inputs stand in the first draws of a seed, (draws, inputs)."""
        return self.probabilities(sobol_probabilities(draws, self.dimensions, seed))

    def drawn(self, draws: int, seed: int, further: Sequence[Quantity] = ()) -> World:
        """The first draws of a seed: the same worlds for whoever asks.

        Parameters
        ----------
        further : sequence of Quantity
            Inputs that may be no part of the question. They are drawn on dimensions of their own, so that those of the
            question stand where they stand without them.
        """
        world = self.world(self.points(draws, seed))
        new = [quantity for quantity in further if quantity.path not in world.values]
        if not new:
            return world
        rows = sobol_probabilities(draws, self.dimensions + len(new), seed)[:, self.dimensions :]
        return World({**world.values, **world_at(new, rows).values})


def load_question(catalogue: Catalogue, scenario: str | Path, as_of: str | None = None) -> Question:
    """Load a scenario and all it names, with the inputs that it lets move together.

    Parameters
    ----------
    as_of : str, optional
        No price later than this date is used, instead of the scenario's own date.

    Raises
    ------
    InputError
        When a file is missing or wrong; the message says where and how to mend it.
    """
    plain = _plain(catalogue, scenario, as_of)
    said = plain.scenario.uncertainty
    if not (said.branches or said.correlated):
        return plain
    return _joint(catalogue, plain, lambda changed: _plain(changed, scenario, as_of))


def _plain(catalogue: Catalogue, scenario: str | Path, as_of: str | None) -> Question:
    """The question with every input on its own."""
    asked = catalogue.scenario(scenario)
    as_of = checked_date(as_of) or asked.prices_as_of
    a, b = (load_side(catalogue, asked.clusters[key], as_of, key) for key in ("a", "b"))
    tasks = tuple(
        Task(job, catalogue.model(job.model), *with_trace(catalogue, catalogue.workload(job.workload)))
        for job in asked.jobs
    )
    return Question(asked, a, b, tasks, uncertain_inputs((a, b), tasks), as_of)


def load_side(
    catalogue: Catalogue, choice: ClusterChoice, as_of: str | None = None, key: Literal["a", "b"] = "a"
) -> Side:
    """One cluster with every file it names, and the prices that were known on a date.

    Raises
    ------
    InputError
        When a file is missing or wrong.
    """
    system = catalogue.system(choice.system)
    chip = catalogue.chip(system.chip)
    priced = priced_as_of(catalogue, chip, system, catalogue.region(choice.region), as_of)
    region = priced.region
    rents = _rents(catalogue.rentals(chip.id), region.rents_of or region.id)
    rent = None if rents is None else _known(rents, as_of)
    late = priced.late
    if rents is not None and rent is None:
        first = next(quote.date for quote in rents.quotes if quote.market)
        late += (f"No rent of {chip.name} in {region.name} was known by {as_of}: the first is of {first}.",)
    kernels = catalogue.kernels(chip.kernels)
    return Side(key, choice, priced.system, priced.chip, kernels, region, rents, rent, priced.files, late)


def _rents(series: list[RentalSeries], region: str) -> RentalSeries | None:
    """Series of the region if there is one, else of the world market."""
    by_place = {each.region: each for each in series if any(quote.market for quote in each.quotes)}
    return by_place.get(region) or by_place.get("world")


def _known(rents: RentalSeries, as_of: str | None) -> Quantity | None:
    """Latest market rent that was known on the date; None before the first."""
    quotes: list[tuple[str, RentalQuote]] = [(quote.date, quote) for quote in rents.quotes if quote.market]
    try:
        return value_as_of(quotes, as_of, f"rents of {rents.chip}").price
    except NotYetKnownError:
        return None


def _joint(catalogue: Catalogue, plain: Question, again: Callable[[Catalogue], Question]) -> Question:
    """The question with its correlated groups and branches."""
    leaves = {quantity.path: quantity for quantity in _leaves(plain.sides, plain.tasks)}
    inputs = {quantity.path: quantity for quantity in plain.inputs}
    choices = []
    for index, branching in enumerate(plain.scenario.uncertainty.branches):
        place = ("uncertainty", "branches", index)
        said = [
            _case(catalogue, plain, (*place, "cases", number), case.set, leaves, again)
            for number, case in enumerate(branching.cases)
        ]
        path = f"scenarios/{plain.scenario.id}#branches.{branching.id}"
        choice = Choice(
            number_of_case([case.weight for case in branching.cases], path),
            tuple(case.id for case in branching.cases),
            tuple(said),
        )
        middle = int(choice.quantity.value)
        if said[middle]:
            message = (
                f"branch {branching.id}: half of the probability is reached in case {choice.names[middle]}, which changes "
                "values; let that case be the one of the files, with nothing in `set`, or change the order of the cases"
            )
            raise catalogue.error(plain.scenario, place, message)
        inputs |= {path: leaves[path] for case in said for path in case}
        inputs[path] = choice.quantity
        choices.append(choice)
    ordered = tuple(inputs[path] for path in sorted(inputs))
    return replace(plain, inputs=ordered, choices=tuple(choices), ties=_ties(catalogue, plain, ordered))


def _case(
    catalogue: Catalogue,
    plain: Question,
    place: Location,
    values: Mapping[str, Any],
    leaves: Mapping[str, Quantity],
    again: Callable[[Catalogue], Question],
) -> dict[str, Quantity]:
    """Numbers that a case puts in the place of those of the files."""
    for path in values:
        if path not in leaves or leaves[path].is_unknown:
            why = "the files leave it unknown" if path in leaves else "it is no number of this question"
            hint = did_you_mean(path, leaves)
            raise catalogue.error(plain.scenario, (*place, "set", path), f"{path}: {why}{hint}")
    if not values:
        return {}
    texts = {path: value if isinstance(value, str) else json.dumps(value) for path, value in values.items()}
    other = again(catalogue.with_changes([Change(path, text) for path, text in texts.items()]))
    found = {quantity.path: quantity for quantity in _leaves(other.sides, other.tasks)}
    return {path: found[path] for path in values}


def _ties(catalogue: Catalogue, plain: Question, inputs: Sequence[Quantity]) -> tuple[Tie, ...]:
    """Correlated groups by the places of their inputs."""
    ties = []
    for index, group in enumerate(plain.scenario.uncertainty.correlated):
        found: dict[int, int] = {}
        for number, pattern in enumerate(group.inputs):
            name = pattern.removeprefix("-")
            columns = [column for column, quantity in enumerate(inputs) if fnmatchcase(quantity.path, name)]
            if not columns:
                message = f"{name}: no uncertain input of this question{did_you_mean(name, [q.path for q in inputs])}"
                raise catalogue.error(
                    plain.scenario, ("uncertainty", "correlated", index, "inputs", number), message
                )
            found |= dict.fromkeys(columns, -1 if pattern.startswith("-") else 1)
        ties.append(Tie(tuple(found), tuple(found.values()), group.strength))
    return tuple(ties)


def uncertain_inputs(sides: tuple[Side, ...], tasks: tuple[Task, ...]) -> tuple[Quantity, ...]:
    """Uncertain inputs of some sides and jobs, each once, in a fixed order."""
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
