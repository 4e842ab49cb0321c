"""What a fit says, as text, as a page and as a kernel file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sim.calibrate.collectives import TierFit
from sim.calibrate.fit import BOUNDS, Fit, parameter
from sim.calibrate.sizes import SizeFit
from sim.physics.chip import KernelCurve
from sim.physics.network import Tier

MARKER = "<!-- fits: everything below is written by `parity calibrate kernels ... --page` -->"
NOT_SHOWN = "–"
KERNEL_HEAD = (
    "family", "precision", "software", "rows", "a", "b", "t0 [us]", "half rows", "median %", "p90 %",
    "catalogue a / b / t0 / half", "its median %", "its p90 %",
)  # fmt: skip
TIER_HEAD = (
    "library", "operation", "rows", "latency [us]", "efficiency, large", "over all sizes", "median %", "p90 %",
    "catalogue latency / efficiency",
)  # fmt: skip
SIZE_HEAD = (
    "family", "precision", "software", "rows", "wide", "half width / depth, or length", "median %", "p90 %",
    "flat: median %", "flat: p90 %",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Compared:
    """A fit beside the curve in the catalogue, with that curve's errors on the same rows."""

    fit: Fit
    known: KernelCurve
    median: float
    p90: float


def _number(value: float, digits: int = 2) -> str:
    return f"{float(f'{value:.{digits}g}'):g}"


def _ranged(value: float, ends: tuple[float, float] | None) -> str:
    return f"{_number(value)} ({_number(ends[0])}-{_number(ends[1])})" if ends else NOT_SHOWN


def _percent(share: float) -> str:
    return f"{100 * share:.0f}" if share >= 0.095 else f"{100 * share:.1f}"


def kernel_cells(row: Compared) -> tuple[str, ...]:
    """Cells of a fit under :data:`KERNEL_HEAD`; a parameter that the table does not show is a dash."""
    fit, scale = row.fit, {"overhead": 1e6}
    found = []
    for name in BOUNDS:
        times, ends = scale.get(name, 1.0), fit.ranges.get(name)
        found.append(
            _ranged(parameter(fit.curve, name) * times, (ends[0] * times, ends[1] * times) if ends else None)
        )
    known = [_number(parameter(row.known, name) * scale.get(name, 1.0)) for name in BOUNDS]
    errors = (_percent(each) for each in (fit.median, fit.p90))
    theirs = (_percent(each) for each in (row.median, row.p90))
    software = fit.software or "all together"
    return (fit.family, fit.precision, software, str(fit.rows), *found, *errors, " / ".join(known), *theirs)


def size_cells(fit: SizeFit) -> tuple[str, ...]:
    """Cells of a size fit under :data:`SIZE_HEAD`."""
    wide, *halves = fit.values.values()
    errors = (_percent(each) for each in (fit.median, fit.p90, fit.flat_median, fit.flat_p90))
    sizes = " / ".join(_number(each) for each in halves)
    return (fit.family, fit.precision, fit.software, str(fit.rows), _number(wide), sizes, *errors)


def tier_cells(fit: TierFit, shipped: Tier) -> tuple[str, ...]:
    """Cells of a tier under :data:`TIER_HEAD`."""
    micro = tuple(1e6 * each for each in fit.ranges.get("latency", (fit.latency_s, fit.latency_s)))
    return (
        fit.software, fit.operation, str(fit.rows), _ranged(1e6 * fit.latency_s, (micro[0], micro[1])),
        _ranged(fit.efficiency, fit.ranges.get("efficiency", (fit.efficiency, fit.efficiency))),
        _number(fit.fitted_efficiency), _percent(fit.median), _percent(fit.p90),
        f"{_number(1e6 * float(shipped.latency_s))} / {_number(float(shipped.efficiency))}",
    )  # fmt: skip


def aligned(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns for the terminal."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    return [
        "  ".join(cell.ljust(wide) for cell, wide in zip(row, widths, strict=True)).rstrip()
        for row in (head, *rows)
    ]


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns for a page."""
    return ["| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows)]


def write_page(path: Path, body: Sequence[str]) -> None:
    """Put the tables below the marker of a page; what people wrote above it stays."""
    above = path.read_text(encoding="utf-8").split(MARKER)[0] if path.exists() else "# Kernel fits\n\n"
    path.write_text(above + "\n".join([MARKER, "", *body]) + "\n", encoding="utf-8")


# --- kernel file -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the numbers of a kernel file come from: key, title and date of its source."""

    key: str
    title: str
    date: str


def _quantity(value: float, ends: tuple[float, float], unit: str) -> str:
    low, high = ends
    numbers = {"value": value, "low": low, "high": high}
    return "{" + ", ".join(f"{key}: {_number(each, 3)}{unit}" for key, each in numbers.items()) + "}"


def _fit_lines(fit: Fit) -> list[str]:
    note = f"{fit.rows} rows, median error {_percent(fit.median)} %, p90 {_percent(fit.p90)} %"
    lines = [f"  {fit.precision}:  # {note}"]
    for name in BOUNDS:
        if name in fit.ranges:
            scale, unit = (1e6, " us") if name == "overhead" else (1.0, "")
            low, high = fit.ranges[name]
            text = _quantity(scale * parameter(fit.curve, name), (scale * low, scale * high), unit)
            lines.append(f"    {name + ':':<10} {text}")
    return lines


def kernel_file(id: str, name: str, base: str, fits: Sequence[Fit], origin: Origin) -> str:
    """A kernel file that holds what was measured and takes the rest from another one."""
    lines = [
        "# yaml-language-server: $schema=../schema/kernels.schema.json",
        f"id: {id}",
        f'name: "{name}, measured kernels"',
        f"extends: {base}  # all that the table does not show",
        f"transferred_from: {base}",
        "",
        f"source: {origin.key}  # of every number below",
        "kind: measured",
        f"as_of: {origin.date}",
    ]
    for family in dict.fromkeys(fit.family for fit in fits):
        lines += ["", f"{family}:"]
        for fit in fits:
            lines += _fit_lines(fit) if fit.family == family else []
    lines += ["", "sources:", f"  {origin.key}:", f'    title: "{origin.title}"', f"    date: {origin.date}"]
    return "\n".join(lines) + "\n"


def tier_block(fit: TierFit, origin: Origin) -> list[str]:
    """Latency and efficiency of a tier, to be pasted into a system file."""
    provenance = f", source: {origin.key}, kind: measured, as_of: {origin.date}}}"
    found = []
    for name, value, scale, unit in (
        ("latency", fit.latency_s, 1e6, " us"), ("efficiency", min(fit.efficiency, 0.99), 1.0, ""),
    ):  # fmt: skip
        if name in fit.ranges:
            low, high = (min(each, np.inf if name == "latency" else 0.995) for each in fit.ranges[name])
            text = _quantity(scale * value, (scale * low, scale * high), unit)
            found.append(f"    {name + ':':<12} {text[:-1]}{provenance}")
    return found
