"""What the commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sim.profiles.catalogue import Catalogue

Profiles = Annotated[
    list[Path] | None,
    typer.Option("--profiles", metavar="DIR", help="Look for files here, too. May be given several times."),
]
AsOf = Annotated[
    str | None,
    typer.Option("--as-of", metavar="DATE", help="Use no price later than this date: YYYY, YYYY-MM or YYYY-MM-DD."),
]
Sources = Annotated[bool, typer.Option("--sources", help="Also print the sources and the notes.")]


def catalogue(profiles: list[Path] | None) -> Catalogue:
    """All files there are; those under ``profiles`` come first."""
    from sim.profiles.catalogue import Catalogue

    return Catalogue(profiles or ())


def group(text: str) -> typer.Typer:
    """A group of commands; alone it prints its help."""
    return typer.Typer(no_args_is_help=True, help=text)
