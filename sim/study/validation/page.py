"""The page that shows every prediction beside what was measured, misses included."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from sim.study.validation.scores import Prediction, ValidationResult

TITLES = {"training": "Training runs", "serving": "Serving results"}
SECTIONS = {
    "validate": "Rows to which no factor was fitted",
    "calibrate": "Rows the speed factors were fitted on",
    "context": "Rows for context; under-specified",
}


def markdown_page(
    result: ValidationResult, preface: str = "", pictures: Mapping[str, str] | None = None
) -> str:
    """The result as one page of Markdown: scores, baselines, every row.

    Parameters
    ----------
    result : ValidationResult
        Predictions of a table.
    preface : str
        What a reader must know first: what was fitted, what the rows are.
    pictures : mapping of str to str, optional
        Alternative text by file name, of pictures that stand beside the page.
    """
    summary = result.summary()
    lines = [f"# {TITLES.get(result.kind, result.kind)}: predicted and measured", ""]
    lines += [preface.strip(), ""] if preface else []
    lines += [
        "## How far off",
        "",
        *_scores(summary),
        "",
        *(f"![{alt}]({name})\n" for name, alt in (pictures or {}).items()),
        "## By group (validate rows)",
        "",
        *_groups(summary),
        "",
    ]
    for use, title in SECTIONS.items():
        rows = [p for p in result.predictions if (p.case.use if p.case.use in SECTIONS else "context") == use]
        if rows:
            lines += [f"## {title}", "", *_rows(rows), ""]
    return "\n".join(lines)


def _percent(share: float | None, digits: int = 1) -> str:
    return "" if share is None or not math.isfinite(share) else f"{100 * share:.{digits}f} %"


def _scores(summary: Mapping[str, Any]) -> list[str]:
    names = {
        "headline": "validate rows, weighted",
        "weight_1": "of them, rows of full weight",
        "other_metrics": "validate rows: other metrics",
        "ttft single": "validate rows: time to first token of one request",
        "ttft loaded": "validate rows: time to first token under load",
        "calibrate": "calibrate rows (fitted)",
    }
    head = ["| rows | n | median error | 90th percentile | bias | 80 % intervals that held | high / low |"]
    lines = [*head, "|---|---|---|---|---|---|---|"]
    for key, title in names.items():
        if key not in summary:
            continue
        s = summary[key]
        width = "" if s["width"] is None else f"{s['width']:.2f}"
        lines.append(
            f"| {title} | {s['rows']} | {_percent(s['median'])} | {_percent(s['p90'])} | {_percent(s['bias'])} "
            f"| {_percent(s['coverage'], 0)} | {width} |"
        )
    for name, s in summary.get("baselines", {}).items():
        lines.append(
            f"| for comparison: {name} | {s['rows']} | {_percent(s['median'])} | {_percent(s['p90'])} "
            f"| {_percent(s['bias'])} | | |"
        )
    return lines


def _groups(summary: Mapping[str, Any]) -> list[str]:
    lines = [
        "| group | n | median error | 90th percentile | bias | intervals that held |",
        "|---|---|---|---|---|---|",
    ]
    for key, table in summary.items():
        if key.startswith("by_"):
            for value, s in table.items():
                lines.append(
                    f"| {value} | {s['rows']} | {_percent(s['median'])} | {_percent(s['p90'])} | {_percent(s['bias'])} "
                    f"| {_percent(s['coverage'], 0)} |"
                )
    return lines


def _rows(predictions: Sequence[Prediction]) -> list[str]:
    lines = [
        "| case | chip | metric | weight | measured | predicted | 80 % interval | error | remarks |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for p in predictions:
        case = p.case
        if math.isfinite(p.predicted):
            numbers = f"{_short(p.predicted)} | {_short(p.low)} to {_short(p.high)} | {_percent(p.error)}"
            if not p.held and math.isfinite(case.measured):
                numbers = numbers.replace(_percent(p.error), f"**{_percent(p.error)}**")
        else:
            numbers = " |  | "
        remark = (p.reason or p.note).replace("|", "/").replace("\n", "; ")
        lines.append(
            f"| {case.case_id} | {case.text('chip')} | {case.text('metric')} | {case.weight:g} "
            f"| {_short(case.measured)} | {numbers} | {remark} |"
        )
    return lines


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}" if math.isfinite(value) else ""
