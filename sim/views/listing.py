"""A table for reading, and how it is printed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TextIO


@dataclass(frozen=True, slots=True)
class Listing:
    """A table for reading.

    Attributes
    ----------
    title : str
        What it holds.
    columns : sequence of str
        Headings.
    rows : sequence of sequence of str
        Cells.
    notes : sequence of str
        Lines below the table.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()


def print_lines(lines: Iterable[str], out: TextIO) -> None:
    """Sentences above the tables, and an empty line after them; nothing where there are none."""
    written = list(lines)
    if not written:
        return
    if out.isatty():
        _print_sentences(written, out)
        print(file=out)
    else:
        print("\n".join([*written, ""]), file=out)


def print_listing(listing: Listing, out: TextIO) -> None:
    """A ruled table in a terminal; aligned columns, one line per row, when the output goes elsewhere."""
    if out.isatty():
        _print_ruled(listing, out)
        return
    print(f"# {listing.title}", file=out)
    widths = [max(map(len, column)) for column in zip(listing.columns, *listing.rows, strict=True)]
    for row in (listing.columns, *listing.rows):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip(), file=out)
    print("".join(f"# {note}\n" for note in listing.notes), file=out)


def _print_ruled(listing: Listing, out: TextIO) -> None:
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=listing.title, title_justify="left", title_style="bold", box=SIMPLE, pad_edge=False)
    for column in listing.columns:
        table.add_column(column, overflow="fold")
    for row in listing.rows:
        table.add_row(*map(escape, row))
    Console(file=out).print(table)
    _print_sentences(listing.notes, out, "dim")


def _print_sentences(lines: Sequence[str], out: TextIO, style: str = "") -> None:
    """One after the other, broken between words, numbers in the colour of the rest."""
    from rich.console import Console
    from rich.markup import escape

    console = Console(file=out, highlight=False)
    for line in lines:
        console.print(escape(line), style=style)
