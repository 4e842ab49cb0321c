"""What the export rules make of the gates, duties and caps of a supply file, with rules switched on or off."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from sim.policy.rules.engine import classify
from sim.policy.rules.records import Branch, Item, Result, Rule
from sim.policy.supply.series import decimal_year
from sim.profiles.catalogue import Catalogue
from sim.profiles.messages import unknown_id
from sim.profiles.policy import Condition, ExportRule
from sim.profiles.supply import Import, Supply
from sim.profiles.supply_scenario import PolicyScenario
from sim.quantity import Quantity
from sim.study.policy.as_of import rules_as_of
from sim.study.rules.book import RuleBook, load_rules
from sim.study.rules.classify import chip_facts, item_of

ASKS = (
    "licence",
    "barred",
    "open",
)  # weights of results of the exporter's rules for which a chip does not simply pass
HOLDS = ("licence", "barred", "open", "conditional")  # and those of the importer
OF_A_LICENCE = ("revenue_share", "volume_cap")  # conditions that fall away where no licence is needed


@dataclass(frozen=True, slots=True)
class Ruled:
    """A series that a rule sets between two instants.

    Attributes
    ----------
    series : str
        Such as ``imports.h20.export_gate``.
    start, end : float
        [year]; infinite where it holds from the beginning, or for good.
    value : Quantity or float
        A parameter of the rule file, or an open (1) or shut (0) gate.
    """

    series: str
    start: float
    end: float
    value: Quantity | float


@dataclass(frozen=True, slots=True)
class Period:
    """Days between two changes of the rules, with what bears on one product."""

    day: datetime.date
    start: float
    end: float
    results: tuple[Result, ...]


@dataclass(frozen=True, slots=True)
class Switched:
    """The rules of a scenario: the book, the rules as switched, and the parameters that are switched off."""

    book: RuleBook
    rules: tuple[Rule, ...]
    off: frozenset[str]

    def parameter(self, name: str) -> tuple[str, Quantity]:
        """Rule and number behind ``rule.parameter``."""
        rule, _, parameter = name.partition(".")
        return rule, self.book.files[rule].parameters[parameter]


def switched_rules(switches: Mapping[str, str], book: RuleBook) -> Switched:
    """The rules with those left out that a scenario switches off."""
    off = frozenset(name for name, state in switches.items() if state == "off")
    rules = tuple(_without(rule) if rule.id in off else rule for rule in book.rules)
    return Switched(book, rules, off)


def _without(rule: Rule) -> Rule:
    """A rule that is not there: other rules that ask what it gives get nothing."""
    return replace(rule, effective=None, branches=(Branch("switched off", None, "not_applicable", "none"),))


def ruled_series(
    catalogue: Catalogue, supply: Supply, switches: Mapping[str, str], as_of: str | None = None
) -> tuple[tuple[Ruled, ...], tuple[ExportRule, ...]]:
    """Series that the rules set, and the rule files whose numbers enter; files and switches are checked already."""
    if supply.rules is None:
        return (), ()
    book = load_rules(catalogue) if as_of is None else rules_as_of(load_rules(catalogue), as_of)
    found = switched_rules(switches, book)
    named = {name.partition(".")[0] for each in supply.imports for name in each.by_rule.values()}
    series = tuple(
        ruled
        for each in supply.imports
        for ruled in _joined(_of_product(each, periods(catalogue, supply, found, each.chip), found, supply))
    )
    return series, tuple(book.files[rule] for rule in sorted(named))


def check_rules(catalogue: Catalogue, scenario: PolicyScenario, supplies: Sequence[Supply]) -> None:
    """What a scenario switches and what supply files name exists.

    Raises
    ------
    InputError
        When there is no such rule or parameter.
    """
    files = load_rules(catalogue).files
    parameters = list(_parameters(files))
    for name in scenario.rules:
        if name not in (*files, *parameters):
            message = f"rules: {unknown_id('rule', name, [*files, *parameters])}"
            raise catalogue.error(scenario, ("rules", name), message)
    for supply in supplies:
        for index, each in enumerate(supply.imports):
            for field, names, known, what in (
                ("by_rule", each.by_rule.values(), parameters, "parameter of a rule"),
                ("licensed_under", each.licensed_under, list(files), "rule"),
            ):
                for name in names:
                    if name not in known:
                        message = f"imports[{index}]: {unknown_id(what, name, known)}"
                        raise catalogue.error(supply, ("imports", index, field), message)


def _parameters(files: Mapping[str, ExportRule]) -> dict[str, Quantity]:
    """Parameters of all rules by ``rule.parameter``."""
    return {f"{id}.{name}": value for id, file in files.items() for name, value in file.parameters.items()}


def with_parameters(catalogue: Catalogue, scenario: PolicyScenario) -> PolicyScenario:
    """The scenario with those of its changes that name a parameter of a rule set to it.

    Raises
    ------
    InputError
        When there is no such rule or parameter.
    """
    if not any(change.set_by_rule for change in scenario.changes):
        return scenario
    known = _parameters(load_rules(catalogue).files)
    changes = list(scenario.changes)
    for index, change in enumerate(changes):
        if change.set_by_rule and change.set_by_rule not in known:
            message = f"change {change.id}: {unknown_id('parameter of a rule', change.set_by_rule, known)}"
            raise catalogue.error(scenario, ("changes", index, "set_by_rule"), message)
        if change.set_by_rule:
            changes[index] = change.model_copy(update={"set": known[change.set_by_rule]})
    return scenario.model_copy(update={"changes": changes})


# --- one product -------------------------------------------------------------------------------------------


def periods(catalogue: Catalogue, supply: Supply, found: Switched, chip: str) -> tuple[Period, ...]:
    """What the rules say of a chip between any two of their dates.

    A rule of which it is not known whether it still holds counts as holding.
    """
    assert supply.rules is not None
    groups = found.book.groups(supply.rules.destination)
    item, _ = item_of(chip_facts(catalogue, found.book, chip), found.book)
    first = datetime.date.min.replace(year=1990)
    days = [first, *sorted(set(_days(found.book)))]
    edges = [-np.inf, *(decimal_year(day.isoformat()) for day in days[1:]), np.inf]
    return tuple(
        Period(day, start, end, _bearing(item, found, day, groups))
        for day, (start, end) in zip(days, pairwise(edges), strict=True)
    )


def _bearing(item: Item, found: Switched, day: datetime.date, groups: Iterable[str]) -> tuple[Result, ...]:
    results = classify(item, found.rules, day, frozenset(groups))
    return tuple(each for each in results if each.in_force is not False)


def _days(book: RuleBook) -> Iterator[datetime.date]:
    """Every day on which a rule may begin to say something else."""
    for rule in book.rules:
        for day in (rule.effective, rule.ended, *(rule.suspended or ())):
            if day not in (None, datetime.date.max):
                assert day is not None
                yield day
    for file in book.files.values():
        for branch in file.branches:
            yield from _days_tested(branch.test)


def _days_tested(condition: Condition | None) -> Iterator[datetime.date]:
    if condition is None:
        return
    if condition.field == "date":
        yield datetime.date.fromisoformat(str(condition.value))
    for below in (*(condition.all or ()), *(condition.any or ()), condition.not_):
        yield from _days_tested(below)


def _of_product(each: Import, when: Sequence[Period], found: Switched, supply: Supply) -> Iterator[Ruled]:
    at = f"imports.{each.id}"
    assert supply.rules is not None
    aside = supply.rules.aside
    for period in when:
        asked = needs_licence(period, found.book, aside)
        if not asked:
            yield Ruled(f"{at}.export_gate", period.start, period.end, 1.0)
        elif each.licensed_under and not _granted(period, each.licensed_under):
            yield Ruled(f"{at}.export_gate", period.start, period.end, 0.0)
        if not _bears(period, found.book, aside, "CN", HOLDS):
            yield Ruled(f"{at}.import_gate", period.start, period.end, 1.0)
        for field, name in each.by_rule.items():
            rule, value = found.parameter(name)
            if name not in found.off and _granted(period, [rule]) and (asked or field not in OF_A_LICENCE):
                yield Ruled(f"{at}.{field}", period.start, period.end, value)


def _joined(spans: Iterable[Ruled]) -> Iterator[Ruled]:
    """Spans of one series that follow each other with the same value, as one."""
    last: dict[str, Ruled] = {}
    for span in spans:
        before = last.get(span.series)
        if before is not None and before.end == span.start and before.value == span.value:
            last[span.series] = replace(before, end=span.end)
            continue
        if before is not None:
            yield before
        last[span.series] = span
    yield from last.values()


def needs_licence(period: Period, book: RuleBook, aside: Iterable[str] = ()) -> bool:
    """Whether any rule of the exporter asks for a licence or bars the chip; what is not decidable counts as asking."""
    return _bears(period, book, aside, "US", ASKS)


def _bears(
    period: Period, book: RuleBook, aside: Iterable[str], jurisdiction: str, weights: Sequence[str]
) -> bool:
    left_out = frozenset(aside)
    return any(
        each.weight in weights
        for each in period.results
        if each.rule not in left_out and book.files[each.rule].jurisdiction == jurisdiction
    )


def _granted(period: Period, rules: Sequence[str]) -> bool:
    """Whether one of some rules speaks of the chip with a condition: a review, a duty, a share."""
    return any(each.rule in rules and each.weight == "conditional" for each in period.results)
