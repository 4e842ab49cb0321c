"""Validation for people and programs: a table in the terminal, JSON, a page with charts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sim.report.outputs import write_all
from sim.study import validate_serving as serving
from sim.study import validate_training as training
from sim.study.cases import validation_catalogue
from sim.study.validation import ValidationResult
from sim.study.validation_page import markdown_page

Maker = Callable[[Path | None, Any], ValidationResult]


def _makers() -> Mapping[str, tuple[Maker, str]]:
    return {
        "training": (training.validate_training, training.PREFACE),
        "serving": (serving.validate_serving, serving.PREFACE),
    }


def validate_and_show(
    kind: str, cases: Path | None, extra: Sequence[Path], as_json: bool, out: Path | None
) -> str:
    """Predict a table of published runs.

    Parameters
    ----------
    kind : str
        "training" or "serving".
    cases : Path, optional
        Another table with the same columns.
    extra : sequence of Path
        Further folders with chips and models.
    as_json : bool
        One JSON object instead of a table.
    out : Path, optional
        Where to write the page ``<kind>.md`` and the record ``<kind>.json``.

    Returns
    -------
    str
        What to print.

    Raises
    ------
    InputError
        When the table is missing or lacks a column.
    """
    maker, preface = _makers()[kind]
    result = maker(cases, validation_catalogue(extra))
    if out is not None:
        page, record = markdown_page(result, preface), result.to_json() + "\n"
        write_all(out, {f"{kind}.md": page.encode(), f"{kind}.json": record.encode()})
    return result.to_json() if as_json else summary_text(result)


def summary_text(result: ValidationResult) -> str:
    """Scores by group as aligned text, then rows that cannot be simulated with their reasons."""
    summary = result.summary()
    lines = [
        f"{result.kind}: validate rows (no factor fitted to them, but seen while the model was built), weighted",
        "",
        _line("group"),
    ]
    lines.append(_score("all", summary["headline"]))
    for name, groups in summary.items():
        if name.startswith("by_"):
            lines += ["", *(_score(group, scores) for group, scores in groups.items())]
    lines += [
        "",
        *(_score(f"baseline: {name}", scores) for name, scores in summary.get("baselines", {}).items()),
    ]
    refused = [p for p in result.predictions if p.reason and p.case.use != "context"]
    lines += ["", *(f"cannot be simulated: {p.case.case_id}: {p.reason}" for p in refused)]
    return "\n".join(lines).rstrip()


def _line(*cells: str) -> str:
    names = cells if len(cells) > 1 else (cells[0], "rows", "median", "p90", "bias", "80 % held")
    return f"{names[0]:<52}" + "".join(f"{cell:>11}" for cell in names[1:])


def _score(name: str, scores: Mapping[str, Any]) -> str:
    def percent(key: str, sign: str = "") -> str:
        value = scores.get(key)
        return "" if value is None else f"{100 * value:{sign}.1f} %"

    return _line(
        name,
        str(scores["rows"]),
        percent("median"),
        percent("p90"),
        percent("bias", "+"),
        percent("coverage"),
    )
