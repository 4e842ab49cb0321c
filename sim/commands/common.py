"""What the commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from sim.profiles.catalogue import Catalogue

Scenario = Annotated[str, typer.Argument(help="Scenario file, or the id of a shipped one.")]
Draws = Annotated[int | None, typer.Option(min=1, help="Worlds to draw, instead of the scenario's own.")]
Seed = Annotated[int | None, typer.Option(min=0, help="Seed of the draws, instead of the scenario's own.")]
ServingJob = Annotated[
    str | None, typer.Option(metavar="ID", help="Serving job of the scenario; the first when left out.")
]
Cluster = Annotated[
    str | None, typer.Option(metavar="a|b", help="Which of the two clusters; a when left out.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Profiles = Annotated[
    list[Path] | None,
    typer.Option("--profiles", metavar="DIR", help="Look for files here, too. May be given several times."),
]
AsOf = Annotated[
    str | None,
    typer.Option(
        "--as-of", metavar="DATE", help="Use no price later than this date: YYYY, YYYY-MM or YYYY-MM-DD."
    ),
]
Sources = Annotated[bool, typer.Option("--sources", help="Also print the sources and the notes.")]


def folder(help: str) -> Any:
    """The option of a place to write to."""
    return typer.Option(metavar="DIR", help=help)


def catalogue(profiles: list[Path] | None) -> Catalogue:
    """All files there are; those under ``profiles`` come first."""
    from sim.profiles.catalogue import Catalogue

    return Catalogue(profiles or ())


def group(text: str) -> typer.Typer:
    """A group of commands; alone it prints its help."""
    return typer.Typer(no_args_is_help=True, help=text)
