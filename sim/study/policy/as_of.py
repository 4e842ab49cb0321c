"""A supply file, a scenario and the rules as they were known on a date."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from pydantic import BaseModel

from sim.economics.series import last_day
from sim.profiles.supply import Supply
from sim.profiles.supply_changes import Branch, Change
from sim.profiles.supply_scenario import PolicyScenario
from sim.quantity import Quantity
from sim.study.policy.changes import SERIES_FIELDS
from sim.study.rules.book import RuleBook

OWN = "assumed"  # assumptions of ours are no facts that become known
R = TypeVar("R", Supply, PolicyScenario)


def supply_as_of(supply: Supply, as_of: str) -> tuple[Supply, tuple[str, ...]]:
    """The file without what was stated later, and the series of which nothing else is left.

    A point of a series that was stated later is left out, so that the point before it holds on; assumptions stay. A series
    of which every point was stated later keeps its first one, and is named. Numbers that are no series stay as they are.
    """
    late: list[str] = []
    day = last_day(as_of)
    update = {part: _known(getattr(supply, part), part, day, late) for part in SERIES_FIELDS}
    branches = [_branch(each, supply, day) for each in supply.branches]
    kept = supply.model_copy(update={**update, "branches": branches})
    return _without_late_changes(kept, day), tuple(late)


def scenario_as_of(scenario: PolicyScenario, as_of: str) -> PolicyScenario:
    """The scenario without changes that rest on later sources; suppositions, which have none, stay."""
    return _without_late_changes(scenario, last_day(as_of))


def rules_as_of(book: RuleBook, as_of: str) -> RuleBook:
    """The rules that had been announced; ends and suspensions that were announced later are not told apart."""
    day = last_day(as_of)
    known = {
        id: file for id, file in book.files.items() if datetime.date.fromisoformat(file.announced) <= day
    }
    rules = tuple(rule if rule.id in known else replace(rule, effective=None) for rule in book.rules)
    return replace(book, rules=rules)


def _known(value: Any, name: str, day: datetime.date, late: list[str]) -> Any:
    if isinstance(value, dict) and value and all(isinstance(each, Quantity) for each in value.values()):
        return _series(value, name, day, late)
    if isinstance(value, dict):
        return {key: _known(each, f"{name}.{key}", day, late) for key, each in value.items()}
    if isinstance(value, list):
        return [_known(each, f"{name}.{getattr(each, 'id', '')}", day, late) for each in value]
    if isinstance(value, BaseModel):
        fields = type(value).model_fields
        update = {
            key: _known(getattr(value, key), f"{name}.{info.alias or key}", day, late)
            for key, info in fields.items()
        }
        return value.model_copy(update=update)
    return value


def _series(
    dated: Mapping[str, Quantity], name: str, day: datetime.date, late: list[str]
) -> dict[str, Quantity]:
    kept = {date: value for date, value in dated.items() if _was_known(value, day)}
    first = next(iter(dated))
    if first not in kept:
        late.append(name)
        kept = {first: dated[first], **kept}
    return kept


def _was_known(value: Quantity, day: datetime.date) -> bool:
    return value.kind == OWN or not value.as_of or last_day(value.as_of) <= day


def _without_late_changes(document: R, day: datetime.date) -> R:
    return document.model_copy(update={"changes": list(_known_changes(document.changes, document, day))})


def _known_changes(
    changes: list[Change], document: Supply | PolicyScenario, day: datetime.date
) -> Iterator[Change]:
    for change in changes:
        source = document.sources.get(change.source)
        if source is None or not source.date or last_day(str(source.date)) <= day:
            yield change


def _branch(branch: Branch, supply: Supply, day: datetime.date) -> Branch:
    options = [
        option.model_copy(update={"changes": list(_known_changes(option.changes, supply, day))})
        for option in branch.options
    ]
    return branch.model_copy(update={"options": options})
