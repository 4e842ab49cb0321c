"""Predictions against published measurements: rows, scores, intervals, baselines. Shared by training and serving."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.profiles.catalogue import Catalogue, shipped_root
from sim.profiles.messages import InputError, Problem
from sim.units import did_you_mean

COVERAGE = 0.8  # what the stated intervals claim to hold
Z80 = 1.2815515655446004  # 90th percentile of the standard normal: an 80 % interval lies between plus and minus this


@dataclass(frozen=True, slots=True)
class Case:
    """One published number.

    Attributes
    ----------
    row : mapping of str to str
        The line of the table, by column.
    line : int
        Its line in the file.
    groups : mapping of str to str
        What it is counted under: family, precision, kind, scale ...
    """

    row: Mapping[str, str]
    line: int
    groups: Mapping[str, str] = field(default_factory=dict)

    def text(self, column: str) -> str:
        """A cell; "" where the table lacks the column."""
        return (self.row.get(column) or "").strip()

    def number(self, column: str, default: float | None = None) -> float:
        """A number in a cell.

        Raises
        ------
        CannotPredict
            When it is empty and there is no default, or no number.
        """
        written = self.text(column)
        if not written:
            if default is None:
                raise CannotPredict(f"{column} is not published")
            return default
        try:
            return float(written)
        except ValueError:
            raise CannotPredict(f'{column}: read "{written}", where a number is expected') from None

    @property
    def case_id(self) -> str:
        """Key of the row."""
        return self.text("case_id")

    @property
    def use(self) -> str:
        """calibrate, validate or context."""
        return self.text("use") or "validate"

    @property
    def weight(self) -> float:
        """How much the row counts."""
        return self.number("weight", 1.0)

    @property
    def measured(self) -> float:
        """The published number, in the unit of its row; NaN when it has none."""
        return self.number("value", float("nan"))


class CannotPredict(Exception):
    """A row that cannot be simulated; the message says why, in words for the user."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the simulator says about a case.

    Attributes
    ----------
    predicted, low, high : float
        Median and 80 % interval, in the unit of the row; NaN when it cannot be simulated.
    reason : str
        Why it cannot be simulated; "" otherwise.
    note : str
        What was assumed: searched inputs, memory, software defaults.
    breakdown : mapping of str to float
        Where the time goes, by cause [s].
    """

    case: Case
    predicted: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")
    reason: str = ""
    note: str = ""
    breakdown: Mapping[str, float] = field(default_factory=dict)

    @property
    def error(self) -> float:
        """Predicted over measured, less one."""
        return self.predicted / self.case.measured - 1.0

    @property
    def held(self) -> bool:
        """Whether the interval holds the measured value."""
        return self.low <= self.case.measured <= self.high

    def as_dict(self) -> dict[str, Any]:
        """For JSON and CSV: no NaN."""
        numbers = {
            "measured": self.case.measured,
            "predicted": self.predicted,
            "low": self.low,
            "high": self.high,
            "error": self.error,
        }
        return {
            "case_id": self.case.case_id,
            "use": self.case.use,
            "weight": self.case.weight,
            "metric": self.case.text("metric"),
            "unit": self.case.text("unit"),
            "chip": self.case.text("chip"),
            **dict(self.case.groups),
            **{name: (value if np.isfinite(value) else None) for name, value in numbers.items()},
            "reason": self.reason,
            "note": self.note,
            "breakdown": {name: round(seconds, 6) for name, seconds in self.breakdown.items()},
        }


@dataclass(frozen=True, slots=True)
class Score:
    """How good a set of predictions is; every row counts its weight.

    Attributes
    ----------
    rows : int
        Rows with a measured number.
    refused : int
        Of them, rows the simulator could not express; they count as an error of one.
    median, p90 : float
        Of the absolute relative error.
    bias : float
        Median of the signed relative error.
    coverage : float
        Share of intervals that held the measured value.
    width : float
        Median of high over low.
    """

    rows: int
    refused: int
    median: float
    p90: float
    bias: float
    coverage: float
    width: float

    def as_dict(self) -> dict[str, float | int | None]:
        """For JSON: rounded, no NaN."""
        values = {"median": self.median, "p90": self.p90, "bias": self.bias}
        values |= {"coverage": self.coverage, "width": self.width}
        rounded = {name: round(value, 4) if np.isfinite(value) else None for name, value in values.items()}
        return {"rows": self.rows, "refused": self.refused, **rounded}


def weighted_quantile(values: NDArray[np.float64], weights: NDArray[np.float64], share: float) -> float:
    """Smallest value below or at which at least ``share`` of the weight lies.

    Examples
    --------
    >>> weighted_quantile(np.array([3.0, 1.0, 2.0]), np.array([1.0, 1.0, 2.0]), 0.5)
    2.0
    """
    if len(values) == 0:
        return float("nan")
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order]) / np.sum(weights)
    return float(values[order][np.searchsorted(reached, share - 1e-12)])


def score(predictions: Sequence[Prediction]) -> Score:
    """Score of predictions that have a measured number."""
    known = [p for p in predictions if np.isfinite(p.case.measured)]
    weights = np.array([p.case.weight for p in known])
    signed = np.array([0.0 if not np.isfinite(p.predicted) else p.error for p in known])
    absolute = np.array([1.0 if not np.isfinite(p.predicted) else abs(p.error) for p in known])
    done = [p for p in known if np.isfinite(p.predicted)]
    done_weights = np.array([p.case.weight for p in done])
    held = np.array([float(p.held) for p in done])
    width = np.array([p.high / p.low for p in done])
    return Score(
        rows=len(known),
        refused=len(known) - len(done),
        median=weighted_quantile(absolute, weights, 0.5),
        p90=weighted_quantile(absolute, weights, 0.9),
        bias=weighted_quantile(signed, weights, 0.5),
        coverage=float(np.average(held, weights=done_weights)) if done else float("nan"),
        width=weighted_quantile(width, done_weights, 0.5),
    )


@dataclass(frozen=True, slots=True)
class ValidationResult:
    """Predictions of a table and what they are worth.

    Attributes
    ----------
    kind : str
        "training" or "serving".
    predictions : tuple of Prediction
        One per row of the table, in its order.
    headline : frozenset of str
        Metrics that count in the headline.
    baselines : mapping of str to (mapping of str to float)
        Predictions of simpler models, by name and case id.
    """

    kind: str
    predictions: tuple[Prediction, ...]
    headline: frozenset[str]
    baselines: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def counted(self, use: str = "validate") -> list[Prediction]:
        """Rows of a use whose metric counts in the headline."""
        return [p for p in self.predictions if p.case.use == use and p.case.text("metric") in self.headline]

    def summary(self) -> dict[str, Any]:
        """Scores: headline, full-weight rows, calibrate rows, other metrics, by group, baselines."""
        rows = self.counted()
        others = [p for p in self.predictions if p.case.use == "validate" and p not in rows]
        found: dict[str, Any] = {
            "headline": score(rows).as_dict(),
            "weight_1": score([p for p in rows if p.case.weight == 1.0]).as_dict(),
            "calibrate": score(self.counted("calibrate")).as_dict(),
            "other_metrics": score(others).as_dict(),
        }
        names = dict.fromkeys(name for p in rows for name in p.case.groups)
        for name in names:
            values = sorted({p.case.groups[name] for p in rows})
            found[f"by_{name}"] = {
                value: score([p for p in rows if p.case.groups[name] == value]).as_dict() for value in values
            }
        for name, values_by_case in self.baselines.items():
            alternative = [Prediction(p.case, values_by_case.get(p.case.case_id, float("nan"))) for p in rows]
            scored = score(alternative).as_dict()
            found.setdefault("baselines", {})[name] = {
                k: scored[k] for k in ("rows", "median", "p90", "bias")
            }
        return found

    def as_dict(self) -> dict[str, Any]:
        """Everything, for JSON."""
        counted = {id(p) for p in self.counted()}
        rows = [{**p.as_dict(), "counted": id(p) in counted} for p in self.predictions]
        return {"kind": self.kind, "summary": self.summary(), "rows": rows}

    def to_json(self) -> str:
        """Everything as one JSON document."""
        return json.dumps(self.as_dict(), indent=1)


def validation_folder() -> Path:
    """Folder of the shipped tables, and of the chips and models that only they need."""
    return shipped_root() / "validation"


def validation_catalogue(extra: Sequence[Path] = ()) -> Catalogue:
    """The shipped catalogue with the chips, systems and models of published runs."""
    folder = validation_folder()
    return Catalogue([*extra, *([folder] if folder.is_dir() else [])])


def read_cases(path: Path, needed: Sequence[str], groups: Callable[[Case], Mapping[str, str]]) -> list[Case]:
    """Rows of a CSV table.

    Raises
    ------
    InputError
        When the file is missing, is no table, or lacks a column that every prediction needs.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines)
            columns = list(reader.fieldnames or [])
            rows = [(reader.line_num, row) for row in reader]
    except OSError:
        raise InputError([Problem(f"{path}: no such file")]) from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError([Problem(f"{path}: not a CSV table: {error}")]) from None
    for name in needed:
        if name not in columns:
            hint = did_you_mean(name, columns)
            raise InputError([Problem(f"{path}:1: the table needs a column `{name}`{hint}")])
    cases = [Case(row, line) for line, row in rows]
    return [Case(case.row, case.line, groups(case)) for case in cases]


