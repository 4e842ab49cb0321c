"""Everything a policy report says, as plain data: the report formats this and computes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sim.report.content import Interval, RunIdentity

Key = Literal["a", "b"]


@dataclass(frozen=True, slots=True)
class FanSeries:
    """One scenario's course: quantiles at the end of every quarter."""

    key: Key
    label: str
    points: Sequence[Interval]


@dataclass(frozen=True, slots=True)
class Fan:
    """A quantity over time.

    Attributes
    ----------
    dates : sequence of float
        End of every quarter [year].
    line : (label, values) or None
        Something to compare with, such as demand.
    past : float
        Until here the inputs describe what has happened [year].
    """

    name: str
    title: str
    subtitle: str
    dates: Sequence[float]
    series: Sequence[FanSeries]
    past: float
    line: tuple[str, Sequence[float]] | None = None
    log: bool = False


@dataclass(frozen=True, slots=True)
class Stack:
    """Medians by kind over time that add up: (label, values at the end of every quarter)."""

    name: str
    title: str
    subtitle: str
    dates: Sequence[float]
    layers: Sequence[tuple[str, Sequence[float]]]
    past: float


@dataclass(frozen=True, slots=True)
class Strip:
    """Share of the draws in which each input binds, quarter by quarter: (input, shares)."""

    label: str
    shares: Sequence[tuple[str, Sequence[float]]]


@dataclass(frozen=True, slots=True)
class Binding:
    """What keeps more chips from coming."""

    title: str
    subtitle: str
    dates: Sequence[float]
    strips: Sequence[Strip]


@dataclass(frozen=True, slots=True)
class Bar:
    """One input of a tornado, with the outcome at its 10th and 90th percentile."""

    name: str
    owner: str
    at_low: float
    at_high: float
    low: str
    high: str
    correlation: float
    weak: bool


@dataclass(frozen=True, slots=True)
class Tornado:
    """What moves an outcome, counted in ``unit``."""

    name: str
    title: str
    subtitle: str
    median: float
    bars: Sequence[Bar]
    is_date: bool = False
    unit: str = ""


Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table with its heading, a sentence above it, and its columns; the first is set left, the others as told."""

    title: str
    note: str
    columns: Row
    rows: Sequence[Row]
    wide: Sequence[float] = ()  # shares of the width; even when left out
    left: bool = False  # all columns set left: a table of words


@dataclass(frozen=True, slots=True)
class PolicyContent:
    """The whole report of a policy question."""

    title: str
    scope: str
    labels: tuple[str, str]
    answers: Sequence[str]
    big: Sequence[tuple[str, str, str]]
    not_modelled: Sequence[str]
    warnings: Sequence[str]
    decides: Sequence[str]
    lead: Sequence[Fan]
    more: Sequence[Fan]
    stacks: Sequence[Stack]
    binding: Binding | None
    tornados: Sequence[Tornado]
    tables: Sequence[Table]
    annex: Sequence[Table]
    identity: RunIdentity
