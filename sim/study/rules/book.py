"""The rule files as the engine takes them, with the lists of makers, countries and items that they use."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sim.economics.series import last_day
from sim.policy.rules.records import Branch, Rule
from sim.policy.rules.truth import Compare, Every, Not, OneOf, Outcome, Some, Test, names_match
from sim.profiles.catalogue import Catalogue
from sim.profiles.messages import InputError, Problem, unknown_id
from sim.profiles.policy import Condition, ControlItems, Declared, ExportRule

ITEMS = "export-control"


@dataclass(frozen=True, slots=True)
class RuleBook:
    """All rules, what they are called, and the lists they use.

    Attributes
    ----------
    rules : tuple of Rule
        By date of effect, proposals last.
    files : mapping of rule id to ExportRule
    as_of : date
        Day up to which the rules were looked up.
    """

    rules: tuple[Rule, ...]
    files: Mapping[str, ExportRule]
    items: ControlItems
    as_of: datetime.date

    def groups(self, destination: str) -> frozenset[str]:
        """Groups that a destination is in: a group itself, or a country by its two letters.

        Raises
        ------
        InputError
            When it is neither.
        """
        wanted = destination.strip().lower().replace("-", "_")
        members = {name: self._members(name) for name in self.items.groups}
        if wanted in members:
            return frozenset(name for name, countries in members.items() if members[wanted] <= countries) | {
                "world"
            }
        if len(wanted) == 2 and wanted.isalpha():
            return frozenset(name for name, countries in members.items() if wanted in countries) | {"world"}
        if wanted == "world":
            return frozenset({"world"})
        known = [*members, "world"]
        raise InputError(
            [Problem(f"{unknown_id('destination', destination, known)}; or a country by two letters, cn")]
        )

    def _members(self, name: str) -> frozenset[str]:
        found: set[str] = set()
        for entry in self.items.groups[name]:
            found |= self._members(entry[1:]) if entry.startswith("@") else {entry}
        return frozenset(found)

    def labels(self, name: str, vendor: str = "", origin: str = "") -> dict[str, str | None]:
        """Vendor, origin and declared status, from a name where they are not given; None where it tells nothing."""
        maker = next(
            (m for m in self.items.makers if vendor == m.name or any(names_match(name, w) for w in m.words)),
            None,
        )
        declared = self.declared(name)
        return {
            "vendor": vendor or (maker.name if maker else None),
            "origin": origin or (maker.country if maker else None),
            "declared": declared.status if declared else "nothing",
        }

    def declared(self, name: str) -> Declared | None:
        """Status that follows from how a chip was sold, where its figures are not public."""
        found = (d for d in self.items.declared if any(names_match(name, chip) for chip in d.chips))
        return next(found, None)


def load_rules(catalogue: Catalogue) -> RuleBook:
    """Every rule of the catalogue, with the lists of items.

    Raises
    ------
    InputError
        When a file is wrong, or a rule names a group or a rule that does not exist.
    """
    items = catalogue.document("items", ITEMS)
    assert isinstance(items, ControlItems)
    files: dict[str, ExportRule] = {}
    for id in catalogue.ids("rules"):
        document = catalogue.document("rules", id)
        assert isinstance(document, ExportRule)
        files[id] = document
    for document in files.values():
        _check_names(catalogue, document, items, files)
    ordered = sorted(files.values(), key=lambda f: (f.effective is None, f.effective or f.announced, f.id))
    as_of = max(last_day(file.as_of or file.announced) for file in files.values())
    return RuleBook(tuple(plain_rule(f) for f in ordered), {f.id: f for f in ordered}, items, as_of)


def _check_names(
    catalogue: Catalogue, document: ExportRule, items: ControlItems, files: Mapping[str, ExportRule]
) -> None:
    for group in document.scope.destinations:
        if group not in (*items.groups, "world"):
            message = f"scope.destinations: {unknown_id('group', group, [*items.groups, 'world'])}"
            raise catalogue.error(document, ("scope", "destinations"), message)
    for index, branch in enumerate(document.branches):
        for other in _rules_named(branch.test):
            if other not in files:
                message = f"branches[{index}]: {unknown_id('rule', other, files)}"
                raise catalogue.error(document, ("branches", index, "test"), message)


def _rules_named(condition: Condition | None) -> Iterable[str]:
    if condition is None:
        return
    if condition.rule is not None:
        yield condition.rule
    for below in (*(condition.all or ()), *(condition.any or ()), condition.not_):
        yield from _rules_named(below)


def plain_rule(document: ExportRule) -> Rule:
    """A rule file as the engine takes it."""
    suspended = None
    if document.suspended_from is not None:
        suspended = (_date(document.suspended_from), _date(document.suspended_until) or datetime.date.max)
    return Rule(
        id=document.id,
        title=document.name,
        effective=_date(document.effective),
        ended=_date(document.ended),
        suspended=suspended,  # type: ignore[arg-type]
        unverified_from=_date(document.unverified_from),
        destinations=tuple(document.scope.destinations),
        addressees=None if document.scope.addressees is None else plain_test(document.scope.addressees),
        branches=tuple(
            Branch(b.id, None if b.test is None else plain_test(b.test), b.result, b.weight, b.note)
            for b in document.branches
        ),
    )


def _date(text: str | None) -> datetime.date | None:
    return None if text is None else datetime.date.fromisoformat(text)


def plain_test(condition: Condition) -> Test:
    """A test of a file as the engine takes it."""
    if condition.all is not None:
        return Every(tuple(plain_test(part) for part in condition.all))
    if condition.any is not None:
        return Some(tuple(plain_test(part) for part in condition.any))
    if condition.not_ is not None:
        return Not(plain_test(condition.not_))
    if condition.label is not None:
        return OneOf(condition.label, tuple(condition.among))
    if condition.rule is not None:
        return Outcome(condition.rule, tuple(condition.gives))
    assert condition.field is not None
    assert condition.op is not None
    assert condition.value is not None
    value = condition.value
    number = float(datetime.date.fromisoformat(value).toordinal()) if isinstance(value, str) else float(value)
    return Compare(condition.field, condition.op, number, condition.note)
