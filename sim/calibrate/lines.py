"""Reading a table row by row: every cell knows its place in the file, for messages."""

from __future__ import annotations

import csv
import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from sim.profiles.messages import InputError, Mark, Problem


@dataclass(frozen=True, slots=True)
class Line:
    """One row of a CSV table.

    Attributes
    ----------
    file : Path
        The table.
    number : int
        Line of the row in the file, from 1.
    cells : mapping of str to str
        By column, stripped; "" where the row is short.
    """

    file: Path
    number: int
    cells: Mapping[str, str]

    def text(self, column: str, default: str = "") -> str:
        """A cell as written."""
        return self.cells.get(column) or default

    def value(self, column: str, default: float | None = None) -> float:
        """A positive number, or zero.

        Raises
        ------
        InputError
            When the cell is no such number, or is empty and there is no default.
        """
        written = self.text(column)
        if not written and default is not None:
            return default
        try:
            number = float(written)
        except ValueError:
            number = math.nan
        if not (0.0 <= number < math.inf):
            self.refuse(column, f"read {_shown(written)}, where a number of zero or more is expected")
        return number

    def size(self, column: str, least: float = 1.0) -> float:
        """A number that is at least one, or at least ``least``."""
        number = self.value(column)
        if number < least:
            self.refuse(
                column, f'read "{self.text(column)}", where a number of {least:g} or more is expected'
            )
        return number

    def refuse(self, column: str, message: str) -> NoReturn:
        """End with a line that names the place of a cell."""
        before = list(self.cells).index(column) if column in self.cells else 0
        offset = sum(len(self.cells[name]) + 1 for name in list(self.cells)[:before])
        raise InputError([Problem(f"{column}: {message}", Mark(self.file, self.number, 1 + offset))])


def _shown(written: str) -> str:
    return f'"{written}"' if written else "nothing"


def read_lines(path: Path) -> tuple[tuple[str, ...], Iterator[Line]]:
    """Columns and rows of a CSV file.

    Raises
    ------
    InputError
        When it is no text, has no header or no rows.
    """
    try:
        rows = list(_numbered(path))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError([Problem(f"not a CSV table in UTF-8: {error}", Mark(path))]) from None
    if len(rows) < 2:
        missing = "rows below its header" if rows else "header; it is empty"
        raise InputError([Problem(f"the table has no {missing}", Mark(path))])
    columns = tuple(name.strip() for name in rows[0][1])
    return columns, (
        Line(path, number, dict(zip(columns, (cell.strip() for cell in cells), strict=False)))
        for number, cells in rows[1:]
    )


def _numbered(path: Path) -> Iterator[tuple[int, list[str]]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        start = 1
        for cells in reader:
            if any(cells):
                yield start, cells
            start = reader.line_num + 1


def sha256(path: Path) -> str:
    """Digest of a file, for its provenance."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
