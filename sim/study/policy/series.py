"""The dated series of a supply file by name, with the changes of a scenario, as quarters see them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from sim.policy.supply_series import (
    YEAR_S,
    Horizon,
    Matrix,
    changed,
    decimal_year,
    limited,
    overlaid,
    stepped,
)
from sim.policy.supply_series import Change as Applied
from sim.profiles.messages import InputError, Problem
from sim.profiles.supply import Change, dimension_of
from sim.quantity import Array, Quantity
from sim.study.policy.question import Country
from sim.study.policy.worlds import PolicyWorld
from sim.units import did_you_mean

Dated = Mapping[str, Quantity]
SERIES_FIELDS = ("use", "sites", "memory", "makers", "imports", "grey", "remote")


class ChangeError(InputError):
    """A change that cannot be applied.

    Attributes
    ----------
    change : Change
        As its file gave it, so that the place in the file can be found.
    """

    def __init__(self, change: Change, message: str) -> None:
        super().__init__([Problem(message)])
        self.change = change
        self.message = message


def named_series(country: Country) -> dict[str, Dated]:
    """Every series and every single number of a supply file by the name that a change uses."""
    found: dict[str, Dated] = {}
    for part in SERIES_FIELDS:
        found |= dict(_walk(getattr(country.supply, part), part))
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


@dataclass(frozen=True)
class Book:
    """Series of one country in one world.

    Attributes
    ----------
    extra : tuple of (names, Applied)
        Further changes, for marginal values.
    """

    country: Country
    horizon: Horizon
    world: PolicyWorld
    extra: tuple[tuple[str, Applied], ...] = ()
    _series: dict[str, Dated] = field(default_factory=dict)
    _changes: list[tuple[str, Applied]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._series.update(named_series(self.country))
        for change, active in self._all_changes():
            applied = self._applied(change, active)
            names = [change.series] if isinstance(change.series, str) else change.series
            for name in names:
                self._check(change, name)
                self._changes.append((name, applied))
        self._changes.extend(self.extra)

    def __call__(self, name: str, default: float | None = None) -> Matrix:
        """Mean of a series over every quarter, (quarters, draws), in base units.

        Raises
        ------
        KeyError
            When the file has no such series and there is no default.
        """
        dated = self._series.get(name, {})
        if not dated and default is None:
            raise KeyError(name)
        result = self._read(name, dated, float(default or 0.0))
        for target, change in self._changes:
            if target == name:
                result = changed(self.horizon, result, change)
        return result

    def number(self, name: str, default: float = 0.0) -> NDArray[np.float64]:
        """A number that no change can touch, (draws,)."""
        dated = self._series.get(name)
        value = self.world.values(next(iter(dated.values()))) if dated else default
        return np.broadcast_to(np.asarray(value, dtype=float), self.world.draws)

    def _read(self, name: str, dated: Dated, default: float) -> Matrix:
        """The series of the file, or its default, where the export rules set nothing else."""
        values = [self.world.values(quantity) for quantity in dated.values()] or [default]
        dates = [decimal_year(date) if date else -np.inf for date in dated] or [-np.inf]
        spans = [
            (each.start, each.end, self._ruled(each.value))
            for each in self.country.ruled
            if each.series == name
        ]
        if not dated and np.isinf(default):
            return limited(self.horizon, spans)
        try:
            return stepped(self.horizon, *overlaid(dates, values, spans))
        except ValueError as error:
            path = next(iter(dated.values())).path
            raise InputError([Problem(f"{path}: {error}; give it an earlier first date")]) from None

    def _ruled(self, value: Quantity | float) -> Array:
        return self.world.values(value) if isinstance(value, Quantity) else value

    # --- changes -------------------------------------------------------------------------------------------

    def _all_changes(self) -> Iterator[tuple[Change, NDArray[np.bool_] | bool]]:
        supply_branches = {branch.id for branch in self.country.supply.branches}
        own = len(self.country.supply.changes)
        for change in self.country.changes[:own]:
            yield change, True
        for branch in sorted(self.country.branches, key=lambda each: each.id not in supply_branches):
            for index, option in enumerate(branch.options):
                for change in option.changes:
                    yield change, self.world.accounts[branch.id] == index
        for change in self.country.changes[own:]:
            yield change, True

    def _applied(self, change: Change, active: NDArray[np.bool_] | bool) -> Applied:
        given = [name for name in ("set", "times", "plus") if getattr(change, name) is not None]
        if len(given) != 1:
            message = f"change {change.id}: give exactly one of set, times and plus, not {' and '.join(given) or 'none'}"
            raise ChangeError(change, message)
        late: Array = 0.0 if change.late is None else np.asarray(self.world.values(change.late)) / YEAR_S
        end = np.inf if change.until is None else decimal_year(change.until)
        value = self.world.values(getattr(change, given[0]))
        return Applied(start=decimal_year(change.date) + late, end=end, active=active, **{given[0]: value})

    def _check(self, change: Change, name: str) -> None:
        if name not in self._series:
            hint = did_you_mean(name, self._series)
            raise ChangeError(
                change, f'change {change.id}: {self.country.supply.name} has no series "{name}"{hint}'
            )
        value = change.set or change.plus or change.times
        dated = self._series[name]
        if value is None or not dated or change.times is not None:
            return
        wanted, given = dimension_of(next(iter(dated.values())).unit), dimension_of(value.unit)
        if wanted != given:
            message = (
                f"change {change.id} of {name}: the series is in {wanted or 'a pure number'}, the change in "
            )
            raise ChangeError(change, message + (given or "a pure number"))
