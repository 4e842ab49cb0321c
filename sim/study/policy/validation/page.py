"""The validation page of the policy tables, and its rows as a table."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from itertools import groupby

from sim.report.numbers import number, percent
from sim.study.policy.validation.check import CheckedRow

HEAD = """# Policy: published tables against ours

Made by `parity policy validate`; do not edit. Each row is one published figure. *Ours* is the median over {draws} draws
with its 90 % interval, or plain arithmetic where nothing is uncertain. A row agrees where our median lies in the range of
the third column, set from the published text or, where it gives none, by us. Most originals were read through secondary
texts. An *input* shows only that the model carries what it was given; what is *shown* has no published figure. Neither
counts.

{count} rows: {agrees} agree, {missed} missed, {out} out of reach; {input} inputs, {shown} shown.

A further table is one more file `policy-*.csv` beside these with the columns
`table, item, published, low, high, unit, formula, reason, source`; `docs/policy.md` lists what a formula may say.
"""


def page(rows: Sequence[CheckedRow], draws: int) -> str:
    """The page in Markdown."""
    counts = {
        name: sum(row.verdict == name for row in rows)
        for name in ("agrees", "missed", "out of reach", "input", "shown")
    }
    text = HEAD.format(
        draws=draws,
        count=len(rows),
        agrees=counts["agrees"],
        missed=counts["missed"],
        out=counts["out of reach"],
        input=counts["input"],
        shown=counts["shown"],
    )
    for table, members in groupby(rows, key=lambda each: each.row.table):
        found = list(members)
        text += f"\n## {table}\n\nSource: {found[0].row.source}\n\n"
        text += "| item | published | agrees within | ours | residual | verdict | note |\n"
        text += "| --- | --- | --- | --- | --- | --- | --- |\n"
        text += "".join("| " + " | ".join(cells(each)) + " |\n" for each in found)
    return text


def cells(checked: CheckedRow) -> tuple[str, ...]:
    """One row as text."""
    row = checked.row
    published = "" if row.published is None else f"{number(row.published)} {row.unit}".strip()
    within = "" if row.low is None or row.high is None else f"{number(row.low)} to {number(row.high)}"
    ours = "" if math.isnan(checked.p50) else number(checked.p50)
    if ours and checked.p95 > checked.p05 * (1 + 1e-9):
        ours += f" ({number(checked.p05)} to {number(checked.p95)})"
    residual = "" if math.isnan(checked.residual) else percent(checked.residual, sign=True)
    return row.item, published, within, ours, residual, checked.verdict, row.reason


def results_csv(rows: Sequence[CheckedRow]) -> str:
    """The rows with our figures, for programs."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(
        ["table", "item", "unit", "published", "low", "high", "p05", "p50", "p95", "residual", "verdict"]
    )
    for each in rows:
        row = each.row
        values = (row.published, row.low, row.high, each.p05, each.p50, each.p95, each.residual)
        plain = ["" if x is None or math.isnan(x) else f"{x:.6g}" for x in values]
        writer.writerow([row.table, row.item, row.unit, *plain, each.verdict])
    return stream.getvalue()
