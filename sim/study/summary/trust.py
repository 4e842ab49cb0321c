"""The validation record as the report prints it, from the record of the release."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from sim.report.content import ValidationGroup, ValidationRecord, ValidationRow
from sim.study.validation.cases import validation_folder
from sim.study.validation.scores import PAGES

WORST = 5  # misses named
FEWEST = 3  # rows a group needs to be shown
SPLITS = ("by_family", "by_precision", "by_phase", "by_kind", "by_measure", "by_scale")
# What the rows were and were not used for: a reader must know how far the record is independent.
SEEN = {
    "training": "No factor was fitted to these rows, but they were looked at while the model was built; errors on "
    "new rows will be larger. Weighted by how fully each was published.",
    "serving": "No number was fitted to these rows, but those who chose the terms of the model had seen them: "
    "not an independent test. Weighted by how fully each was published.",
}
METRICS = {
    "tokens_per_s_per_chip": "tokens/s/chip",
    "tflops_per_chip": "TFLOP/s/chip",
    "step_time_s": "step time, s",
    "tpot_ms": "TPOT, ms",
    "ttft_ms": "TTFT, ms",
    "mfu": "MFU",
}
LONG = {
    "moe": "mixture of experts",
    "dense": "dense model",
    "both": "prefill and decode together",
}
SHORT = {"moe": "MoE", "both": ""}  # in a narrow column
NAMES = {"moe": "MoE", "both": "prefill and decode together", "tpot": "TPOT"}


def committed_record(kind: str) -> ValidationRecord | None:
    """Record of the release for a kind of job (``validation/training.json``, ``inference.json``); None where there is none.

    A test sees to it that the record is what the code of the release predicts.
    """
    path = validation_folder() / f"{PAGES[kind]}.json"
    return validation_record(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else None


def validation_record(result: Mapping[str, Any]) -> ValidationRecord:
    """Scores, points and worst misses of the rows to which no factor was fitted.

    Parameters
    ----------
    result : mapping
        As :meth:`sim.study.validation.scores.ValidationResult.as_dict` gives it.
    """
    summary = result["summary"]
    rows = [row for row in result["rows"] if row["counted"] and row["predicted"] and row["measured"]]
    groups = [_group("all", summary["headline"])]
    for split in SPLITS:
        groups += [_group(name, s) for name, s in summary.get(split, {}).items() if s["rows"] >= FEWEST]
    worst = sorted(rows, key=lambda row: -abs(np.log(row["predicted"] / row["measured"])))[:WORST]
    return ValidationRecord(
        kind=result["kind"],
        # "Ascend 910" and "Ascend 950" share a colour: the clusters of a question name the family alone.
        points=[
            (row["case_id"], row["family"].split()[0], row["measured"], row["predicted"]) for row in rows
        ],
        groups=groups,
        baselines=[_group(name, s) for name, s in summary.get("baselines", {}).items()],
        worst=[(_what(row), row["error"], _cause(row)) for row in worst],
        note=SEEN[result["kind"]],
        rows=[_scored(row) for row in rows],
        independent=independent_score(result["kind"]),
    )


def independent_score(kind: str) -> ValidationGroup | None:
    """First score of the rows that were gathered after the model was finished; None where there are none.

    It is kept as it was and never worked out anew: only the first score is a blind one.
    """
    path = validation_folder() / "independent-scores.json"
    found = json.loads(path.read_text(encoding="utf-8")).get(kind) if path.is_file() else None
    return None if found is None else _group("independent", found)


def _scored(row: Mapping[str, Any]) -> ValidationRow:
    return ValidationRow(
        row["case_id"],
        _what(row, SHORT),
        _metric(row),
        row["measured"],
        row["predicted"],
        row["low"],
        row["high"],
    )


def _metric(row: Mapping[str, Any]) -> str:
    """What was measured, in words: "tokens/s/chip", "TPOT, ms"."""
    metric = str(row["metric"])
    return METRICS.get(metric, metric.replace("_per_", "/").replace("_", " "))


def _group(name: str, scores: Mapping[str, Any]) -> ValidationGroup:
    def number(key: str) -> float:
        value = scores.get(key)
        return float("nan") if value is None else float(value)

    return ValidationGroup(
        NAMES.get(name, name),
        int(scores["rows"]),
        number("median"),
        number("p90"),
        number("bias"),
        number("coverage"),
    )


def _what(row: Mapping[str, Any], names: Mapping[str, str] = LONG) -> str:
    """A row in words: chip, software or number format, kind of model, and what was measured."""
    kind, phase = row.get("kind", ""), row.get("phase", "")
    words = [
        row["chip"].upper(),
        row.get("engine") or row.get("precision", ""),
        names.get(kind, kind),
        names.get(phase, phase),
    ]
    return ", ".join(word for word in words if word)


def _cause(row: Mapping[str, Any]) -> str:
    held = "inside" if row["low"] <= row["measured"] <= row["high"] else "outside"
    return f"{_metric(row)}, weight {row['weight']:g}; {held} its interval; row {row['case_id']}"
