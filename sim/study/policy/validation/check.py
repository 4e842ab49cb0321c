"""Published policy tables against our figures: residuals, and the reason for each miss."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sim.profiles.catalogue import Catalogue
from sim.profiles.messages import InputError, Problem, shown_path
from sim.study.policy.validation.formulas import Formulas, spread

DRAWS, SEED = 512, 1  # where nothing else is said
NEEDED = ("table", "item", "published", "low", "high", "unit", "formula", "reason", "source")


@dataclass(frozen=True, slots=True)
class PublishedRow:
    """One published figure.

    Attributes
    ----------
    published : float or None
        The figure; None where only a range or a bound is published.
    low, high : float or None
        Range in which our median counts as agreeing.
    formula : str
        How we get it; empty where it is out of reach.
    reason : str
        Why it is missed or out of reach, or what the reader must know.
    """

    table: str
    item: str
    published: float | None
    low: float | None
    high: float | None
    unit: str
    formula: str
    reason: str
    source: str


@dataclass(frozen=True, slots=True)
class CheckedRow:
    """A published figure and ours: 5, 50 and 95 % over the draws."""

    row: PublishedRow
    p05: float
    p50: float
    p95: float

    @property
    def residual(self) -> float:
        """Ours over theirs, less one; NaN where there is nothing to compare."""
        published = self.row.published
        return self.p50 / published - 1.0 if published else math.nan

    @property
    def verdict(self) -> str:
        """Agrees, missed, out of reach; an input that the model was given, or shown with nothing to compare."""
        if not self.row.formula or math.isnan(self.p50):
            return "out of reach"
        if self.row.reason.startswith("an input"):
            return "input"
        if self.row.published is None:
            return "shown"
        above = self.row.low is None or self.p50 >= self.row.low
        below = self.row.high is None or self.p50 <= self.row.high
        return "agrees" if above and below else "missed"


def read_tables(paths: Sequence[Path]) -> list[PublishedRow]:
    """Rows of one or several CSV files with the columns of ``NEEDED``.

    Raises
    ------
    InputError
        When a file is missing, a column is missing, or a number is none.
    """
    return [row for path in paths for row in _read(path)]


def _read(path: Path) -> list[PublishedRow]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            missing = [name for name in NEEDED if name not in (reader.fieldnames or ())]
            if missing:
                message = f'{shown_path(path)}:1: no column "{missing[0]}"; needed: {", ".join(NEEDED)}'
                raise InputError([Problem(message)])
            return [_row(path, line, cells) for line, cells in enumerate(reader, 2)]
    except FileNotFoundError:
        raise InputError([Problem(f"{shown_path(path)}: no such file")]) from None


def _row(path: Path, line: int, cells: dict[str, str]) -> PublishedRow:
    def number(name: str) -> float | None:
        text = (cells[name] or "").strip()
        try:
            return float(text) if text else None
        except ValueError:
            message = (
                f'{shown_path(path)}:{line}: {name}: read "{text}", where a number or nothing is expected'
            )
            raise InputError([Problem(message)]) from None

    words = {
        name: (cells[name] or "").strip() for name in ("table", "item", "unit", "formula", "reason", "source")
    }
    return PublishedRow(**words, published=number("published"), low=number("low"), high=number("high"))


def check_tables(
    catalogue: Catalogue, rows: Sequence[PublishedRow], draws: int = DRAWS, seed: int = SEED
) -> list[CheckedRow]:
    """Our figure for every row; NaN where the row has no formula."""
    formulas = Formulas(catalogue, draws, seed)
    checked = []
    for row in rows:
        low, middle, high = spread(formulas.value(row.formula)) if row.formula else (math.nan,) * 3
        checked.append(CheckedRow(row, low, middle, high))
    return checked
