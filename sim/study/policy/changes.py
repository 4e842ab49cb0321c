"""The series of a supply file by name, and the changes of a scenario checked against them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from sim.profiles.catalogue import Catalogue
from sim.profiles.messages import Location
from sim.profiles.supply import Supply
from sim.profiles.supply_changes import Change, dimension_of
from sim.profiles.supply_scenario import PolicyScenario
from sim.quantity import Quantity
from sim.units import did_you_mean

Dated = Mapping[str, Quantity]
SERIES_FIELDS = ("memory", "makers", "imports", "grey", "remote", "sites", "use")
WAYS = ("set", "times", "plus")


def named_series(supply: Supply) -> dict[str, Dated]:
    """Every series and every single number of a supply file by the name that a change uses."""
    found: dict[str, Dated] = {}
    for part in SERIES_FIELDS:
        found |= dict(_walk(getattr(supply, part), part))
    return found


def _walk(value: Any, name: str) -> Iterator[tuple[str, Dated]]:
    if isinstance(value, Quantity):
        yield name, {"": value}
    elif isinstance(value, dict):
        if all(isinstance(each, Quantity) for each in value.values()):
            yield name, value
        else:
            for key, each in value.items():
                yield from _walk(each, f"{name}.{key}")
    elif isinstance(value, list):
        for each in value:
            if isinstance(each, BaseModel):
                yield from _walk(each, f"{name}.{getattr(each, 'id', '')}")
    elif isinstance(value, BaseModel):
        for key, info in type(value).model_fields.items():
            if key != "by_rule":  # names of parameters, not numbers
                yield from _walk(getattr(value, key), f"{name}.{info.alias or key}")


def way_of(change: Change) -> str:
    """Which of ``set``, ``times`` and ``plus`` a checked change has."""
    return next(way for way in WAYS if getattr(change, way) is not None)


def check_changes(
    catalogue: Catalogue,
    written: PolicyScenario | Supply,
    filled: PolicyScenario | Supply,
    own: Supply,
    rival: Supply | None = None,
) -> None:
    """Every change names a series that there is, and one value that fits it.

    Parameters
    ----------
    written : PolicyScenario or Supply
        As the catalogue gave it, for the place of a mistake.
    filled : PolicyScenario or Supply
        The same with the parameters of rules that its changes name.
    own, rival : Supply
        Files whose series are changed.

    Raises
    ------
    InputError
        When one does not.
    """
    known = {"own": own, "rival": rival}
    for place, change in _placed(filled):
        supply = known[change.country]
        message = "there is no rival" if supply is None else _mistake(change, supply)
        if message:
            raise catalogue.error(written, place, f"change {change.id}: {message}")


def _placed(document: PolicyScenario | Supply) -> Iterator[tuple[Location, Change]]:
    """Every change of a file with its place, those of the contradicting accounts included."""
    for index, change in enumerate(document.changes):
        yield ("changes", index), change
    for b, branch in enumerate(document.branches):
        for o, option in enumerate(branch.options):
            for index, change in enumerate(option.changes):
                yield ("branches", b, "options", o, "changes", index), change


def _mistake(change: Change, supply: Supply) -> str:
    given = [way for way in WAYS if getattr(change, way) is not None]
    if len(given) != 1:
        return f"give exactly one of set, times and plus, not {' and '.join(given) or 'none'}"
    series = named_series(supply)
    for name in [change.series] if isinstance(change.series, str) else change.series:
        if name not in series:
            return f'{supply.name} has no series "{name}"{did_you_mean(name, series)}'
        wanted = _dimension(series[name])
        has = dimension_of(getattr(change, given[0]).unit)
        if given[0] != "times" and wanted is not None and wanted != has:
            return f"the series is in {wanted or 'a pure number'}, the change of {name} in {has or 'a pure number'}"
    return ""


def _dimension(dated: Dated) -> str | None:
    return dimension_of(next(iter(dated.values())).unit) if dated else None