def huber_centre(values: NDArray[np.float64], weights: NDArray[np.float64], scale: float = 0.1) -> float:
    """Robust weighted mean: rows farther than ``scale`` from it pull with constant force.

    Examples
    --------
    >>> round(huber_centre(np.array([0.0, 0.0, 0.0, 5.0]), np.ones(4)), 3)
    0.033
    """
    centre = weighted_quantile(values, weights, 0.5)
    for _ in range(100):
        distance = np.maximum(np.abs(values - centre), 1e-12)
        pull = weights * np.minimum(1.0, scale / distance)
        moved = float(np.sum(pull * values) / np.sum(pull))
        if abs(moved - centre) < 1e-9:
            return moved
        centre = moved
    return centre


def shrunk(centre: float, weight: float, common: float, strength: float) -> float:
    """Group value pulled to the common one as if ``strength`` more rows had said the common one."""
    return (weight * centre + strength * common) / (weight + strength)


def median_by_group(
    values: Mapping[str, float], cases: Sequence[Case], key: Callable[[Case], str]
) -> dict[str, float]:
    """Median over the cases of a group, by the group's key."""
    found: dict[str, list[float]] = {}
    for case in cases:
        if np.isfinite(values.get(case.case_id, float("nan"))):
            found.setdefault(key(case), []).append(values[case.case_id])
    return {group: float(np.median(members)) for group, members in found.items()}
