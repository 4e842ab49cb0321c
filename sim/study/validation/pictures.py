"""What the pictures of a validation page are told."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sim.report.charts.validation import Dot
from sim.report.content import RunIdentity, ValidationRecord
from sim.study.summary.report import inputs_hash
from sim.study.summary.trust import validation_record
from sim.study.validation.scores import ValidationResult


def pictured(result: ValidationResult) -> tuple[ValidationRecord, list[Dot]]:
    """Scores and marks of a result; rows without a prediction or a measured number have no mark."""
    content = result.as_dict()
    return validation_record(content), [
        Dot(row["case_id"], row["metric"], row["use"], row["counted"], *(row[name] for name in NUMBERS))
        for row in content["rows"]
        if all(row[name] is not None and row[name] > 0 for name in NUMBERS)
    ]


NUMBERS = ("measured", "predicted", "low", "high")


def identity_of(table: Path, command: str, files: Sequence[tuple[str, str]], draws: int) -> RunIdentity:
    """What a reader needs to make a page again; ``files`` are the inputs with their hashes."""
    own: dict[str, Any] = {"seed": 1, "draws": draws, "event_draws": 0, "scenario": table.name}
    return RunIdentity(
        version=version("chip-parity"), command=command, inputs_hash=inputs_hash(files), files=files, **own
    )
