"""A policy scenario with the supply files, chips and jobs it names, and its uncertain inputs in groups."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sim.profiles.catalogue import Catalogue
from sim.profiles.fields import Document
from sim.profiles.hardware import ChipProfile
from sim.profiles.leaves import quantities
from sim.profiles.numbers import DATE
from sim.profiles.policy import ExportRule
from sim.profiles.scenario import ClusterChoice, Job
from sim.profiles.supply import ChipUse, Supply
from sim.profiles.supply_changes import Branch, Change, Loss
from sim.profiles.supply_scenario import PolicyScenario
from sim.quantity import Quantity
from sim.study.policy.as_of import scenario_as_of, supply_as_of
from sim.study.policy.changes import check_changes
from sim.study.policy.rulings import Ruled, check_rules, ruled_series, with_parameters
from sim.study.question import DOCUMENTATION, Side, Task
from sim.study.traced import with_trace

REFERENCE = "h100-sxm"
FLEET = 8192  # chips of the cluster on which a chip's price and power are taken


@dataclass(frozen=True, slots=True)
class Country:
    """One side of a policy question.

    Attributes
    ----------
    sides : dict of chip id to Side
        Every chip of the country, built in as its file says.
    changes, losses : tuple
        Of its own file and of the scenario, in the order in which they apply.
    branches : tuple of Branch
    ruled : tuple of Ruled
        What the export rules set, before any change.
    rule_files : tuple of ExportRule
        Whose numbers enter.
    """

    supply: Supply
    sides: dict[str, Side]
    changes: tuple[Change, ...]
    losses: tuple[Loss, ...]
    branches: tuple[Branch, ...]
    ruled: tuple[Ruled, ...] = ()
    rule_files: tuple[ExportRule, ...] = ()

    def use(self, chip: str) -> ChipUse:
        """How the country uses a chip."""
        return next(use for use in self.supply.chips if use.id == chip)


@dataclass(frozen=True, slots=True)
class PolicyQuestion:
    """Everything a policy run needs to know.

    Attributes
    ----------
    start : str
        First day.
    reference : ChipProfile
        Chip in whose equivalents datasheet metrics are counted.
    as_of : str or None
        Day after which nothing of the policy files is used.
    late : tuple of str
        Series of which nothing was known by then, and whose first point is used all the same.
    """

    scenario: PolicyScenario
    own: Country
    rival: Country | None
    training: Task | None
    serving: Task | None
    start: str
    quarters: int
    reference: ChipProfile
    as_of: str | None = None
    late: tuple[str, ...] = ()

    @property
    def countries(self) -> tuple[Country, ...]:
        """The country in question, and the one it is compared with."""
        return (self.own,) if self.rival is None else (self.own, self.rival)

    @property
    def documents(self) -> tuple[Document, ...]:
        """Every file whose numbers enter, each once, policy files first."""
        found: dict[int, Document] = {}
        for document in self._documents():
            found.setdefault(id(document), document)
        return tuple(found.values())

    def _documents(self) -> Iterator[Document]:
        yield self.scenario
        yield from (country.supply for country in self.countries)
        for country in self.countries:
            yield from country.rule_files
            for side in country.sides.values():
                yield from (side.chip, side.kernels, side.system, side.region)
        yield from (task.workload for task in (self.training, self.serving) if task is not None)

    @property
    def branches(self) -> tuple[Branch, ...]:
        """Every set of contradicting accounts."""
        return tuple(branch for country in self.countries for branch in country.branches)


def load_policy(
    catalogue: Catalogue, path_or_id: str, bare: bool = False, as_of: str | None = None
) -> PolicyQuestion:
    """Load a policy scenario and all it names.

    Parameters
    ----------
    bare : bool
        Leave out the scenario's own changes, losses and branches: the baseline it is laid over.
    as_of : str, optional
        Use nothing of the policy files that became known later.

    Raises
    ------
    InputError
        When a file is missing or wrong, or a change names no series.
    """
    scenario, own, rival = _checked(catalogue, path_or_id)
    late: tuple[str, ...] = ()
    if as_of is not None:
        scenario = scenario_as_of(scenario, as_of)
        own, late = supply_as_of(own, as_of)
        rival = None if rival is None else supply_as_of(rival, as_of)[0]
    return PolicyQuestion(
        scenario=scenario,
        own=_country(catalogue, own, scenario, "own", bare, as_of),
        rival=None if rival is None else _country(catalogue, rival, scenario, "rival", bare, as_of),
        training=_task(catalogue, scenario.training),
        serving=_task(catalogue, scenario.serving),
        start=str(scenario.start or own.start),
        quarters=scenario.quarters or own.quarters,
        reference=catalogue.chip(REFERENCE),
        as_of=as_of,
        late=late,
    )


def _checked(catalogue: Catalogue, path_or_id: str) -> tuple[PolicyScenario, Supply, Supply | None]:
    """The scenario with the parameters of rules that it names, and its supply files; mistakes have their place."""
    written = catalogue.policy(path_or_id)
    own = catalogue.supply(written.baseline)
    rival = catalogue.supply(written.rival) if written.rival else None
    supplies = (own,) if rival is None else (own, rival)
    check_rules(catalogue, written, supplies)
    scenario = with_parameters(catalogue, written)
    check_changes(catalogue, written, scenario, own, rival)
    for supply in supplies:
        check_changes(catalogue, supply, supply, supply)
    return scenario, own, rival


def _country(
    catalogue: Catalogue, supply: Supply, scenario: PolicyScenario, whose: str, bare: bool, as_of: str | None
) -> Country:
    mine = () if bare else tuple(each for each in scenario.changes if each.country == whose)
    has_own = whose == "own" and not bare
    ruled, rule_files = ruled_series(catalogue, supply, {} if bare else scenario.rules, as_of)
    return Country(
        supply=supply,
        sides={use.id: _side(catalogue, use) for use in supply.chips},
        changes=(*supply.changes, *mine),
        losses=(*supply.losses, *(scenario.losses if has_own else ())),
        branches=(*supply.branches, *(scenario.branches if has_own else ())),
        ruled=ruled,
        rule_files=rule_files,
    )


def _side(catalogue: Catalogue, use: ChipUse) -> Side:
    system = catalogue.system(use.system)
    chip = catalogue.chip(use.id)
    return Side(
        key="a",
        choice=ClusterChoice(system=use.system, chips=FLEET, region=use.region),
        system=system,
        chip=chip,
        kernels=catalogue.kernels(chip.kernels),
        region=catalogue.region(use.region),
        rents=None,
        rent=None,
    )


def _task(catalogue: Catalogue, job: object) -> Task | None:
    if job is None:
        return None
    model, workload = str(getattr(job, "model")), str(getattr(job, "workload"))  # noqa: B009
    loaded = with_trace(catalogue, catalogue.workload(workload))
    return Task(Job(id=workload, model=model, workload=workload), catalogue.model(model), *loaded)


# --- uncertain inputs --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Group:
    """Uncertain numbers that are drawn together: the points of one series, or a number alone.

    Attributes
    ----------
    name : str
        Path of the series or of the number.
    members : tuple of Quantity
    until : str
        Date from which the series is certain; empty where its last point is not.
    """

    name: str
    members: tuple[Quantity, ...]
    until: str = ""


def series_of(path: str) -> str:
    """Path of the series that a dated point belongs to; any other path as it is.

    Examples
    --------
    >>> series_of("policy/supply/china#memory.domestic.2026-04"), series_of("chips/h20#memory.bandwidth")
    ('policy/supply/china#memory.domestic', 'chips/h20#memory.bandwidth')
    """
    head, _, last = path.rpartition(".")
    return head if head and re.match(DATE, last) else path


def groups(questions: Iterable[PolicyQuestion]) -> tuple[Group, ...]:
    """Uncertain inputs of some questions, each once, those of the policy files first, in a fixed order.

    The points of a series rise and fall together: who is right about 2026 is likely to be right about 2027.
    """
    found: dict[str, dict[str, Quantity]] = {}
    until: dict[str, str] = {}
    for question in questions:
        for document in question.documents:
            for path, leaf in quantities(document).items():
                name = series_of(path)
                if leaf.is_uncertain and _enters(path):
                    found.setdefault(name, {})[path] = leaf
                    until[name] = ""
                elif name in found and not until[name]:
                    until[name] = path.rpartition(".")[2]
    order = sorted(found, key=lambda name: (not name.startswith("policy/"), name))
    return tuple(Group(name, tuple(found[name].values()), until[name]) for name in order)


def _enters(path: str) -> bool:
    return path.split("#", 1)[1].split(".", 1)[0].split("[", 1)[0] not in DOCUMENTATION
