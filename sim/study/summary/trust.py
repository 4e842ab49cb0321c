"""The validation record as the report prints it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from sim.report.content import ValidationGroup, ValidationRecord
from sim.study.validation import Prediction, ValidationResult

WORST = 5  # misses named
FEWEST = 3  # rows a group needs to be shown
SPLITS = ("by_family", "by_precision", "by_kind", "by_scale", "by_phase")


def validation_record(result: ValidationResult) -> ValidationRecord:
    """Scores, points and worst misses of the rows that were used for no fit."""
    summary = result.summary()
    rows = [row for row in result.counted() if np.isfinite(row.predicted) and row.case.measured > 0]
    groups = [_group("all", summary["headline"])]
    for split in SPLITS:
        groups += [_group(name, s) for name, s in summary.get(split, {}).items() if s["rows"] >= FEWEST]
    worst = sorted(rows, key=lambda row: -abs(np.log(row.predicted / row.case.measured)))[:WORST]
    return ValidationRecord(
        kind=result.kind,
        points=[
            (row.case.case_id, row.case.groups.get("family", ""), row.case.measured, row.predicted)
            for row in rows
        ],
        groups=groups,
        baselines=[_group(name, s) for name, s in summary.get("baselines", {}).items()],
        worst=[(row.case.case_id, row.error, _cause(row)) for row in worst],
        note="Rows used for no fit, weighted by how fully each was published. Intervals claim 80 %.",
    )


def _group(name: str, scores: Mapping[str, Any]) -> ValidationGroup:
    def number(key: str) -> float:
        value = scores.get(key)
        return float("nan") if value is None else float(value)

    return ValidationGroup(
        name, int(scores["rows"]), number("median"), number("p90"), number("bias"), number("coverage")
    )


def _cause(row: Prediction) -> str:
    held = "inside its interval" if row.held else "outside its interval"
    return f"{row.case.text('chip')}, {row.case.text('metric').replace('_', ' ')}, weight {row.case.weight:g}; {held}"
