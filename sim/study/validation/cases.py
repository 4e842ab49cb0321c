"""Tables of published numbers: where they stand, how they are read, and what a cell says."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from sim.profiles.catalogue import Catalogue, shipped_root
from sim.profiles.messages import InputError, Problem
from sim.units import did_you_mean

THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?")
BLANK = frozenset(
    {"-", "--", "\u2013", "\u2014", "?", "n/a", "na", "null", "tbd", "not published", "unpublished"}
)
PLAIN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._\-]{0,99}")


class CannotPredict(Exception):
    """A row that cannot be simulated; the message says why, in words for the user."""


@dataclass(frozen=True, slots=True)
class Case:
    """One published number.

    Attributes
    ----------
    row : mapping of str to str
        The line of the table, by column.
    line : int
        Its line in the file.
    groups : mapping of str to str
        What it is counted under: family, precision, kind, scale ...
    """

    row: Mapping[str, str]
    line: int
    groups: Mapping[str, str] = field(default_factory=dict)

    def text(self, column: str) -> str:
        """A cell; "" where it holds a word for nothing, or the table lacks the column."""
        written = (self.row.get(column) or "").strip()
        return "" if written.lower() in BLANK else written

    def number(self, column: str, default: float | None = None) -> float:
        """A number in a cell.

        Raises
        ------
        CannotPredict
            When it is empty and there is no default, or no finite number.
        """
        written = self.text(column)
        if not written:
            if default is None:
                raise CannotPredict(f"{column} is not published")
            return default
        try:
            number = float(written.replace(",", "") if THOUSANDS.fullmatch(written) else written)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise CannotPredict(f'{column}: read "{written[:60]}", where a number is expected')
        return number

    def id(self, column: str) -> str:
        """Name of a file of the catalogue in a cell.

        Raises
        ------
        CannotPredict
            When the cell is empty, or holds what can be no id.
        """
        written = self.text(column)
        if not written:
            raise CannotPredict(f"{column} is not given")
        if not PLAIN_ID.fullmatch(written):
            raise CannotPredict(f'{column}: "{written[:60]}" is no id; ids are like h100-sxm')
        return written.lower()

    @property
    def case_id(self) -> str:
        """Name of the row; two rows may share it."""
        return self.text("case_id")

    @property
    def key(self) -> str:
        """What tells the row from all others."""
        return f"{self.line}:{self.case_id}"

    @property
    def use(self) -> str:
        """calibrate or context; validate where the cell holds neither."""
        written = self.text("use").lower()
        return written if written in ("calibrate", "context") else "validate"

    @property
    def weight(self) -> float:
        """How much the row counts; 1 where the cell holds no number."""
        weight = self._number_or_nan("weight")
        return weight if weight >= 0.0 else 1.0

    @property
    def measured(self) -> float:
        """The published number, in the unit of its row; NaN when it has none above zero."""
        value = self._number_or_nan("value")
        return value if value > 0.0 else math.nan

    def _number_or_nan(self, column: str) -> float:
        try:
            return self.number(column, math.nan)
        except CannotPredict:
            return math.nan


def validation_folder() -> Path:
    """Folder of the shipped tables, and of the chips and models that only they need."""
    return shipped_root() / "validation"


def validation_catalogue(extra: Sequence[Path] = ()) -> Catalogue:
    """The shipped catalogue with the chips, systems and models of published runs."""
    folder = validation_folder()
    return Catalogue([*extra, *([folder] if folder.is_dir() else [])])


def family_of(case: Case, catalogue: Catalogue, families: Mapping[str, str]) -> str:
    """Family of the chip of a row as rows are counted; "other" where the row names no known chip."""
    try:
        return families.get(catalogue.chip(case.id("chip")).family, "other")
    except (CannotPredict, InputError):
        return "other"


def kind_of(case: Case, catalogue: Catalogue) -> str:
    """Whether the model of a row is "dense" or "moe"; "unknown" where its shape is not known."""
    try:
        model = catalogue.model(case.id("model_id")).architecture
    except (CannotPredict, InputError):
        return "unknown"
    return "unknown" if model is None else "moe" if model.moe else "dense"


@dataclass(frozen=True, slots=True)
class Table:
    """A kind of table: its shipped file, and the file that turns its software columns into numbers.

    Attributes
    ----------
    cases, rules : str
        File names.
    needed : tuple of str
        Columns that every prediction needs.
    about : str
        File that says what was fitted, and on what; it opens the page of predictions.
    """

    cases: str
    rules: str
    needed: tuple[str, ...]
    about: str

    def preface(self) -> str:
        """What the page of predictions opens with."""
        return (validation_folder() / self.about).read_text(encoding="utf-8")

    def files(self, cases: Path | None, rules: Path | None) -> tuple[Path, Path]:
        """Paths of both: the table asked for, else the shipped one; its rules, else those beside it, else the shipped."""
        folder = validation_folder()
        table = cases or folder / self.cases
        beside = table.parent / self.rules
        return table, rules or (beside if beside.is_file() else folder / self.rules)

    def read(self, path: Path, groups: Callable[[Case], Mapping[str, str]]) -> list[Case]:
        """Rows of the table with the groups they are counted under.

        Raises
        ------
        InputError
            When the file is missing, is no table, or lacks a column that every prediction needs.
        """
        return read_cases(path, self.needed, groups)


def read_cases(path: Path, needed: Sequence[str], groups: Callable[[Case], Mapping[str, str]]) -> list[Case]:
    """Rows of a CSV table, whatever editor has saved it; rows without a single entry are left out.

    Raises
    ------
    InputError
        When the file is missing, is no table, or lacks a column that every prediction needs.
    """
    text = _text(path)
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=_delimiter(text))
        reader.fieldnames = [(name or "").strip() for name in reader.fieldnames or []]
        rows = [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise InputError([Problem(f"{path}: not a CSV table: {error}")]) from None
    if missing := [name for name in needed if name not in reader.fieldnames]:
        raise InputError([Problem(f"{path}:1: {_missing(missing, reader.fieldnames)}")])
    cases = [Case(row, line) for line, row in rows if any(cell for cell in row.values())]
    return [replace(case, groups=groups(case)) for case in cases]


def _missing(names: Sequence[str], known: Sequence[str]) -> str:
    """All columns that a table lacks, in one line."""
    if len(names) == 1:
        return f"the table needs a column `{names[0]}`{did_you_mean(names[0], known)}"
    hints = ((name, did_you_mean(name, known).removeprefix("; ")) for name in names)
    return "the table needs " + ", ".join(f"a column `{name}`{hint and f' ({hint})'}" for name, hint in hints)


def _text(path: Path) -> str:
    """What a file says in UTF-8, UTF-16 with its mark, or the single bytes of older editors."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise InputError([Problem(f"{path}: no such file")]) from None
    except OSError as error:
        reason = (error.strerror or "error").lower()
        raise InputError([Problem(f"{path} cannot be read ({reason})")]) from None
    wide = raw[:2] in (b"\xff\xfe", b"\xfe\xff")
    if b"\0" in raw and not wide:
        raise InputError([Problem(f"{path}: not a CSV table: it holds null bytes")])
    for encoding in ("utf-16",) if wide else ("utf-8-sig", "cp1252", "latin-1"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise InputError([Problem(f"{path}: not a CSV table: its bytes are no text")])


def _delimiter(text: str) -> str:
    """Comma, semicolon or tab, whichever the first line has most of."""
    first = text.partition("\n")[0]
    return max(",;\t", key=first.count)
