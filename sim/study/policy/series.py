"""The dated series of a supply file by name, with the changes of a scenario, as quarters see them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sim.policy.supply.series import Change as Applied
from sim.policy.supply.series import (
    Horizon,
    Matrix,
    changed,
    decimal_year,
    limited,
    overlaid,
    stepped,
)
from sim.profiles.messages import InputError, Problem
from sim.profiles.supply_changes import Change
from sim.quantity import Array, Quantity
from sim.study.policy.changes import Dated, named_series, way_of
from sim.study.policy.question import Country
from sim.study.policy.worlds import PolicyWorld
from sim.units import YEAR


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
        self._series.update(named_series(self.country.supply))
        for change, active in self._all_changes():
            applied = self._applied(change, active)
            names = [change.series] if isinstance(change.series, str) else change.series
            self._changes.extend((name, applied) for name in names)
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
        way = way_of(change)
        late: Array = 0.0 if change.late is None else np.asarray(self.world.values(change.late)) / YEAR
        end = np.inf if change.until is None else decimal_year(change.until)
        value = self.world.values(getattr(change, way))
        return Applied(start=decimal_year(change.date) + late, end=end, active=active, **{way: value})
