"""The sweep: measure what the table lacks, and keep the table whole after every row."""

from __future__ import annotations

import csv
import io
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from sim.calibrate.lines import read_lines
from sim.calibrate.measure.plan import Case
from sim.calibrate.samples import COLLECTIVES, COLUMNS, NEEDED, SHAPE_COLUMNS
from sim.profiles.messages import InputError, Mark, Problem


class Unsupported(Exception):
    """The device or its software cannot run a kernel; the message says why."""


def first_line(error: Exception) -> str:
    """The reason without the backtrace that libraries append to it."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:90]


@dataclass(frozen=True, slots=True)
class Reading:
    """A measured kernel: median time [s], core clock [MHz] and power [W] as the vendor's tool prints them."""

    seconds: float
    clock_mhz: str = ""
    power_w: str = ""


class Backend(Protocol):
    """What can run kernels."""

    device: str
    software: str
    ranks: int

    def measure(self, case: Case) -> Reading:
        """Time one kernel; raises :class:`Unsupported`."""

    def collectives(self, cases: Sequence[Case]) -> Iterator[tuple[Case, Reading]]:
        """Time collectives, all devices together."""


@dataclass(slots=True)
class Swept:
    """What a sweep did: rows measured now, rows kept from before, kernels skipped by reason."""

    measured: int = 0
    kept: int = 0
    skipped: Counter[str] = field(default_factory=Counter)


Key = tuple[str, ...]


def _key(cells: Mapping[str, str]) -> Key:
    return tuple(cells.get(name, "") for name in ("chip", "family", "precision", *SHAPE_COLUMNS))


def _cells(case: Case, chip: str) -> dict[str, str]:
    sizes = {name: str(value) for name, value in case.sizes}
    return {"chip": chip, "family": case.family, "precision": case.precision, **sizes}


def read_rows(path: Path) -> list[dict[str, str]]:
    """Rows of a table that an earlier sweep left; none where there is no file.

    Raises
    ------
    InputError
        When the file is no such table: it is not overwritten.
    """
    if not path.exists():
        return []
    columns, lines = read_lines(path)
    if not set(NEEDED) <= set(columns) <= set(COLUMNS):
        message = "this file is no table of kernels; it is left as it is, choose another name for --out"
        raise InputError([Problem(message, Mark(path))])
    return [{name: line.text(name) for name in COLUMNS} for line in lines]


def write_rows(path: Path, rows: Iterable[Mapping[str, str]]) -> None:
    """Write the whole table under a temporary name, then put it in place."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(text.getvalue(), encoding="utf-8")
    os.replace(part, path)


def sweep(
    backend: Backend, cases: Sequence[Case], path: Path, chip: str, date: str, console: Console
) -> Swept:
    """Measure the cases that the table lacks; after every row the table on disk is whole.

    Parameters
    ----------
    chip : str
        Id of the chip in the catalogue.
    date : str
        Written into every new row.
    """
    rows = read_rows(path)
    known, swept = {_key(row) for row in rows}, Swept(kept=len(rows))
    missing = [each for each in cases if _key(_cells(each, chip)) not in known]
    with _progress(console) as progress:
        task = progress.add_task("measuring", total=len(missing))
        for each, reading in _readings(backend, missing, swept):
            progress.update(task, advance=1, description=f"{each.family} {each.precision}")
            if reading is None:
                continue
            own = {
                "latency_s": f"{reading.seconds:.6g}",
                "clock_mhz": reading.clock_mhz,
                "power_w": reading.power_w,
            }
            own |= {"device": backend.device, "software": backend.software, "date": date}
            rows.append({**_cells(each, chip), **own})
            write_rows(path, rows)
            swept.measured += 1
    return swept


def _readings(backend: Backend, cases: Sequence[Case], swept: Swept) -> Iterator[tuple[Case, Reading | None]]:
    together = [each for each in cases if each.family in COLLECTIVES]
    for each in cases:
        if each.family not in COLLECTIVES:
            try:
                yield each, backend.measure(each)
            except Unsupported as reason:
                swept.skipped[f"{each.family} {each.precision}: {reason}"] += 1
                yield each, None
    if together:
        try:
            yield from backend.collectives(together)
        except Unsupported as reason:
            swept.skipped[f"collectives: {reason}"] += len(together)


def _progress(console: Console) -> Progress:
    parts = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*parts, console=console, disable=not console.is_terminal, transient=True)
