"""How many of B equal A, basis by basis, side by side."""

from __future__ import annotations

import math

from sim.report.certainty import equals_claim
from sim.report.content import EqualCell, EqualRow, ReportContent
from sim.report.figures import curve_name
from sim.report.numbers import percent
from sim.report.pages.cells import Data, cell

HEADS = {
    "same work per time": "Same work",
    "same last day": "Same last day",
    "same money per time": "Same money",
    "same power": "Same power",
    "same energy for the work": "Same energy",
}
GROUPS = {
    "paper": "On paper, per chip",
    "money": "Prices",
    "training": "Training, simulated",
    "serving": "Serving, simulated",
}


def equal_data(content: ReportContent) -> Data | None:
    """Two tables: one count for each basis without a job, and several for each job; None where there is neither."""
    if not content.equals:
        return None
    jobs = [row for row in content.equals if row.job]
    plain = [row for row in content.equals if not row.job]
    a, b = content.clusters
    bases = [
        basis
        for basis in HEADS
        if any(each.basis == basis and each.count for row in jobs for each in row.cells)
    ]
    return {
        "title": f"How many {b.label} equal {a.chips:,} {a.label}, by what measure",
        "claim": equals_claim(content),
        "own": f"{b.chips:,}",
        "plain": _grouped(plain, [_plain(row) for row in plain]),
        "heads": [HEADS[basis] for basis in bases],
        "curves": [curve_name(one) for one in content.curves],
        "jobs": _grouped(jobs, [_job(row, bases) for row in jobs]),
    }


def _grouped(rows: list[EqualRow], shown: list[list[list[str]]]) -> list[Data]:
    """Rows under the name of their kind."""
    found: dict[str, list[list[list[str]]]] = {}
    for row, cells in zip(rows, shown, strict=True):
        found.setdefault(GROUPS.get(row.group, row.group), []).append(cells)
    return [{"name": name, "rows": cells} for name, cells in found.items()]


def _plain(row: EqualRow) -> list[list[str]]:
    (only,) = row.cells
    if only.count is None:
        return [[row.label, ""], ["–", only.why], ["–", ""]]
    return [[row.label, ""], cell(only.count), [_share(only), ""]]


def _job(row: EqualRow, bases: list[str]) -> list[list[str]]:
    cells = {each.basis: each for each in row.cells}
    return [[row.label, ""], *([*_count(cells[basis]), _share(cells[basis])] for basis in bases)]


def _count(each: EqualCell) -> list[str]:
    return ["–", ""] if each.count is None else cell(each.count)


def _share(each: EqualCell) -> str:
    """In how many draws A equals B's own count or more."""
    return "" if math.isnan(each.at_least) else percent(each.at_least)
