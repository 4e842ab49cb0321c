"""Predictions against published measurements: rows, scores, intervals, baselines. Shared by training and serving."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.profiles.messages import InputError
from sim.quantity import UnknownQuantityError
from sim.study.validation.cases import CannotPredict, Case

__all__ = ["CannotPredict", "Case", "Prediction", "Score", "ValidationResult", "score"]

PAGES = {"training": "training", "serving": "inference"}
"""File name, less its ending, of the table, the page and the record of a kind of job."""

COVERAGE = 0.8  # what the stated intervals claim to hold
Z80 = 1.2815515655446004  # 90th percentile of the standard normal: an 80 % interval lies between plus and minus this
SIGMA_PER_MAD = (
    1.4826  # standard deviation over median absolute deviation of a normal: 1 / its upper quartile
)


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
            "breakdown": {name: round(s, 6) for name, s in self.breakdown.items() if np.isfinite(s)},
        }


def predicted_or_refused(case: Case, attempt: Callable[[], Prediction]) -> Prediction:
    """A prediction, or the reason why there is none.

    A table is written by strangers: whatever its cells say, a row ends in a number or in a sentence.
    """
    try:
        with np.errstate(all="ignore"):
            found = attempt()
    except (CannotPredict, UnknownQuantityError) as refusal:
        return Prediction(case, reason=str(refusal))
    except InputError as refusal:
        return Prediction(case, reason=refusal.problems[0].message)
    except (LookupError, ValueError, TypeError, ArithmeticError, MemoryError) as refusal:
        return Prediction(case, reason=f"the row does not fit together: {refusal}")
    if not found.reason and not 0.0 < found.low <= found.predicted <= found.high < np.inf:
        return Prediction(case, reason="the row does not fit together: its numbers lead to no finite result")
    return found


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
    if len(values) == 0 or not weights.sum() > 0:
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
        coverage=float(np.average(held, weights=done_weights)) if done_weights.sum() > 0 else float("nan"),
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
        Predictions of simpler models, by name and key of the case.
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
            alternative = [Prediction(p.case, values_by_case.get(p.case.key, float("nan"))) for p in rows]
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
        return json.dumps(self.as_dict(), indent=1, allow_nan=False)


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
        if np.isfinite(values.get(case.key, float("nan"))):
            found.setdefault(key(case), []).append(values[case.key])
    return {group: float(np.median(members)) for group, members in found.items()}
