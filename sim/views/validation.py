"""Validation for people and programs: a table in the terminal, JSON, a page with charts."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import isfinite
from pathlib import Path
from typing import Any

from sim.profiles.catalogue import Catalogue
from sim.report.charts import validation as charts
from sim.report.document import standalone
from sim.report.figures import Chart, Drawing, drawing
from sim.report.outputs import write_all
from sim.study.validation import validate_serving as serving
from sim.study.validation import validate_training as training
from sim.study.validation.cases import Table, validation_catalogue
from sim.study.validation.page import markdown_page
from sim.study.validation.pictures import identity_of, pictured
from sim.study.validation.scores import PAGES, ValidationResult
from sim.views.output import check_folder

Maker = Callable[[Path | None, Catalogue], ValidationResult]


def _makers() -> Mapping[str, tuple[Maker, Table]]:
    return {
        "training": (training.validate_training, training.TABLE),
        "serving": (serving.validate_serving, serving.TABLE),
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
        Where to write the page, its pictures and the record: ``training.md``, ``training-scatter.png``,
        ``training-errors.png``, ``training.json``; for serving, ``inference.md`` and so on.

    Returns
    -------
    str
        What to print.

    Raises
    ------
    InputError
        When the table is missing or lacks a column.
    """
    if out is not None:
        check_folder(out)
    maker, table = _makers()[kind]
    catalogue = validation_catalogue(extra)
    result = maker(cases, catalogue)
    if out is not None:
        write_all(out, _files(result, table.files(cases, None), catalogue, table.preface()))
    return result.to_json() if as_json else summary_text(result, cases.name if cases else "")


def _files(
    result: ValidationResult, inputs: Sequence[Path], catalogue: Catalogue, preface: str
) -> dict[str, bytes]:
    """The page, its pictures and the record by file name, the record last."""
    stem = PAGES[result.kind]
    drawings = _pictures(result, inputs, catalogue, stem)
    pictures = {f"{name}.png": png for name, (_, png) in standalone(drawings).items()} if drawings else {}
    page = markdown_page(result, preface, {f"{name}.png": drawn.alt for name, drawn in drawings.items()})
    record = result.to_json() + "\n"
    return pictures | {f"{stem}.md": page.encode(), f"{stem}.json": record.encode()}


def _pictures(
    result: ValidationResult, inputs: Sequence[Path], catalogue: Catalogue, stem: str
) -> dict[str, Drawing]:
    """Scatter and errors; none where no row of the headline could be predicted."""
    record, dots = pictured(result)
    if not any(dot.counted for dot in dots):
        return {}
    hashes = [(path.name, hashlib.sha256(path.read_bytes()).hexdigest()) for path in inputs]
    identity = identity_of(
        inputs[0], f"parity validate {result.kind}", (*hashes, *catalogue.files_read), training.DRAWS
    )
    found = {"scatter": charts.scatter, "errors": charts.errors}
    if not charts.metrics_drawn(dots):
        del found["scatter"]
    return {
        f"{stem}-{name}": drawing(Chart(name, partial(draw, identity, record, dots)))
        for name, draw in found.items()
    }


def summary_text(result: ValidationResult, table: str = "") -> str:
    """Scores by group as aligned text, then rows that are not counted with their reasons.

    Parameters
    ----------
    table : str
        Name of the table where it is not the shipped one.
    """
    summary = result.summary()
    seen = f"of {table}" if table else "(no factor fitted to them, but seen while the model was built)"
    lines = [
        f"{result.kind}: validate rows {seen}, weighted",
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
    return "\n".join([*lines, "", *_uncounted(result)]).rstrip()


def _uncounted(result: ValidationResult) -> list[str]:
    """Rows that no score counts as predicted, each with its reason; those for context in one line."""
    scored = [p for p in result.predictions if p.case.use != "context"]
    lines = [f"cannot be simulated: {p.case.case_id}: {p.reason}" for p in scored if p.reason]
    lines += [f"no published number: {p.case.case_id}" for p in scored if not isfinite(p.case.measured)]
    context = [p for p in result.predictions if p.case.use == "context"]
    if context:
        without = sum(bool(p.reason) for p in context)
        lines.append(
            f"rows for context, not counted: {len(context)}, {without} of them not predicted (reasons with --json)"
        )
    return lines


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
